"""What is to be seen of the weights: said before the call, reduced inside it, tile by tile, to plain tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from regard.attention.problem import TILE, Problem, grid, tile_scores, tile_weights
from regard.attention.selection import largest
from regard.attention.tiles import Tile, Workspace
from regard.attention.trees import tree
from regard.attention.weighing import Row, Softmax

# Tiles whose greatest weights are looked for together.
_AT_ONCE = 4


@dataclass(frozen=True)
class Observe:
    """A request. Everything that is not asked for costs nothing.

    top       the k greatest weights of each query, and their keys
    entropy   -sum_j w_j ln w_j of each query, in nats
    argmax    the key of the greatest weight of each query
    received  for each key the sum of the weights over all queries
    support   how many keys of each query weigh more than 0
    mass      the sum of each query's weights: 1, or less for sinks, sigmoid and rows with nothing to attend to
    rows      the whole rows of queries first ... last - 1, as a pair (first, last)
    """

    top: int = 0
    entropy: bool = False
    argmax: bool = False
    received: bool = False
    support: bool = False
    mass: bool = False
    rows: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.top < 0:
            raise ValueError(f"observe: top must be 0 or more, came {self.top}")

    @property
    def statistics(self) -> bool:
        """Whether anything besides whole rows is asked for."""
        return bool(self.top or self.entropy or self.argmax or self.received or self.support or self.mass)


@tree
class Observed:
    """What was asked for, None for the rest. Q queries, K keys after the leading dimensions of the call.

    Where a query has fewer than `top` keys with any weight, the index is -1 and the weight 0; so is the argmax of a
    query with nothing to attend to.
    """

    top_weights: Tensor | None = None  # (..., Q, top)
    top_keys: Tensor | None = None  # (..., Q, top) int64
    entropy: Tensor | None = None  # (..., Q)
    argmax: Tensor | None = None  # (..., Q) int64
    received: Tensor | None = None  # (..., K)
    support: Tensor | None = None  # (..., Q) int64
    mass: Tensor | None = None  # (..., Q)
    rows: Tensor | None = None  # (..., last - first, K)


class _Top:
    """The greatest weights of each row, found for several tiles at once: for the rows of one, threads are not worth it.

    `room` lends the place in which a tile's weights are to be made, and where they stay until they were looked through.
    """

    def __init__(self, count: int, slices: int, queries: int, keys: int, like: Tensor) -> None:
        self.count, self.keys = count, keys
        self.weights = like.new_zeros(slices, queries, count)
        self.places = like.new_zeros(slices, queries, count, dtype=torch.int64)
        self._rows = like.new_empty(0, keys)
        self._waiting: list[tuple[Tile, Tensor | None]] = []
        self._used = 0

    def room(self, tile: Tile) -> Tensor:
        """A place for the weights of a tile, (n, R, K)."""
        slices, queries, width = tile.shape
        if self._used + slices * queries > len(self._rows):
            self.flush()
        if slices * queries > len(self._rows):
            rows = max(slices * queries, min(_AT_ONCE * TILE // self.keys, self.weights[..., 0].numel()))
            self._rows = self._rows.new_empty(rows, self.keys)
        free = self._rows[self._used : self._used + slices * queries, :width]
        return free.view(slices, queries, width)

    def add(self, tile: Tile, factor: Tensor | None) -> None:
        """What was made in the last room is there now, and is to be multiplied by `factor` (n, R, 1)."""
        self._waiting.append((tile, factor))
        self._used += tile.shape[0] * tile.shape[1]

    def flush(self) -> None:
        """Look through all that waits."""
        if not self._waiting:
            return
        width, first = max(tile.shape[2] for tile, _ in self._waiting), 0
        for tile, _ in self._waiting:
            last = first + tile.shape[0] * tile.shape[1]
            self._rows[first:last, tile.shape[2] : width] = 0.0
            first = last
        values, places = largest(self._rows[:first, :width], self.count)
        first = 0
        for tile, factor in self._waiting:
            last = first + tile.shape[0] * tile.shape[1]
            self.take(tile, values[first:last], places[first:last], factor)
            first = last
        self._waiting, self._used = [], 0

    def take(self, tile: Tile, values: Tensor, places: Tensor, factor: Tensor | None) -> None:
        """Write down the greatest weights of a tile's rows."""
        at = (slice(*tile.n), slice(*tile.q), slice(0, values.shape[-1]))
        shape = (*tile.shape[:2], values.shape[-1])
        self.weights[at] = values.view(shape) if factor is None else values.view(shape) * factor
        self.places[at] = places.view(shape) + tile.k[0]


class _Reduction:
    """The results of a request while its tiles come in."""

    def __init__(self, request: Observe, slices: int, queries: int, keys: int, like: Tensor) -> None:
        self.request = request

        def room(wanted: bool, *shape: int, dtype: torch.dtype | None = None) -> Tensor | None:
            return like.new_zeros(slices, *shape, dtype=dtype or like.dtype) if wanted else None

        top = min(max(request.top, int(request.argmax)), keys)
        self.top = _Top(top, slices, queries, keys, like) if top else None
        self.entropy = room(request.entropy, queries)
        self.received = room(request.received, keys)
        self.support = room(request.support, queries, dtype=torch.int64)
        self.mass = room(request.mass, queries)

    def room(self, tile: Tile, work: Workspace) -> Tensor:
        """Where the weights of a tile are to be made if they can be made anywhere."""
        return work.get("weights", tile.shape) if self.top is None else self.top.room(tile)

    def add(
        self,
        tile: Tile,
        weights: Tensor,
        rescaled: tuple[Tensor, Tensor] | None,
        logs: Tensor | None,
        work: Workspace,
        waits: bool,
    ) -> None:
        """Take in a tile of weights, to be `rescaled` by a factor f (n, R, 1), with each row's mass beside it.

        `logs` are the logarithms of `weights` where the kernel has them anyway; they are written over. `waits` says
        that the weights are in the last `room`, and may be looked through later.
        """
        at = (slice(*tile.n), slice(*tile.q))
        factor, mass = rescaled or (None, None)
        if self.top is not None and waits:
            self.top.add(tile, factor)
        elif self.top is not None:
            self.top.take(tile, *largest(weights, self.top.count), factor)
        if self.received is not None:
            sums = weights.sum(1) if factor is None else torch.bmm(factor.mT, weights).squeeze(1)
            self.received[slice(*tile.n), slice(*tile.k)] += sums
        if self.support is not None:
            self.support[at] = torch.count_nonzero(weights, dim=-1)
        if self.mass is not None:
            self.mass[at] = weights.sum(-1) if mass is None else mass.squeeze(-1)
        if self.entropy is None:
            return
        if logs is None:
            self.entropy[at] = torch.special.entr(weights, out=work.get("entropy", weights.shape)).sum(-1)
            return
        surprise = logs.mul_(weights).sum(-1, keepdim=True)
        if factor is not None and mass is not None:  # ln(f w) = ln w + ln f
            surprise.mul_(factor).add_(torch.xlogy(mass, factor))
        self.entropy[at] = -surprise.squeeze(-1)

    def result(self, lead: tuple[int, ...], rows: Tensor | None) -> Observed:
        def shaped(found: Tensor | None) -> Tensor | None:
            return None if found is None else found.reshape(*lead, *found.shape[1:])

        top_weights, top_keys, request = None, None, self.request
        if self.top is not None:
            self.top.flush()
            top_weights, top_keys = self.top.weights, self.top.places
        argmax = None
        if top_keys is not None and top_weights is not None:
            top_keys = top_keys.masked_fill(top_weights == 0, -1)
            argmax = top_keys[..., 0] if request.argmax else None
        return Observed(
            shaped(top_weights) if request.top else None,
            shaped(top_keys) if request.top else None,
            shaped(self.entropy),
            shaped(argmax),
            shaped(self.received),
            shaped(self.support),
            shaped(self.mass),
            shaped(rows),
        )


@torch.no_grad()
def observe_dense(weights: Tensor, request: Observe, lead: tuple[int, ...]) -> Observed:
    """The request answered from a matrix of weights (N, Q, K)."""
    weights = weights.detach()
    slices, queries, keys = weights.shape
    reduction = _Reduction(request, slices, queries, keys, weights)
    if request.statistics:
        whole = Tile((0, slices), (0, queries), (0, keys))
        reduction.add(whole, weights, None, None, Workspace(weights.dtype, weights.device), waits=False)
    rows = None if request.rows is None else weights[:, request.rows[0] : request.rows[1]].clone()
    return reduction.result(lead, rows)


@torch.no_grad()
def observe_tiles(problem: Problem, row: Row | None, request: Observe) -> Observed:
    """The request answered by making the tiles of a problem, once for everything asked for.

    `row` holds the statistics of the rows where they were kept; without them each tile is fitted anew.
    """
    like = torch.empty(0, dtype=problem.dtype, device=problem.device)
    reduction = _Reduction(request, problem.slices, problem.queries, problem.keys, like)
    work = Workspace(problem.dtype, problem.device)
    first, last = request.rows or (0, 0)
    rows = like.new_zeros(problem.slices, last - first, problem.keys) if request.rows is not None else None
    plain = _plain_softmax(problem)
    for tile in grid(problem):
        low, high = max(first, tile.q[0]), min(last, tile.q[1])
        if not request.statistics and low >= high:
            continue
        rescaled: tuple[Tensor, Tensor] | None = None
        logs: Tensor | None = None
        if plain:
            weights, rescaled, logs = _softmax_tile(problem, tile, request.entropy, reduction.room(tile, work), work)
        elif row is None:
            weights = _fitted(problem, tile, work)
        else:
            weights = tile_weights(problem, row, tile, work)
        if rows is not None and low < high:
            inside = weights[:, low - tile.q[0] : high - tile.q[0]]
            if rescaled is not None:
                inside = inside * rescaled[0][:, low - tile.q[0] : high - tile.q[0]]
            rows[slice(*tile.n), low - first : high - first, slice(*tile.k)] = inside
        if request.statistics:
            reduction.add(tile, weights, rescaled, logs, work, waits=plain)
    return reduction.result(problem.lead, rows)


def _plain_softmax(problem: Problem) -> bool:
    normalizer = problem.normalizer
    plain = isinstance(normalizer, Softmax) and not normalizer.learned and normalizer.temperature == 1.0
    return plain and not problem.factors


def _softmax_tile(
    problem: Problem, tile: Tile, logarithms: bool, room: Tensor, work: Workspace
) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor | None]:
    """Weights w = e^(s - max s) made in `room`; the factor 1 / sum w with each row's mass; and s - max s.

    The tile has the whole row, so that the log-sum-exp need not be known; and nothing is divided but what is reduced.
    """
    scores = tile_scores(problem, tile, work)
    top = scores.amax(-1, keepdim=True)
    sinks = tuple(part.take(tile)[:, None, None] for part in problem.normalizer.parts)
    for sink in sinks:
        top = torch.maximum(top, sink)
    top.masked_fill_(top == float("-inf"), 0.0)
    # What would underflow, or is forbidden, is made 0 by a threshold: torch's exp is several times slower there.
    floor = math.ceil(math.log(torch.finfo(scores.dtype).tiny))
    logs = scores.sub_(top).clamp_(min=floor)
    weights = torch.exp(logs, out=room if room.is_contiguous() else work.get("weights", tile.shape))
    torch.threshold_(weights, math.exp(floor) * 1.001, 0.0)
    if not room.is_contiguous():
        room.copy_(weights)
    mass = weights.sum(-1, keepdim=True)
    total = mass.masked_fill(mass == 0, 1.0)
    for sink in sinks:
        total += (sink - top).exp_()
    factor = total.reciprocal_()
    mass.mul_(factor)
    return weights, (factor, mass), logs if logarithms else None


def _fitted(problem: Problem, tile: Tile, work: Workspace) -> Tensor:
    """The weights of a tile, its rows fitted anew."""
    parts = tuple(part.take(tile) for part in problem.normalizer.parts)
    weights, _ = problem.normalizer.fit_(tile_scores(problem, tile, work), parts, tile, work)
    for factor in problem.factors:
        weights.mul_(factor.tile(tuple(p.take(tile) for p in factor.parts), tile, problem.dtype))
    return weights
