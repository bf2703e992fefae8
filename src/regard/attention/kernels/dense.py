"""The dense kernel: whole matrices and plain differentiable operations. The fastest where they are small."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from regard.attention.normalizers import Normalizer, softmax
from regard.attention.problem import Problem, allowed, keep
from regard.attention.tiles import Spread, Tile, Workspace
from regard.attention.weighing import BoundNormalizer, Softmax


def attend(problem: Problem, value: Spread, dropout: float = 0.0) -> tuple[Tensor, Tensor]:
    """Context (N, Q, V) and weights (N, Q, K), the weights before dropout; differentiable in everything."""
    found = weights(problem)
    used = torch.nn.functional.dropout(found, dropout) if dropout else found
    return torch.matmul(used, value.take(problem.whole)), found


def weights(problem: Problem) -> Tensor:
    """The weights (N, Q, K)."""
    masked = bool(problem.masks or problem.filters or problem.terms)
    found = _normalized(problem.normalizer, scores(problem), masked)
    for factor in problem.factors:
        found = found * factor.tile(tuple(p.take(problem.whole) for p in factor.parts), problem.whole, problem.dtype)
    return found


def scores(problem: Problem) -> Tensor:
    """The scores (N, Q, K), -inf where a mask or filter forbids the key."""
    whole = problem.whole
    query, key = problem.query.take(whole), problem.key.take(whole)
    query = query.expand(problem.slices, -1, -1)
    found = problem.pair.dense(query, key, tuple(p.take(whole) for p in problem.pair.weights))
    for term in problem.terms:
        found = found + term.tile(term.values.take(whole), whole)
    passes = allowed(problem, whole)
    if passes is not None:
        found = found.masked_fill(~passes, float("-inf"))
    passes = keep(problem, whole, found.detach(), query.detach(), key.detach())
    return found if passes is None else found.masked_fill(~passes, float("-inf"))


def normalize(normalizer: Normalizer, scores: Tensor, masked: bool) -> Tensor:
    """Weights of scores (..., Q, K) for leading dimensions as they are; -inf is forbidden, which `masked` announces."""
    if isinstance(normalizer, softmax) and normalizer.sink is None and isinstance(normalizer.temperature, float):
        return _softmax(scores, normalizer.temperature, masked)
    lead = scores.shape[:-2]
    found = _normalized(normalizer.bind(lead), scores.reshape(-1, *scores.shape[-2:]), masked)
    return found.view(*lead, *scores.shape[-2:])


def _normalized(normalizer: BoundNormalizer, scores: Tensor, masked: bool) -> Tensor:
    if isinstance(normalizer, Softmax) and not normalizer.parts:
        return _softmax(scores, normalizer.temperature, masked)
    whole = Tile(*((0, length) for length in scores.shape))
    parts = (part.take(whole) for part in normalizer.parts)
    return _Normalize.apply(normalizer, whole, scores, *parts)  # type: ignore[no-untyped-call,no-any-return]


def _softmax(scores: Tensor, temperature: float, masked: bool) -> Tensor:
    if temperature != 1.0:
        scores = scores / temperature
    if not masked:
        return torch.softmax(scores, -1)
    # A finite floor instead of -inf: a row of nothing comes out even, not NaN, and is then cleared with its gradient.
    forbidden = scores == float("-inf")
    floor = torch.finfo(scores.dtype).min
    return torch.softmax(scores.masked_fill(forbidden, floor), -1).masked_fill(forbidden, 0.0)


class _Normalize(torch.autograd.Function):
    """A normalizer's in-place steps as one differentiable operation on a whole matrix."""

    @staticmethod
    def forward(ctx: Any, normalizer: BoundNormalizer, whole: Tile, scores: Tensor, *parts: Tensor) -> Tensor:
        work = Workspace(scores.dtype, scores.device)
        found, row = normalizer.fit_(scores.clone(), parts, whole, work)
        ctx.normalizer, ctx.whole, ctx.rows = normalizer, whole, len(row)
        ctx.save_for_backward(scores, found, *row, *parts)
        return found

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        scores, found, *rest = ctx.saved_tensors
        row, parts = tuple(rest[: ctx.rows]), tuple(rest[ctx.rows :])
        work = Workspace(scores.dtype, scores.device)
        d_scores, d_parts = ctx.normalizer.gradient_(scores.clone(), found, grad.clone(), row, parts, ctx.whole, work)
        return (None, None, d_scores, *d_parts)
