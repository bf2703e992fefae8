"""Scores against their formulas written out for one pair, and what only they can get wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from attending import KERNELS, attended, three, tiles
from torch import Tensor

from regard.attention import additive, attend, bilinear, cosine, distance, dot, function, location, reference

_DRAW = torch.Generator().manual_seed(3)
_SQUARE = torch.randn(4, 4, generator=_DRAW, dtype=torch.float64)
_VECTOR = torch.randn(4, generator=_DRAW, dtype=torch.float64)
_PLACES = torch.randn(9, 4, generator=_DRAW, dtype=torch.float64)


def _dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def _apart(a: float, b: float) -> float:
    return abs(a - b)


def _length(a: list[float]) -> float:
    return math.sqrt(_dot(a, a))


_W, _v, _P = _SQUARE.tolist(), _VECTOR.tolist(), _PLACES.tolist()
# Name or score, and its value for query q, key k at place j.
_FORMULAS: dict[str, tuple[Any, Callable[[list[float], list[float], int], float]]] = {
    "dot": ("dot", lambda q, k, j: _dot(q, k)),
    "dot:3": ("dot:3", lambda q, k, j: 3 * _dot(q, k)),
    "scaled_dot": ("scaled_dot", lambda q, k, j: _dot(q, k) / 2),
    "bilinear": (bilinear(_SQUARE), lambda q, k, j: sum(q[a] * _W[a][b] * k[b] for a in range(4) for b in range(4))),
    "additive": (additive(_VECTOR), lambda q, k, j: sum(map(lambda w, a, b: w * math.tanh(a + b), _v, q, k))),
    "cosine": ("cosine", lambda q, k, j: _dot(q, k) / _length(q) / _length(k)),
    "cosine:0.5": ("cosine:0.5", lambda q, k, j: 2 * _dot(q, k) / _length(q) / _length(k)),
    "distance": ("distance", lambda q, k, j: -sum((a - b) ** 2 for a, b in zip(q, k, strict=True)) / 2),
    "distance:3": ("distance:3", lambda q, k, j: -sum((a - b) ** 2 for a, b in zip(q, k, strict=True)) / 18),
    "location": (location(_PLACES), lambda q, k, j: _dot(q, _P[j])),
    "function": (lambda q, k: (q[:, :, None] - k[:, None]).abs().sum(-1), lambda q, k, j: sum(map(_apart, q, k))),
}  # fmt: skip


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", _FORMULAS)
@pytest.mark.usefixtures("small_tiles")
def test_a_score_is_its_formula(name: str, kernel: str) -> None:
    score, formula = _FORMULAS[name]
    query, key, value = three()
    _, weights = attend(query, key, value, score=score, kernel=kernel)
    wanted = [[formula(q, k, j) for j, k in enumerate(key.tolist())] for q in query.tolist()]
    torch.testing.assert_close(weights.scores(0, 5), torch.tensor(wanted, dtype=torch.float64))
    torch.testing.assert_close(weights.scores(2, 4), torch.tensor(wanted[2:4], dtype=torch.float64))


def test_additive_is_luongs_concat() -> None:
    query, key, value = three()
    for_query, for_key = torch.randn(2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    _, weights = attended(query @ for_query.mT, key @ for_key.mT, value, score=additive(_VECTOR))
    both = torch.cat([query[:, None].expand(-1, 7, -1), key[None].expand(5, -1, -1)], -1)
    scores = torch.tanh(both @ torch.cat([for_query, for_key], 1).mT) @ _VECTOR
    torch.testing.assert_close(weights, scores.softmax(-1))


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 40.0), (torch.float64, 300.0)])
@pytest.mark.parametrize("factor", [0.25, 0.999, 1.001, 30.0])
@pytest.mark.usefixtures("small_tiles")
def test_additive_keeps_precision_however_large_its_terms(dtype: torch.dtype, limit: float, factor: float) -> None:
    query, key, value = three(dtype=dtype)
    scale = factor * limit / float(torch.maximum(query.abs().max(), key.abs().max()))
    query, key = query * scale, key * scale
    key[:5] = -query + torch.tensor([0.1, -0.4, 1.0, 3.0], dtype=dtype)  # they almost cancel, where tanh is steep
    leaves = tuple(x.requires_grad_() for x in (query, key, _VECTOR.to(dtype, copy=True)))
    weight = leaves[2]
    context, weights = attend(query, key, value, score=additive(weight), kernel="tiled")
    exact = [x.detach().double().requires_grad_() for x in leaves]
    wanted = reference.additive(*exact)
    torch.testing.assert_close(weights.scores(0, 5).double(), wanted.detach(), rtol=1e-4, atol=1e-5)
    found = torch.autograd.grad(context.square().sum(), leaves)
    for a, b in zip(
        found, torch.autograd.grad((wanted.softmax(-1) @ value.double()).square().sum(), exact), strict=True
    ):
        torch.testing.assert_close(a.double(), b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kernel", KERNELS)
def test_distance_does_not_depend_on_where_the_origin_is(kernel: str) -> None:
    query, key, value = three(dtype=torch.float32)
    here, _ = attended(query, key, value, score="distance", kernel=kernel)
    there, _ = attended(query + 1024, key + 1024, value, score="distance", kernel=kernel)
    torch.testing.assert_close(here, there, rtol=1e-2, atol=1e-2)  # 1024 + x has 13 bits left for x
    exact = reference.distance((query + 1024).double() - 1024, (key + 1024).double() - 1024).softmax(-1)
    torch.testing.assert_close(there.double(), exact @ value.double(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_zero_vector_has_a_cosine_of_0_and_a_finite_gradient(kernel: str) -> None:
    query, key, value = three()
    query[1] = 0
    query.requires_grad_()
    context, weights = attended(query, key, value, score=cosine(0.5), kernel=kernel)
    torch.testing.assert_close(weights[1], torch.full((7,), 1 / 7, dtype=torch.float64))
    context.sum().backward()
    assert query.grad is not None
    assert bool(query.grad.isfinite().all())


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.usefixtures("small_tiles")
def test_a_function_may_look_at_one_side_alone(kernel: str) -> None:
    query, key, value = three(2, 3)
    context, weights = attended(query, key[0, 0], value, score=_by_key, kernel=kernel)
    torch.testing.assert_close(weights, key[0, 0].sum(-1).softmax(-1).expand(2, 3, 5, 7))
    torch.testing.assert_close(context, weights @ value)


def _by_key(query: Tensor, key: Tensor) -> Tensor:
    return key.sum(-1)[:, None].expand(-1, query.shape[1], -1)


def test_a_function_sees_tiles_only() -> None:
    seen = []

    def score(query: Tensor, key: Tensor) -> Tensor:
        seen.append((query.shape, key.shape))
        return query @ key.mT

    query, key, value = three(3)
    with tiles(14):
        tiled, _ = attended(query, key, value, score=score, kernel="tiled")
    assert len(seen) > 3
    assert all(q[0] * q[1] * k[1] <= 14 for q, k in seen)
    torch.testing.assert_close(tiled, attended(query, key, value, score="dot")[0])


def test_a_tensor_that_a_function_learns_unseen_is_refused_rather_than_left_without_gradient() -> None:
    weight = _VECTOR.clone().requires_grad_()
    with pytest.raises(ValueError, match=r"score: the function uses a tensor that requires grad.*parameters"):
        attend(*three(), score=lambda q, k: (q * weight) @ k.mT, kernel="tiled")


def test_broadcast_parameters_of_a_function_get_the_sum_of_their_gradients() -> None:
    weight = _VECTOR.clone().requires_grad_()
    found = []
    for kernel in KERNELS:
        with tiles(14):
            score = function(lambda q, k, w: (q * w[:, None]) @ k.mT, (weight,))
            context, _ = attended(*three(2, 2), score=score, kernel=kernel)
        found += torch.autograd.grad(context.square().sum(), weight)
    torch.testing.assert_close(*found)


_TEMPERATURE = torch.tensor(0.6, dtype=torch.float64)
_LEARNED: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...]]] = {
    "dot": (lambda: dot(0.7), ()),
    "cosine": (cosine, (_TEMPERATURE,)),
    "distance": (distance, (_TEMPERATURE.view(1, 1),)),
    "bilinear": (bilinear, (_SQUARE,)),
    "additive": (additive, (_VECTOR,)),
    "location": (location, (_PLACES,)),
    "function": (lambda w: function(lambda q, k, w: torch.tanh(q[:, :, None] * k[:, None]) @ w[0], (w,)), (_VECTOR,)),
}


@pytest.mark.parametrize("name", _LEARNED)
@pytest.mark.usefixtures("small_tiles")
def test_gradients_of_a_score_are_its_differences(name: str) -> None:
    """Through the context and through the weights themselves."""
    make, parameters = _LEARNED[name]
    leaves = [x.clone().requires_grad_() for x in (*three(2, q=3, k=4), *parameters)]

    def run(query: Tensor, key: Tensor, value: Tensor, *parameters: Tensor) -> tuple[Tensor, Tensor]:
        return attended(query, key, value, score=make(*parameters), kernel="tiled")

    assert torch.autograd.gradcheck(run, leaves)
