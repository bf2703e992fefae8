"""One step at a time: what is kept of a source, and the scores of a few queries."""

from __future__ import annotations

import torch
from torch import Tensor

from regard.attention import scores
from regard.attention.scores import Score
from regard.attention.stateful import additive_scores
from regard.attention.trees import static, tree

NOT_LONGER = "makes keys of the whole source, which can't be extended"


@tree
class Memory:
    """What is computed once for a source: prepared keys and values with their heads, and which may be attended to."""

    key: Tensor  # (..., H, K, D)
    value: Tensor  # (..., H, K, V)
    aid: Tensor | None  # what the score's queries need to know of the keys
    allowed: Tensor | None  # (..., K) boolean
    fertility: Tensor | None  # (..., K)
    window: int | None = static(default=None)  # how many places on either side of the step before are looked at

    @property
    def keys(self) -> int:
        return self.key.shape[-2]


@tree
class Joined:
    """The projections to queries, keys and values, as one: side by side they cost one call instead of three."""

    weight: Tensor  # (units, width)
    bias: Tensor | None
    units: tuple[int, ...] = static()  # of queries, keys and values


def longer(past: Memory | None, keys: scores.Keys, value: Tensor) -> Memory:
    """The past of a self-attention with more keys and values (..., H, K, D) at its end.

    Raises ValueError where queries need to know of all keys, so that these can't become more.
    """
    if keys.aid is not None:
        raise ValueError(f"score: this one {NOT_LONGER}")
    key = keys.key
    if past is None:
        return Memory(key.contiguous(), value.contiguous(), None, None, None)
    return Memory(torch.cat([past.key, key], -2), torch.cat([past.value, value], -2), None, None, None)


def step_scores(score: Score, query: Tensor, keys: scores.Keys) -> Tensor:
    """The scores of a few queries, (..., Q, K), without a detour over tiles."""
    query = score.queries(query, keys)
    if isinstance(score, scores.additive):
        return additive_scores(query, keys.key, score.weight)
    if not isinstance(score, scores.function):
        return score.pair((), keys.key.shape[-1]).dense(query, keys.key, ())
    lead = torch.broadcast_shapes(query.shape[:-2], keys.key.shape[:-2])
    pair = score.pair(lead, keys.key.shape[-1])
    query, key = (x.expand(*lead, -1, -1).flatten(0, -3) for x in (query, keys.key))
    found: Tensor = pair.dense(query, key, tuple(part.flat for part in pair.weights)).unflatten(0, lead)
    return found
