"""Pictures: they are written, hold what they should, and what can't be drawn is said."""

from __future__ import annotations

import struct
import warnings
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from regard.errors import RegardError
from regard.maps import AttentionMap, whole_words
from regard.view import drawing as shared
from regard.view.figure import curves, heat_map, learning_curve
from regard.view.fonts import families_for

#: A character for private use, which no font of a text has.
NOWHERE = "\U0010fffd"


def small(source: str = "Tom chases Jerry .", target: str = "a b c $x_1^") -> AttentionMap:
    rows, columns = target.split(), source.split()
    weights = np.random.default_rng(0).dirichlet(np.ones(len(columns)), size=len(rows))
    weights[1] = 0
    return AttentionMap(weights, whole_words(columns), whole_words(rows), axes=())


def size(png: Path) -> tuple[int, int]:
    data = png.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def test_a_heat_map_in_png_and_svg(tmp_path: Path) -> None:
    heat_map(small(), tmp_path / "a.png")
    width, height = size(tmp_path / "a.png")
    assert 300 < width < 1500
    assert 300 < height < 1500
    heat_map(small(), str(tmp_path / "a.svg"))
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "<svg" in text
    # matplotlib writes the text of each label beside its shapes; the dollar sign is no formula.
    for label in (
        "Tom",
        "chases",
        "Jerry",
        "$x_1^",
        "weight",
        "Tom chases Jerry . → a b c $x_1^",
        "cross attention -->",
        "target, each as it was predicted",
    ):
        assert f"<!-- {label}" in text


def test_the_numbers_stand_in_the_cells_of_small_matrices_only(tmp_path: Path) -> None:
    heat_map(small(), tmp_path / "small.svg")
    text = (tmp_path / "small.svg").read_text(encoding="utf-8")
    for weight in small().matrix[[0, 2, 3]].ravel():
        assert f"<!-- {weight:.2f} -->".replace("0.", ".") in text
    assert text.count("<!-- 0 -->") == 4
    large = " ".join("abcdefghijklmnopqrstuvwxy")
    heat_map(small(large, large), tmp_path / "large.svg")
    assert "<!-- 0 -->" not in (tmp_path / "large.svg").read_text(encoding="utf-8")


def turned(svg: Path, label: str) -> bool:
    """Whether a label stands upright in a picture."""
    _, _, after = svg.read_text(encoding="utf-8").partition(f"<!-- {label} -->")
    return "rotate(-90)" in after[: after.index("<defs")]


def test_labels_are_upright_only_where_they_do_not_fit(tmp_path: Path) -> None:
    heat_map(small(), tmp_path / "few.svg")
    assert not turned(tmp_path / "few.svg", "chases")
    heat_map(small("unconstitutionally .", "x y"), tmp_path / "long.svg")
    assert turned(tmp_path / "long.svg", "unconstitutionally")
    heat_map(small("chases " * 30, "x y"), tmp_path / "many.svg")
    assert turned(tmp_path / "many.svg", "chases")
    short = " ".join("abcdefghijklmnopqrst")
    heat_map(small(short, "x y"), tmp_path / "short.svg")
    assert not turned(tmp_path / "short.svg", "c")


def test_the_same_map_makes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg", "a.png", "b.png"):
        heat_map(small(), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_two_maps_side_by_side(tmp_path: Path) -> None:
    heat_map(small(), tmp_path / "one.png")
    heat_map([small(), small("x y")], tmp_path / "two.svg", titles=["additive", "no $attention$"])
    text = (tmp_path / "two.svg").read_text(encoding="utf-8")
    assert "<!-- additive -->" in text
    assert "<!-- no $attention$ -->" in text
    heat_map([small(), small()], tmp_path / "two.png")
    assert size(tmp_path / "two.png")[0] > 1.5 * size(tmp_path / "one.png")[0]


def test_layers_and_heads_make_a_grid(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).dirichlet(np.ones(2), size=(2, 3, 2))
    heat_map(AttentionMap(weights, whole_words("ab"), whole_words("xy")), tmp_path / "grid.svg")
    text = (tmp_path / "grid.svg").read_text(encoding="utf-8")
    for layer in range(2):
        for head in range(3):
            assert text.count(f"<!-- layer {layer}, head {head} -->") == 1
    assert "2 layers x 3 heads" in text


def test_many_tokens_make_no_endless_picture(tmp_path: Path) -> None:
    n = 120
    map = AttentionMap(np.full((2, n), 1 / n), whole_words(["w"] * n), whole_words("xy"), axes=())
    heat_map(map, tmp_path / "wide.png")
    assert size(tmp_path / "wide.png")[0] <= 150 * 23


def test_a_missing_character_is_told_of_in_one_line(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="font") as caught:
        heat_map(small(source=f"a {NOWHERE} b"), tmp_path / "a.png")
    assert len(caught) == 1
    message = str(caught[0].message)
    assert message.startswith(f"no font on this machine has {NOWHERE} (1 characters)")
    assert "\n" not in message


def test_fonts_that_are_there_are_enough_for_latin_and_greek() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert families_for("Tom αβγ é") == ["DejaVu Sans"]


def test_a_font_of_placeholders_is_never_taken() -> None:
    with pytest.warns(UserWarning, match="no font"):
        assert families_for(NOWHERE) == ["DejaVu Sans"]


def test_curves_and_learning_curves(tmp_path: Path) -> None:
    series = {"additive": ([100, 1000], [3.0, 9.0]), "fixed $": ([100, 1000], [2.0, float("nan")])}
    curves(series, tmp_path / "c.svg", "pairs", "BLEU", log_x=True)
    text = (tmp_path / "c.svg").read_text(encoding="utf-8")
    for label in ("additive", "fixed $", "pairs", "BLEU"):
        assert f"<!-- {label} -->" in text
    records = [
        {"step": 10, "train_loss": 4.0, "note": "warm", "tokens_per_second": 9},
        {"step": 20, "train_loss": 3.0, "dev_loss": 3.5, "bleu": 1.0, "saved": True},
        {"device": "cpu"},
    ]
    learning_curve(records, tmp_path / "l.svg", metrics=["bleu"])
    text = (tmp_path / "l.svg").read_text(encoding="utf-8")
    for label in ("loss (nats per target token)", "training", "validation", "bleu", "update"):
        assert f"<!-- {label} -->" in text
    learning_curve(records, tmp_path / "m.svg", metrics={"bleu": "BLEU, as papers have it"})
    assert "<!-- BLEU, as papers have it -->" in (tmp_path / "m.svg").read_text(encoding="utf-8")
    assert "tokens_per_second" not in text
    learning_curve(records, tmp_path / "l.png")
    assert size(tmp_path / "l.png") == (1050, 630)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda path: heat_map(small(), path / "a.gif"), "pictures are .png or .svg files, not .gif"),
        (lambda path: heat_map(small(), path / "a"), "not one without an ending"),
        (lambda path: heat_map([], path / "a.png"), "nothing to draw"),
        (lambda path: heat_map(small(), path / "a.png", titles=["a", "b"]), "2 titles for 1 attention maps"),
        (lambda path: heat_map(small(), path / "no" / "a.png"), "can't be written: No such file"),
        (lambda path: heat_map([small(), heads()], path / "a.png"), "1 layers x 2 heads: choose with select"),
        (lambda path: curves({}, path / "a.png", "x", "y"), "no line has a point"),
        (lambda path: curves({"a": ([1, 2], [1])}, path / "a.png", "x", "y"), "'a' has 2 places but 1 values"),
        (lambda path: learning_curve([{"step": 1}], path / "a.png"), "no line has a point"),
        (lambda path: learning_curve([{"step": 1, "loss": 2}], path / "a.png", ["bleu"]), "'bleu'; they have loss"),
    ],
)
def test_what_cannot_be_drawn_is_said_and_nothing_stays(tmp_path: Path, draw, message: str) -> None:
    with pytest.raises(RegardError) as caught:
        draw(tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def heads() -> AttentionMap:
    return AttentionMap(np.ones((1, 2, 1, 1)), whole_words("a"), whole_words("b"))


def test_without_matplotlib_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(shared, "find_spec", nothing)
    with pytest.raises(RegardError, match=r"drawing needs matplotlib: pip install 'regard\[figures\]'"):
        heat_map(small(), tmp_path / "a.png")
