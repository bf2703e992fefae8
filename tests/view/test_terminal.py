"""The heat map in the terminal: columns line up, lines fit, nothing escapes into a file."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from regard.errors import RegardError
from regard.maps import AttentionMap, whole_words
from regard.view.terminal import heat_map, show

WEIGHTS = [[0.93, 0.05, 0.01, 0.01], [0.04, 0.92, 0.03, 0.01], [0.0, 0.25, 0.25, 0.5], [0.0, 0.0, 0.0, 0.0]]


def tom_and_jerry() -> AttentionMap:
    source, target = whole_words(["Tom", "chases", "Jerry", "."]), whole_words(["汤姆", "追", "杰瑞", "。"])
    return AttentionMap(np.array(WEIGHTS, dtype=np.float32), source, target, axes=())


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_with_room_the_weights_are_printed_as_numbers() -> None:
    assert lines(heat_map(tom_and_jerry(), 60, "shades").plain) == [
        "cross attention, predicting",
        "      Tom   chases Jerry    .",
        "汤姆 █ 0.93 · 0.05 · 0.01 · 0.01",
        "追   · 0.04 █ 0.92 · 0.03 · 0.01",
        "杰瑞   0.00 ░ 0.25 ░ 0.25 ▒ 0.50",
        "。     -      -      -      -",
        "blank 0  · <0.19  ░ <0.37  ▒ <0.56  ▓ <0.74  █ to 0.93   - no weight at all",
    ]


def test_without_room_labels_stand_upright() -> None:
    assert lines(heat_map(tom_and_jerry(), 20, "shades").plain) == [
        "cross attention, predicting",
        "       c",
        "       h J",
        "       a e",
        "     T s r",
        "     o e r",
        "     m s y .",
        "汤姆 ██······",
        "追   ··██····",
        "杰瑞   ░░░░▒▒",
        "。   - - - -",
        "blank 0  · <0.19  ░ <0.37  ▒ <0.56  ▓ <0.74  █ to 0.93   - no weight at all",
    ]


def test_what_does_not_fit_goes_on_below() -> None:
    text = lines(heat_map(tom_and_jerry(), 9, "shades").plain)
    assert "    source 1 to 2 of 4" in text
    assert "    source 3 to 4 of 4" in text
    assert sum(line.startswith("追") for line in text) == 2


def test_long_and_chinese_labels_upright() -> None:
    source = whole_words(["杰瑞", "e\u0301a", "x" * 40])
    map = AttentionMap(np.full((1, 3), 1 / 3), source, whole_words(["y"]), axes=())
    text = lines(heat_map(map, 10, "shades").plain)
    assert text[-6:] == [
        "      x",
        "      x",
        "  杰e\u0301 x",
        "  瑞a ~",
        "y ██████",
        "blank 0  · <0.067  ░ <0.13  ▒ <0.20  ▓ <0.27  █ to 0.33",
    ]
    assert len(text) == 1 + 16 + 1 + 1, "labels are cut at sixteen characters"


def test_colours_go_from_dark_to_light_with_readable_numbers() -> None:
    picture = heat_map(tom_and_jerry(), 60, "colour")
    # The first of equals: the scale at the end repeats the largest weight.
    styles = {picture.plain[span.start : span.end].strip(): str(span.style) for span in reversed(picture.spans)}
    assert styles["0.93"].startswith("black on rgb(253,250,196)")
    assert styles["0.00"].startswith("white on rgb(18,16,46)")
    assert picture.plain.count("0.01") == 3


def test_a_long_target_label_is_cut_to_a_third() -> None:
    map = AttentionMap(np.ones((1, 1)), whole_words(["x"]), whole_words(["汤姆" * 10]), axes=())
    line = lines(heat_map(map, 30, "shades").plain)[2]
    assert line == "汤姆汤姆~  █ 1.00"


def test_an_empty_map_says_so() -> None:
    map = AttentionMap(np.zeros((1, 0)), whole_words([]), whole_words("x"), axes=())
    assert "(an empty map: no source tokens)" in heat_map(map).plain


def test_layers_and_heads_must_be_chosen() -> None:
    map = AttentionMap(np.ones((2, 2, 1, 1)), whole_words("a"), whole_words("b"))
    with pytest.raises(RegardError, match="2 layers x 2 heads: choose"):
        heat_map(map)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text("aé汤\u0301漢", min_size=1, max_size=6), min_size=1, max_size=12),
    st.lists(st.text("aé汤\u0301漢", min_size=1, max_size=6), min_size=1, max_size=4),
    st.integers(12, 90),
    st.sampled_from(["colour", "shades", "ascii"]),
)
def test_every_row_is_equally_wide_and_fits(source: list[str], target: list[str], width: int, palette) -> None:
    weights = np.random.default_rng(len(source)).dirichlet(np.ones(len(source)), size=len(target))
    map = AttentionMap(weights, whole_words(source), whole_words(target), axes=())
    text = heat_map(map, width, palette).plain.split("\n")
    body = text[1:-2]
    assert all(cell_len(line) <= width or line.strip().startswith("source ") for line in body)
    # From the end of each block count back its rows: they are as wide as each other.
    last = body[-len(target) :]
    assert len({cell_len(line) for line in last}) == 1


def test_a_file_gets_no_escape_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    file = io.StringIO()
    show(tom_and_jerry(), file=file, width=60)
    assert "\x1b" not in file.getvalue()
    assert lines(file.getvalue()) == lines(heat_map(tom_and_jerry(), 60, "shades").plain)


def test_a_file_that_has_no_chinese_gets_ascii() -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="latin-1")
    show(tom_and_jerry(), file=file, width=60)
    file.flush()
    assert lines(raw.getvalue().decode("latin-1"))[2] == "?? # 0.93 . 0.05 . 0.01 . 0.01"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_colours_unless_it_refuses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    show(tom_and_jerry(), file=terminal, width=60)
    assert "\x1b[" in terminal.getvalue()
    assert "█" not in terminal.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    show(tom_and_jerry(), file=plain, width=60)
    assert "█" in plain.getvalue()


def test_labels_cannot_steer_the_terminal() -> None:
    map = AttentionMap(np.ones((1, 1)), whole_words(["\x1b[2J[red]"]), whole_words(["\n"]), axes=())
    console = Console(file=io.StringIO(), width=60)
    console.print(heat_map(map, 60, "shades"))
    assert "␛[2J[red]" in console.file.getvalue()  # type: ignore[attr-defined]
