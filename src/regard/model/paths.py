"""Which places of a source the tokens of a target may come from, one after the other, and the sum over all such paths.

A *path* is a place a_i for every target token. All numbers are logarithms, (B, Q, S): w_ij, how heavy place j is at
step i (a distribution), and e_ij, how probable the token of step i is if it comes from place j. The likelihood

    p(y) = sum over paths of prod_i p(a_i | a_(i-1)) e(y_i | a_i)

is summed exactly by the forward recursion (Rabiner 1989). Three kinds of moves differ in p(a_i = k | a_(i-1) = j):

    Anywhere   w_ik                                      no path at all: every token for itself
    Onward     w_ik / sum_(l >= j) w_il,  k >= j         the weights alone decide, and no path goes back
    Jumping    w_ik d_i,k-j / sum_(l >= j) w_il d_i,l-j  the distance takes part, d_i of min(k - j, D)

The first place follows w_1 alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

NOWHERE = -1e30
"""The logarithm of a weight of 0: finite, so that no gradient is NaN."""


class Moves(Protocol):
    """How places follow each other; the steps are those of a sequence, or the beams of one step."""

    @property
    def weights(self) -> Tensor:
        """log w, (B, Q, S)."""
        ...

    @property
    def parts(self) -> tuple[Tensor, ...]:
        """The tensors (B, Q, ...) that it is made of."""
        ...

    def step(self, number: int) -> Moves:
        """The moves of one step of a sequence, (B, S)."""
        ...

    def on(self, joint: Tensor) -> Tensor:
        """log p(a_i = k), (..., S), of any unnormalised log p(a_(i-1) = j)."""
        ...

    def back(self, after: Tensor) -> Tensor:
        """log sum_k p(a_i = k | a_(i-1) = j) after_k, (..., S)."""
        ...


@dataclass(frozen=True)
class Anywhere:
    """Every place follows every other."""

    weights: Tensor

    @property
    def parts(self) -> tuple[Tensor, ...]:
        return (self.weights,)

    def step(self, number: int) -> Anywhere:
        return Anywhere(self.weights[:, number])

    def on(self, joint: Tensor) -> Tensor:
        return self.weights

    def back(self, after: Tensor) -> Tensor:
        return (self.weights + after).logsumexp(-1, keepdim=True).expand_as(after)


@dataclass(frozen=True)
class Onward:
    """No path goes back (Wu & Cotterell 2019, section 3.2, 0th order).

    A move depends on where it comes from by its normalizer alone, so that the sum over all S^2 of them is one
    cumulative sum.
    """

    weights: Tensor

    @property
    def parts(self) -> tuple[Tensor, ...]:
        return (self.weights,)

    def step(self, number: int) -> Onward:
        return Onward(self.weights[:, number])

    def on(self, joint: Tensor) -> Tensor:
        return self.weights + (joint.log_softmax(-1) - self._remaining(self.weights)).logcumsumexp(-1)

    def back(self, after: Tensor) -> Tensor:
        return self._remaining(self.weights + after) - self._remaining(self.weights)

    @staticmethod
    def _remaining(weights: Tensor) -> Tensor:
        """log sum_(l >= j) w_l."""
        return weights.flip(-1).logcumsumexp(-1).flip(-1)


@dataclass(frozen=True)
class Jumping:
    """No path goes back, and how far it goes counts too (Wu & Cotterell 2019, section 3.3, 1st order)."""

    weights: Tensor
    jumps: Tensor  # (B, Q, D + 1): log d, of distances 0 to D - 1, and of D and all above

    @property
    def parts(self) -> tuple[Tensor, ...]:
        return self.weights, self.jumps

    def step(self, number: int) -> Jumping:
        return Jumping(self.weights[:, number], self.jumps[:, number])

    def on(self, joint: Tensor) -> Tensor:
        return (joint.log_softmax(-1)[..., :, None] + self._moves()).logsumexp(-2)

    def back(self, after: Tensor) -> Tensor:
        return (self._moves() + after[..., None, :]).logsumexp(-1)

    def _moves(self) -> Tensor:
        """log p(a_i = k | a_(i-1) = j), (..., S from, S to)."""
        places = torch.arange(self.weights.shape[-1], device=self.weights.device)
        distances = places - places[:, None]
        jumps = self.jumps[..., distances.clamp(0, self.jumps.shape[-1] - 1)]
        return (self.weights[..., None, :] + jumps).masked_fill(distances < 0, NOWHERE).log_softmax(-1)


def forward(moves: Moves, emissions: Tensor) -> tuple[Tensor, Tensor]:
    """log p(a_i = j | y_<i), (B, T, S), and log p(y_i | y_<i), (B, T), given log e (B, T, S)."""
    predicted = moves.weights
    if not isinstance(moves, Anywhere):
        found = [predicted[:, 0]]
        for number in range(1, predicted.shape[1]):
            found.append(moves.step(number).on(found[-1] + emissions[:, number - 1]))
        predicted = torch.stack(found, 1)
    return predicted, (predicted + emissions).logsumexp(-1)


def posterior(moves: Moves, emissions: Tensor, mask: Tensor) -> Tensor:
    """p(a_i = j | y), given the whole target: (B, T, S), of log e (B, T, S); steps where mask (B, T) is False are none.

    The product of the forward and the backward recursion. Where a target has ended its rows are 0.
    """
    predicted, _ = forward(moves, emissions)
    after = torch.zeros_like(emissions[:, 0])
    found = []
    for number in range(emissions.shape[1] - 1, -1, -1):
        here = emissions[:, number] + after
        found.append((predicted[:, number] + here).softmax(-1))
        there = mask[:, number, None]
        if number:
            after = torch.where(there, moves.step(number).back(here), 0.0)
    return torch.stack(found[::-1], 1) * mask[..., None]
