"""What is to be seen of the weights: said before the call, reduced inside it, tile by tile, to plain tensors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from regard.attention.problem import Problem, cut_row, grid, tile_scores, tile_weights
from regard.attention.selection import largest
from regard.attention.tiles import Tile, Workspace
from regard.attention.trees import tree
from regard.attention.weighing import Row, Softmax


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


class _Reduction:
    """The results of a request while its tiles come in."""

    def __init__(self, request: Observe, slices: int, queries: int, keys: int, like: Tensor) -> None:
        self.request, self.keys = request, keys
        self.top = min(max(request.top, int(request.argmax)), keys)

        def room(wanted: bool, *shape: int, dtype: torch.dtype | None = None) -> Tensor | None:
            return like.new_zeros(slices, *shape, dtype=dtype or like.dtype) if wanted else None

        self.top_weights = room(self.top > 0, queries, self.top)
        self.top_keys = room(self.top > 0, queries, self.top, dtype=torch.int64)
        self.entropy = room(request.entropy, queries)
        self.received = room(request.received, keys)
        self.support = room(request.support, queries, dtype=torch.int64)
        self.mass = room(request.mass, queries)

    def add(self, tile: Tile, weights: Tensor, logs: Tensor | None, work: Workspace) -> None:
        """Take in a tile of weights; `logs` are their logarithms where the kernel has them anyway."""
        at = (slice(*tile.n), slice(*tile.q))
        if self.top_weights is not None and self.top_keys is not None:
            values, keys = largest(weights, self.top)
            self.top_weights[(*at, slice(0, values.shape[-1]))] = values
            self.top_keys[(*at, slice(0, values.shape[-1]))] = keys + tile.k[0]
        if self.received is not None:
            self.received[slice(*tile.n), slice(*tile.k)] += weights.sum(1)
        if self.support is not None:
            self.support[at] = torch.count_nonzero(weights, dim=-1)
        if self.mass is not None:
            self.mass[at] = weights.sum(-1)
        if self.entropy is not None:  # last, since it may write over the logarithms
            if logs is None:
                product = torch.special.entr(weights, out=work.get("entropy", weights.shape))
                self.entropy[at] = product.sum(-1)
            else:
                self.entropy[at] = -logs.mul_(weights).sum(-1)

    def result(self, lead: tuple[int, ...], rows: Tensor | None) -> Observed:
        def shaped(found: Tensor | None) -> Tensor | None:
            return None if found is None else found.reshape(*lead, *found.shape[1:])

        top_weights, top_keys, request = self.top_weights, self.top_keys, self.request
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
        reduction.add(whole, weights, None, Workspace(weights.dtype, weights.device))
    rows = None if request.rows is None else weights[:, request.rows[0] : request.rows[1]].clone()
    return reduction.result(lead, rows)


@torch.no_grad()
def observe_tiles(problem: Problem, row: Row, request: Observe) -> Observed:
    """The request answered by making the tiles of a problem again, once for everything asked for."""
    like = torch.empty(0, dtype=problem.dtype, device=problem.device)
    reduction = _Reduction(request, problem.slices, problem.queries, problem.keys, like)
    work = Workspace(problem.dtype, problem.device)
    first, last = request.rows or (0, 0)
    rows = like.new_zeros(problem.slices, last - first, problem.keys) if request.rows is not None else None
    for tile in grid(problem):
        low, high = max(first, tile.q[0]), min(last, tile.q[1])
        if not request.statistics and low >= high:
            continue
        if request.entropy and _plain_softmax(problem):
            weights, logs = _softmax_tile(problem, row, tile, work)
        else:
            weights, logs = tile_weights(problem, row, tile, work), None
        if rows is not None and low < high:
            inside = weights[:, low - tile.q[0] : high - tile.q[0]]
            rows[slice(*tile.n), low - first : high - first, slice(*tile.k)] = inside
        if request.statistics:
            reduction.add(tile, weights, logs, work)
    return reduction.result(problem.lead, rows)


def _plain_softmax(problem: Problem) -> bool:
    normalizer = problem.normalizer
    plain = isinstance(normalizer, Softmax) and not normalizer.parts and normalizer.temperature == 1.0
    return plain and not problem.factors


def _softmax_tile(problem: Problem, row: Row, tile: Tile, work: Workspace) -> tuple[Tensor, Tensor]:
    """Weights and their logarithms: the logarithm of softmax is there before the weight is."""
    logs = tile_scores(problem, tile, work).sub_(cut_row(row, tile)[0])
    weights = torch.exp(logs, out=work.get("weights", tile.shape))
    if problem.masks or problem.filters or problem.terms:
        logs.clamp_(min=torch.finfo(logs.dtype).min)  # 0 times -inf is not 0
    return weights, logs
