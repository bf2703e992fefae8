"""Windows that go along: a step looks only at places near those that the step before looked at.

Chorowski et al. (2015, section 2.3): of all keys only those at most `window` places from m_(i-1) are compared, the
median of the weights of the step before (place 0 before the first step). So a step costs as much as its window is wide,
however long the source is, and nothing far away distracts it. This is for steps alone: each needs the one before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from regard.attention import scores
from regard.attention.kernels.dense import normalize
from regard.attention.stateful import Coverage, LocationAware, additive_scores
from regard.attention.steps import Memory
from regard.attention.trees import static, tree

if TYPE_CHECKING:
    from regard.attention.module import Attention


@tree
class Windowed:
    """Weights (..., Q, K) of a step, 0 but for `weights` (..., Q, W), those of the keys from `start` (..., Q) on."""

    weights: Tensor
    start: Tensor
    keys: int = static()

    def dense(self) -> Tensor:
        """All weights, (..., Q, K)."""
        if self.weights.shape[-1] == self.keys:
            return self.weights
        found = self.weights.new_zeros(*self.start.shape, self.keys)
        return found.scatter(-1, places(self.start, self.weights.shape[-1]), self.weights)


@tree
class Looked:
    """What a step leaves for the next one, of each query by itself."""

    centre: Tensor  # (..., Q, H) int64: the middle of the next window
    before: Windowed | None  # (..., Q, H, K): the weights, where the score remembers them
    covered: Tensor | None  # (..., Q, H, K): their sum, where the score remembers that


def dense(weights: Tensor | Windowed) -> Tensor:
    """The weights of a step as one tensor (..., Q, K)."""
    return weights.dense() if isinstance(weights, Windowed) else weights


def step_within(
    attention: Attention, query: Tensor, memory: Memory, state: Looked | None
) -> tuple[Tensor, Windowed, Looked]:
    """A step of projected queries (..., H, Q, D): contexts (..., H, Q, V), weights (..., H, Q, K), the next state."""
    assert memory.window is not None
    if state is None:
        state = _first(attention, query, memory)
    width = memory.keys if attention.whole_rows else min(2 * memory.window + 1, memory.keys)
    centre = state.centre.mT  # (..., H, Q)
    start = (centre - memory.window).clamp(0, memory.keys - width)
    key, value = near(memory.key, start, width), near(memory.value, start, width)
    moved = _moved(attention.remember, state, start, width)
    found = _scores(attention.score, query, memory, key, moved)
    there = places(start, width)
    allowed = (there - centre[..., None]).abs() <= memory.window
    if memory.allowed is not None:
        allowed = allowed & _at(memory.allowed, there)
    weights = normalize(attention.normalizer, found.masked_fill(~allowed, float("-inf")), True)
    used = torch.nn.functional.dropout(weights, attention.dropout) if attention.training else weights
    context = torch.matmul(used.to(value.dtype)[..., None, :], value).squeeze(-2)
    shown = Windowed(weights, start, memory.keys)
    return context, shown, _following(attention.remember, state, shown, memory)


def near(rows: Tensor, start: Tensor, width: int) -> Tensor:
    """Those `width` rows of (..., K, D) that begin at each `start` (..., Q), (..., Q, W, D)."""
    *lead, count, dim = rows.shape
    if width == count:
        return rows[..., None, :, :]
    outer = torch.arange(rows[..., 0, 0].numel(), device=rows.device).view(*lead, 1, 1) * count
    index = outer + places(start, width)
    return rows.reshape(-1, dim).index_select(0, index.flatten()).view(*index.shape, dim)


def places(start: Tensor, width: int) -> Tensor:
    """start, start + 1, ... (..., W)."""
    return start[..., None] + torch.arange(width, device=start.device)


def median(weights: Tensor, start: Tensor, otherwise: Tensor) -> Tensor:
    """The first place up to which half of the weights (..., W) lie, counted from `start`; `otherwise` without any."""
    total = weights.detach().cumsum(-1)
    half = 0.5 * total[..., -1:]
    return torch.where(half[..., 0] > 0, start + (total < half).sum(-1), otherwise)


def _first(attention: Attention, query: Tensor, memory: Memory) -> Looked:
    *lead, heads, queries, _ = query.shape
    centre = torch.zeros(*lead, queries, heads, dtype=torch.int64, device=query.device)
    before = covered = None
    if isinstance(attention.remember, LocationAware):
        width = min(2 * memory.window + 1, memory.keys)  # type: ignore[operator]
        before = Windowed(query.new_zeros(*centre.shape, width), centre, memory.keys)
    elif isinstance(attention.remember, Coverage):
        covered = query.new_zeros(*centre.shape, memory.keys)
    return Looked(centre, before, covered)


def _scores(score: scores.Score, query: Tensor, memory: Memory, key: Tensor, moved: Tensor | None) -> Tensor:
    """The scores (..., H, Q, W) of queries (..., H, Q, D) and the keys near each, (..., H, Q, W, D)."""
    query = score.queries(query, scores.Keys(memory.key, memory.aid))
    if isinstance(score, scores.additive):
        return additive_scores(query, None, score.weight, key if moved is None else key + moved)
    if isinstance(score, scores.function):
        raise ValueError("score: a user's function knows no window; leave out the window")
    return score.pair((), key.shape[-1]).dense(query[..., None, :], key, ()).squeeze(-2)


def _moved(remember: LocationAware | Coverage | None, state: Looked, start: Tensor, width: int) -> Tensor | None:
    """What a score that remembers adds to the keys of each window, (..., H, Q, W, D)."""
    if remember is None:
        return None
    start = start.mT  # (..., Q, H)
    if isinstance(remember, LocationAware):
        assert state.before is not None
        known = state.before.weights
        index = places(start - remember.reach - state.before.start, width + 2 * remember.reach)
        inside = (index >= 0) & (index < known.shape[-1])
        around = known.gather(-1, index.clamp(0, known.shape[-1] - 1)) * inside
        found: Tensor = remember.within(around.flatten(0, -2)).unflatten(0, start.shape)
    else:
        assert state.covered is not None
        found = remember(state.covered.gather(-1, places(start, width)))
    return found.transpose(-3, -4)


def _following(remember: LocationAware | Coverage | None, state: Looked, weights: Windowed, memory: Memory) -> Looked:
    start, new = weights.start.mT, weights.weights.transpose(-2, -3)
    centre = median(new, start, state.centre)
    if isinstance(remember, LocationAware):
        return Looked(centre, Windowed(new, start, weights.keys), None)
    if isinstance(remember, Coverage):
        assert state.covered is not None
        assert memory.fertility is not None
        there = places(start, new.shape[-1])
        return Looked(centre, None, state.covered.scatter_add(-1, there, new / _at(memory.fertility, there)))
    return Looked(centre, None, None)


def _at(values: Tensor, there: Tensor) -> Tensor:
    """Those of values (..., K) at places (..., n, m, W)."""
    return values[..., None, None, :].expand(*there.shape[:-1], -1).gather(-1, there)
