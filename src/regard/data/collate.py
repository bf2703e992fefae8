"""`Batch`: examples side by side as tensors, padded to the longest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from regard.data.media import Generators, Images, Sounds
from regard.data.tokenisers import Tokeniser


@dataclass(frozen=True)
class Batch:
    """B examples. The decoder reads `target_in` and should say `target_out`: the same tokens, one step later.

    The two target sides are of one width T, the longest target and its mark. An empty batch has B = S = T = 0.
    """

    source: Tensor  # (B, S) int64 ids, padded at the end; or images (B, C, H, W) or frames (B, S, bands) float32
    source_lengths: Tensor  # (B,) int64; of images (B, 2), heights and widths
    target_in: Tensor  # (B, T) int64, begins with bos
    target_out: Tensor  # (B, T) int64, ends with eos
    target_lengths: Tensor  # (B,) int64, the mark counted
    indices: Tensor  # (B,) int64, the examples' numbers in the corpus

    def __len__(self) -> int:
        return self.source.shape[0]

    @property
    def source_mask(self) -> Tensor:
        """(B, S) bool: True where there is a token, which may be attended to."""
        return length_mask(self.source_lengths, self.source.shape[1])

    @property
    def target_mask(self) -> Tensor:
        """(B, T) bool: True where there is a token of the target or its mark."""
        return length_mask(self.target_lengths, self.target_out.shape[1])

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Batch:
        """The same batch on another device."""
        moved = {part.name: getattr(self, part.name).to(device, non_blocking=non_blocking) for part in fields(self)}
        return Batch(**moved)

    def pin_memory(self) -> Batch:
        """The same batch in memory that a GPU copies from directly."""
        return Batch(**{part.name: getattr(self, part.name).pin_memory() for part in fields(self)})


def length_mask(lengths: Tensor, width: int) -> Tensor:
    """(B, width) bool: True in the first `lengths[b]` columns of row b."""
    return torch.arange(width, device=lengths.device) < lengths.unsqueeze(1)


def pad(rows: Sequence[ArrayLike], filler: int) -> tuple[Tensor, Tensor]:
    """Rows of ids side by side: (B, longest) int64 with `filler` at their ends, and their lengths (B,) int64.

    Rows (n, 2), of sources that may be copied, make (B, longest, 2).
    """
    lengths = np.fromiter((len(np.atleast_1d(row)) for row in rows), np.int64, len(rows))
    inner = np.asarray(rows[0]).shape[1:] if rows else ()
    padded = np.full((len(rows), int(lengths.max(initial=0)), *inner), filler, np.int64)
    if padded.size:
        padded[np.arange(padded.shape[1]) < lengths[:, None]] = np.concatenate([np.asarray(row) for row in rows])
    return torch.from_numpy(padded), torch.from_numpy(lengths)


def collate(
    sources: Sequence[ArrayLike],
    targets: Sequence[ArrayLike],
    indices: Sequence[int],
    *,
    source_pad: int,
    target_pad: int,
    bos: int,
    eos: int,
) -> Batch:
    """Put the examples of those `indices` side by side: `sources[i]` and `targets[i]`, ids without marks."""
    side = pad([sources[index] for index in indices], source_pad)
    return with_targets(*side, targets, indices, target_pad=target_pad, bos=bos, eos=eos)


def with_targets(
    source: Tensor,
    sizes: Tensor,
    targets: Sequence[ArrayLike] | Mapping[int, ArrayLike],
    indices: Sequence[int],
    *,
    target_pad: int,
    bos: int,
    eos: int,
) -> Batch:
    """A batch of sources that are side by side already, with the targets of the same examples."""
    chosen = [np.asarray(targets[index], np.int64) for index in indices]
    target_in, target_lengths = pad([np.concatenate(((bos,), row)) for row in chosen], target_pad)
    target_out, _ = pad([np.concatenate((row, (eos,))) for row in chosen], target_pad)
    numbers = torch.tensor(list(indices), dtype=torch.int64)
    return Batch(source, sizes, target_in, target_out, target_lengths, numbers)


def side_by_side(
    sources: Sequence[Any], by: Tokeniser | Images | Sounds, draws: Generators | None = None
) -> tuple[Tensor, Tensor]:
    """Sources as tensors, padded, and their sizes: ids of a tokeniser, or items of which media make features.

    `draws` has a generator for each item where they are to be varied.
    """
    return by.batch(sources, draws) if isinstance(by, (Images, Sounds)) else pad(sources, by.pad)
