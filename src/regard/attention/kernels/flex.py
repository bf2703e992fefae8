"""The platform's fused kernel on a GPU: FlexAttention, which also gives the log-sum-exp of every row."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def attend(
    query: Tensor, key: Tensor, value: Tensor, scale: float, causal: bool, bias: Tensor | None
) -> tuple[Tensor, Tensor]:
    """softmax(scale q k + bias) v: query (B, H, Q, D), key (B, H, K, D), value (B, H, K, V), bias
    broadcasting over (B, H, Q, K).

    Returns the context (B, H, Q, V) and the log-sum-exp (B, H, Q). The context is differentiable in query, key and
    value, not in the bias. On a CPU this runs uncompiled and without gradients, which serves to test it.
    """
    from torch.nn.attention.flex_attention import AuxRequest

    context, aux = _flex(query.is_cuda)(
        query,
        key,
        value,
        score_mod=_score_mod(causal, bias),
        scale=scale,
        return_aux=AuxRequest(lse=True),
    )
    dead = aux.lse == float("-inf")
    return context.masked_fill(dead[..., None], 0.0), aux.lse.masked_fill(dead, float("inf"))


@functools.cache
def _flex(compiled: bool) -> Callable[..., Any]:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention) if compiled else flex_attention  # type: ignore[return-value]


def _score_mod(causal: bool, bias: Tensor | None) -> Callable[..., Tensor] | None:
    if bias is None and not causal:
        return None
    # A dimension of length 1 broadcasts: every index into it is 0.
    batches, heads, rows = (1, 1, 1) if bias is None else bias.shape[:3]

    def score_mod(score: Tensor, b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        if bias is not None:
            score = score + bias[b % batches, h % heads, i % rows, j]
        if causal:
            score = torch.where(j <= i, score, float("-inf"))
        return score

    return score_mod
