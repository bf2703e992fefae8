"""`regard demo lines` and `regard demo scenes`: what is measured, and the whole command with tiny corpora."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regard.cli import main
from regard.data.pocket import lines as lines_corpus
from regard.data.pocket import scenes as scenes_corpus
from regard.data.pocket.lines import Line, Style
from regard.data.pocket.scenes import Scene, Thing
from regard.demonstration import lines, scenes
from regard.maps import AttentionMap, Picture, Tokens


def _map(weights: Any, picture: Picture, words: list[str]) -> AttentionMap:
    target = Tokens((*words, "<eos>"), tuple(range(len(words) + 1)))
    return AttentionMap(np.asarray(weights, float), picture.tokens("x.png"), target, axes=(), medium=picture)


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        ([1, 2, 3], [10, 30, 90], 1.0),
        ([3, 2, 1], [10, 30, 90], -1.0),
        ([5, 5, 5], [1, 2, 3], 0.0),
        ([1, 3, 2, 4], [1, 2, 3, 4], 0.8),
        ([1, 1, 2], [1, 2, 3], 0.8660254),
        ([7], [1], 1.0),
    ],
)
def test_rank_correlation(first: list[float], second: list[float], wanted: float) -> None:
    assert lines.spearman(np.array(first, float), np.array(second, float)) == pytest.approx(wanted)


def test_attention_that_follows_a_line_and_that_does_not() -> None:
    line = Line("test", "abcd", Style())
    picture = Picture(line.pixels(), 1, 8)
    forwards = np.eye(8)[[0, 2, 4, 6, 7]]
    assert lines.follow(_map(forwards, picture, list("abcd")), line) == pytest.approx(1)
    assert lines.follow(_map(forwards[[3, 2, 1, 0, 4]], picture, list("abcd")), line) == pytest.approx(-1)
    assert lines.follow(_map(np.full((5, 8), 1 / 8), picture, list("abcd")), line) == pytest.approx(0)


def test_looking_at_what_is_named() -> None:
    first = Thing("red", "circle", 12, 20, 9, 0.0, (200, 0, 0))
    second = Thing("blue", "square", 44, 20, 6, 0.0, (0, 0, 200))
    scene = Scene("test", (first, second), 40, 56, 240.0, 0.0, 0)
    assert scene.caption == "a red circle left of a blue square"
    picture = Picture(scene.pixels(), 5, 7)
    at_first, at_second, nowhere = 2 * 7 + 1, 2 * 7 + 5, 6
    looks = [nowhere, at_first, at_second, nowhere, nowhere, nowhere, at_second, at_second, nowhere]
    assert scenes.hits(_map(np.eye(35)[looks], picture, scene.caption.split()), scene) == [True, False, True, True]


@pytest.mark.parametrize(("name", "corpus"), [("lines", lines_corpus), ("scenes", scenes_corpus)])
def test_the_whole_command(
    name: str, corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    demonstration = {"lines": lines, "scenes": scenes}[name]
    monkeypatch.setattr(corpus, "SIZES", dict.fromkeys(corpus.SIZES, 6))
    training = {**demonstration.SETTINGS["training"], "updates": 2, "validate_every": 1, "device": "cpu", "threads": 1}
    monkeypatch.setitem(demonstration.SETTINGS, "training", training)
    out = tmp_path / "demo"
    assert main(["demo", name, "--out", str(out), "--compare"]) == 0
    printed = capsys.readouterr().out
    assert "6 pairs to learn from" in printed
    assert "exactly right, of 6" in printed
    assert "with one fixed context C" in printed
    assert f"regard predict {out / 'model'} --show" in printed
    assert (out / "attention.html").stat().st_size > 10_000
    assert (out / "attention.png").stat().st_size > 10_000
    assert (out / "model-fixed" / "model.safetensors").exists()
