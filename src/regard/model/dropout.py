"""Dropout whose random numbers cost little on the CPU, where they are most of what dropout costs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LEVELS = 1 << 16


class Dropout(nn.Module):
    """x * k / (1 - p), k = 0 with probability p, else 1; in training only   (Srivastava et al. 2014, section 4).

    On the CPU p is rounded to 1/65536, and x scaled by what is then kept, so that its mean stays what it is.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def extra_repr(self) -> str:
        return f"p={self.p}"

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.p:
            return x
        return x * kept(x, self.p) if x.is_cpu and self.p < 1.0 else F.dropout(x, self.p)


def kept(like: Tensor, p: float) -> Tensor:
    """What a tensor is multiplied by: 0 with probability p < 1, else the inverse of the share that is kept.

    One random word is enough for four elements; torch's own Bernoulli numbers take ten times as long.
    """
    dropped = min(round(p * _LEVELS), _LEVELS - 1)
    words = torch.empty(-(-like.numel() // 4), dtype=torch.int64).random_(-(1 << 63), None)
    chances = words.view(torch.int16)[: like.numel()].view(like.shape)
    found = torch.ge(chances, dropped - _LEVELS // 2, out=torch.empty(like.shape, dtype=like.dtype))
    return found.mul_(_LEVELS / (_LEVELS - dropped))
