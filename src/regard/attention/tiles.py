"""Tiles: blocks of whole rows of the weights, and tensors that are broadcast over them without a copy.

All leading dimensions are flattened to N *slices*. A tile is a range of slices and a range of queries; it holds
every key that its rows may attend to, so a normalizer sees whole rows and memory grows with the number of keys only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from regard.attention.trees import static, tree


@dataclass(frozen=True)
class Tile:
    """Slices `n`, queries `q` and keys `k`, each a half-open range."""

    n: tuple[int, int]
    q: tuple[int, int]
    k: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.n[1] - self.n[0], self.q[1] - self.q[0], self.k[1] - self.k[0]

    def queries(self, device: torch.device, offset: int) -> Tensor:
        """Positions of the tile's queries on the axis of the keys, (R, 1)."""
        return torch.arange(self.q[0] + offset, self.q[1] + offset, device=device)[:, None]

    def keys(self, device: torch.device) -> Tensor:
        """Positions of the tile's keys, (1, K)."""
        return torch.arange(self.k[0], self.k[1], device=device)[None, :]


def row_blocks(slices: int, queries: int, keys: int, budget: int) -> list[Tile]:
    """Cut N x Q rows of K keys into tiles of about `budget` elements, never fewer than one row, in a fixed order."""
    rows = max(1, min(queries, budget // max(keys, 1)))
    group = max(1, min(slices, budget // max(queries * keys, 1))) if rows == queries else 1
    return [
        Tile((n, min(n + group, slices)), (q, min(q + rows, queries)), (0, keys))
        for n in range(0, slices, group)
        for q in range(0, queries, max(rows, 1))
    ]


@tree
class Spread:
    """A tensor that is broadcast over the slices, queries or keys of a problem.

    `axes` names its dimensions: the first is always `n` (slices); `q` and `k` range over queries and keys and are cut
    with the tile where they are longer than 1; any other letter is left whole. `index` (N) says which part of `flat`
    belongs to each slice; without it there is one part for all, or one for each.
    """

    flat: Tensor
    index: Tensor | None
    axes: str = static()
    outer: tuple[int, ...] = static()

    @property
    def original(self) -> Tensor:
        """The tensor before its leading dimensions were flattened."""
        return self.flat.reshape((*self.outer, *self.flat.shape[1:]))

    def _cuts(self, tile: Tile) -> tuple[slice, ...]:
        ranges = {"q": tile.q, "k": tile.k}
        return tuple(
            slice(*ranges[axis]) if axis in ranges and size != 1 else slice(None)
            for axis, size in zip(self.axes[1:], self.flat.shape[1:], strict=True)
        )

    def take(self, tile: Tile) -> Tensor:
        """The part of the tensor that belongs to a tile: (n or 1, ...)."""
        cut = self.flat[(slice(None), *self._cuts(tile))]
        if self.index is not None:
            return cut.index_select(0, self.index[tile.n[0] : tile.n[1]])
        return cut if cut.shape[0] == 1 else cut[tile.n[0] : tile.n[1]]

    def add_(self, total: Tensor, tile: Tile, part: Tensor) -> None:
        """Add the gradient of `take(tile)` to `total`, the gradient of `flat`."""
        cut = total[(slice(None), *self._cuts(tile))]
        if self.index is not None:
            n, *rest = part.shape
            wanted = [size if kept != 1 else 1 for size, kept in zip(rest, cut.shape[1:], strict=True)]
            cut.index_add_(0, self.index[tile.n[0] : tile.n[1]], part.sum_to_size(n, *wanted))
            return
        target = cut if cut.shape[0] == 1 else cut[tile.n[0] : tile.n[1]]
        target.add_(part.sum_to_size(target.shape))


def spread(tensor: Tensor, lead: Sequence[int], axes: str, argument: str = "tensor") -> Spread:
    """Broadcast `tensor` over the leading dimensions `lead`; `axes` (without the `n`) names its own last dimensions.

    ValueError, in the name of `argument`, where it does not broadcast.
    """
    own = len(axes)
    inner = tensor.shape[tensor.dim() - own :]
    outer = tuple(tensor.shape[: tensor.dim() - own])
    count = 1
    for length in outer:
        count *= length
    if tensor.dim() < own or not (count == 1 or broadcasts(outer, lead)):
        raise ValueError(
            f"{argument}: came with a tensor of shape {tuple(tensor.shape)}; "
            f"expected all but its last {own} dimensions to broadcast over {tuple(lead)}"
        )
    flat = tensor.reshape(count, *inner)
    if count == 1 or outer == tuple(lead):
        return Spread(flat, None, "n" + axes, outer)
    index = torch.arange(flat.shape[0], device=tensor.device).view(outer).expand(*lead).reshape(-1)
    return Spread(flat, index, "n" + axes, outer)


def broadcasts(shape: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether a tensor of this shape broadcasts to `wanted` without making it larger."""
    pairs = zip(reversed(shape), reversed(wanted), strict=False)
    return len(shape) <= len(wanted) and all(came in (1, length) for came, length in pairs)


class Workspace:
    """Buffers that are used again for every tile: fresh memory costs more than the arithmetic done in it."""

    def __init__(self, dtype: torch.dtype, device: torch.device) -> None:
        self._dtype, self._device = dtype, device
        self._buffers: dict[str, Tensor] = {}

    def get(self, name: str, shape: Sequence[int]) -> Tensor:
        """The buffer of this name, uninitialised, in this shape."""
        size = 1
        for length in shape:
            size *= length
        buffer = self._buffers.get(name)
        if buffer is None or buffer.numel() < size:
            buffer = self._buffers[name] = torch.empty(size, dtype=self._dtype, device=self._device)
        return buffer[:size].view(*shape)
