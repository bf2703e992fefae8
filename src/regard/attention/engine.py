"""The engine of the tiled kernel: one tile of whole rows after the other, forward and backward.

A tile is made, used and forgotten; what is kept of a row are the statistics of its normalizer. The backward pass makes
every tile again, with the same calls on the same shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from regard.attention.problem import Problem, cut_row, grid, tile_scores
from regard.attention.tiles import Spread, Tile, Workspace
from regard.attention.weighing import Row


@torch.no_grad()
def forward(problem: Problem, value: Spread, dropout: float, seed: int) -> tuple[Tensor, Row]:
    """One tile after the other: scores, weights, context."""
    context = torch.zeros(
        problem.slices, problem.queries, value.flat.shape[-1], dtype=problem.dtype, device=problem.device
    )
    work = Workspace(problem.dtype, problem.device)
    row = problem.normalizer.room(context, problem.slices, problem.queries, problem.keys)
    for number, tile in enumerate(grid(problem)):
        scores = tile_scores(problem, tile, work)
        parts = _take(problem.normalizer.parts, tile)
        weights, part = problem.normalizer.fit_(scores, parts, tile, work)
        for whole, new in zip(cut_row(row, tile), part, strict=True):
            whole[..., : new.shape[-1]] = new
        for factor in problem.factors:
            weights.mul_(factor.tile(_take(factor.parts, tile), tile, problem.dtype))
        if dropout:
            weights.mul_(_dropout(tile, number, dropout, seed, work))
        values = value.take(tile).expand(tile.shape[0], -1, -1)
        context[slice(*tile.n), slice(*tile.q)] = torch.bmm(
            weights, values, out=work.get("context", (*tile.shape[:2], values.shape[-1]))
        )
    return context, row


@torch.no_grad()
def backward(
    problem: Problem,
    value: Spread,
    row: Row,
    d_context: Tensor,
    into: Problem,
    value_into: Spread,
    dropout: float,
    seed: int,
) -> None:
    """Add the gradients to the tensors of `into` and `value_into`, which have the problem's own shape."""
    work = Workspace(problem.dtype, problem.device)
    for number, tile in enumerate(grid(problem)):
        scores, weights = again(problem, row, tile, work)
        used = weights
        for factor in problem.factors:
            used = used * factor.tile(_take(factor.parts, tile), tile, problem.dtype)
        dropped = _dropout(tile, number, dropout, seed, work) if dropout else None
        if dropped is not None:
            used = used * dropped
        d_tile = d_context[slice(*tile.n), slice(*tile.q)]
        _add(value, value_into, tile, lambda used=used, d_tile=d_tile: torch.bmm(used.mT, d_tile))
        values = value.take(tile).expand(tile.shape[0], -1, -1)
        grad = torch.bmm(d_tile, values.mT, out=work.get("grad", tile.shape))
        if dropped is not None:
            grad.mul_(dropped)
        through_weights(problem, row, tile, scores, weights, grad, into, work)


def again(problem: Problem, row: Row, tile: Tile, work: Workspace) -> tuple[Tensor, Tensor]:
    """The scores and weights of a tile, made again; the weights without the factors."""
    normalizer = problem.normalizer
    scores = tile_scores(problem, tile, work) if normalizer.rereads else work.get("scores", tile.shape)
    parts = _take(normalizer.parts, tile)
    return scores, normalizer.weigh_(scores, cut_row(row, tile), parts, tile, work)


def through_weights(
    problem: Problem,
    row: Row,
    tile: Tile,
    scores: Tensor,
    weights: Tensor,
    grad: Tensor,
    into: Problem,
    work: Workspace,
) -> None:
    """From the gradient of a tile's weights, which is overwritten, to the gradients of all that made them."""
    if problem.factors:
        shapes = [factor.tile(_take(factor.parts, tile), tile, problem.dtype) for factor in problem.factors]
        for shape in shapes:
            grad.mul_(shape)
        logarithmic = grad * weights  # the gradient of the logarithm of every factor
        for factor, factor_into in zip(problem.factors, into.factors, strict=True):
            found = factor.gradients(_take(factor.parts, tile), tile, logarithmic)
            for whole, total, gradient in zip(factor.parts, factor_into.parts, found, strict=True):
                _add(whole, total, tile, lambda gradient=gradient: gradient)
    normalizer = problem.normalizer
    parts = _take(normalizer.parts, tile)
    grad, d_parts = normalizer.gradient_(scores, weights, grad, cut_row(row, tile), parts, tile, work)
    for whole, total, gradient in zip(normalizer.parts, into.normalizer.parts, d_parts, strict=True):
        _add(whole, total, tile, lambda gradient=gradient: gradient)
    for term, term_into in zip(problem.terms, into.terms, strict=True):
        _add(term.values, term_into.values, tile, lambda term=term: term.gradient(grad, tile))
    pair = problem.pair
    wanted = [into.query, into.key, *into.pair.weights]
    if any(total.flat is not None for total in wanted):
        query, key = problem.query.take(tile), problem.key.take(tile)
        weights_of_pair = _take(pair.weights, tile)
        d_query, d_key, d_weights = pair.gradients(query, key, weights_of_pair, grad, work)
        for whole, total, gradient in zip(
            [problem.query, problem.key, *pair.weights], wanted, [d_query, d_key, *d_weights], strict=True
        ):
            _add(whole, total, tile, lambda gradient=gradient: gradient)


def _take(parts: Sequence[Spread], tile: Tile) -> tuple[Tensor, ...]:
    return tuple(part.take(tile) for part in parts)


def _add(whole: Spread, total: Spread, tile: Tile, gradient: Any) -> None:
    if total.flat is not None:
        whole.add_(total.flat, tile, gradient())


def _dropout(tile: Tile, number: int, dropout: float, seed: int, work: Workspace) -> Tensor:
    """0 or 1 / (1 - dropout) for every weight of a tile: the same each time, from the seed and the tile's number."""
    factor = work.get("dropout", tile.shape)
    generator = torch.Generator(factor.device).manual_seed((seed + 0x9E3779B1 * number) % (1 << 62))
    return factor.bernoulli_(1.0 - dropout, generator=generator).div_(1.0 - dropout)
