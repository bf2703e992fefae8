"""The tiled kernel: any score, normalizer, mask and filter, forward and backward, in memory linear in the sequence.

Here the engine meets autograd, and for compiled and exported graphs the dispatcher.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from regard.attention.engine import again, backward, forward, through_weights
from regard.attention.problem import Problem, grid, tile_weights
from regard.attention.tiles import Spread, Tile, Workspace
from regard.attention.trees import describe, rebuild
from regard.attention.weighing import Row


def attend(problem: Problem, value: Spread, dropout: float, seed: Tensor) -> tuple[Tensor, Row]:
    """Context (N, Q, V) and the statistics of all rows; differentiable in every tensor of `problem` and in `value`."""
    if torch.compiler.is_compiling():
        tensors: list[Tensor] = []
        description = repr(describe((problem, value), tensors))
        context, *row = torch.ops.regard.tiled(tensors, description, dropout, seed)
        return context, tuple(row)
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
    def forward(ctx: Any, spec: Any, dropout: float, seed: Tensor, *leaves: Any) -> tuple[Tensor, ...]:
        problem, value = pytree.tree_unflatten(leaves, spec)
        context, row = forward(problem, value, dropout, int(seed))
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
        backward(problem, value, row, d_context, into, value_into, dropout, int(seed))
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
                scores, weights = again(problem, row, tile, work)
                grad = work.get("grad", tile.shape).zero_()
                grad[:, inside] = d_weights[slice(*tile.n), outside, slice(*tile.k)]
                through_weights(problem, row, tile, scores, weights, grad, into, work)
        return (None, None, None, None, *(None for _ in row), *totals)


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


def _totals(leaves: Sequence[Any], needed: Sequence[bool]) -> list[Tensor | None]:
    return [torch.zeros_like(leaf) if need else None for leaf, need in zip(leaves, needed, strict=True)]


@torch.library.custom_op("regard::tiled", mutates_args=())
def _tiled(leaves: Sequence[Tensor], description: str, dropout: float, seed: Tensor) -> list[Tensor]:
    """The same for compiled and exported graphs: one opaque step, context and row statistics."""
    problem, value = rebuild(description, leaves)
    context, row = forward(problem, value, dropout, int(seed))
    return [context, *row]


@_tiled.register_fake
def _(leaves: Sequence[Tensor], description: str, dropout: float, seed: Tensor) -> list[Tensor]:
    problem, value = rebuild(description, leaves)
    context = problem.query.flat.new_empty(problem.slices, problem.queries, value.flat.shape[-1])
    return [context, *problem.normalizer.room(context, problem.slices, problem.queries, problem.keys)]


@torch.library.custom_op("regard::tiled_gradients", mutates_args=())
def _tiled_gradients(
    leaves: Sequence[Tensor],
    row: Sequence[Tensor],
    d_context: Tensor,
    wanted: Sequence[bool],
    description: str,
    dropout: float,
    seed: Tensor,
) -> list[Tensor]:
    """The gradients of the wanted leaves, in their order."""
    totals = _totals(leaves, wanted)
    problem, value = rebuild(description, leaves)
    into, value_into = rebuild(description, totals)
    backward(problem, value, tuple(row), d_context, into, value_into, dropout, int(seed))
    return [total for total in totals if total is not None]


@_tiled_gradients.register_fake
def _(
    leaves: Sequence[Tensor],
    row: Sequence[Tensor],
    d_context: Tensor,
    wanted: Sequence[bool],
    description: str,
    dropout: float,
    seed: Tensor,
) -> list[Tensor]:
    return [total for total in _totals(leaves, wanted) if total is not None]


def _keep_for_gradients(ctx: Any, inputs: Any, output: list[Tensor]) -> None:
    leaves, description, dropout, seed = inputs
    _remember(ctx, tuple(output[1:]), (*leaves, seed))
    ctx.settings = (description, dropout)


def _gradients(ctx: Any, grads: list[Tensor]) -> tuple[Any, ...]:
    row, (*leaves, seed) = _recall(ctx)
    description, dropout = ctx.settings
    wanted = [leaf.is_floating_point() for leaf in leaves]
    found = iter(torch.ops.regard.tiled_gradients(leaves, list(row), grads[0], wanted, description, dropout, seed))
    return [next(found) if want else None for want in wanted], None, None, None


_tiled.register_autograd(_gradients, setup_context=_keep_for_gradients)
