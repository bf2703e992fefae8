"""The loss of the output layer in slices of its rows: the dearest product of all, made in a cache's worth of memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from regard.attention.products import product

# Elements of a slice of logits: with its probabilities beside it, it stays within the last cache of most machines.
_SLICE = 1 << 21


def cross_entropy(hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor, smoothing: float = 0.0) -> Tensor:
    """The sum of -log softmax(weight hidden + bias)[target], smoothed; hidden (n, D), weight (V, D), target (n,).

    The same as `F.cross_entropy(F.linear(hidden, weight, bias), target, reduction="sum", label_smoothing=smoothing)`.
    Since the loss is a sum, its gradients are known but for a factor when the logits are: they are made in the same
    pass, slice by slice, and neither logits nor probabilities are held for more than a slice. Under autocast the
    products are of its precision, and what lies between them is float32 as ever.
    """
    kind, precision = hidden.device.type, weight.dtype
    if torch.is_autocast_enabled(kind):
        precision = torch.get_autocast_dtype(kind)
    with torch.autocast(kind, enabled=False):
        found: Tensor = _CrossEntropy.apply(  # type: ignore[no-untyped-call]
            hidden.to(weight.dtype), weight, bias, target, smoothing, precision
        )
    return found


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor, smoothing: float, precision: torch.dtype
    ) -> Tensor:
        total = hidden.new_zeros(())
        learning = any(ctx.needs_input_grad)
        vocabulary, width = weight.shape
        # The weight's gradient is added up lying on its side: so the small factor of the product is copied, not p.
        d_hidden, d_weight, d_bias = (
            torch.empty_like(hidden),
            weight.new_zeros(width, vocabulary),
            torch.zeros_like(bias),
        )
        room = hidden.new_empty(min(_rows(vocabulary), len(hidden)), vocabulary)
        inputs, weights, biases = hidden.to(precision), weight.to(precision), bias.to(precision)
        for begin, end in _slices(len(hidden), vocabulary):
            part, right = inputs[begin:end], target[begin:end, None]
            logits = product(part, weights, biases).to(hidden.dtype)
            p = torch.softmax(logits, -1, out=room[: end - begin])
            # The largest p is 1 / sum_j e^(logit_j - largest logit), which never underflows.
            normalizer = logits.amax(1) - p.amax(1).log_()
            total += normalizer.sum() - (1.0 - smoothing) * logits.gather(1, right).sum()
            if smoothing:
                total -= smoothing / vocabulary * logits.sum()
            if not learning:
                continue
            # d loss / d logits = p - (1 - smoothing) [target] - smoothing / V
            change = p.sub_(smoothing / vocabulary) if smoothing else p
            change.scatter_add_(1, right, change.new_full(right.shape, smoothing - 1.0))
            d_bias += change.sum(0)
            change = change.to(precision)
            d_hidden[begin:end] = product(change, weights.t())
            d_weight += product(part.t(), change.t())
        ctx.save_for_backward(d_hidden, d_weight, d_bias)
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        d_hidden, d_weight, d_bias = (grad * found for found in ctx.saved_tensors)
        return d_hidden, d_weight.t(), d_bias, None, None, None


def _rows(vocabulary: int) -> int:
    return max(1, _SLICE // vocabulary)


def _slices(count: int, vocabulary: int) -> Iterator[tuple[int, int]]:
    for begin in range(0, count, _rows(vocabulary)):
        yield begin, min(begin + _rows(vocabulary), count)
