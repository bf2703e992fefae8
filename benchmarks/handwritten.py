"""Dot-product attention by hand, for one normalizer at a time: what the generic tiled engine is measured against.

Plain loops over blocks of rows, every buffer used again, nothing that the one case does not need. The search for the
threshold of entmax is the engine's own, so that the comparison shows the price of being generic and nothing else.
"""

from __future__ import annotations

import torch
from torch import Tensor

from regard.attention.thresholds import entmax15_threshold

ROWS = 1 << 20  # elements of a block of scores


@torch.no_grad()
def softmax_forward(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Context (N, Q, V) and log-sum-exp (N, Q, 1) of query (N, Q, D), key (N, K, D), value (N, K, V)."""
    slices, queries, dim = query.shape
    keys, rows = key.shape[1], max(1, ROWS // key.shape[1])
    context, lse = query.new_empty(slices, queries, value.shape[2]), query.new_empty(slices, queries, 1)
    buffer, scaled = query.new_empty(rows, keys), query * dim**-0.5
    for n in range(slices):
        for first in range(0, queries, rows):
            last = min(first + rows, queries)
            weights = torch.mm(scaled[n, first:last], key[n].T, out=buffer[: last - first])
            top = weights.amax(1, keepdim=True)
            total = weights.sub_(top).exp_().sum(1, keepdim=True)
            torch.mm(weights, value[n], out=context[n, first:last]).div_(total)
            torch.add(top, total.log_(), out=lse[n, first:last])
    return context, lse


@torch.no_grad()
def softmax_backward(
    query: Tensor, key: Tensor, value: Tensor, context: Tensor, lse: Tensor, d_context: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of query, key and value."""
    slices, queries, dim = query.shape
    keys, rows = key.shape[1], max(1, ROWS // key.shape[1])
    d_query, d_key, d_value = torch.empty_like(query), torch.zeros_like(key), torch.zeros_like(value)
    buffers, scaled = query.new_empty(2, rows, keys), query * dim**-0.5
    mean = (context * d_context).sum(-1, keepdim=True)
    for n in range(slices):
        for first in range(0, queries, rows):
            block = slice(first, min(first + rows, queries))
            size = block.stop - first
            weights = torch.mm(scaled[n, block], key[n].T, out=buffers[0, :size]).sub_(lse[n, block]).exp_()
            d_value[n].addmm_(weights.T, d_context[n, block])
            grad = torch.mm(d_context[n, block], value[n].T, out=buffers[1, :size])
            grad.sub_(mean[n, block]).mul_(weights)
            torch.mm(grad, key[n], out=d_query[n, block])
            d_key[n].addmm_(grad.T, scaled[n, block])
    return d_query.mul_(dim**-0.5), d_key, d_value


@torch.no_grad()
def entmax15_forward(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Context (N, Q, V) and threshold (N, Q, 1), where w = [s / 2 - threshold]_+ ^ 2."""
    slices, queries, dim = query.shape
    keys, rows = key.shape[1], max(1, ROWS // key.shape[1])
    context, threshold = query.new_empty(slices, queries, value.shape[2]), query.new_empty(slices, queries, 1)
    buffers, scaled = query.new_empty(2, rows, keys), query * (0.5 * dim**-0.5)
    for n in range(slices):
        for first in range(0, queries, rows):
            block = slice(first, min(first + rows, queries))
            weights, scratch = buffers[:, : block.stop - first]
            torch.mm(scaled[n, block], key[n].T, out=weights)
            top = weights.amax(1, keepdim=True)
            tau = entmax15_threshold(weights.sub_(top), scratch)
            weights.sub_(tau).clamp_(min=0.0).square_()
            torch.mm(weights, value[n], out=context[n, block])
            torch.add(top, tau, out=threshold[n, block])
    return context, threshold


@torch.no_grad()
def entmax15_backward(
    query: Tensor, key: Tensor, value: Tensor, threshold: Tensor, d_context: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of query, key and value."""
    slices, queries, dim = query.shape
    keys, rows = key.shape[1], max(1, ROWS // key.shape[1])
    d_query, d_key, d_value = torch.empty_like(query), torch.zeros_like(key), torch.zeros_like(value)
    buffers, scaled = query.new_empty(3, rows, keys), query * (0.5 * dim**-0.5)
    for n in range(slices):
        for first in range(0, queries, rows):
            block = slice(first, min(first + rows, queries))
            slopes, weights, grad = buffers[:, : block.stop - first]
            torch.mm(scaled[n, block], key[n].T, out=slopes).sub_(threshold[n, block]).clamp_(min=0.0)
            torch.mul(slopes, slopes, out=weights)
            d_value[n].addmm_(weights.T, d_context[n, block])
            torch.mm(d_context[n, block], value[n].T, out=grad).mul_(slopes)
            mean = grad.sum(1, keepdim=True) / slopes.sum(1, keepdim=True)
            grad.addcmul_(slopes, mean, value=-1.0)
            torch.mm(grad, key[n], out=d_query[n, block])
            d_key[n].addmm_(grad.T, scaled[n, block], alpha=2.0)
    return d_query.mul_(dim**-0.5), d_key, d_value
