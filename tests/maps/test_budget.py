"""Maps in few bytes: how far they are off, that they fit, and that what was left out is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regard.errors import RegardError
from regard.maps import AttentionMap, load_maps, save_maps, whole_words
from regard.maps.budget import quantised, restored, within


def random_map(seed: int, heads: int = 2, rows: int = 5, columns: int = 40, sharpness: float = 2.0) -> AttentionMap:
    draw = np.random.default_rng(seed)
    scores = np.exp(sharpness * draw.normal(size=(1, heads, rows, columns)))
    weights = (scores / scores.sum(-1, keepdims=True)).astype(np.float32)
    names = [f"w{place}" for place in range(columns)]
    return AttentionMap(weights, whole_words(names), whole_words(names[:rows]))


@settings(max_examples=50)
@given(st.integers(0, 2**32), st.floats(0, 8))
def test_bytes_are_off_by_a_510th_of_the_largest_of_the_row(seed: int, sharpness: float) -> None:
    weights = random_map(seed, sharpness=sharpness).weights
    weights[0, 0, 0] = 0
    found = restored(*quantised(weights))
    assert (np.abs(found - weights) <= weights.max(-1, keepdims=True) / 509).all()
    assert (found[weights == 0] == 0).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 99), min_size=1, max_size=4), st.floats(0.02, 1.2))
def test_all_maps_together_fit_and_no_weight_is_lost_untold(seeds: list[int], share: float) -> None:
    some = [random_map(seed, rows=1 + seed % 5) for seed in seeds]
    budget = int(share * sum(map.weights.nbytes for map in some)) + 1500
    found = list(within(some, budget))
    for before, (after, precision) in zip(some, found, strict=True):
        left = 0 if after.left_out is None else after.left_out
        np.testing.assert_allclose(after.weights.sum(-1) + left, before.weights.sum(-1), atol=1e-5)
        if after.left_out is None:
            np.testing.assert_array_equal(after.weights, before.weights)
        else:
            assert precision == "uint8"
            assert f"mean weight left out {after.left_out.mean():.2f}" in after.note
    if budget >= 1.1 * sum(map.weights.nbytes for map in some):
        assert all(precision == "float32" for _, precision in found)


def test_a_file_keeps_to_its_budget(tmp_path: Path) -> None:
    some = [random_map(seed, heads=8, rows=20, columns=100) for seed in range(3)]
    sizes = {}
    for budget in (200_000, 100_000, 50_000, 12_000):
        assert save_maps(iter(some), tmp_path / "a.npz", budget=budget) == 3
        sizes[budget] = (tmp_path / "a.npz").stat().st_size
        assert sizes[budget] < budget + 15_000  # the labels
        found = load_maps(tmp_path / "a.npz")
        for before, after in zip(some, found, strict=True):
            assert after.source == before.source
            kept = after.weights > 0
            np.testing.assert_allclose(after.weights[kept], before.weights[kept], atol=1 / 510)
    assert sizes[12_000] < sizes[50_000] < sizes[100_000] < sizes[200_000]
    assert "heaviest weights of each row" in found[0].note


def test_the_heaviest_alone() -> None:
    weights = np.array([[0.5, 0.2, 0.2, 0.1], [0.0, 0.0, 0.0, 0.0]], dtype=np.float32)
    found = AttentionMap(weights, whole_words("abcd"), whole_words("xy"), axes=()).heaviest(2)
    np.testing.assert_array_equal(found.weights, np.array([[0.5, 0.2, 0, 0], [0, 0, 0, 0]], dtype=np.float32))
    assert found.left_out is not None
    np.testing.assert_allclose(found.left_out, [0.3, 0], atol=1e-6)
    assert found.note == "the 2 heaviest weights of each row (mean weight left out 0.15)"
    assert found.heaviest(4) is found
    assert "(rest 0.30)" in found.reading()


def test_what_can_not_be_kept_so_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    for name, more, message in (
        ("a.npz", {"budget": 50}, "50 bytes are too few for 1 maps; map 1 needs"),
        ("a.npz", {"budget": 50, "precision": "float16"}, "give one of them"),
        ("a.jsonl", {"budget": 5000}, "a budget is for .npz files"),
        ("a.jsonl", {"precision": "uint8"}, "uint8 is for .npz files"),
    ):
        with pytest.raises(RegardError, match=message):
            save_maps([random_map(0)], tmp_path / name, **more)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
