"""A linear map for many steps, the gradient of whose weight is made once, of all steps together.

Where the same weight is used step after step, automatic differentiation makes a gradient of the weight's size at every
step and adds them up: for a decoder's step of 80 rows that costs more than the products themselves. Here a step's
backward pass gives the gradient of its input alone and lays by what the weight's needs; when the last is done, one
product over all steps is left.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from regard.attention.products import product


def deferred(weight: Tensor, bias: Tensor | None = None) -> Callable[[Tensor], Tensor]:
    """x (n, in) -> weight x + bias (n, out), to be used for all steps of one sequence and then no more."""
    if not (torch.is_grad_enabled() and weight.requires_grad) or torch.is_autocast_enabled(weight.device.type):
        return partial(F.linear, weight=weight, bias=bias)
    laid_by: list[tuple[Tensor, Tensor]] = []
    # Every step depends on this scalar, so that its own backward pass comes after theirs.
    last: Tensor = _Weight.apply(weight, bias, laid_by)  # type: ignore[no-untyped-call]
    given = weight.detach(), None if bias is None else bias.detach()
    return lambda x: _Step.apply(x, last, *given, laid_by)  # type: ignore[no-untyped-call,no-any-return]


class _Weight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor | None, laid_by: list[tuple[Tensor, Tensor]]) -> Tensor:
        ctx.laid_by = laid_by
        return weight.new_zeros(())

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, _: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        inputs, grads = (torch.cat(parts) for parts in zip(*ctx.laid_by, strict=True))
        ctx.laid_by.clear()
        weight, bias, _ = ctx.needs_input_grad
        return product(grads.t(), inputs.t()) if weight else None, grads.sum(0) if bias else None, None


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, last: Tensor, weight: Tensor, bias: Tensor | None, laid_by: list[tuple[Tensor, Tensor]]
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.laid_by = laid_by
        return product(x, weight, bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        x, weight = ctx.saved_tensors
        ctx.laid_by.append((x, grad))
        return product(grad, weight.t()), grad.new_zeros(()), None, None, None
