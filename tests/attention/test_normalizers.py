"""Normalizers: exact zeros, supports, sums, rows of nothing, gradients."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from attending import KERNELS, NORMALIZERS, attended, identity, three, tiles
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from regard.attention import attend, entmax, lengths, reference, softmax
from regard.attention.thresholds import entmax15_threshold, entmax_threshold, sparsemax_threshold

_DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
_SPARSE: dict[str, Callable[[Tensor], Tensor]] = {
    "sparsemax": reference.sparsemax,
    "entmax15": lambda s: reference.entmax(s, 1.5),
    "entmax:1.2": lambda s: reference.entmax(s, 1.2),
    "entmax:2.5": lambda s: reference.entmax(s, 2.5),
    "top_k:3": lambda s: reference.top_k(s, 3),
    "threshold:0.1": lambda s: reference.threshold(s, 0.1),
    "argmax": reference.argmax,
}


def _weights(scores: Tensor, normalizer: Any, kernel: str = "tiled", **more: Any) -> Tensor:
    return attended(*identity(scores), score="dot", normalizer=normalizer, kernel=kernel, **more)[1]


def test_normalizers_written_out() -> None:
    scores = torch.tensor([[2.0, 1.5, 0.0, -3.0]], dtype=torch.float64)
    e = [math.exp(x) for x in scores[0].tolist()]
    wanted = {
        "softmax": [x / sum(e) for x in e],
        "softmax:0.5": [x**2 / sum(y**2 for y in e) for x in e],
        "sparsemax": [0.75, 0.25, 0.0, 0.0],
        "top_k:2": [e[0] / (e[0] + e[1]), e[1] / (e[0] + e[1]), 0.0, 0.0],
        "threshold:0.2": [e[0] / (e[0] + e[1]), e[1] / (e[0] + e[1]), 0.0, 0.0],
        "argmax": [1.0, 0.0, 0.0, 0.0],
        "sigmoid": [x / (1 + x) for x in e],
    }
    for name, expected in wanted.items():
        torch.testing.assert_close(_weights(scores, name), torch.tensor([expected], dtype=torch.float64))
    sunk = softmax(sink=torch.tensor(1.0, dtype=torch.float64))
    expected = [x / (sum(e) + math.e) for x in e]
    torch.testing.assert_close(_weights(scores, sunk), torch.tensor([expected], dtype=torch.float64))
    # entmax15: two in the support; (1 - t)^2 + (0.75 - t)^2 = 1 has the root t = (1.75 - sqrt(2 - 0.0625)) / 2.
    tau = (1.75 - math.sqrt(2 - 0.0625)) / 2
    expected = [(1 - tau) ** 2, (0.75 - tau) ** 2, 0.0, 0.0]
    torch.testing.assert_close(_weights(scores, "entmax15"), torch.tensor([expected], dtype=torch.float64))


@pytest.mark.parametrize("kernel", KERNELS)
def test_names_for_the_same_normalizer(kernel: str) -> None:
    scores = three(2, q=6, k=20)[0] @ three(2, q=6, k=20)[1].mT
    for one, other in (
        ("entmax15", "entmax:1.5"),
        ("sparsemax", "entmax:2"),
        ("entmax:1.5", entmax(torch.tensor(1.5, dtype=torch.float64))),
        ("softmax:0.5", softmax(torch.tensor([0.5], dtype=torch.float64))),
        ("top_k:20", "softmax"),
        ("top_k:50", "softmax"),
        ("threshold:0.0001", "softmax"),
        ("top_k:1", "argmax"),
        ("threshold:1", "argmax"),
    ):
        scores = scores.clamp(-3, 3) if one == "threshold:0.0001" else scores
        torch.testing.assert_close(_weights(scores, one, kernel), _weights(scores, other, kernel))
    torch.testing.assert_close(_weights(scores, "entmax:1.0001", kernel), scores.softmax(-1), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("normalizer", _SPARSE)
@settings(deadline=None, max_examples=40)
@given(
    length=st.one_of(st.integers(1, 40), st.integers(200, 500)),
    scale=st.sampled_from([0.01, 0.3, 1.0, 4.0, 100.0]),
    seed=st.integers(0, 10**6),
)
def test_a_support_is_the_definitions(normalizer: str, length: int, scale: float, seed: int) -> None:
    scores = scale * torch.randn(4, length, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    wanted = _SPARSE[normalizer](scores)
    for kernel in KERNELS:
        with tiles(32):
            weights = _weights(scores, normalizer, kernel)
        assert torch.equal(weights > 0, wanted > 0)
        torch.testing.assert_close(weights, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", _DTYPES, ids=str)
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    "normalizer", ["sparsemax", "entmax15", "entmax:1.3", "entmax:2.5", "top_k:3", "threshold:0.1", "argmax"]
)
@pytest.mark.usefixtures("small_tiles")
def test_what_weighs_nothing_adds_nothing(normalizer: str, kernel: str, dtype: torch.dtype) -> None:
    """Zeros are exact: values of any size under them change no bit of the context."""
    query, key, value = three(2, q=1, k=20, dtype=dtype)
    context, weights = attended(3 * query, key, value, normalizer=normalizer, score="dot", kernel=kernel)
    zero = weights == 0
    assert bool(zero.any())
    value = torch.where(zero.mT, 1e4, value)
    assert torch.equal(attended(3 * query, key, value, normalizer=normalizer, score="dot", kernel=kernel)[0], context)


_THRESHOLDS: dict[str, tuple[float, Callable[[Tensor, Tensor], Tensor]]] = {
    "sparsemax": (2.0, sparsemax_threshold),
    "entmax15": (1.5, entmax15_threshold),
    "entmax:1.1": (1.1, lambda x, scratch: entmax_threshold(x, 1.1, scratch)),
    "entmax:1.3": (1.3, lambda x, scratch: entmax_threshold(x, 1.3, scratch)),
    "entmax:2.5": (2.5, lambda x, scratch: entmax_threshold(x, 2.5, scratch)),
    "entmax:4": (4.0, lambda x, scratch: entmax_threshold(x, 4.0, scratch)),
}


@pytest.mark.parametrize("offset", [0.0, 1e4, -1e4])
@pytest.mark.parametrize("scale", [0.0, 0.01, 1.0, 100.0])
@pytest.mark.parametrize("length", [1, 2, 7, 300, 2048])
@pytest.mark.parametrize("name", _THRESHOLDS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_sparse_weights_sum_to_1(dtype: torch.dtype, name: str, length: int, scale: float, offset: float) -> None:
    draw = torch.Generator().manual_seed(length)
    scores = offset + scale * torch.randn(3, length, dtype=torch.float64, generator=draw).to(dtype)
    alpha, threshold = _THRESHOLDS[name]
    x = (alpha - 1) * (scores - scores.amax(-1, keepdim=True))
    tau = threshold(x, torch.empty_like(x))
    assert bool(((tau >= -1) & (tau < 0)).all())
    total = (x - tau).clamp(min=0).pow(1 / (alpha - 1)).sum(-1)
    # tau itself is known to half an eps of 1, the sum to as much times its slope.
    slope = (x - tau).clamp(min=0)
    slope = torch.where(slope > 0, slope ** (1 / (alpha - 1) - 1), 0.0).sum(-1) / (alpha - 1)
    eps = torch.finfo(dtype).eps
    assert bool(((total - 1).abs() <= 8 * eps * (1 + slope * tau[..., 0].abs())).all()), (total - 1).abs().max()


# --- rows with nothing to attend to ---


@pytest.mark.parametrize("dtype", _DTYPES, ids=str)
@pytest.mark.parametrize(
    ("normalizer", "kernel", "way"),
    [
        *itertools.product(NORMALIZERS, KERNELS, ("lengths", "boolean", "additive", "filter")),
        *itertools.product(("softmax", "softmax:2"), ("fused",), ("lengths", "boolean", "additive")),
    ],
)
@pytest.mark.usefixtures("small_tiles")
def test_nothing_to_attend_to(normalizer: str, kernel: str, way: str, dtype: torch.dtype) -> None:
    """Zero weights, context and gradients, no NaN, and the other rows as if it were not there."""
    query, key, value = (x.requires_grad_() for x in three(3, dtype=dtype))
    alive = torch.tensor([False, True, True])[:, None, None].expand(3, 5, 7).clone()
    alive[2, 1:3] = way == "lengths"
    how: dict[str, Any] = {
        "lengths": {"mask": lengths(torch.tensor([0, 7, 7]))},
        "boolean": {"mask": alive},
        "additive": {"mask": torch.zeros(3, 5, 7).masked_fill(~alive, -torch.inf)},
        "filter": {"filter": lambda seen: _alive_tile(seen, alive)},
    }[way]
    with tiles(1 << 20) if way == "filter" else tiles(32):
        context, weights = attended(query, key, value, normalizer=NORMALIZERS[normalizer], kernel=kernel, **how)
        gradients = torch.autograd.grad(context.sum() + weights.square().sum(), (query, key, value))
    dead = ~alive.any(-1)
    assert bool((weights[dead] == 0).all())
    assert bool((context[dead] == 0).all())
    assert bool((gradients[0][dead] == 0).all())
    assert all(bool(x.isfinite().all()) for x in (context, weights, *gradients))
    assert all(bool((x[0] == 0).all()) for x in gradients)
    others = attended(query, key, value, normalizer=NORMALIZERS[normalizer], kernel="dense")[1]
    torch.testing.assert_close(weights[~dead], others[~dead], rtol=2e-2, atol=1e-2)


def _alive_tile(seen: Any, alive: Tensor) -> Tensor:
    return alive[:, seen.query_position[:, 0]][..., seen.key_position[0]]


# --- gradients ---


_ROOT = torch.tensor([0.6, 0.9], dtype=torch.float64)
_LEARNED: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...]]] = {
    **{name: (lambda name=name: name, ()) for name in ("softmax", "softmax:2", "sparsemax", "entmax15", "entmax:1.3")},
    **{name: (lambda name=name: name, ()) for name in ("entmax:2.5", "sigmoid", "top_k:2", "threshold:0.2")},
    "temperature": (softmax, (_ROOT,)),
    "temperature and sink": (softmax, (_ROOT, 1 - _ROOT)),
    "sink": (lambda sink: softmax(0.7, sink), (_ROOT,)),
    "alpha": (lambda root: entmax(1 + root), (_ROOT,)),
}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", _LEARNED)
@pytest.mark.usefixtures("small_tiles")
def test_gradients_of_a_normalizer_are_its_differences(name: str, kernel: str) -> None:
    """Through the context and through the weights themselves; one row has nothing to attend to."""
    make, parameters = _LEARNED[name]
    leaves = [x.clone().requires_grad_() for x in (*three(2, q=3, k=4, seed=2), *parameters)]
    mask = torch.tensor([[1, 1, 1, 1], [0, 0, 0, 0], [1, 0, 1, 1]], dtype=torch.bool)

    def run(query: Tensor, key: Tensor, value: Tensor, *parameters: Tensor) -> tuple[Tensor, Tensor]:
        return attended(query, key, value, normalizer=make(*parameters), kernel=kernel, mask=mask)

    assert torch.autograd.gradcheck(run, leaves)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.usefixtures("small_tiles")
def test_argmax_passes_the_gradient_of_softmax_straight_through(kernel: str) -> None:
    query, key, value = (x.requires_grad_() for x in three(2))
    mask = lengths(torch.tensor([7, 0]))
    above = torch.randn(2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    context, weights = attend(query, key, value, normalizer="argmax", kernel=kernel, mask=mask)
    hard = weights.dense().detach()
    assert torch.equal(context, hard @ value)
    soft = attended(query, key, value, mask=mask)[1]
    wanted = torch.autograd.grad((soft * (above @ value.detach().mT)).sum(), (query, key))
    found = torch.autograd.grad((context * above).sum(), (query, key, value))
    torch.testing.assert_close(found[:2], wanted)
    torch.testing.assert_close(found[2], hard.mT @ above)


def test_a_number_after_a_colon_may_be_learned_for_each_head() -> None:
    scores = three(2, 3, q=6, k=8)[0] @ three(2, 3, q=6, k=8)[1].mT
    alpha = torch.tensor([1.2, 1.5, 2.2], dtype=torch.float64)
    for kernel in KERNELS:
        with tiles(32):
            together = _weights(scores, entmax(alpha), kernel)
            for head, number in enumerate(alpha.tolist()):
                torch.testing.assert_close(together[:, head], _weights(scores[:, head], f"entmax:{number}", kernel))
