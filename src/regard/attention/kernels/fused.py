"""The platform's fused kernel on the CPU: one call that gives the context and the log-sum-exp of every row.

The weights are exp(score - log-sum-exp), a tile at a time, whenever somebody asks.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# The binding of the operator that F.scaled_dot_product_attention calls here, which keeps its second result.
flash = torch._scaled_dot_product_flash_attention_for_cpu


def attend(
    query: Tensor, key: Tensor, value: Tensor, scale: float, causal: bool, bias: Tensor | None
) -> tuple[Tensor, Tensor]:
    """softmax(scale q k + bias) v: query (B, H, Q, D), key (B, H, K, D), value (B, H, K, V), bias
    broadcasting over (B, H, Q, K).

    Returns the context (B, H, Q, V) and the log-sum-exp (B, H, Q), fp32 or fp64. The context is differentiable in
    query, key and value, not in the bias.
    """
    width = value.shape[-1]
    if width != query.shape[-1]:
        # The kernel knows one width only; zeros change neither the scores nor the columns of the context that are kept.
        common = max(width, query.shape[-1])
        query, key, value = (F.pad(x, (0, common - x.shape[-1])) for x in (query, key, value))
    context, lse = flash(query, key, value, 0.0, causal, attn_mask=bias, scale=scale)
    return (context[..., :width] if context.shape[-1] != width else context), lse
