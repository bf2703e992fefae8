"""Terms that are added to scores: biases, and positions (T5's learned relative bias, ALiBi); and rotary positions.

Relative terms depend on `key position - query position` alone. They are kept as one vector over all distances, O(n),
whatever their origin, so a learned one costs no Q x K tensor either.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from regard.attention.tiles import Spread, Tile, spread
from regard.attention.trees import static, tree


@tree
class Bias:
    """s_ij += bias_ij, any tensor that broadcasts over (..., Q, K)."""

    values: Spread  # (n, Q or 1, K or 1)

    def tile(self, part: Tensor, tile: Tile) -> Tensor:
        return part

    def gradient(self, grad: Tensor, tile: Tile) -> Tensor:
        return grad


@tree
class Diagonal:
    """s_ij += values[j - i + Q - 1]: one number for each distance between query i and key j."""

    values: Spread  # (n, Q + K - 1)
    queries: int = static()

    def tile(self, part: Tensor, tile: Tile) -> Tensor:
        (q0, q1), (k0, k1) = tile.q, tile.k
        low = k0 - (q1 - 1) + self.queries - 1
        windows = part[:, low : low + (q1 - q0) + (k1 - k0) - 1].unfold(-1, k1 - k0, 1)
        return windows.flip(1)  # the last query's window begins first

    def gradient(self, grad: Tensor, tile: Tile) -> Tensor:
        # Rows reversed and shifted by one more place each: then every diagonal is a column, and is summed as such.
        slices, rows, columns = tile.shape
        width = rows + columns - 1
        skewed = F.pad(grad.flip(1), (0, rows)).flatten(1)[:, : rows * width].view(slices, rows, width)
        total = grad.new_zeros(slices, self.values.flat.shape[-1])
        low = tile.k[0] - (tile.q[1] - 1) + self.queries - 1
        total[:, low : low + width] = skewed.sum(1)
        return total


Term = Bias | Diagonal


class Position(Protocol):
    """What `attend(position=...)` takes: gives the term for Q queries, K keys and the first query at `offset`."""

    def term(self, lead: torch.Size, queries: int, keys: int, offset: int) -> Term: ...


def _wide(tensor: Tensor) -> Tensor:
    """At least fp32: a gradient is the sum over many distances."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _distances(queries: int, keys: int, offset: int, device: torch.device) -> Tensor:
    """key position - query position for every diagonal, (Q + K - 1)."""
    return torch.arange(1 - queries, keys, device=device) - offset


@tree
class alibi:
    """s_ij -= slope * |i - j|, slopes (H)   (Press, Smith & Lewis 2022, section 3)."""

    slopes: Tensor

    def term(self, lead: torch.Size, queries: int, keys: int, offset: int) -> Term:
        distances = _distances(queries, keys, offset, self.slopes.device).abs()
        return Diagonal(spread(-_wide(self.slopes)[..., None] * distances, lead, "d", "position"), queries)


def alibi_slopes(heads: int) -> Tensor:
    """2^(-8 h / H) for h = 1 ... H, (H), the paper's geometric series (its section 3)."""
    return torch.tensor([2.0 ** (-8.0 * (h + 1) / heads) for h in range(heads)])


@tree
class relative:
    """s_ij += table[h, bucket(j - i)], learned, table (H, buckets)   (Raffel et al. 2020, section 2.1, T5).

    Near distances have a bucket each, further ones share one logarithmically, up to `furthest`; with
    `both_directions` half of the buckets are for keys after the query, without it those share bucket 0.
    """

    table: Tensor
    furthest: int = static(default=128)
    both_directions: bool = static(default=True)

    def term(self, lead: torch.Size, queries: int, keys: int, offset: int) -> Term:
        exact = self.table.shape[-1] // (4 if self.both_directions else 2)
        if not 0 < exact < self.furthest:
            raise ValueError(
                f"position: relative came with {self.table.shape[-1]} buckets and furthest {self.furthest}; expected "
                f"at least {4 if self.both_directions else 2} buckets, and furthest over the {exact} with one distance"
            )
        distances = _distances(queries, keys, offset, self.table.device)
        buckets = relative_buckets(distances, self.table.shape[-1], self.furthest, self.both_directions)
        return Diagonal(spread(_wide(self.table)[..., buckets], lead, "d", "position"), queries)


def relative_buckets(distances: Tensor, buckets: int, furthest: int, both_directions: bool) -> Tensor:
    """The bucket of each distance `key position - query position`, int64 of the same shape."""
    first = torch.zeros_like(distances)
    if both_directions:
        buckets //= 2
        first = (distances > 0).long() * buckets
        distances = distances.abs()
    else:
        distances = (-distances).clamp(min=0)
    exact = buckets // 2
    ratio = torch.log(distances.clamp(min=1).double() / exact) / math.log(furthest / exact)
    shared = exact + (ratio * (buckets - exact)).long()
    return first + torch.where(distances < exact, distances, shared.clamp(max=buckets - 1))


def rotary(tensor: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    """Rotate the pairs (x_d, x_(d + D/2)) by positions * base^(-2d/D)   (Su et al. 2021, section 3.2.2).

    tensor (..., n, D) with even D, positions (n) or broadcasting over (..., n). Rotated queries and keys have dot
    products that depend on the difference of their positions alone.
    """
    half = tensor.shape[-1] // 2
    if 2 * half != tensor.shape[-1]:
        raise ValueError(f"position: rotary needs an even dimension, came {tensor.shape[-1]}")
    wide = _wide(tensor)
    speeds = base ** (-torch.arange(half, device=tensor.device, dtype=wide.dtype) / half)
    angles = positions[..., None].to(wide.dtype) * speeds
    cos, sin = angles.cos(), angles.sin()
    first, second = wide.split(half, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1).to(tensor.dtype)


@tree
class rotary_positions:
    """Rotary positions as a setting of `attend`: query i stands at `offset + i`, key j at j."""

    base: float = static(default=10000.0)

    def rotate(self, query: Tensor, key: Tensor, offset: int) -> tuple[Tensor, Tensor]:
        q = torch.arange(offset, offset + query.shape[-2], device=query.device)
        k = torch.arange(key.shape[-2], device=key.device)
        return rotary(query, q, self.base), rotary(key, k, self.base)
