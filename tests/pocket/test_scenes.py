"""Scenes: the caption says what is in the picture, the boxes where."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from regard.data.pocket import scenes as corpus
from regard.data.pocket.scenes import COLOURS, SHAPES, SIZES, UNSEEN, Scene, relation, scenes, write


@pytest.fixture(scope="module")
def made() -> list[Scene]:
    return scenes()


def test_sizes_and_determinism(made: list[Scene]) -> None:
    assert Counter(scene.part for scene in made) == SIZES
    assert made == scenes(0)
    assert made != scenes(1)
    np.testing.assert_array_equal(made[0].pixels(), scenes(0)[0].pixels())


def test_unseen_combinations_are_only_in_their_part(made: list[Scene]) -> None:
    seen = set()
    for scene in made:
        things = {(thing.colour, thing.shape) for thing in scene.things}
        assert bool(things & UNSEEN) == (scene.part == "unseen")
        seen |= things
    assert seen == {(colour, shape) for colour in COLOURS for shape in SHAPES}
    assert {shape for _, shape in UNSEEN} == set(SHAPES)
    assert len({colour for colour, _ in UNSEEN}) == len(UNSEEN)


def test_captions_say_what_there_is(made: list[Scene]) -> None:
    for scene in made:
        first, *others = scene.things
        assert all(first.radius > 1.3 * other.radius for other in others), "the largest comes first"
        assert [other.y for other in others] == sorted(other.y for other in others)
        wanted = f"a {first.colour} {first.shape}"
        for number, other in enumerate(others):
            where = relation(first, other)
            if where in ("left of", "right of"):
                assert (first.x < other.x) == (where == "left of")
                assert abs(first.x - other.x) > 1.5 * abs(first.y - other.y)
            else:
                assert (first.y < other.y) == (where == "above")
                assert abs(first.y - other.y) > 1.5 * abs(first.x - other.x)
            wanted += f"{' and' * number} {where} a {other.colour} {other.shape}"
        assert scene.caption == wanted
        for word, number in scene.words:
            if number is not None:
                assert word in (scene.things[number].colour, scene.things[number].shape)
        assert sum(number is not None for _, number in scene.words) == 2 * len(scene.things)
    shares = Counter(relation(scene.things[0], thing) for scene in made for thing in scene.things[1:])
    assert min(shares.values()) > 0.1 * shares.total()


def test_colours_lie_in_the_boxes(made: list[Scene]) -> None:
    for scene in made[:100]:
        pixels = scene.pixels().astype(float)
        assert pixels.shape == (scene.high, scene.wide, 3)
        rest = np.ones(pixels.shape[:2], bool)
        for thing in scene.things:
            top, left, bottom, right = thing.box
            assert 0 <= top < bottom <= scene.high
            assert 0 <= left < right <= scene.wide
            inside = np.s_[max(0, int(top) - 1) : int(bottom) + 2, max(0, int(left) - 1) : int(right) + 2]
            near = np.abs(pixels[inside] - np.array(thing.ink)).max(axis=2) < 60
            assert near.mean() > 0.2, "its colour is there"
            rest[inside] = False
        assert np.abs(pixels[rest] - scene.ground).max() < 6 * scene.noise + 1, "and nothing is elsewhere"


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "SIZES", {"train": 4, "dev": 1, "test": 2, "unseen": 1})
    written = write(tmp_path)
    assert [scene for _, scene in written] == scenes()
    name, caption = (tmp_path / "test.tsv").read_text().splitlines()[1].split("\t")
    path, scene = written[6]
    assert (tmp_path / name, caption) == (path, scene.caption)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), scene.pixels())
    gold = json.loads((tmp_path / "gold.jsonl").read_text().splitlines()[6])
    assert gold["file"] == name
    assert gold["boxes"] == [list(thing.box) for thing in scene.things]
    assert [number for _, number in scene.words] == gold["objects"]
