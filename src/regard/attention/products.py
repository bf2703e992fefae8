"""Products of matrices by the faster of the two libraries that torch holds for the CPU.

Torch multiplies float32 matrices by MKL, which leaves half of the vector unit of other makers' processors idle. oneDNN,
which torch brings too, uses all of it: with AVX-512 on an AMD processor a large product takes half the time. Which one
is taken depends on the machine and on the sizes alone, so the same work gives the same numbers again.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# oneDNN costs some 10 us a call. Of one row too, which is bound by reading the weight: MKL reads it by one thread, and
# at half of what the memory gives.
_LEAST_PRODUCTS = 1 << 19
_LEAST_PRODUCTS_OF_BLOCKS = 1 << 18
# For so many rows of x blocks are made; they serve any number but one as well, of which oneDNN makes no blocks.
_ROWS_OF_BLOCKS = 64


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x weight^T + bias, without a gradient: x (n, in), weight (out, in), bias (out,) -> (n, out)."""
    if _large(x, weight):
        found: Tensor = torch.ops.mkldnn._linear_pointwise(_whole(x), _whole(weight), bias, "none", [], "")
        return found
    return F.linear(x, weight, bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The same as `torch.nn.functional.linear`, differentiable: x (..., in), weight (out, in), bias (out,)."""
    if not _eager(x) or not _large(x, weight):
        return F.linear(x, weight, bias)
    flat = x.reshape(-1, x.shape[-1])
    if torch.is_grad_enabled() and (
        x.requires_grad or weight.requires_grad or (bias is not None and bias.requires_grad)
    ):
        found = _Linear.apply(flat, weight, bias)  # type: ignore[no-untyped-call]
    else:
        found = product(flat, weight, bias)
    return found.view(*x.shape[:-1], len(weight))  # type: ignore[no-any-return]


class Linear(nn.Linear):
    """`torch.nn.Linear`, by `linear`."""

    def forward(self, input: Tensor) -> Tensor:
        return linear(input, self.weight, self.bias)


class Packed:
    """x weight^T + bias for a weight that is used again and again, without a gradient: x (n, in) -> (n, out).

    Where x has a few rows, oneDNN reads a weight in blocks twice as fast as one by rows: so it is kept in blocks, too.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        weight = weight.detach()
        self._turned, self._bias = weight.t(), None if bias is None else bias.detach()
        self._blocks, self._rows = None, float("inf")
        if weight.is_cpu and weight.dtype == torch.float32 and _half_idle() and torch.backends.mkldnn.enabled:
            self._blocks = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), _ROWS_OF_BLOCKS)
            self._rows = _LEAST_PRODUCTS_OF_BLOCKS / max(1, weight.numel())

    @classmethod
    def of(cls, layer: nn.Linear) -> Packed:
        """The weight of a layer."""
        return cls(layer.weight, layer.bias)

    def __call__(self, x: Tensor) -> Tensor:
        if x.shape[0] >= self._rows:  # `len` of a tensor is a call of Python
            return _multiply()(_whole(x), self._blocks, self._bias, "none", [], "")  # type: ignore[no-any-return]
        return torch.mm(x, self._turned) if self._bias is None else torch.addmm(self._bias, x, self._turned)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return product(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        for_x, for_weight, for_bias = ctx.needs_input_grad
        return (
            linear(grad, weight.t()) if for_x else None,
            linear(grad.t(), x.t()) if for_weight else None,
            grad.sum(0) if for_bias else None,
        )


def _large(x: Tensor, weight: Tensor) -> bool:
    return bool(
        x.numel() * len(weight) >= _LEAST_PRODUCTS
        and x.is_cpu
        and x.dtype == weight.dtype == torch.float32
        and _half_idle()
        and torch.backends.mkldnn.enabled
    )


def _whole(x: Tensor) -> Tensor:
    """A matrix that is stored by rows or by columns without gaps; with gaps oneDNN is a hundred times slower."""
    return x if x.is_contiguous() or x.t().is_contiguous() else x.contiguous()


def _eager(x: Tensor) -> bool:
    """Whether operations run as they are called: neither compiled nor traced, nor in another precision."""
    return not (
        torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None
        or torch.is_autocast_enabled(x.device.type)
    )


@cache
def _multiply() -> Any:
    """The operation itself, without a choice among those of its name."""
    return torch.ops.mkldnn._linear_pointwise.default


@cache
def _half_idle() -> bool:
    """Whether MKL leaves half of this processor idle and torch has the operation that does not."""
    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    wide = torch.backends.cpu.get_cpu_capability() == "AVX512" and bool(known.get("avx512_f"))
    return (
        wide
        and torch.backends.mkl.is_available()
        and torch.backends.mkldnn.is_available()
        and "intel" not in str(known.get("cpu_name", "intel")).lower()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )
