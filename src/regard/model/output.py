"""The loss of the output layer in slices of its rows: the dearest product of all, made in a cache's worth of memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

# Elements of a slice of logits: with its probabilities beside it, it stays within the last cache of most machines.
_SLICE = 1 << 21


def cross_entropy(hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor, smoothing: float = 0.0) -> Tensor:
    """The sum of -log softmax(weight hidden + bias)[target], smoothed; hidden (n, D), weight (V, D), target (n,).

    The same as `F.cross_entropy(F.linear(hidden, weight, bias), target, reduction="sum", label_smoothing=smoothing)`.
    Since the loss is a sum, its gradients are known but for a factor when the logits are: they are made in the same
    pass, slice by slice, and neither logits nor probabilities are held for more than a slice.
    """
    found: Tensor = _CrossEntropy.apply(hidden, weight, bias, target, smoothing)  # type: ignore[no-untyped-call]
    return found


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor, smoothing: float) -> Tensor:
        total = hidden.new_zeros(())
        learning = any(ctx.needs_input_grad)
        grads = [torch.empty_like(hidden), torch.zeros_like(weight), torch.zeros_like(bias)] if learning else []
        vocabulary = len(weight)
        logits, log_probs = (hidden.new_empty(_rows(vocabulary), vocabulary) for _ in range(2))
        for begin, end in _slices(len(hidden), vocabulary):
            part, right = hidden[begin:end], target[begin:end, None]
            found = torch.addmm(bias, part, weight.t(), out=logits[: end - begin])
            found = torch.log_softmax(found, -1, out=log_probs[: end - begin])
            total -= (1.0 - smoothing) * found.gather(1, right).sum()
            if smoothing:
                total -= smoothing / vocabulary * found.sum()
            if not learning:
                continue
            # d loss / d logits = p - (1 - smoothing) [target] - smoothing / V
            change = found.exp_()
            if smoothing:
                change.sub_(smoothing / vocabulary)
            change.scatter_add_(1, right, change.new_full(right.shape, smoothing - 1.0))
            torch.mm(change, weight, out=grads[0][begin:end])
            grads[1].addmm_(change.t(), part)
            grads[2].add_(change.sum(0))
        ctx.save_for_backward(*grads)
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        return (*(grad * found for found in ctx.saved_tensors), None, None)


def _rows(vocabulary: int) -> int:
    return max(1, _SLICE // vocabulary)


def _slices(count: int, vocabulary: int) -> Iterator[tuple[int, int]]:
    for begin in range(0, count, _rows(vocabulary)):
        yield begin, min(begin + _rows(vocabulary), count)
