"""Grids of places: how many places cover a source, their positions, and their rows as sequences."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from regard.errors import RegardError
from regard.model.contracts import first_ones
from regard.model.embeddings import place_table, places


def parts_of(place: str, count: int) -> tuple[int, ...]:
    """The setting `model.encoder.place` as numbers: two for images, one for recordings."""
    parts = tuple(int(part) for part in place.split("x"))
    if len(parts) != count:
        meant = "pixels, high x wide, as in 8x4" if count == 2 else "frames, one number, as in 4"
        raise RegardError(f"model.encoder.place: came {place}; for this stem it should be {meant}")
    return parts


def covering(size: tuple[int, ...], parts: tuple[int, ...]) -> tuple[int, ...]:
    """How many parts of so many pixels or frames cover one source; what is left at an end is a part too."""
    return tuple(-(-length // part) for length, part in zip(size, parts, strict=True))


def covered(sizes: Tensor, parts: tuple[int, ...]) -> Tensor:
    """The same of many sources, sizes (B, n)."""
    return -(-sizes // torch.tensor(parts, device=sizes.device))


def blanked(x: Tensor, sizes: Tensor) -> Tensor:
    """x (B, h, w, C) with zeros outside of each one's first `sizes` (B, 2) rows and columns."""
    height, width = x.shape[1:3]
    if bool((sizes == torch.tensor((height, width), device=sizes.device)).all()):
        return x
    inside = first_ones(sizes[:, 0], height)[:, :, None] & first_ones(sizes[:, 1], width)[:, None, :]
    return x * inside[..., None]


def compact(x: Tensor, grid: Tensor) -> tuple[Tensor, Tensor]:
    """The places of grids (B, h, w, D), each its first `grid` (B, 2) rows and columns, one row after the other.

    Returns (B, P, D), and a mask (B, P) that is True for each one's rows * columns first places.
    """
    rows, columns = grid.unbind(1)
    counts = rows * columns
    most = int(counts.max())
    mask = first_ones(counts, most)
    if x.shape[1] == 1 or bool((columns == x.shape[2]).all()):
        return x.flatten(1, 2)[:, :most], mask
    place = torch.arange(most, device=x.device).expand(len(x), -1)
    across = columns[:, None]
    index = torch.where(mask, place // across * x.shape[2] + place % across, 0)
    return x.flatten(1, 2).gather(1, index[..., None].expand(-1, -1, x.shape[-1])), mask


class GridPositions(nn.Module):
    """Adds the vector of its row to the first half of the units of each place, that of its column to the others.

    Args:
        width: of the vectors.
        position: `sinusoidal` or `learned`; for `none` nothing is added.
        longest: how many rows, and how many columns, `learned` knows.
    """

    def __init__(self, width: int, position: str, longest: int) -> None:
        super().__init__()
        self.position = position
        place_table(self, "rows", position, longest, (width + 1) // 2)
        place_table(self, "columns", position, longest, width // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Grids (B, h, w, width)."""
        if self.position == "none":
            return x
        height, width = x.shape[1:3]
        rows: Tensor = places(self.rows, self.position, 0, height)  # type: ignore[arg-type]
        columns: Tensor = places(self.columns, self.position, 0, width)  # type: ignore[arg-type]
        down, across = rows[:, None].expand(-1, width, -1), columns[None].expand(height, -1, -1)
        return x + torch.cat([down, across], -1).to(x.dtype)
