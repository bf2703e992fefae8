"""Windows that go along with the steps: against the masked definition, and what they cost."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils import _pytree as pytree

from regard.attention import Attention, Windowed, dense, scores, select
from regard.attention.names import LEARNED_SCORES, SCORES, STATEFUL_SCORES
from regard.attention.windows import median

EVERY = [*SCORES, *LEARNED_SCORES, *STATEFUL_SCORES]
KEYS = 13


def attention(score: str, heads: int = 1, normalizer: str = "softmax", **others: Any) -> Attention:
    torch.manual_seed(3)
    made = Attention(8, 6, score=score, heads=heads, normalizer=normalizer, longest=KEYS, **others).double()
    with torch.no_grad():
        for parameter in made.parameters():  # so that weights are far from even
            parameter.mul_(3.0)
    return made


def draw(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def by_definition(
    made: Attention, query: Tensor, source: Tensor, lengths: Tensor, window: int
) -> tuple[Tensor, Tensor]:
    """One head and one query at a time: all keys, those outside of the window masked."""
    state, centre = None, torch.zeros(len(source), 1)
    contexts, rows = [], []
    for one in query.split(1, 1):
        there = torch.arange(source.shape[1])
        allowed = ((there - centre).abs() <= window) & (there < lengths[:, None])
        context, weights, state = made.step(one, made.prepare(source, allowed), state)
        row = dense(weights)[:, 0, 0]
        found = [int((each.cumsum(0) >= each.sum() / 2).nonzero()[0]) if each.any() else None for each in row]
        centre = torch.tensor([[old if new is None else new] for new, old in zip(found, centre[:, 0], strict=True)])
        contexts.append(context)
        rows.append(row)
    return torch.cat(contexts, 1), torch.stack(rows, 1)


def along(made: Attention, query: Tensor, source: Tensor, lengths: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """The same by windows: contexts (B, T, ...) and weights (B, H, T, K)."""
    memory, state = made.prepare(source, lengths, window), None
    contexts, rows = [], []
    for one in query.split(1, 1):
        context, weights, state = made.step(one, memory, state)
        assert isinstance(weights, Windowed)
        contexts.append(context)
        rows.append(dense(weights))
    return torch.cat(contexts, 1), torch.cat(rows, 2)


@pytest.mark.parametrize("project", ["all", "scores"])
@pytest.mark.parametrize("window", [1, 3, KEYS])
@pytest.mark.parametrize("score", EVERY)
def test_a_window_is_a_mask_around_the_median(score: str, window: int, project: str) -> None:
    made = attention(score, project=project)
    query, source, lengths = draw(3, 9, 8), draw(3, KEYS, 6, seed=2), torch.tensor([KEYS, 7, 1])
    contexts, weights = along(made, query, source, lengths, window)
    expected, rows = by_definition(made, query, source, lengths, window)
    assert torch.allclose(weights[:, 0], rows, rtol=0, atol=1e-12)
    assert torch.allclose(contexts, expected, rtol=0, atol=1e-12)
    if window == 1:
        assert (weights[0, 0] > 0).sum(-1).max() <= 3


def test_a_window_goes_along_and_no_further() -> None:
    made = Attention(KEYS, score="dot", project="none").double()
    keys = 9.0 * torch.eye(KEYS, dtype=torch.float64)[None]
    _, weights = along(made, keys, keys, torch.tensor([KEYS]), 2)
    assert weights[0, 0].argmax(-1).tolist() == list(range(KEYS))
    _, weights = along(made, keys.flip(1), keys, torch.tensor([KEYS]), 2)  # the first looks for the last key
    assert not weights[0, 0, 0, 3:].any()


@pytest.mark.parametrize("normalizer", ["softmax", "sigmoid", "top_k:2", "threshold:0.6", "softmax:sink", "argmax"])
@pytest.mark.parametrize("score", EVERY)
def test_heads_and_hypotheses_go_their_own_ways(score: str, normalizer: str) -> None:
    made = attention(score, heads=2, normalizer=normalizer)
    query, source, lengths = draw(6, 2, 3, 8), draw(2, KEYS, 6, seed=2), torch.tensor([KEYS, 6])
    memory = made.prepare(source, lengths, 2)
    ways: list[Any] = [None, None, None]
    many = whole = None
    for place, step in enumerate(query):
        context, weights, many = made.step(step, memory, many)
        with made.normalizing(made.normalizer):  # where whole rows are computed
            all_keys, rows, whole = made.step(step, memory, whole)
        assert rows.weights.shape[-1] == KEYS
        assert torch.allclose(dense(weights), dense(rows), rtol=0, atol=1e-12)
        assert torch.allclose(context, all_keys, rtol=0, atol=1e-12)
        for way in range(3):
            alone, row, ways[way] = made.step(step[:, way : way + 1], memory, ways[way])
            assert torch.allclose(context[:, way], alone[:, 0], rtol=0, atol=1e-12)
            assert torch.allclose(dense(weights)[:, :, way], dense(row)[:, :, 0], rtol=0, atol=1e-12)
        if place == 3:
            index = torch.tensor([[2, 0, 1], [1, 1, 0]])
            many, whole = select(many, index), select(whole, index)
            together = pytree.tree_map(lambda *each: torch.cat(each, 1) if each[0] is not None else None, *ways)
            ways = [select(together, index[:, way, None]) for way in range(3)]


@given(
    weights=st.lists(st.sampled_from([0.0, 0.1, 0.3, 1.0]), min_size=1, max_size=9),
    start=st.integers(0, 20),
)
def test_the_median_has_half_of_the_weights_before_it(weights: list[float], start: int) -> None:
    found = int(median(torch.tensor(weights, dtype=torch.float64), torch.tensor(start), torch.tensor(-1)))
    if not any(weights):
        assert found == -1
        return
    place, half = found - start, sum(weights) / 2
    assert sum(weights[:place]) < half + 1e-9
    assert sum(weights[: place + 1]) > half - 1e-9


@pytest.mark.parametrize("score", EVERY)
def test_gradients_reach_everything(score: str) -> None:
    made = attention(score, heads=2)
    query, source = draw(2, 5, 8).requires_grad_(), draw(2, KEYS, 6, seed=2).requires_grad_()

    def loss(query: Tensor, source: Tensor) -> Tensor:
        return along(made, query, source, torch.tensor([KEYS, 9]), 2)[0]

    assert torch.autograd.gradcheck(loss, (query, source), atol=1e-6)
    loss(query, source).sum().backward()
    used = {name for name, each in made.named_parameters() if each.grad is not None}
    assert used == {name for name, _ in made.named_parameters()}


def test_only_the_keys_of_the_window_are_computed() -> None:
    seen = []

    class Counting(scores.dot):
        def pair(self, lead: Any, width: int) -> Any:
            inner = super().pair(lead, width)

            class Pair:
                def dense(self, query: Tensor, key: Tensor, parts: Any) -> Tensor:
                    seen.append(key.shape[-2])
                    return inner.dense(query, key, parts)

            return Pair()

    made = Attention(8, 6, score=Counting(), window=2).double()
    memory = made.prepare(draw(1, 1000, 6))
    made.step(draw(1, 3, 8), memory)
    assert seen == [5]


def test_what_windows_are_not_for() -> None:
    made = Attention(8, window=2)
    with pytest.raises(ValueError, match="window: goes along with previous weights; use prepare"):
        made(torch.randn(1, 3, 8))
    with pytest.raises(ValueError, match="window: came 0"):
        Attention(8, window=0)
    with pytest.raises(ValueError, match=r"position: rotary .* not for a window"):
        Attention(8, window=2, position="rotary")
    user = Attention(8, window=2, score=scores.function(lambda q, k: q @ k.mT))
    with pytest.raises(ValueError, match="score: a user's function knows no window"):
        user.step(torch.randn(1, 1, 8), user.prepare(torch.randn(1, 5, 8)))
