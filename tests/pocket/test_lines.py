"""Lines of text: what is drawn is what is to be read, where the gold says, and the same for the same seed."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from regard.data.pocket import lines as corpus
from regard.data.pocket.lines import FONTS, SHORT, SIZES, Line, Style, drawn, extents, lines, write
from regard.errors import RegardError


@pytest.fixture(scope="module")
def made() -> list[Line]:
    return lines()


def test_sizes_and_determinism(made: list[Line]) -> None:
    assert Counter(line.part for line in made) == SIZES
    assert made == lines(0)
    assert made != lines(1)
    np.testing.assert_array_equal(made[0].pixels(), lines(0)[0].pixels())


def test_no_line_but_a_short_one_is_there_twice(made: list[Line]) -> None:
    texts = [line.text for line in made if len(line.text) > max(SHORT)]
    assert len(texts) == len(set(texts))
    short = [line for line in made if len(line.text) <= max(SHORT)]
    assert {line.part for line in short} == {"train"}
    assert len(short) == SIZES["train"] // 4
    assert set("".join(texts)) == set("abcdefghijklmnopqrstuvwxyz")
    assert {line.style.font for line in made} == set(FONTS)


def test_extents_follow_each_other_within_the_picture(made: list[Line]) -> None:
    for line in made[:200]:
        found, pixels = line.extents(), line.pixels()
        assert len(found) == len(line.text)
        assert all(left[1] == right[0] for left, right in pairwise(found))
        assert all(start < end for start, end in found)
        assert 0 < found[0][0] < found[-1][1] < pixels.shape[1]
        assert pixels.shape[0] == line.style.height


@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize("place", [0, 3, 6])
def test_a_letter_is_inked_within_its_extent(font: str, place: int) -> None:
    """In the picture of spaces and one letter all ink lies in its extent; a slant and a wave take it no farther."""
    text = " " * place + "x" + " " * (6 - place)
    for style in (Style(font), Style(font, slant=0.2, wave=0.05, wave_length=2.0)):
        left, right = extents(text, style)[place]
        inked = np.flatnonzero((drawn(text, style) < 200).any(axis=0))
        slant = style.slant * style.height / 3
        assert left - slant - 1 <= inked[0] < inked[-1] <= right + slant + 1
        ink = 255.0 - drawn(text, style)
        centre = (ink.sum(axis=0) @ np.arange(ink.shape[1])) / ink.sum()
        assert abs(centre + 0.5 - (left + right) / 2) < 0.08 * style.height


def test_styles_do_what_they_say() -> None:
    plain = drawn("hgx", Style())
    assert (plain.min(), plain.max()) == (0, 255)
    soft = drawn("hgx", Style(paper=200, ink=100))
    assert (soft.min(), soft.max()) == (100, 200)
    assert np.std(drawn("hgx", Style(noise=9.0))[:2].astype(float) - 255) > 3
    shaded = drawn("hgx", Style(paper=200, shade=40))[0]
    assert (shaded[0], shaded[-1]) == (180, 220)
    assert (
        np.abs(np.diff(drawn("hgx", Style(blur=2.0)).astype(int), axis=1)).max()
        < np.abs(np.diff(plain.astype(int))).max()
    )
    for name, value in (("slant", 0.3), ("wave", 0.1), ("raised", 0.1)):
        assert (drawn("hgx", Style(**{name: value})) != plain).any(), name
    assert drawn("hgx", Style(height=64)).shape[0] == 64


def test_letters_stay_within_the_picture(made: list[Line]) -> None:
    """However they are bent: the first and the last row have nearly no ink."""
    for line in made[:300]:
        if line.style.noise < 3 and line.style.blur < 0.5:
            pixels = line.pixels().astype(float)
            outermost = np.minimum(pixels[0], pixels[-1])
            assert (outermost > (line.style.paper + line.style.ink) / 2).mean() > 0.97


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "SIZES", {"train": 4, "dev": 1, "test": 2})
    written = write(tmp_path)
    assert [line for _, line in written] == lines()
    assert [len((tmp_path / f"{part}.tsv").read_text().splitlines()) for part in SIZES] == [4, 1, 2]
    name, text = (tmp_path / "train.tsv").read_text().splitlines()[3].split("\t")
    path, line = written[3]
    assert (tmp_path / name, text) == (path, line.text)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), line.pixels())
    gold = [json.loads(row) for row in (tmp_path / "gold.jsonl").read_text().splitlines()]
    assert gold[3]["file"] == name
    np.testing.assert_allclose(gold[3]["extents"], line.extents(), atol=0.01)


def test_a_font_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(RegardError, match=r"none\.ttf: no font that can be read"):
        drawn("x", Style(str(tmp_path / "none.ttf")))
