"""The threshold tau of sparse normalizers: sum_j [x_j - tau]_+ ^ e = 1, for rows x (..., K) whose greatest is 0.

With that, 0 > tau >= -1. The sum falls convexly in tau (for e >= 1), so Newton's method from a lower bound comes up to
the root without passing it. A good lower bound is cheap: the threshold of a part of the row, here of maxima of groups.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

_GROUP = 16
_MOST_STEPS = 64
_STEPS_WHEN_COMPILED = 12

Step = Callable[[Tensor, Tensor, Tensor], Tensor]


def sparsemax_threshold(x: Tensor, scratch: Tensor) -> Tensor:
    """tau with sum_j [x_j - tau]_+ = 1, (..., 1)."""
    return _newton(x, scratch, _sparsemax_step)


def entmax15_threshold(x: Tensor, scratch: Tensor) -> Tensor:
    """tau with sum_j [x_j - tau]_+^2 = 1, (..., 1)."""
    return _newton(x, scratch, _entmax15_step)


def _sparsemax_step(x: Tensor, tau: Tensor, scratch: Tensor) -> Tensor:
    above = torch.sub(x, tau, out=scratch).clamp_(min=0.0)
    total = above.sum(-1, keepdim=True)
    return (total - 1.0) / above.sign_().sum(-1, keepdim=True)


def _entmax15_step(x: Tensor, tau: Tensor, scratch: Tensor) -> Tensor:
    above = torch.sub(x, tau, out=scratch).clamp_(min=0.0)
    slope = 2.0 * above.sum(-1, keepdim=True)
    return (above.square_().sum(-1, keepdim=True) - 1.0) / slope


def _power_step(x: Tensor, tau: Tensor, scratch: Tensor, *, power: float) -> Tensor:
    above = torch.sub(x, tau, out=scratch).clamp_(min=0.0)
    slopes = raise_(above.clone(), power - 1.0)
    slope = power * slopes.sum(-1, keepdim=True)
    return (slopes.mul_(above).sum(-1, keepdim=True) - 1.0) / slope


def raise_(x: Tensor, power: float) -> Tensor:
    """x^power in place, for x >= 0 and a power above 0: two fast transcendentals instead of a slow one.

    0 stays exactly 0, and is kept away from the logarithm, which is slow there.
    """
    empty = x == 0
    return x.masked_fill_(empty, 1.0).log_().mul_(power).exp_().masked_fill_(empty, 0.0)


def _newton(x: Tensor, scratch: Tensor, step: Step) -> Tensor:
    tau = torch.full_like(x[..., :1], -1.0)
    width = x.shape[-1] // _GROUP
    if width >= _GROUP:
        maxima = x[..., : _GROUP * width].unflatten(-1, (_GROUP, width)).amax(-2)
        tau = _ascend(maxima, tau, torch.empty_like(maxima), step, 1e-3)
    return _ascend(x, tau, scratch, step, 4 * torch.finfo(x.dtype).eps)


def _ascend(x: Tensor, tau: Tensor, scratch: Tensor, step: Step, tolerance: float) -> Tensor:
    compiling = torch.compiler.is_compiling()
    for _ in range(_STEPS_WHEN_COMPILED if compiling else _MOST_STEPS):
        change = step(x, tau, scratch)
        # A row of nothing has no slope (0 / 0); a root passed by rounding is not gone back from.
        change = change.nan_to_num(0.0, 0.0, 0.0).clamp_(min=0.0)
        tau = tau + change
        if not compiling and float(change.max()) <= tolerance:
            break
    return tau


def entmax_threshold(x: Tensor, alpha: Tensor | float, scratch: Tensor) -> Tensor:
    """tau with sum_j [x_j - tau]_+^(1 / (alpha - 1)) = 1, (..., 1), for any alpha > 1.

    Over alpha = 2 the sum is not convex: then, and for a learned alpha, Newton's steps within a bracket, and its middle
    where one leaves it.
    """
    if not isinstance(alpha, Tensor) and alpha < 2.0:
        return _newton(x, scratch, functools.partial(_power_step, power=1.0 / (alpha - 1.0)))
    power = 1.0 / (alpha - 1.0)
    low = torch.full_like(x[..., :1], -1.0)
    # The threshold of equal scores, K (-tau)^power = 1, is the highest; half of it leaves room for rounding.
    high = (0.5 * low / x.shape[-1] ** (alpha - 1.0)).clamp(max=-torch.finfo(x.dtype).tiny)
    tau = low
    tolerance = 4 * torch.finfo(x.dtype).eps
    for _ in range(_MOST_STEPS):
        above = torch.sub(x, tau, out=scratch).clamp_(min=0.0)
        excess = (above**power).sum(-1, keepdim=True) - 1.0
        slope = power * torch.where(above > 0, above ** (power - 1.0), 0.0).sum(-1, keepdim=True)
        low, high = torch.where(excess >= 0, tau, low), torch.where(excess < 0, tau, high)
        newton = tau + excess / slope
        inside = (newton >= low) & (newton <= high)
        following = torch.where(inside, newton, -((-low).sqrt() * (-high).sqrt()))
        change = (following / tau - 1.0).abs()
        tau = following
        if not torch.compiler.is_compiling() and float(change.nan_to_num().max()) <= tolerance:
            break
    return tau
