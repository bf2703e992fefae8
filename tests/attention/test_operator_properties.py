"""What holds of attention whatever the score and normalizer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from attending import NORMALIZERS, attended, three, tiles
from hypothesis import given, settings
from hypothesis import strategies as st

from regard.attention import attend, lengths

_names = st.sampled_from(sorted(set(NORMALIZERS) - {"argmax", "top_k:3", "threshold:0.1"}))
_sizes = st.integers(1, 8)


@settings(deadline=None, max_examples=60)
@given(_names, st.sampled_from(["dot", "cosine", "distance"]), _sizes, _sizes, st.integers(0, 1000))
def test_keys_may_come_in_any_order(normalizer: str, score: str, queries: int, keys: int, seed: int) -> None:
    query, key, value = three(2, q=queries, k=keys, seed=seed)
    order = torch.randperm(keys, generator=torch.Generator().manual_seed(seed))
    how: dict[str, Any] = {"score": score, "normalizer": NORMALIZERS[normalizer], "kernel": "tiled"}
    with tiles(10):
        context, weights = attended(query, key, value, **how)
        other, moved = attended(query, key[:, order], value[:, order], **how)
    torch.testing.assert_close(other, context)
    torch.testing.assert_close(moved, weights[..., order])


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(NORMALIZERS)), _sizes, _sizes, st.integers(0, 1000), st.sampled_from(["dense", "tiled"]))
def test_queries_and_examples_do_not_see_each_other(
    normalizer: str, queries: int, keys: int, seed: int, kernel: str
) -> None:
    query, key, value = three(3, q=queries, k=keys, seed=seed)
    how: dict[str, Any] = {"normalizer": NORMALIZERS[normalizer], "kernel": kernel}
    with tiles(10):
        whole = attended(query, key, value, **how)[0]
        for example in range(3):
            for i in range(queries):
                alone = attended(query[example, i : i + 1], key[example], value[example], **how)[0]
                torch.testing.assert_close(alone[0], whole[example, i])


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(NORMALIZERS)), _sizes, st.integers(1, 6), st.integers(0, 1000))
def test_masked_keys_might_as_well_be_absent(normalizer: str, keys: int, more: int, seed: int) -> None:
    query, key, value = three(2, k=keys + more, seed=seed)
    how: dict[str, Any] = {"normalizer": NORMALIZERS[normalizer]}
    with tiles(10):
        masked = attended(query, key, value, mask=lengths(torch.tensor(keys)), kernel="tiled", **how)
        absent = attended(query, key[:, :keys], value[:, :keys], kernel="dense", **how)
    torch.testing.assert_close(masked[0], absent[0])
    torch.testing.assert_close(masked[1][..., :keys], absent[1])


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(sorted(set(NORMALIZERS) - {"sink", "sigmoid"})),
    _sizes,
    _sizes,
    st.integers(0, 1000),
    st.floats(-1e3, 1e3),
)
def test_weights_are_a_distribution_that_a_constant_does_not_move(
    normalizer: str, queries: int, keys: int, seed: int, constant: float
) -> None:
    query, key, value = three(2, q=queries, k=keys, seed=seed)
    how: dict[str, Any] = {"normalizer": NORMALIZERS[normalizer], "kernel": "tiled"}
    with tiles(10):
        weights = attended(query, key, value, **how)[1]
        moved = attended(query, key, value, bias=torch.tensor(constant, dtype=torch.float64), **how)[1]
    assert bool((weights >= 0).all())
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, queries, dtype=torch.float64))
    torch.testing.assert_close(moved, weights, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kernel", ["dense", "tiled", "fused"])
def test_leading_dimensions_broadcast_without_a_copy_of_the_result(kernel: str) -> None:
    """Every argument may lack leading dimensions, or have ones of length 1; so has its gradient."""
    leads = [
        ((2, 3), (3,), ()),
        ((3,), (2, 1), (2, 3)),
        ((), (2, 3), (1, 3)),
        ((1, 1), (), (2, 3)),
        ((2, 1), (1, 3), (3,)),
    ]
    for seed, (a, b, c) in enumerate(leads):
        shapes = ((*a, 5, 4), (*b, 7, 4), (*c, 7, 6))
        draw = torch.Generator().manual_seed(seed)
        tensors = [torch.randn(s, dtype=torch.float64, generator=draw).requires_grad_() for s in shapes]
        with tiles(20):
            context, weights = attend(*tensors, kernel=kernel)
            matrix = weights.dense()
            assert context.shape == (2, 3, 5, 6)
            assert matrix.shape == (2, 3, 5, 7)
            found = torch.autograd.grad(context.sin().sum() + matrix.square().sum(), tensors)
        scores = tensors[0] @ tensors[1].mT / 2
        soft = scores.softmax(-1)
        wanted = soft @ tensors[2]
        torch.testing.assert_close(context, wanted)
        torch.testing.assert_close(matrix, soft.expand(2, 3, 5, 7))
        loss = wanted.sin().sum() + soft.expand(2, 3, 5, 7).square().sum()
        torch.testing.assert_close(found, torch.autograd.grad(loss, tensors))


@pytest.mark.parametrize("kernel", ["dense", "tiled", "fused"])
def test_any_strides_do(kernel: str) -> None:
    """As from a projection whose heads were split and transposed."""
    tensors = [torch.randn(2, n, 3, 4, dtype=torch.float64).transpose(1, 2).requires_grad_() for n in (5, 7, 7)]
    for mask in (None, lengths(torch.tensor([[4], [7]]))):
        found = attended(*tensors, mask=mask, kernel=kernel)
        wanted = attended(*(x.contiguous() for x in tensors), mask=mask, kernel="dense")
        for a, b in zip(found, wanted, strict=True):
            torch.testing.assert_close(a, b)
        loss = torch.autograd.grad(found[0].sin().sum(), tensors)
        torch.testing.assert_close(loss, torch.autograd.grad(wanted[0].sin().sum(), tensors))
