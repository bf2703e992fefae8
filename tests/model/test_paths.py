"""The sum over all paths is what counting every one of them gives, in value and gradient."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from regard.model.paths import Anywhere, Jumping, Moves, Onward, forward, posterior

KINDS = ("anywhere", "onward", "jumping")


def moves_of(kind: str, weights: Tensor, jumps: Tensor) -> Moves:
    return {"anywhere": Anywhere(weights), "onward": Onward(weights), "jumping": Jumping(weights, jumps)}[kind]


def enumerated(kind: str, weights: Tensor, jumps: Tensor, emissions: Tensor) -> tuple[Tensor, Tensor]:
    """log p(y) and p(a_i = j | y) of one target: weights, emissions (T, S) are logarithms; every path is counted."""
    steps, places = weights.shape
    total, seen = weights.new_zeros(()), torch.zeros_like(weights)
    for path in itertools.product(range(places), repeat=steps):
        probability = weights[0, path[0]].exp() * emissions[range(steps), path].sum().exp()
        for step in range(1, steps):
            before = path[step - 1]
            chances = weights[step].exp()
            if kind == "jumping":
                distances = torch.arange(places) - before
                chances = chances * jumps[step, distances.clamp(0, jumps.shape[1] - 1)].exp()
            if kind != "anywhere":
                chances = chances * (torch.arange(places) >= before)
            probability = probability * chances[path[step]] / chances.sum()
        total = total + probability
        with torch.no_grad():
            seen[range(steps), path] += probability
    return total.log(), seen / total.detach()


@pytest.mark.parametrize("kind", KINDS)
@given(
    seed=st.integers(0, 500),
    places=st.integers(1, 4),
    length=st.integers(1, 4),
    furthest=st.integers(0, 3),
    sharpness=st.sampled_from([1, 5]),
)
@settings(max_examples=25, deadline=None)
def test_the_recursions_are_enumeration(
    kind: str, seed: int, places: int, length: int, furthest: int, sharpness: int
) -> None:
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> Tensor:
        return (sharpness * torch.randn(shape, generator=generator, dtype=torch.float64)).requires_grad_()

    scores, emissions, jumps = drawn(length, places), drawn(length, places), drawn(length, furthest + 1)
    weights = scores.log_softmax(-1)
    wanted, lay = enumerated(kind, weights, jumps, emissions)
    moves = moves_of(kind, weights[None], jumps[None])
    predicted, log_probs = forward(moves, emissions[None])
    assert torch.allclose(log_probs.sum(), wanted, rtol=0, atol=1e-9)
    assert torch.allclose(predicted.exp().sum(-1), torch.ones(1, length).double(), rtol=0, atol=1e-12)
    inputs = (scores, emissions, jumps)
    for one, other in zip(
        torch.autograd.grad(wanted, inputs, retain_graph=True, allow_unused=True),
        torch.autograd.grad(log_probs.sum(), inputs, retain_graph=True, allow_unused=True),
        strict=True,
    ):
        assert (one is None) == (other is None)
        assert one is None or torch.allclose(one, other, rtol=1e-9, atol=1e-9)
    with torch.no_grad():
        found = posterior(moves, emissions[None], torch.ones(1, length, dtype=torch.bool))
    assert torch.allclose(found[0], lay, rtol=0, atol=1e-9)
    (gradient,) = torch.autograd.grad(log_probs.sum(), emissions)
    assert torch.allclose(found[0], gradient, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_posterior_knows_nothing_of_what_follows_a_target(kind: str) -> None:
    torch.manual_seed(0)
    weights, emissions, jumps = (torch.randn(2, 4, 3, dtype=torch.float64) for _ in range(3))
    moves = moves_of(kind, weights.log_softmax(-1), jumps)
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    found = posterior(moves, emissions, mask)
    alone = posterior(moves_of(kind, moves.weights[1:, :2], jumps[1:, :2]), emissions[1:, :2], mask[1:, :2])
    assert torch.allclose(found[1, :2], alone[0], rtol=0, atol=1e-12)
    assert not found[1, 2:].any()
