"""`nn.MultiheadAttention` from its inputs: in evaluation torch runs it, and whole encoder layers, as one operation.

Then neither queries nor keys are ever seen from outside; they are projected a second time.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from regard.observe.calls import Call


@torch.no_grad()
def call_of(
    module: nn.MultiheadAttention,
    query: Tensor,
    key: Tensor,
    key_padding_mask: Tensor | None = None,
    attn_mask: Tensor | None = None,
    lengths: Tensor | None = None,
) -> Call:
    """The call that the module makes of these inputs. `lengths` (B) says how many keys each sequence has."""
    if query.dim() == 2:
        query, key = query[None], key[None]
        key_padding_mask = None if key_padding_mask is None else key_padding_mask[None]
    elif not module.batch_first:
        query, key = query.transpose(0, 1), key.transpose(0, 1)
    if module.in_proj_weight is not None:
        for_query, for_key, _ = module.in_proj_weight.chunk(3)
    else:
        for_query, for_key = module.q_proj_weight, module.k_proj_weight
    biases = (None,) * 2 if module.in_proj_bias is None else module.in_proj_bias.chunk(3)[:2]
    queries, keys = F.linear(query, for_query, biases[0]), F.linear(key, for_key, biases[1])
    more = 0
    if module.bias_k is not None:
        keys, more = torch.cat([keys, module.bias_k.expand(len(keys), 1, -1)], 1), more + 1
    if module.add_zero_attn:
        keys, more = torch.cat([keys, keys.new_zeros(len(keys), 1, keys.shape[-1])], 1), more + 1
    heads = module.num_heads
    queries, keys = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (queries, keys))
    mask = _mask(attn_mask, key_padding_mask, heads, queries.dtype)
    if lengths is not None:
        mask = (torch.arange(key.shape[1], device=key.device) < lengths[:, None])[:, None, None]
    if mask is not None and more:
        mask = F.pad(mask, (0, more), value=mask.dtype == torch.bool)
    return Call(queries, keys, module.head_dim**-0.5, mask)


def _mask(attn_mask: Tensor | None, padding: Tensor | None, heads: int, dtype: torch.dtype) -> Tensor | None:
    """Both masks as one that broadcasts over (B, H, Q, K): in torch's modules True forbids, in ours it allows."""
    parts = []
    if attn_mask is not None:
        parts.append(attn_mask.unflatten(0, (-1, heads)) if attn_mask.dim() == 3 else attn_mask[None, None])
    if padding is not None:
        parts.append(padding[:, None, None])
    if all(part.dtype == torch.bool for part in parts):
        allowed = [~part for part in parts]
        return None if not parts else allowed[0] if len(parts) == 1 else allowed[0] & allowed[1]
    added = [
        torch.zeros_like(part, dtype=dtype).masked_fill_(part, float("-inf")) if part.dtype == torch.bool else part
        for part in parts
    ]
    return added[0] if len(added) == 1 else added[0] + added[1]


def arguments_of(args: tuple[Any, ...], given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `nn.MultiheadAttention.forward` by name."""
    names = ("query", "key", "value", "key_padding_mask", "need_weights", "attn_mask", "average_attn_weights")
    return {**dict(zip(names, args, strict=False)), **given}


def layer_call(layer: nn.TransformerEncoderLayer, src: Tensor, mask: Tensor | None, padding: Tensor | None) -> Call:
    """The call inside an encoder layer, from the layer's input; a nested tensor is padded for it."""
    lengths = None
    if src.is_nested:
        lengths = torch.tensor([len(part) for part in src.unbind()], device=src.device)
        src = torch.nested.to_padded_tensor(src, 0.0)
    if layer.norm_first:
        src = layer.norm1(src)
    return call_of(layer.self_attn, src, src, padding, mask, lengths)
