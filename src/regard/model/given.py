"""A torch module of the user's own as the stem of images: features of a pretrained network, say."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from regard.attention.products import Linear
from regard.errors import RegardError, one_line
from regard.model.contracts import Places
from regard.model.dropout import Dropout
from regard.model.grid import GridPositions, compact, covered, covering, parts_of

# The sides of the image that a module is tried with; networks are mostly made for the first.
_TRIED = (224, 256, 64)


class GivenStem(nn.Module):
    """W f + b + position of each place's features f, which a module makes: (B, C, H, W) -> (B, D, h, w).

    The module knows no padding, so images of one size are given to it together, and each other size by itself. If none
    of its parameters is to be learned it stays in evaluation mode, in training too.

    Args:
        module: what makes features; it has to make one of each `place`, what is left at an end counting as a whole one.
        given: channels of the images.
        place: how many pixels a place stands for, high x wide.
        width: of the vectors that are made.
        position, longest: as for `GridPositions`.
        dropout: the probability of dropping a unit in training.
    """

    def __init__(
        self, module: nn.Module, given: int, place: str, width: int, position: str, longest: int, dropout: float
    ) -> None:
        super().__init__()
        self.width, self.place = width, parts_of(place, 2)
        self.module = module
        features, _ = _tried(module, given)
        self.project = Linear(features.shape[1], width)
        self.positions = GridPositions(width, position, longest)
        self.dropout = Dropout(dropout)

    def train(self, mode: bool = True) -> GivenStem:
        super().train(mode)
        self.module.train(mode and any(parameter.requires_grad for parameter in self.module.parameters()))
        return self

    def read(self, source: Tensor, sizes: Tensor) -> Places:
        """Images (B, C, H, W), of which heights and widths (B, 2) count."""
        grid = covered(sizes, self.place)
        rows, columns = grid.amax(0).tolist()
        found = source.new_zeros(len(source), rows, columns, self.width)
        for height, width in sizes.unique(dim=0).tolist():
            same = ((sizes[:, 0] == height) & (sizes[:, 1] == width)).nonzero()[:, 0]
            features = self.module(source[same, :, :height, :width])
            _check(features, (height, width), self.place)
            across = (0, 0, 0, columns - features.shape[3], 0, rows - features.shape[2])
            made = self.project(features.permute(0, 2, 3, 1))
            found = found.index_copy(0, same, nn.functional.pad(made, across).to(found.dtype))
        vectors, mask = compact(self.dropout(self.positions(found)), grid)
        return Places(vectors, mask, grid)

    def layout(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """The rows and columns of an image (height, width)."""
        return covering(size, self.place)


def reads(module: nn.Module, channels: int) -> bool:
    """Whether a module makes features of images of so many channels."""
    try:
        _tried(module, channels)
    except RegardError:
        return False
    return True


def place_of(module: nn.Module, channels: int) -> str:
    """How many pixels one place of what a module makes stands for, as `model.encoder.place` has it."""
    found, side = _tried(module, channels)
    return "x".join(str(-(-side // count)) for count in found.shape[2:])


def _tried(module: nn.Module, channels: int) -> tuple[Tensor, int]:
    """What the module makes of an empty image (1, D, h, w), and how many pixels that has on a side.

    Raises `RegardError` where it is no grid of features.
    """
    one = next(module.parameters(), torch.zeros((), device="cpu"))
    was_training, error = module.training, ""
    try:
        module.eval()
        with torch.device(one.device), torch.no_grad():
            for side in _TRIED:
                try:
                    found = module(torch.zeros(1, channels, side, side, dtype=one.dtype))
                except (RuntimeError, ValueError, AssertionError) as failed:  # of a size, or channels, that it refuses
                    error = error or one_line(failed)
                    continue
                _check(found, (side, side), None)
                return found, side
    finally:
        module.train(was_training)
    raise RegardError(f"model.encoder.stem: the module can't read images of {channels} channels ({error})")


def _check(found: object, size: tuple[int, int], place: tuple[int, ...] | None) -> None:
    if not isinstance(found, Tensor) or found.dim() != 4:
        what = f"a tensor of shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        raise RegardError(f"model.encoder.stem: the module made {what}; it should be features (B, D, h, w)")
    if place is not None and tuple(found.shape[2:]) != covering(size, place):
        rows, columns = covering(size, place)
        raise RegardError(
            f"model.encoder.place: of {size[0]} x {size[1]} pixels the module made {found.shape[2]} x {found.shape[3]} "
            f"places, and {place[0]}x{place[1]} says {rows} x {columns}"
        )
