"""The tiled kernel: any score, normalizer, mask and filter, forward and backward, in memory linear in the sequence.

Tiles of whole rows are made, used and forgotten; what is kept of a row are the statistics of its normalizer. The
backward pass makes every tile again, with the same calls on the same shapes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from regard.attention.normalizers import Row
from regard.attention.problem import Problem, cut_row, empty_row, grid, tile_scores, tile_weights
from regard.attention.tiles import Spread, Tile, Workspace


def attend(problem: Problem, value: Spread, dropout: float = 0.0, seed: int = 0) -> tuple[Tensor, Row]:
    """Context (N, Q, V) and the statistics of all rows; differentiable in every tensor of `problem` and in `value`."""
    leaves, spec = pytree.tree_flatten((problem, value))
    context, *row = _Attend.apply(  # type: ignore[no-untyped-call]
        spec, dropout, seed, *leaves
    )
    return context, tuple(row)


def rows(problem: Problem, row: Row, first: int, last: int) -> Tensor:
    """The weights of queries first ... last - 1, (N, last - first, K); differentiable."""
    leaves, spec = pytree.tree_flatten(problem)
    found: Tensor = _Rows.apply(  # type: ignore[no-untyped-call]
        spec, first, last, len(row), *row, *leaves
    )
    return found


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, spec: Any, dropout: float, seed: int, *leaves: Any) -> tuple[Tensor, ...]:
        problem, value = pytree.tree_unflatten(leaves, spec)
        context, row = forward(problem, value, dropout, seed)
        ctx.mark_non_differentiable(*row)
        _remember(ctx, row, leaves)
        ctx.settings = (spec, dropout, seed)
        return (context, *row)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_context: Tensor, *_: Any) -> tuple[Any, ...]:
        spec, dropout, seed = ctx.settings
        row, leaves = _recall(ctx)
        totals = _totals(leaves, ctx.needs_input_grad[3:])
        problem, value = pytree.tree_unflatten(leaves, spec)
        into, value_into = pytree.tree_unflatten(totals, spec)
        backward(problem, value, row, d_context, into, value_into, dropout, seed)
        return (None, None, None, *totals)


class _Rows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, spec: Any, first: int, last: int, count: int, *tensors: Any) -> Tensor:
        row, leaves = tensors[:count], tensors[count:]
        problem: Problem = pytree.tree_unflatten(leaves, spec)
        found = torch.zeros(problem.slices, last - first, problem.keys, dtype=problem.dtype, device=problem.device)
        work = Workspace(problem.dtype, problem.device)
        for tile in grid(problem):
            inside, outside = _overlap(tile, first, last)
            if inside.stop > inside.start:
                weights = tile_weights(problem, row, tile, work)
                found[slice(*tile.n), outside, slice(*tile.k)] = weights[:, inside]
        _remember(ctx, row, leaves)
        ctx.settings = (spec, first, last)
        return found

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_weights: Tensor) -> tuple[Any, ...]:
        spec, first, last = ctx.settings
        row, leaves = _recall(ctx)
        totals = _totals(leaves, ctx.needs_input_grad[4 + len(row) :])
        problem, into = pytree.tree_unflatten(leaves, spec), pytree.tree_unflatten(totals, spec)
        work = Workspace(problem.dtype, problem.device)
        for tile in grid(problem):
            inside, outside = _overlap(tile, first, last)
            if inside.stop > inside.start:
                scores, weights = _again(problem, row, tile, work)
                grad = work.get("grad", tile.shape).zero_()
                grad[:, inside] = d_weights[slice(*tile.n), outside, slice(*tile.k)]
                _through_weights(problem, row, tile, scores, weights, grad, into, work)
        return (None, None, None, None, *(None for _ in row), *totals)


@torch.no_grad()
def forward(problem: Problem, value: Spread, dropout: float, seed: int) -> tuple[Tensor, Row]:
    """One tile after the other: scores, weights, context."""
    context = torch.zeros(
        problem.slices, problem.queries, value.flat.shape[-1], dtype=problem.dtype, device=problem.device
    )
    work = Workspace(problem.dtype, problem.device)
    row: Row | None = None
    for number, tile in enumerate(grid(problem)):
        scores = tile_scores(problem, tile, work)
        parts = tuple(p.take(tile) for p in problem.normalizer.parts)
        weights, part = problem.normalizer.fit_(scores, parts, tile, work)
        row = empty_row(problem, part) if row is None else row
        for whole, new in zip(cut_row(row, tile), part, strict=True):
            whole[..., : new.shape[-1]] = new
        for factor in problem.factors:
            weights.mul_(factor.tile(tuple(p.take(tile) for p in factor.parts), tile, problem.dtype))
        if dropout:
            weights.mul_(_dropout(tile, number, dropout, seed, work))
        values = value.take(tile).expand(tile.shape[0], -1, -1)
        context[slice(*tile.n), slice(*tile.q)] = torch.bmm(
            weights, values, out=work.get("context", (*tile.shape[:2], values.shape[-1]))
        )
    return context, row or ()


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
        scores, weights = _again(problem, row, tile, work)
        used = weights
        for factor in problem.factors:
            used = used * factor.tile(tuple(p.take(tile) for p in factor.parts), tile, problem.dtype)
        dropped = _dropout(tile, number, dropout, seed, work) if dropout else None
        if dropped is not None:
            used = used * dropped
        d_tile = d_context[slice(*tile.n), slice(*tile.q)]
        _add(value, value_into, tile, lambda used=used, d_tile=d_tile: torch.bmm(used.mT, d_tile))
        values = value.take(tile).expand(tile.shape[0], -1, -1)
        grad = torch.bmm(d_tile, values.mT, out=work.get("grad", tile.shape))
        if dropped is not None:
            grad.mul_(dropped)
        _through_weights(problem, row, tile, scores, weights, grad, into, work)


def _again(problem: Problem, row: Row, tile: Tile, work: Workspace) -> tuple[Tensor, Tensor]:
    """The scores and weights of a tile, made again; the weights without the factors."""
    normalizer = problem.normalizer
    scores = tile_scores(problem, tile, work) if normalizer.rereads else work.get("scores", tile.shape)
    parts = tuple(p.take(tile) for p in normalizer.parts)
    return scores, normalizer.weigh_(scores, cut_row(row, tile), parts, tile, work)


def _through_weights(
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
        with torch.enable_grad():
            leaves = [[p.take(tile).detach().requires_grad_() for p in factor.parts] for factor in problem.factors]
            tiles = [f.tile(tuple(x), tile, problem.dtype) for f, x in zip(problem.factors, leaves, strict=True)]
            product = torch.stack(torch.broadcast_tensors(*tiles)).prod(0)
        found = torch.autograd.grad(
            product, [x for part in leaves for x in part], (grad * weights).sum_to_size(product.shape)
        )
        spread_out = [
            (p, q)
            for f, g in zip(problem.factors, into.factors, strict=True)
            for p, q in zip(f.parts, g.parts, strict=True)
        ]
        for (whole, total), gradient in zip(spread_out, found, strict=True):
            _add(whole, total, tile, lambda gradient=gradient: gradient)
        grad.mul_(product.detach())
    normalizer = problem.normalizer
    parts = tuple(p.take(tile) for p in normalizer.parts)
    grad, d_parts = normalizer.gradient_(scores, weights, grad, cut_row(row, tile), parts, tile, work)
    for whole, total, gradient in zip(normalizer.parts, into.normalizer.parts, d_parts, strict=True):
        _add(whole, total, tile, lambda gradient=gradient: gradient)
    for term, term_into in zip(problem.terms, into.terms, strict=True):
        _add(term.values, term_into.values, tile, lambda term=term: term.gradient(grad, tile))
    pair = problem.pair
    wanted = [into.query, into.key, *into.pair.weights]
    if any(total.flat is not None for total in wanted):
        query, key = problem.query.take(tile), problem.key.take(tile)
        weights_of_pair = tuple(p.take(tile) for p in pair.weights)
        d_query, d_key, d_weights = pair.gradients(query, key, weights_of_pair, grad, work)
        for whole, total, gradient in zip(
            [problem.query, problem.key, *pair.weights], wanted, [d_query, d_key, *d_weights], strict=True
        ):
            _add(whole, total, tile, lambda gradient=gradient: gradient)


def _add(whole: Spread, total: Spread, tile: Tile, gradient: Any) -> None:
    if total.flat is not None:
        whole.add_(total.flat, tile, gradient())


def _dropout(tile: Tile, number: int, dropout: float, seed: int, work: Workspace) -> Tensor:
    """0 or 1 / (1 - dropout) for every weight of a tile: the same each time, from the seed and the tile's number."""
    factor = work.get("dropout", tile.shape)
    generator = torch.Generator(factor.device).manual_seed((seed + 0x9E3779B1 * number) % (1 << 62))
    return factor.bernoulli_(1.0 - dropout, generator=generator).div_(1.0 - dropout)


def _overlap(tile: Tile, first: int, last: int) -> tuple[slice, slice]:
    """Queries first ... last - 1 of a tile, counted in the tile and from `first`."""
    low, high = max(first, tile.q[0]), min(last, tile.q[1])
    return slice(low - tile.q[0], high - tile.q[0]), slice(low - first, high - first)


def _remember(ctx: Any, row: Row, leaves: tuple[Any, ...]) -> None:
    ctx.tensors_at = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
    ctx.rows, ctx.count = len(row), len(leaves)
    ctx.save_for_backward(*row, *(leaves[i] for i in ctx.tensors_at))


def _recall(ctx: Any) -> tuple[Row, list[Any]]:
    saved = ctx.saved_tensors
    leaves: list[Any] = [None] * ctx.count
    for at, tensor in zip(ctx.tensors_at, saved[ctx.rows :], strict=True):
        leaves[at] = tensor
    return saved[: ctx.rows], leaves


def _totals(leaves: list[Any], needed: tuple[bool, ...]) -> list[Tensor | None]:
    return [torch.zeros_like(leaf) if need else None for leaf, need in zip(leaves, needed, strict=True)]
