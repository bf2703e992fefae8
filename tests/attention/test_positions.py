"""Positions against their definitions, and one query at an offset against the whole sequence."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from attending import KERNELS, attended, three, tiles
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from regard.attention import alibi, alibi_slopes, attend, causal, relative, rotary, rotary_positions, window
from regard.attention.positions import relative_buckets


def test_the_slopes_of_alibi_halve_for_eight_heads() -> None:
    assert alibi_slopes(8).tolist() == [2.0**-h for h in range(1, 9)]
    assert alibi_slopes(16)[1::2].tolist() == alibi_slopes(8).tolist()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.usefixtures("small_tiles")
def test_alibi_by_name_takes_off_its_slope_for_every_place_between(kernel: str) -> None:
    query, key, value = three(2, 4)
    _, weights = attended(query, key, value, position="alibi", offset=2, kernel=kernel)
    scores = (query @ key.mT) / 2
    for head, slope in enumerate((0.25, 0.0625, 0.015625, 0.00390625)):
        away = torch.tensor([[slope * abs(i + 2 - j) for j in range(7)] for i in range(5)], dtype=torch.float64)
        torch.testing.assert_close(weights[:, head], (scores[:, head] - away).softmax(-1))


def _bucket(distance: int, buckets: int, furthest: int, both: bool) -> int:
    """Section 2.1 of the T5 paper for one distance: half of the buckets exact, the other half logarithmic."""
    first = 0
    if both:
        buckets //= 2
        first = buckets if distance > 0 else 0
        distance = abs(distance)
    else:
        distance = max(-distance, 0)
    exact = buckets // 2
    if distance < exact:
        return first + distance
    share = math.log(distance / exact) / math.log(furthest / exact)
    return first + min(exact + int(share * (buckets - exact)), buckets - 1)


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize(("buckets", "furthest"), [(32, 128), (8, 6), (4, 100), (12, 13)])
def test_relative_buckets_written_out(buckets: int, furthest: int, both: bool) -> None:
    distances = torch.arange(-300, 301)
    found = relative_buckets(distances, buckets, furthest, both)
    assert found.tolist() == [_bucket(d, buckets, furthest, both) for d in distances.tolist()]
    assert int(found.min()) == 0
    assert int(found.max()) == buckets - 1


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("position", ["relative", "one direction", "alibi"])
@pytest.mark.usefixtures("small_tiles")
def test_gradients_of_positions_are_their_differences(position: str, kernel: str) -> None:
    table = torch.randn(2, 8 if position != "alibi" else 1, dtype=torch.float64)
    leaves = [x.clone().requires_grad_() for x in (*three(2, 2, q=4, k=5, d=2), table)]

    def run(query: Tensor, key: Tensor, value: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        made = alibi(table[:, 0]) if position == "alibi" else relative(table, 5, position == "relative")
        return attended(query, key, value, position=made, offset=1, kernel=kernel)

    assert torch.autograd.gradcheck(run, leaves)


def test_rotary_turns_pairs_by_their_positions() -> None:
    tensor = three(3, q=6, d=8)[0]
    turned = rotary(tensor, torch.arange(6) + 3)
    for place in range(6):
        for d in range(4):
            angle = (place + 3) * 10000.0 ** (-2 * d / 8)
            a, b = tensor[:, place, d], tensor[:, place, d + 4]
            torch.testing.assert_close(turned[:, place, d], a * math.cos(angle) - b * math.sin(angle))
            torch.testing.assert_close(turned[:, place, d + 4], a * math.sin(angle) + b * math.cos(angle))
    torch.testing.assert_close(turned.norm(dim=-1), tensor.norm(dim=-1))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1000), st.integers(-50, 50), st.sampled_from([10.0, 10000.0]))
def test_rotated_products_depend_on_the_difference_of_positions(start: int, away: int, base: float) -> None:
    query, key, _ = three(q=1, k=1, d=8, seed=start)
    here = rotary(query, torch.tensor([start]), base) @ rotary(key, torch.tensor([start + away]), base).mT
    there = rotary(query, torch.tensor([7]), base) @ rotary(key, torch.tensor([7 + away]), base).mT
    torch.testing.assert_close(here, there, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    "how",
    [
        {"position": "alibi"},
        {"position": "rotary"},
        {"position": rotary_positions(100.0), "score": "cosine"},
        {"position": relative(torch.randn(2, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)), 6)},
        {"mask": causal()},
        {"mask": [window(2), causal()]},
    ],
    ids=["alibi", "rotary", "rotary cosine", "relative", "causal", "window"],
)
def test_queries_at_an_offset_are_those_of_the_whole_sequence(how: dict[str, Any], kernel: str) -> None:
    query, key, value = three(3, 2, q=9, k=9)
    with tiles(20):
        whole = attended(query, key, value, kernel=kernel, **how)
        for first, last in ((0, 1), (4, 5), (3, 9), (8, 9)):
            part = attended(query[..., first:last, :], key, value, kernel=kernel, offset=first, **how)
            for a, b in zip(part, whole, strict=True):
                torch.testing.assert_close(a, b[..., first:last, :])


def test_a_learned_bias_for_all_heads_gets_the_sum_of_their_gradients() -> None:
    query, key, value = three(2, 3)
    for shape in ((7,), (5, 1), (3, 5, 7), (2, 1, 1, 7), (1, 1)):
        bias, found = torch.randn(shape, dtype=torch.float64, requires_grad=True), []
        for kernel in KERNELS:
            with tiles(20):
                context, _ = attend(query, key, value, bias=bias, kernel=kernel)
                found += torch.autograd.grad(context.sin().sum(), bias)
        scores = query @ key.mT / 2 + bias
        wanted = torch.autograd.grad((scores.softmax(-1) @ value).sin().sum(), bias)[0]
        for gradient in found:
            torch.testing.assert_close(gradient, wanted)
