"""Several models that say the next token together: the mean of their probabilities.

    p(y_t | y_<t, source) = 1/K sum_k p_k(y_t | y_<t, source)

An ensemble does the same steps as one model, so that search, drawing and forced decoding know nothing of it. What is
computed once for a source is computed once by each member; one search goes on over their mean.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from regard.attention import dense
from regard.attention.trees import tree
from regard.errors import RegardError
from regard.model.contracts import POSTERIOR, Observed, ObservedStep, Pairs
from regard.model.encoder_decoder import EncoderDecoder, Forced, Step

CROSS = ("cross", 0)
"""Where the mean of the members' weights is found: one layer of one head."""


@dataclass(frozen=True)
class Sides:
    """The same sources as each of the members is given them, or their sizes: tensors (B, ...), one for each."""

    of: tuple[Tensor, ...]

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Sides:
        """The same on another device."""
        return Sides(tuple(each.to(device, non_blocking=non_blocking) for each in self.of))


@tree
class Together:
    """A batch of sources after the members' encoders."""

    of: Any  # an `Encoded` of each member
    mask: Tensor  # (B, P) boolean: the places of the member whose places are shown
    observed: Observed


class Ensemble(nn.Module):
    """Several `EncoderDecoder`s with one vocabulary of targets, as one model.

    Args:
        members: the models.
        shown: for each of them the layer and the head (-1: the mean of all) of the cross-attention that goes into the
            mean of weights, or None for one whose weights do not: it has none, or attends to other places.
        lead: the number of a member whose places are those of the weights.
    """

    def __init__(
        self, members: Sequence[EncoderDecoder], shown: Sequence[tuple[int, int] | None], lead: int = 0
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.shown, self.lead = tuple(shown), lead
        first = members[0]
        self.source_pad, self.target_pad, self.bos, self.eos = (
            members[lead].source_pad,
            first.target_pad,
            first.bos,
            first.eos,
        )

    @property
    def never(self) -> tuple[int, ...]:
        """Tokens that no prediction holds."""
        return self._first.never

    @property
    def longest_target(self) -> int | None:
        """How many tokens a prediction may have at most: as many as all of them know; None: any number."""
        known = [limit for each in self._all if (limit := each.longest_target) is not None]
        return min(known, default=None)

    def encode(self, source: Sides, sizes: Sides, observe: Collection[str] = ()) -> Together:
        """The sources as the memories of all members."""
        _check(observe)
        found = tuple(
            member.encode(side, size) for member, side, size in zip(self._all, source.of, sizes.of, strict=True)
        )
        return Together(found, found[self.lead].mask, {})

    def prepare(self, encoded: Together, window: int | None = None) -> tuple[Any, ...]:
        """What each member computes once for these sources."""
        return tuple(member.prepare(each, window) for member, each in zip(self._all, encoded.of, strict=True))

    def start(self, encoded: Together, beams: int) -> tuple[Any, ...]:
        """The state of each member before the first step."""
        return tuple(member.start(each, beams) for member, each in zip(self._all, encoded.of, strict=True))

    def step(self, tokens: Tensor, memory: Any, state: Any, observe: Collection[str] = ()) -> Step:
        """One step of each hypothesis by every member, and what they say on the mean."""
        _check(observe)
        steps = [
            member.step(tokens, own, at, observe if shown else ())
            for member, own, at, shown in zip(self._all, memory, state, self.shown, strict=True)
        ]
        observed: ObservedStep = dict(self._mean_weights([each.observed for each in steps]))
        return Step(mean_of_logs([each.log_probs for each in steps]), tuple(each.state for each in steps), observed)  # type: ignore[arg-type]

    def forced(self, batch: Pairs, observe: Collection[str] = ()) -> Forced:
        """log p of every token of given targets, and the mean of the weights: as `EncoderDecoder.forced`.

        Of members that copy, `posterior` is how much of each token's mean probability was copied from where: that of
        each member by its part of the mean, sum_k p_k(y) copied_k / sum_k p_k(y).
        """
        copies = all(member.settings.copy for member in self._all)
        _check(set(observe) - ({POSTERIOR} if copies else set()))
        found = [
            member.forced(_own(batch, number), [place for place in observe if shown or place == POSTERIOR])
            for number, (member, shown) in enumerate(zip(self._all, self.shown, strict=True))
        ]
        logs = [each.log_probs for each in found]
        observed = dict(self._mean_weights([_of_cross(each.observed) for each in found]))
        if POSTERIOR in observe:
            parts = torch.stack(logs).softmax(0)[:, :, None, :, None]  # (K, B, 1, T, 1)
            observed[POSTERIOR, 0] = (parts * torch.stack([dense(each.observed[POSTERIOR, 0]) for each in found])).sum(
                0
            )
        return Forced(mean_of_logs(logs), found[0].mask, observed)

    @property
    def _all(self) -> list[EncoderDecoder]:
        return list(self.members)  # type: ignore[arg-type]

    @property
    def _first(self) -> EncoderDecoder:
        return self.members[0]  # type: ignore[return-value]

    def _mean_weights(self, observed: Sequence[Any]) -> Observed:
        """Of the layer and the head of each member that are shown, (B, 1, Q, S); nothing where none was asked for."""
        chosen = []
        for shown, weights in zip(self.shown, observed, strict=True):
            layers = sorted(weights)
            if shown is None or not layers:
                continue
            of_layer = dense(weights[layers[shown[0]]])
            chosen.append(of_layer.mean(1, keepdim=True) if shown[1] < 0 else of_layer[:, shown[1] : shown[1] + 1])
        return {CROSS: torch.stack(chosen).mean(0)} if chosen else {}


def mean_of_logs(logs: Sequence[Tensor]) -> Tensor:
    """log 1/K sum_k e^(logs_k), in a tensor of its own; far below 0 too, where the exponentials underflow."""
    total = logs[0].clone()
    for each in logs[1:]:
        torch.logaddexp(total, each, out=total)
    return total.sub_(math.log(len(logs)))


def _own(batch: Any, number: int) -> Any:
    """The batch as one of the members is given it."""
    return replace(batch, source=batch.source.of[number], source_lengths=batch.source_lengths.of[number])


def _of_cross(observed: Observed) -> Observed:
    return {key: weights for key, weights in observed.items() if key[0] == CROSS[0]}


def _check(observe: Collection[str]) -> None:
    for place in observe:
        if place != "cross":
            raise RegardError(f"several models together show the mean of their attention to the source, no {place!r}")
