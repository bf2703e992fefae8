"""Masks against their rules written out for one query and key; filters; Gaussians."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from attending import KERNELS, attended, three, tiles
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from regard.attention import Scored, attend, causal, gaussian, lengths, window
from regard.attention.masks import Mask


def _matrix(rule: Any, queries: int, keys: int) -> Tensor:
    return torch.tensor([[bool(rule(i, j)) for j in range(keys)] for i in range(queries)])


@st.composite
def ruled_masks(draw: st.DrawFn) -> tuple[int, int, int, list[Mask | Tensor], Tensor]:
    """Numbers of queries and keys, an offset, some masks, and the matrix of what all of them allow."""
    queries, keys, offset = draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.integers(-4, 12))
    length = draw(st.integers(0, keys))
    width = draw(st.integers(0, 4))
    centres = draw(st.lists(st.floats(-3, 12), min_size=queries, max_size=queries))
    some = draw(st.lists(st.booleans(), min_size=keys, max_size=keys))
    one_row = torch.tensor(some)
    kinds: dict[str, tuple[Mask | Tensor, Any]] = {
        "lengths": (lengths(torch.tensor(length)), lambda i, j: j < length),
        "causal": (causal(), lambda i, j: j <= i + offset),
        "window": (window(width), lambda i, j: abs(j - i - offset) <= width),
        "centres": (
            window(width, torch.tensor(centres, dtype=torch.float64)),
            lambda i, j: abs(j - centres[i]) <= width,
        ),
        "boolean": (one_row, lambda i, j: some[j]),
        "additive": (torch.zeros(keys).masked_fill(~one_row, -math.inf), lambda i, j: some[j]),
    }
    chosen = [kinds[name] for name in draw(st.lists(st.sampled_from(sorted(kinds)), min_size=1, max_size=4))]
    matrix = _matrix(lambda i, j: all(rule(i, j) for _, rule in chosen), queries, keys)
    return queries, keys, offset, [mask for mask, _ in chosen], matrix


@settings(deadline=None, max_examples=150)
@given(ruled_masks(), st.sampled_from(["softmax", "sparsemax", "entmax15", "sigmoid", "top_k:2", "argmax"]))
def test_masks_are_their_rules_and_combine(
    ruled: tuple[int, int, int, list[Mask | Tensor], Tensor], normalizer: str
) -> None:
    queries, keys, offset, masks, matrix = ruled
    tensors = [x.requires_grad_() for x in three(2, q=queries, k=keys)]
    results = []
    for kernel, mask in (("tiled", masks), ("dense", masks), ("dense", matrix)):
        with tiles(12):
            context, weights = attended(*tensors, mask=mask, offset=offset, kernel=kernel, normalizer=normalizer)
            loss = context.sin().sum() + weights.square().sum()
            results.append((context, weights, *torch.autograd.grad(loss, tensors)))
    assert bool((results[0][1][:, ~matrix] == 0).all())
    for found in results[:2]:
        for a, b in zip(found, results[2], strict=True):
            torch.testing.assert_close(a, b)


def test_lengths_and_causal_and_window_written_out() -> None:
    near = {(0, 0), (0, 1), (1, 2), (1, 3), (1, 4), (4, 6)}
    rules: list[tuple[Mask, Any]] = [
        (lengths(torch.tensor(3)), lambda i, j: j < 3),
        (causal(), lambda i, j: j <= i + 2),
        (window(1), lambda i, j: i + 1 <= j <= i + 3),
        (window(1, torch.tensor([0.5, 3.0, 9.0, -5.0, 6.9])), lambda i, j: (i, j) in near),
    ]
    for mask, rule in rules:
        for kernel in KERNELS:
            _, weights = attended(*three(), mask=mask, offset=2, kernel=kernel)
            assert torch.equal(weights > 0, _matrix(rule, 5, 7))


@pytest.mark.parametrize("kernel", [*KERNELS, "fused"])
def test_lengths_of_each_example(kernel: str) -> None:
    length = torch.tensor([[3], [7], [1]])
    _, weights = attended(*three(3, 2), mask=lengths(length), kernel=kernel)
    assert torch.equal(weights > 0, (torch.arange(7) < length[..., None, None]).expand(3, 2, 5, 7))


@pytest.mark.parametrize("kernel", [*KERNELS, "fused"])
def test_what_stands_in_the_padding_does_not_matter(kernel: str) -> None:
    query, key, value = three(2, 2)
    mask = lengths(torch.tensor([[4], [6]]))
    expected = attended(query, key, value, mask=mask, kernel=kernel)
    padding = ~(torch.arange(7) < mask.length[..., None])[..., None]
    key, value = key.masked_fill(padding, 1e3), value.masked_fill(padding, 1e3)
    for a, b in zip(attended(query, key, value, mask=mask, kernel=kernel), expected, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("shape", [(), (7,), (5, 1), (5, 7), (3, 1, 7), (2, 1, 5, 7), (2, 3, 1, 1)])
@pytest.mark.parametrize("kernel", [*KERNELS, "fused"])
@pytest.mark.usefixtures("small_tiles")
def test_tensors_broadcast_over_the_scores(kernel: str, shape: tuple[int, ...]) -> None:
    draw = torch.Generator().manual_seed(4)
    query, key, value = three(2, 3)
    scores = query @ key.mT / 2
    boolean = torch.rand(shape, generator=draw) < 0.6
    _, weights = attended(query, key, value, mask=boolean, kernel=kernel)
    wanted = scores.masked_fill(~boolean, -math.inf).softmax(-1).nan_to_num(0.0)
    torch.testing.assert_close(weights, wanted)
    number = torch.randn(shape, generator=draw, dtype=torch.float64)
    for how in ({"mask": number}, {"bias": number}, {"mask": [number / 2, number / 2]}):
        if kernel == "fused" and isinstance(how["mask" if "mask" in how else "bias"], list) and len(shape) > 1:
            continue  # two tensors over queries and keys are refused
        torch.testing.assert_close(attended(query, key, value, kernel=kernel, **how)[1], (scores + number).softmax(-1))


# --- filters ---


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.usefixtures("small_tiles")
def test_a_filter_sees_scores_positions_and_what_was_compared(kernel: str) -> None:
    query, key, value = three(2, 2)
    mask, tiles_seen = lengths(torch.tensor([[6], [7]])), []

    def condition(seen: Scored) -> Tensor:
        n, r, c = seen.scores.shape
        assert seen.query.shape[1:] == (r, 4)
        assert seen.key.shape[1:] == (c, 4)
        assert seen.query_position.shape == (r, 1)
        assert seen.key_position.shape == (1, c)
        made = seen.query @ seen.key.mT / 2 + 1
        finite = seen.scores > -math.inf
        torch.testing.assert_close(seen.scores[finite], made.expand_as(seen.scores)[finite])
        tiles_seen.append((n, r, c))
        near = (seen.query_position - seen.key_position).abs() <= 2
        return near & (seen.scores > 0.5) | (seen.key[:, None, :, 0] > 1)

    both = [condition, lambda seen: seen.key_position != 3]
    context, weights = attended(
        query, key, value, mask=mask, filter=both, bias=torch.tensor(1.0), offset=1, kernel=kernel
    )
    scores = query @ key.mT / 2 + 1
    near = _matrix(lambda i, j: abs(i + 1 - j) <= 2, 5, 7)
    passes = (near & (scores > 0.5) | (key[..., None, :, 0] > 1)) & _matrix(lambda i, j: j != 3, 5, 7)
    passes &= torch.arange(7) < mask.length[..., None, None]
    wanted = scores.masked_fill(~passes, -math.inf).softmax(-1).nan_to_num(0.0)
    torch.testing.assert_close(weights, wanted)
    torch.testing.assert_close(context, wanted @ value)
    assert tiles_seen
    assert bool((weights[~passes] == 0).all())


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.usefixtures("small_tiles")
def test_a_filter_comes_before_the_normalizer(kernel: str) -> None:
    query, key, value = three(2)
    scores = query @ key.mT / 2
    for normalizer, k in (("top_k:2", 2), ("top_k:4", 4)):
        _, weights = attended(
            query, key, value, normalizer=normalizer, kernel=kernel, filter=lambda seen: seen.scores < 0.2
        )
        left = scores.masked_fill(scores >= 0.2, -math.inf)
        places = left.topk(k).indices
        wanted = torch.full_like(left, -math.inf).scatter(-1, places, left.gather(-1, places))
        torch.testing.assert_close(weights, wanted.softmax(-1).nan_to_num(0.0))


# --- Gaussians ---


@pytest.mark.parametrize("normalizer", ["softmax", "entmax15", "top_k:3"])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.usefixtures("small_tiles")
def test_a_gaussian_multiplies_weights_that_are_not_normalised_again(kernel: str, normalizer: str) -> None:
    query, key, value = three(2)
    centre = torch.tensor([0.0, 2.5, 3.0, 6.2, 20.0], dtype=torch.float64)
    plain = attended(query, key, value, normalizer=normalizer)[1]
    context, weights = attended(query, key, value, normalizer=normalizer, kernel=kernel, mask=gaussian(centre, 1.5))
    factor = [[math.exp(-((j - c) ** 2) / (2 * 1.5**2)) for j in range(7)] for c in centre.tolist()]
    torch.testing.assert_close(weights, plain * torch.tensor(factor, dtype=torch.float64))
    torch.testing.assert_close(context, weights @ value)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.usefixtures("small_tiles")
def test_gradients_of_gaussians_are_their_differences(kernel: str) -> None:
    """Two of them, with a centre for each query, and sigmas for all, for each."""
    centre = torch.tensor([[1.0, 2.5, 3.0], [0.3, 1.0, 9.0]], dtype=torch.float64)
    leaves = [*three(2, q=3, k=4), centre, 4 - centre[:1], torch.tensor(1.3, dtype=torch.float64), centre + 1]
    leaves = [x.clone().requires_grad_() for x in leaves]

    def run(query: Tensor, key: Tensor, value: Tensor, *rest: Tensor) -> tuple[Tensor, Tensor]:
        masks = [gaussian(rest[0], rest[2]), causal(), gaussian(rest[1].expand(2, -1), rest[3])]
        return attended(query, key, value, mask=masks, offset=1, kernel=kernel)

    assert torch.autograd.gradcheck(run, leaves)


def test_masks_may_require_no_gradient_of_a_window() -> None:
    centre = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0], requires_grad=True, dtype=torch.float64)
    context, _ = attend(*three(), mask=window(1, centre))
    assert not context.requires_grad
