"""Weights: the second result of attention, there to be asked without ever holding queries x keys unless wanted."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from regard.attention.kernels import dense as dense_kernel
from regard.attention.kernels import tiled as tiled_kernel
from regard.attention.observe import Observe, Observed, observe_dense, observe_tiles
from regard.attention.pairs import Dot
from regard.attention.problem import Problem, grid, tile_scores, widen
from regard.attention.tiles import Workspace, spread
from regard.attention.trees import static, tree
from regard.attention.weighing import Row, Softmax


@tree
class Plain:
    """scale q k under softmax, query and key (B, H, n, D): a problem that is put together only when somebody asks."""

    query: Tensor
    key: Tensor
    scale: float = static()

    @property
    def problem(self) -> Problem:
        lead = tuple(self.query.shape[:-2])
        query, key = spread(self.query, lead, "qd"), spread(self.key, lead, "kd")
        return Problem(query, key, Dot(self.scale), (), (), Softmax(()), (), (), lead, 0)

    @property
    def tensors(self) -> list[Tensor]:
        return [self.query, self.key]


@tree
class Weights:
    """The weights of one call, (..., Q, K) with the leading dimensions of the call; before dropout.

    Where the kernel had the matrix, `matrix` (N, Q, K) holds it. Otherwise queries, keys and the statistics of each row
    are kept, O(n), and tiles are made again when asked for; asking after one of those tensors was changed in place is
    an error. `observed` is what `attend(observe=...)` asked for.
    """

    matrix: Tensor | None
    source: Problem | Plain
    row: Row
    observed: Observed | None = None
    versions: tuple[int, ...] | None = static(default=None)

    @property
    def problem(self) -> Problem:
        return self.source.problem if isinstance(self.source, Plain) else self.source

    def __repr__(self) -> str:
        """Short, for an interpreter: the shape, whether the matrix is there, and what was observed."""
        held = "as statistics of each row" if self.matrix is None else "as a matrix"
        seen = [name for name, found in vars(self.observed).items() if found is not None] if self.observed else []
        return f"Weights({self.shape}, {held}{', observed: ' + ', '.join(seen) if seen else ''})"

    @property
    def shape(self) -> tuple[int, ...]:
        problem = self.problem
        return (*problem.lead, problem.queries, problem.keys)

    def dense(self) -> Tensor:
        """All weights (..., Q, K), differentiable in whatever made them."""
        return self.rows(0, self.problem.queries)

    def rows(self, first: int, last: int) -> Tensor:
        """The weights of queries first ... last - 1, (..., last - first, K), differentiable."""
        first, last = self._range(first, last)
        if self.matrix is not None:
            found = self.matrix[:, first:last]
        else:
            self._check_unchanged()
            found = tiled_kernel.rows(widen(self.problem), self._rows(), first, last)
        return found.reshape(*self.problem.lead, *found.shape[1:])

    @torch.no_grad()
    def scores(self, first: int, last: int) -> Tensor:
        """The scores F of queries first ... last - 1, (..., last - first, K), -inf where a mask or filter forbids."""
        first, last = self._range(first, last)
        problem = widen(self.problem)
        self._check_unchanged()
        if self.matrix is not None:
            found = dense_kernel.scores(problem)[:, first:last]
        else:
            work = Workspace(problem.dtype, problem.device)
            shape = (problem.slices, last - first, problem.keys)
            found = torch.full(shape, -math.inf, dtype=problem.dtype, device=problem.device)
            for tile in grid(problem):
                low, high = max(first, tile.q[0]), min(last, tile.q[1])
                if low < high:
                    inside = tile_scores(problem, tile, work)[:, low - tile.q[0] : high - tile.q[0]]
                    found[slice(*tile.n), low - first : high - first, slice(*tile.k)] = inside
        return found.reshape(*problem.lead, *found.shape[1:])

    def collect(self, request: Observe) -> Observed:
        """Answer several questions in one pass over the tiles."""
        if request.rows is not None:
            self._range(*request.rows)
        if self.matrix is not None:
            return observe_dense(self.matrix, request, self.problem.lead)
        self._check_unchanged()
        return observe_tiles(widen(self.problem), self._rows(), request)

    def top(self, k: int) -> tuple[Tensor, Tensor]:
        """The k greatest weights of each query and their keys, (..., Q, min(k, K)); key -1 where there are fewer."""
        if k < 1:
            raise ValueError(f"top: k must be 1 or more, came {k}")
        found = self.collect(Observe(top=k))
        assert found.top_weights is not None
        assert found.top_keys is not None
        return found.top_weights, found.top_keys

    def argmax(self) -> Tensor:
        """The key of each query's greatest weight, (..., Q) int64; -1 where there is nothing to attend to."""
        return _only(self.collect(Observe(argmax=True)).argmax)

    def entropy(self) -> Tensor:
        """-sum_j w_j ln w_j in nats, (..., Q)."""
        return _only(self.collect(Observe(entropy=True)).entropy)

    def received(self) -> Tensor:
        """What each key got from all queries together, sum_i w_ij, (..., K)."""
        return _only(self.collect(Observe(received=True)).received)

    def support(self) -> Tensor:
        """How many keys weigh more than 0, (..., Q) int64."""
        return _only(self.collect(Observe(support=True)).support)

    def mass(self) -> Tensor:
        """The sum of each query's weights, (..., Q)."""
        return _only(self.collect(Observe(mass=True)).mass)

    def _rows(self) -> Row:
        """The statistics of the rows as (N, Q, c); the fused kernels keep the leading dimensions apart."""
        problem = self.problem
        rows = problem.slices, problem.queries
        return tuple(part.reshape(*rows, part.numel() // max(math.prod(rows), 1)) for part in self.row)

    def _range(self, first: int, last: int) -> tuple[int, int]:
        nothing = first == last == self.problem.queries == 0
        if not (0 <= first < last <= self.problem.queries or nothing):
            raise ValueError(f"rows: {first} to {last} is not a range within 0 to {self.problem.queries} queries")
        return first, last

    def _check_unchanged(self) -> None:
        if self.versions is not None and self.versions != versions(self.source):
            raise RuntimeError(
                "weights: the query, key or another tensor was changed in place after attend(); "
                "ask for the weights before that, or give attend() copies"
            )


def plain_weights(query: Tensor, key: Tensor, scale: float, lse: Tensor) -> Weights:
    """The weights of the common case, with nothing done that can wait: this is all that it adds to the fused call."""
    counted = torch.compiler.is_compiling() or query.is_inference() or key.is_inference()
    seen = None if counted else (query._version, key._version)
    return Weights(None, Plain(query, key, scale), (lse,), None, seen)


def versions(source: Problem | Plain) -> tuple[int, ...] | None:
    """Torch's count of in-place changes of every tensor of a problem; None where torch does not count."""
    if torch.compiler.is_compiling():
        return None
    tensors = source.tensors
    if any(tensor.is_inference() for tensor in tensors):
        return None
    return tuple([tensor._version for tensor in tensors])


def _only(found: Tensor | None) -> Tensor:
    assert found is not None
    return found
