"""The k largest and the rule for ties: the lowest index first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from attending import KERNELS, attended, identity
from hypothesis import given, settings
from hypothesis import strategies as st

from regard.attention import selection
from regard.attention.selection import largest


@pytest.fixture(autouse=True, scope="module")
def _by_stages() -> Iterator[None]:
    """Even a few numbers are gone over by stages."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(selection, "_FEW", 8)
        yield


@st.composite
def rows(draw: st.DrawFn) -> torch.Tensor:
    """Rows with few or many ties and some -inf, up to lengths where the selection has two stages."""
    length = draw(st.one_of(st.integers(1, 40), st.integers(250, 700)))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    levels = draw(st.sampled_from([1, 3, 50, 10**6]))
    found = torch.randint(0, levels, (draw(st.integers(1, 3)), 2, length), generator=generator).double()
    return found.masked_fill(
        torch.rand(found.shape, generator=generator) < draw(st.sampled_from([0.0, 0.3, 0.99])), -torch.inf
    )


@settings(deadline=None, max_examples=150)
@given(rows(), st.integers(1, 50))
def test_the_largest_are_the_first_of_a_stable_sort(scores: torch.Tensor, k: int) -> None:
    values, indices = largest(scores, k)
    wanted, places = scores.sort(dim=-1, descending=True, stable=True)
    k = min(k, scores.shape[-1])
    assert values.shape == indices.shape == (*scores.shape[:-1], k)
    assert torch.equal(values, wanted[..., :k])
    finite = values > -torch.inf
    assert torch.equal(indices[finite], places[..., :k][finite])


@pytest.mark.parametrize("length", [3, 12, 31, 300, 1000])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.usefixtures("small_tiles")
def test_of_equal_scores_the_first_keys_are_chosen(kernel: str, length: int) -> None:
    scores = torch.zeros(2, length)
    scores[1] = torch.arange(length) % 3 == 2  # equal greatest at 2, 5, 8, ...
    _, top = attended(*identity(scores), score="dot", normalizer="top_k:2", kernel=kernel)
    _, first = attended(*identity(scores), score="dot", normalizer="argmax", kernel=kernel)
    _, one = attended(*identity(scores), score="dot", normalizer="threshold:1", kernel=kernel)
    second = 5 if length > 5 else 0  # a row of three has one greatest, and then the first of the rest
    for weights, expected in ((top, {0: {0, 1}, 1: {2, second}}), (first, {0: {0}, 1: {2}}), (one, {0: {0}, 1: {2}})):
        assert {i: set(row.nonzero().flatten().tolist()) for i, row in enumerate(weights)} == expected


@pytest.mark.parametrize("length", [9, 400])
def test_ties_at_the_edge_go_to_the_first_whatever_lies_above(length: int) -> None:
    scores = torch.zeros(1, length)
    scores[0, [length - 1, 5]] = 1.0
    assert set(largest(scores, 4)[1][0].tolist()) == {5, length - 1, 0, 1}
    assert largest(scores, 4)[1][0].tolist() == [5, length - 1, 0, 1]
