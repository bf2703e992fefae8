"""A problem: everything that determines the weights of one call, in a form that can be evaluated tile by tile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from regard.attention.masks import BoundMask, Gaussian
from regard.attention.pairs import Pair
from regard.attention.positions import Term
from regard.attention.tiles import Spread, Tile, Workspace, broadcasts, row_blocks
from regard.attention.trees import static, tree
from regard.attention.weighing import BoundNormalizer, Row

# Elements of a tile of weights: several buffers of this size stay in a last-level cache, and hide the cost of a call.
TILE = 1 << 20


@dataclass(frozen=True)
class Scored:
    """What a filter sees of a tile: scores (n, R, K), -inf where masked, and what they were made from."""

    scores: Tensor
    query: Tensor
    key: Tensor
    query_position: Tensor
    key_position: Tensor


Filter = Callable[[Scored], Tensor]


@tree
class Problem:
    """Prepared queries (n, Q, D) and keys (n, K, D), how they are compared, and what becomes of the scores."""

    query: Spread
    key: Spread
    pair: Pair
    terms: tuple[Term, ...]
    masks: tuple[BoundMask, ...]
    normalizer: BoundNormalizer
    factors: tuple[Gaussian, ...]
    filters: tuple[Filter, ...] = static()
    lead: tuple[int, ...] = static()
    offset: int = static()

    @property
    def slices(self) -> int:
        count = 1
        for length in self.lead:
            count *= length
        return count

    @property
    def queries(self) -> int:
        return self.query.flat.shape[1]

    @property
    def keys(self) -> int:
        return self.key.flat.shape[1]

    @property
    def dtype(self) -> torch.dtype:
        """What scores, weights and sums are computed in: fp32, or fp64 for fp64 inputs."""
        return torch.promote_types(self.query.flat.dtype, torch.float32)

    @property
    def device(self) -> torch.device:
        return self.query.flat.device

    @property
    def tensors(self) -> list[Tensor]:
        """Every tensor that the weights depend on."""
        parts = [
            self.query,
            self.key,
            *self.pair.weights,
            *(term.values for term in self.terms),
            *self.normalizer.parts,
        ]
        for mask in self.masks:
            parts.extend(mask.parts)
        for factor in self.factors:
            parts.extend(factor.parts)
        return [part.flat for part in parts]

    @property
    def whole(self) -> Tile:
        return Tile((0, self.slices), (0, self.queries), (0, self.keys))


def widen(problem: Problem) -> Problem:
    """The same problem with half-precision tensors raised to fp32, in which all kernels but fused ones compute."""
    if not any(_is_half(tensor) for tensor in problem.tensors):
        return problem
    return pytree.tree_map(raised, problem)  # type: ignore[no-any-return]


def raised(leaf: Any) -> Any:
    """A half-precision tensor as fp32, anything else as it is."""
    return leaf.float() if isinstance(leaf, Tensor) and _is_half(leaf) else leaf


def _is_half(tensor: Tensor) -> bool:
    return tensor.dtype in (torch.bfloat16, torch.float16)


def grid(problem: Problem) -> list[Tile]:
    """The tiles of a problem: always the same ones, each without the keys that its masks rule out for all its rows."""
    tiles = []
    for tile in row_blocks(problem.slices, problem.queries, problem.keys, TILE):
        low, high = tile.k
        for mask in problem.masks:
            first, last = mask.reach(tile, problem.offset)
            low, high = max(low, first), min(high, last)
        low = min(low, problem.keys - 1)
        tiles.append(Tile(tile.n, tile.q, (low, max(high, low + 1))))
    return tiles


def allowed(problem: Problem, tile: Tile) -> Tensor | None:
    """Which keys of a tile may be attended to, broadcasting over (n, R, K); None: all of them."""
    found: Tensor | None = None
    for mask in problem.masks:
        part = mask.tile(tuple(p.take(tile) for p in mask.parts), tile, problem.offset, problem.device)
        found = part if found is None else found & part
    return found


def keep(problem: Problem, tile: Tile, scores: Tensor, query: Tensor, key: Tensor) -> Tensor | None:
    """Which keys pass the filters, (n, R, K); None where there are no filters."""
    found: Tensor | None = None
    for chosen in problem.filters:
        seen = Scored(scores, query, key, tile.queries(problem.device, problem.offset), tile.keys(problem.device))
        part = chosen(seen)
        if not isinstance(part, Tensor) or part.dtype != torch.bool or not broadcasts(part.shape, scores.shape):
            gave = f"{part.dtype} of shape {tuple(part.shape)}" if isinstance(part, Tensor) else type(part).__name__
            raise ValueError(f"filter: gave {gave}; expected torch.bool broadcasting over {tuple(scores.shape)}")
        found = part if found is None else found & part
    return found


@torch.no_grad()
def tile_scores(problem: Problem, tile: Tile, work: Workspace) -> Tensor:
    """The scores of a tile (n, R, K), -inf where a mask or filter forbids the key."""
    query, key = problem.query.take(tile), problem.key.take(tile)
    scores = work.get("scores", tile.shape)
    if scores.shape[0] != query.shape[0]:
        query = query.expand(scores.shape[0], -1, -1)
    scores = problem.pair.scores(query, key, tuple(p.take(tile) for p in problem.pair.weights), scores, work)
    for term in problem.terms:
        scores.add_(term.tile(term.values.take(tile), tile))
    for mask in problem.masks:
        low, high = mask.doubtful(tile, problem.offset)
        if low < high:
            part = Tile(tile.n, tile.q, (low, high))
            may = mask.tile(tuple(p.take(part) for p in mask.parts), part, problem.offset, problem.device)
            scores[..., low - tile.k[0] : high - tile.k[0]].masked_fill_(~may, float("-inf"))
    passes = keep(problem, tile, scores, query, key)
    if passes is not None:
        scores.masked_fill_(~passes, float("-inf"))
    return scores


@torch.no_grad()
def tile_weights(problem: Problem, row: Row, tile: Tile, work: Workspace) -> Tensor:
    """The weights of a tile (n, R, K) from the rows' statistics, in a buffer of `work`."""
    normalizer = problem.normalizer
    scores = tile_scores(problem, tile, work) if normalizer.rereads else work.get("scores", tile.shape)
    weights = normalizer.weigh_(scores, cut_row(row, tile), tuple(p.take(tile) for p in normalizer.parts), tile, work)
    for factor in problem.factors:
        weights.mul_(factor.tile(tuple(p.take(tile) for p in factor.parts), tile, problem.dtype))
    return weights


def cut_row(row: Row, tile: Tile) -> Row:
    """The statistics (N, Q, c) of a tile's rows."""
    return tuple(part[tile.n[0] : tile.n[1], tile.q[0] : tile.q[1]] for part in row)
