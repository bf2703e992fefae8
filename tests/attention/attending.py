"""Calls of the operator whose shapes are checked, and small tiles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from beartype import beartype
from jaxtyping import Float, jaxtyped
from torch import Tensor

from regard.attention import attend, sigmoid, softmax

NORMALIZERS: dict[str, Any] = {
    "softmax": "softmax",
    "softmax:2": "softmax:2",
    "learned temperature": softmax(torch.tensor([0.7])),
    "sink": softmax(sink=torch.tensor([0.3])),
    "sparsemax": "sparsemax",
    "entmax15": "entmax15",
    "entmax:1.3": "entmax:1.3",
    "entmax:2.5": "entmax:2.5",
    "sigmoid": sigmoid(),
    "top_k:3": "top_k:3",
    "threshold:0.1": "threshold:0.1",
    "argmax": "argmax",
}
KERNELS = ("dense", "tiled")


@jaxtyped(typechecker=beartype)
def attended(
    query: Float[Tensor, "*lead q d"], key: Float[Tensor, "*#lead k e"], value: Float[Tensor, "*#lead k v"], **more: Any
) -> tuple[Float[Tensor, "*lead q v"], Float[Tensor, "*lead q k"]]:
    """Context and all weights; the query has all leading dimensions."""
    context, weights = attend(query, key, value, **more)
    return context, weights.dense()


def three(
    *lead: int, q: int = 5, k: int = 7, d: int = 4, v: int | None = None, seed: int = 0, **more: Any
) -> list[Tensor]:
    """A query, key and value of random numbers."""
    draw = torch.Generator().manual_seed(seed)
    shapes = [(*lead, q, d), (*lead, k, d), (*lead, k, v or d)]
    return [
        torch.randn(shape, generator=draw, dtype=torch.float64).to(more.get("dtype", torch.float64)) for shape in shapes
    ]


def identity(scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Query, key and value whose dot products are just these scores (..., Q, K), and whose context is the weights."""
    eye = torch.eye(scores.shape[-1], dtype=scores.dtype).expand(*scores.shape[:-2], -1, -1)
    return scores, eye, eye


@contextmanager
def tiles(elements: int) -> Iterator[None]:
    """Tiles, and blocks of score functions, of so many elements."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("problem.TILE", "pairs.BLOCK", "pairs.FUNCTION_BLOCK"):
            patch.setattr(f"regard.attention.{name}", elements)
        yield
