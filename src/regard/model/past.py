"""What the hypotheses of a Transformer have read, and how each looks back at its own part of it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from regard.attention import Attention, dense
from regard.attention.steps import Joined
from regard.attention.trees import Shared, static, tree

Cache = Shared | Tensor | None
"""The past of a self-attention: the `Memory` (B, H, read, dim) of what all hypotheses of a source have read, step by
step; or where keys can't be extended, what each hypothesis' own are made from, (B, beams, said, width)."""


@tree
class TransformerState:
    """What a Transformer carries from step to step, for each hypothesis.

    The hypotheses of a source are queries of one memory, in which each sees its own past: so nothing that has been read
    is copied when a search goes on with some of them.
    """

    caches: tuple[Cache, ...]  # of each layer
    attended: tuple[Any, ...]  # of each layer: what its cross-attention remembers, a tree (B, beams, ...) or None
    own: Tensor  # (B, beams, said) int64: what of all that was read is a hypothesis' own past
    read: tuple[int, ...] = static()  # how many hypotheses read a token at each step


class Past:
    """What the hypotheses of a step look back at, the token that each reads included; for all layers alike."""

    def __init__(self, state: TransformerState, hypotheses: int) -> None:
        self.place, self.read = len(state.read), (*state.read, hypotheses)
        before, batch = sum(state.read), len(state.own)
        new = torch.arange(before, before + hypotheses, device=state.own.device)[:, None].expand(batch, -1, 1)
        self.own = torch.cat([state.own, new], 2)
        # Where no hypothesis has been left behind or divided, all that was read is everyone's own.
        self.shared = before + hypotheses > self.place + 1

    @cached_property
    def mask(self) -> Tensor | None:
        """(B, beams, read) boolean: which of all that was read is a hypothesis' own; None: everything."""
        if not self.shared:
            return None
        mask = torch.zeros(*self.own.shape[:2], sum(self.read), dtype=torch.bool, device=self.own.device)
        return mask.scatter_(2, self.own, True)

    @cached_property
    def places(self) -> Tensor | None:
        """(read,) int64: where each token stands; None: one after the other."""
        if not self.shared:
            return None
        device = self.own.device
        return torch.arange(len(self.read), device=device).repeat_interleave(torch.tensor(self.read, device=device))

    def to_add(self, heads: int, dtype: torch.dtype) -> Tensor | None:
        """What the mask adds to scores (B x heads, beams, read): 0, or the least number for what is not one's own."""
        if not self.shared:
            return None
        shape = (*self.own.shape[:2], sum(self.read))
        added = torch.full(shape, torch.finfo(dtype).min, dtype=dtype, device=self.own.device)
        return added.scatter_(2, self.own, 0.0)[:, None].expand(-1, heads, -1, -1).flatten(0, 1)

    def step(
        self, attention: Attention, entered: Tensor, cache: Cache, joined: Joined | None
    ) -> tuple[Tensor, Tensor, Cache]:
        """Context (B, beams, width), weights (B, H, beams, read or said), and the cache with one more step.

        The keys of `distance` and `location` are made anew at every step from all that was entered: they stand for the
        whole sequence.
        """
        if not attention.looks_back:
            entered = entered[:, :, None]  # each hypothesis looks at a memory of its own
            inputs = entered if cache is None else torch.cat([cache, entered], 2)  # type: ignore[list-item]
            found, weights, _ = attention.step(entered, attention.prepare(inputs), offset=self.place)
            return found.squeeze(2), dense(weights).squeeze(3).transpose(1, 2), inputs
        before = None if cache is None else cache.value  # type: ignore[union-attr]
        found, weights, memory = attention.look_back(
            entered, before, joined, at=self.place, mask=self.mask, places=self.places
        )
        return found, weights, Shared(memory)

    def within(self, weights: Tensor) -> Tensor:
        """The weights of each hypothesis' own past alone, (B, H, beams, said)."""
        if not self.shared or weights.shape[-1] == len(self.read):
            return weights
        return weights.gather(-1, self.own[:, None].expand(-1, weights.shape[1], -1, -1))
