"""Attention in a search as plain functions of tensors: weights packed, scales multiplied into them, masks added.

`Attention.step` is the definition. What equals it here are scores by (scaled) dot products, and for recurrent decoders
`bilinear` and `additive` ones, normalized by softmax.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from regard.attention import Attention, bilinear, dot, scaled_dot, softmax
from regard.attention import additive as additive_score
from regard.attention.products import Packed
from regard.attention.steps import Memory


class Barred(NamedTuple):
    """What keeps queries from some keys."""

    mask: Tensor  # (N, 1 or Q, K), added to scores: 0, or the least number where nothing may attend to
    filled: Tensor | None = None  # (N, 1, 1): 0 for a source of nothing, which is given no weight, and 1; None: all are


class Affine(NamedTuple):
    """A projection."""

    weight: Tensor
    bias: Tensor | None

    def times(self, factor: float) -> Affine:
        """The same with what comes out multiplied."""
        return Affine(self.weight * factor, None if self.bias is None else self.bias * factor)


def side_by_side(projections: Sequence[Any]) -> Packed:
    """Several projections of one input, each with `weight` and `bias`, as one."""
    biases = [each.bias for each in projections if each.bias is not None]
    return Packed(torch.cat([each.weight for each in projections]), torch.cat(biases) if biases else None)


def by_softmax(attention: Attention) -> float | None:
    """The temperature, where the weights are a softmax and nothing but scores decides them; else None."""
    normalizer = attention.normalizer
    others = attention.position, attention.kind, attention.window
    if not isinstance(normalizer, softmax) or normalizer.sink is not None or any(one is not None for one in others):
        return None
    return normalizer.temperature if isinstance(normalizer.temperature, float) else None


def barred(allowed: Tensor | None, heads: int, dtype: torch.dtype) -> Barred | None:
    """A mask of sources (B, K) for all queries of every head, N = B x heads; None where it rules out nothing."""
    if allowed is None:
        return None
    added = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
    added = added.masked_fill_(~allowed, torch.finfo(dtype).min).repeat_interleave(heads, 0)[:, None]
    some = allowed.any(1)
    if bool(some.all()):
        return Barred(added)
    return Barred(added, some.to(dtype).repeat_interleave(heads)[:, None, None])


def weigh(scores: Tensor, values: Tensor, bars: Barred | None) -> tuple[Tensor, Tensor]:
    """Contexts (N, Q, V) and weights (N, Q, K) of scores (N, Q, K), to which the mask has been added."""
    weights = torch.softmax(scores, -1)
    if bars is not None and bars.filled is not None:
        weights.mul_(bars.filled)
    return torch.bmm(weights, values), weights


def compare(query: Tensor, keys: Tensor, bars: Barred | None) -> Tensor:
    """q . k of queries (N, Q, D) and keys (N, D, K), with the mask."""
    return torch.bmm(query, keys) if bars is None else torch.baddbmm(bars.mask, query, keys)


def plain_in_one_head(attention: Any) -> float | None:
    """The temperature, where an attention is as `PlainAttention` takes it; else None."""
    if not isinstance(attention, Attention) or attention.heads > 1 or attention.remember is not None:
        return None
    kinds = {"scores": (additive_score, dot, scaled_dot), "none": (bilinear,)}.get(attention.project, ())
    return by_softmax(attention) if isinstance(attention.score, kinds) else None


class PlainAttention:
    """The attention of a recurrent decoder, which sums parts of the source itself: one head, no position."""

    def __init__(self, attention: Attention) -> None:
        score, temperature = attention.score, by_softmax(attention)
        assert temperature is not None
        query = None
        if attention.project == "scores":
            query = Affine(attention.query_projection.weight, attention.query_projection.bias)
        self._bent: Tensor | None = None
        if isinstance(score, additive_score):
            # w . tanh(x) = 2 w . sigmoid(2 x) - sum w, of which softmax does not see the sum.
            self._bent = score.weight[0].detach() * (2.0 / temperature)
            query = None if query is None else query.times(2.0)
        elif isinstance(score, bilinear):
            query = Affine(score.weight[0].mT, None).times(1.0 / temperature)
        elif query is not None:
            scale = score.scale if isinstance(score, dot) else attention.dim**-0.5
            query = query.times(scale / temperature)
        self._query = None if query is None else Packed(*query)

    def prepare(self, memory: Memory) -> tuple[Tensor, Tensor, Barred | None]:
        """Keys, (B, 1, K, D) if queries are added to them, else (B, D, K); values (B, K, V); and what is barred."""
        bars = barred(memory.allowed, 1, memory.key.dtype)
        keys = memory.key.mT[:, 0] if self._bent is None else 2.0 * memory.key
        return keys, memory.value[:, 0], bars

    def step(self, query: Tensor, sources: tuple[Tensor, Tensor, Barred | None]) -> tuple[Tensor, Tensor]:
        """Contexts (B, Q, V) and weights (B, 1, Q, K) of queries (B, Q, D)."""
        keys, values, bars = sources
        if self._query is not None:
            query = self._query(query.flatten(0, 1)).unflatten(0, query.shape[:2])
        if self._bent is None:
            scores = compare(query, keys, bars)
        else:
            total = (query[:, :, None] + keys).sigmoid_()
            scores = torch.mv(total.flatten(0, 2), self._bent).view(total.shape[:3])
            if bars is not None:
                scores.add_(bars.mask)
        context, weights = weigh(scores, values, bars)
        return context, weights[:, None]
