"""What the places of a source say: p(y | j) = softmax_y(a_iy + b_jy), of logits of the state (a) and of the place (b).

Since the logits are a sum, the normalizers Z of all steps and places are one product of exponentials, (T x V) by
(V x S), and the mixture over places is another. Logits of states are (B, Q, V), of places (B, S, V), both less their
greatest, so that no exponential overflows.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from regard.attention.products import product
from regard.model.paths import Moves, forward

# Elements of a slice of logits: so few that they stay within the last cache, and are made of memory that is kept.
_SLICE = 1 << 20


def below_0(logits: Tensor) -> Tensor:
    """Logits less their greatest, in full precision."""
    logits = full(logits)
    return logits - logits.detach().amax(-1, keepdim=True)


def of_tokens(logits: Tensor, tokens: Tensor) -> Tensor:
    """What every place says of these tokens (B, Q), (B, Q, S)."""
    index = tokens[:, None].expand(-1, logits.shape[1], -1)
    return logits.gather(2, index).mT


def log_normalizers(said: Tensor, logits: Tensor, exponentials: Tensor) -> Tensor:
    """log Z_ij = log sum_y e^(said_iy + logits_jy), (B, Q, S); where the product underflows, each summed by itself."""
    total = _product(said.exp(), exponentials.mT)
    lost = total < 1e3 * torch.finfo(total.dtype).tiny
    if not bool(lost.any()):
        return total.log()
    row, query, place = lost.nonzero(as_tuple=True)
    exact = (said[row, query] + logits[row, place]).logsumexp(-1)
    return total.masked_fill(lost, 1.0).log().index_put((row, query, place), exact)


def log_mixture(said: Tensor, ready: Tensor, exponentials: Tensor) -> Tensor:
    """log sum_j p(a_i = j) p(y | j) of every token, (B, Q, V), where `ready` is log p(a_i = j) - log Z_ij."""
    most = ready.detach().amax(-1, keepdim=True)
    return log(_product((ready - most).exp(), exponentials)).add_(said).add_(most)


def cost(said: Tensor, logits: Tensor, moves: Moves, target: Tensor, mask: Tensor, smoothing: float) -> Tensor:
    """The sum of -log p(y_i | y_<i) where mask (B, T) is True, smoothed over the vocabulary token by token."""
    exponentials = logits.exp()
    normal = log_normalizers(said, logits, exponentials)
    predicted, log_probs = forward(moves, of_tokens(logits, target) - normal)
    log_probs = log_probs + said.gather(2, target[..., None]).squeeze(2)
    total = -(log_probs * mask).sum()
    if smoothing:
        mean = log_mixture(said, predicted - normal, exponentials).mean(-1)
        total = (1.0 - smoothing) * total - smoothing * (mean * mask).sum()
    return total


def sliced_cost(
    hidden: Tensor,
    places: Tensor,
    weight: Tensor,
    bias: Tensor,
    moves: Moves,
    target: Tensor,
    mask: Tensor,
    smoothing: float = 0.0,
) -> Tensor:
    """`cost`, where said is weight hidden + bias and logits are weight places: hidden (B, T, D), places (B, S, D).

    The loss is a sum over pairs, so its gradients are known but for a factor when it is: they are made in the same
    pass, some pairs at a time, and no logits are held for more than those.
    """
    found: Tensor = _Cost.apply(type(moves), target, mask, smoothing, hidden, places, weight, bias, *moves.parts)  # type: ignore[no-untyped-call]
    return found


class _Cost(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        kind: Any,
        target: Tensor,
        mask: Tensor,
        smoothing: float,
        hidden: Tensor,
        places: Tensor,
        weight: Tensor,
        bias: Tensor,
        *parts: Tensor,
    ) -> Tensor:
        total, learning = hidden.new_zeros(()), any(ctx.needs_input_grad)
        vocabulary, width = weight.shape
        # The weight's gradient is added up lying on its side, as in `regard.model.output`.
        d_weight, d_bias = weight.new_zeros(width, vocabulary), torch.zeros_like(bias)
        d_hidden, d_places, *d_parts = (torch.zeros_like(part) for part in (hidden, places, *parts))
        at_once = max(1, _SLICE // (vocabulary * max(hidden.shape[1], places.shape[1])))
        for begin in range(0, len(hidden), at_once):
            some = slice(begin, begin + at_once)
            states, sources = hidden[some].flatten(0, 1), places[some].flatten(0, 1)
            said = _shifted(product(states, weight, bias)).view(*hidden[some].shape[:2], vocabulary)
            logits = _shifted(product(sources, weight)).view(*places[some].shape[:2], vocabulary)
            leaves = [
                leaf.requires_grad_(learning) for leaf in (said, logits, *(part[some].detach() for part in parts))
            ]
            with torch.set_grad_enabled(learning):
                found = cost(said, logits, kind(*leaves[2:]), target[some], mask[some], smoothing)
            total += found.detach()
            if not learning:
                continue
            d_said, d_logits, *others = torch.autograd.grad(found, leaves)
            for into, change in zip(d_parts, others, strict=True):
                into[some] = change
            for vectors, into, change in ((states, d_hidden, d_said), (sources, d_places, d_logits)):
                change = change.flatten(0, 1)
                into[some] = product(change, weight.t()).view_as(into[some])
                d_weight += product(vectors.t(), change.t())
            d_bias += d_said.sum((0, 1))
        ctx.save_for_backward(d_hidden, d_places, d_weight, d_bias, *d_parts)
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        d_hidden, d_places, d_weight, d_bias, *d_parts = (grad * found for found in ctx.saved_tensors)
        return None, None, None, None, d_hidden, d_places, d_weight.t(), d_bias, *d_parts


def full(x: Tensor) -> Tensor:
    """At least single precision."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def log(x: Tensor) -> Tensor:
    """The logarithm; of 0 that of the least positive number."""
    return x.clamp(min=torch.finfo(x.dtype).tiny).log()


def _shifted(logits: Tensor) -> Tensor:
    """`below_0` in place: a constant for each row, so that gradients are the same."""
    return logits.sub_(logits.amax(-1, keepdim=True))


def _product(left: Tensor, right: Tensor) -> Tensor:
    """A matrix product that keeps its precision: in halves, sums of exponentials would be off by a per cent."""
    with torch.autocast(left.device.type, enabled=False):
        return left @ right
