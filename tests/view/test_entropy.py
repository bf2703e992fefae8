"""Curves of entropy: their numbers are those of the map, and every line is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from regard.errors import RegardError
from regard.maps import AttentionMap, whole_words
from regard.view import entropy
from regard.view.entropy import entropy_curves


def of_layers() -> AttentionMap:
    """Two layers of two heads: even, certain; certain, even."""
    even, certain = np.full((2, 4), 0.25), np.eye(4)[:2]
    weights = np.array([[even, certain], [certain, even]])
    return AttentionMap(weights, whole_words("abcd"), whole_words(["汤姆", "$y"]))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def instead(series: Any, path: Any, *_: Any, **more: Any) -> None:
        found.update(series=series, **more)

    monkeypatch.setattr(entropy, "curves", instead)
    return found


def test_one_map_has_a_line_for_each_layer_in_the_band_of_its_heads(drawn: dict[str, Any], tmp_path: Path) -> None:
    entropy_curves(of_layers(), tmp_path / "a.svg")
    for layer in (0, 1):
        places, means = drawn["series"][f"layer {layer}"]
        lowest, highest = drawn["ranges"][f"layer {layer}"]
        assert places == [1, 2]
        np.testing.assert_allclose(means, np.log(4) / 2)
        np.testing.assert_allclose(lowest, 0)
        np.testing.assert_allclose(highest, np.log(4))
    assert drawn["ticks"] == ("汤姆", "$y")


def test_several_maps_have_a_line_each_even_of_one_name(drawn: dict[str, Any], tmp_path: Path) -> None:
    first, second = of_layers().select(layer=0, head=0), of_layers().select(layer=0)
    entropy_curves([first, second, first], tmp_path / "a.svg", titles=["same", "other", "same"])
    assert list(drawn["series"]) == ["same (1)", "other", "same (3)"]
    np.testing.assert_allclose(drawn["series"]["same (3)"][1], np.log(4))
    assert list(drawn["ranges"]) == ["other"]
    assert drawn["ticks"] == ["1", "2"]


@pytest.mark.filterwarnings("ignore:no font")  # a machine without Chinese letters draws boxes
def test_the_picture_names_lines_and_tokens(tmp_path: Path) -> None:
    entropy_curves(of_layers(), tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    for label in ("layer 0", "layer 1", "$y", "target token", "entropy of the weights (nats)"):
        assert f"<!-- {label} -->" in text


def test_what_has_no_entropy_is_said(tmp_path: Path) -> None:
    empty = AttentionMap(np.zeros((0, 1)), whole_words("a"), whole_words([]), axes=())
    for given, titles, message in (([], None, "empty"), (empty, None, "empty"), (of_layers(), ["a", "b"], "2 titles")):
        with pytest.raises(RegardError, match=message):
            entropy_curves(given, tmp_path / "a.png", titles)
    assert not list(tmp_path.iterdir())
