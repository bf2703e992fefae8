"""Maps over images and recordings in the terminal: where cells stand, that lines fit, and what is said below."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from media_maps import dialled, line, scene
from rich.cells import cell_len

from regard.maps import AttentionMap, Medium, Picture, Sound, whole_words
from regard.view.terminal import picture_of, show


def lines(map: AttentionMap, width: int = 80, palette: str = "shades") -> list[str]:
    return [found.rstrip() for found in picture_of(map, width, palette).plain.splitlines()]  # type: ignore[arg-type]


def steps(medium: Medium, *weights: list[float]) -> AttentionMap:
    target = whole_words([*"abcdefgh"[: len(weights)]])
    return AttentionMap(np.array(weights, float), medium.tokens("x"), target, axes=(), medium=medium)


def test_a_recording_has_a_row_for_each_word_along_its_seconds() -> None:
    samples = np.r_[np.zeros(8000), np.full(8000, 9000), np.zeros(16000)].astype(np.int16)
    made = steps(Sound(samples, 8000, 4, 1.0), [0, 1, 0, 0], [0.2, 0.2, 0.2, 0.4], [0, 0, 0, 0])
    assert lines(made, 42) == [
        "cross attention, predicting",
        "            ██████████",
        "a           ██████████",
        "b ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░▒▒▒▒▒▒▒▒▒▒",
        "c " + "-" * 40,
        "  0s        1         2         3",
        "blank 0  · <0.20  ░ <0.40  ▒ <0.60  ▓ <0.80  █ to 1.00   - no weight at all",
    ]


def test_more_places_than_cells_share_them_and_it_is_said() -> None:
    made = dialled()
    found = lines(made, 30)
    assert found[-1].endswith(f"a cell: the sum of {made.medium.places / 25:.3g} places")  # type: ignore[union-attr]
    assert all(len(each) <= 30 for each in found[1:-2])


def test_the_image_of_a_line_stands_above_its_rows() -> None:
    found = lines(line(), 80)
    assert any("▓" in each for each in found[1:5])
    assert found[-2].split() == ["0px", "50", "100", "150", "200"]
    # The rows of the grid are added up.
    assert lines(line(rows=3), 80)[5:-2] == found[5:-1]
    assert lines(line(rows=3), 80)[-1].endswith("a cell: the sum of 3 places")


def test_a_scene_has_a_small_picture_for_each_word() -> None:
    found = lines(scene(), 80)
    assert found[1].split() == ["a", "0.062", "red", "0.062"]
    assert found[-1].endswith("█ to 1.00   of a word's largest")
    # The circle is at the left, above the middle; the square at the right.
    heavy = {(at, each.index("█") // 2) for at, each in enumerate(found[2:14]) if "█" in each}
    assert heavy == {(4, 4), (5, 4), (6, 4)}
    assert len([each for each in found if re.search(r"0\.\d", each)]) == 5 + 1


def test_small_grids_are_seen_and_large_ones_fit() -> None:
    tiny = steps(Picture(np.zeros((8, 8), np.uint8), 2, 2), [1, 0, 0, 0])
    assert lines(tiny)[2:8] == ["█" * 12] * 6
    large = Picture(np.zeros((300, 400, 3), np.uint8), 30, 40)
    weights = [0.0] * 1200
    weights[1199] = 1.0
    found = lines(steps(large, weights), 80)
    assert max(map(len, found)) <= 80
    assert found[19] == " " * 46 + "██"


@pytest.mark.parametrize("width", [16, 24, 80, 133])
@pytest.mark.parametrize("palette", ["colour", "shades", "ascii"])
@pytest.mark.parametrize("make", [scene, line, dialled])
def test_every_line_fits(make, palette: str, width: int) -> None:
    text = picture_of(make(), width, palette)
    body = text.plain.splitlines()[1:]
    body = body[: max(at for at, each in enumerate(body) if each.startswith(("0 ", "blank 0")))]
    most = max(width, 48 if make is scene and palette != "colour" else 24 if make is scene else width)
    assert max(map(cell_len, body)) <= most
    if palette == "ascii":
        text.plain.encode("ascii")


def test_in_colours_the_image_is_there_too() -> None:
    text = picture_of(scene(), 80, "colour")
    assert "128 x 96" in text.plain
    colours = {tuple(map(int, found)) for found in re.findall(r"rgb\((\d+),(\d+),(\d+)\)", str(text.spans))}
    assert (210, 40, 40) in colours
    assert (40, 70, 200) in colours


def test_long_outputs_are_cut_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regard.view.blocks.MOST_WORDS", 2)
    monkeypatch.setattr("regard.view.blocks.MOST_ROWS", 3)
    assert lines(scene())[-1] == "the first 2 of 9 target tokens"
    assert lines(line())[-1] == "the first 3 of 12 target tokens"


def test_a_file_gets_shades_and_an_output_without_words_a_line() -> None:
    file = io.StringIO()
    show(scene(), file=file, width=80)
    assert "\x1b" not in file.getvalue()
    empty = replace(scene(), weights=np.zeros((0, 192)), target=whole_words([]))
    assert "(an empty map: no target tokens)" in picture_of(empty).plain
