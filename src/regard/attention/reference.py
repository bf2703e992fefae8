"""The definition: attention in a few plain lines, Q x K matrices and all. Every kernel is tested against it."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Normalize = Callable[[Tensor], Tensor]


def attend(scores: Tensor, allowed: Tensor, value: Tensor, normalize: Normalize) -> tuple[Tensor, Tensor]:
    """weights = normalize(scores) over the allowed keys, context = weights @ value; both 0 where nothing is allowed.

    scores (..., Q, K), allowed (..., Q, K) boolean, value (..., K, V).
    """
    some = allowed.any(-1, keepdim=True)
    # As good as -inf, and no NaN in the gradient of a learned temperature or alpha (0 times -inf).
    least = -math.sqrt(torch.finfo(scores.dtype).max)
    # A row of nothing is normalised as if everything were allowed, and then cleared.
    weights = normalize(torch.where(allowed | ~some, scores, least))
    weights = torch.where(allowed & some, weights, 0.0)
    return weights @ value, weights


# --- scores: query (..., Q, D), key (..., K, D) -> (..., Q, K) ---


def dot(query: Tensor, key: Tensor) -> Tensor:
    return query @ key.mT


def scaled_dot(query: Tensor, key: Tensor) -> Tensor:
    return query @ key.mT / math.sqrt(query.shape[-1])


def bilinear(query: Tensor, key: Tensor, weight: Tensor) -> Tensor:
    return query @ weight @ key.mT


def additive(query: Tensor, key: Tensor, weight: Tensor) -> Tensor:
    return (torch.tanh(query[..., :, None, :] + key[..., None, :, :]) * weight[..., None, None, :]).sum(-1)


def cosine(query: Tensor, key: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
    lengths: Tensor = query.norm(dim=-1)[..., :, None] * key.norm(dim=-1)[..., None, :]
    return query @ key.mT / lengths / temperature


def distance(query: Tensor, key: Tensor, bandwidth: Tensor | float = 1.0) -> Tensor:
    difference = (query[..., :, None, :] - key[..., None, :, :]) / bandwidth
    return -0.5 * difference.square().sum(-1)


def location(query: Tensor, key: Tensor, weight: Tensor) -> Tensor:
    return query @ weight[..., : key.shape[-2], :].mT


# --- normalizers: scores (..., Q, K), very low or -inf where masked -> weights (..., Q, K) ---


def softmax(scores: Tensor, temperature: Tensor | float = 1.0, sink: Tensor | None = None) -> Tensor:
    scores = scores / temperature
    if sink is None:
        return torch.softmax(scores, -1)
    sinks = (sink / temperature).expand(*scores.shape[:-1], 1)
    return torch.softmax(torch.cat([scores, sinks], -1), -1)[..., :-1]


def sigmoid(scores: Tensor) -> Tensor:
    return torch.sigmoid(scores)


def sparsemax(scores: Tensor) -> Tensor:
    """[s - tau]_+ with tau from the sorted scores   (Martins & Astudillo 2016, algorithm 1)."""
    ordered = scores.sort(-1, descending=True).values.clamp(min=-1e9)
    counts = torch.arange(1, scores.shape[-1] + 1, device=scores.device)
    inside = 1 + counts * ordered > ordered.cumsum(-1)
    size = inside.sum(-1, keepdim=True)
    tau = (torch.where(inside, ordered, 0.0).sum(-1, keepdim=True) - 1) / size
    return (scores - tau).clamp(min=0)


def entmax(scores: Tensor, alpha: Tensor | float) -> Tensor:
    """[(alpha - 1) s - tau]_+ ^ (1 / (alpha - 1)), tau by bisection   (Peters, Niculae & Martins 2019, algorithm 1).

    A last Newton step, whose slope counts as a constant, gives tau the derivatives of the exact root.
    """
    scaled, power = scores * (alpha - 1), 1 / (alpha - 1)
    low = scaled.detach().amax(-1, keepdim=True) - 1
    high = low + 1
    for _ in range(80):
        middle = (low + high) / 2
        enough = (scaled.detach() - middle).clamp(min=0).pow(power).sum(-1, keepdim=True) >= 1
        low, high = torch.where(enough, middle, low), torch.where(enough, high, middle)
    support = scaled > low
    above = torch.where(support, scaled - low, 1.0)
    excess = torch.where(support, above**power, 0.0).sum(-1, keepdim=True) - 1
    slope = torch.where(support, power * above ** (power - 1), 0.0).sum(-1, keepdim=True).detach()
    above = torch.where(support, scaled - (low + excess / slope), 1.0).clamp(min=torch.finfo(scores.dtype).tiny)
    return torch.where(support, above**power, 0.0)


def top_k(scores: Tensor, k: int) -> Tensor:
    chosen = scores.sort(dim=-1, descending=True, stable=True).indices[..., :k]
    passes = torch.zeros_like(scores, dtype=torch.bool).scatter(-1, chosen, True)
    return torch.softmax(scores.masked_fill(~passes, -math.inf), -1)


def threshold(scores: Tensor, p: float) -> Tensor:
    soft = torch.softmax(scores, -1)
    first = soft.max(-1, keepdim=True).indices
    passes = (soft >= p).scatter(-1, first, True)
    return torch.softmax(scores.masked_fill(~passes, -math.inf), -1)


def argmax(scores: Tensor) -> Tensor:
    soft = torch.softmax(scores, -1)
    first = scores.sort(dim=-1, descending=True, stable=True).indices[..., :1]
    hard = torch.zeros_like(scores).scatter(-1, first, 1.0)
    return hard + soft - soft.detach()
