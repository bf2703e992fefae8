"""Patches: the stem that makes vectors of an image's pixels by one linear map."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from regard.attention.products import Linear
from regard.model.contracts import Places
from regard.model.dropout import Dropout
from regard.model.grid import GridPositions, blanked, compact, covered, covering, parts_of


class Patches(nn.Module):
    """W p + b + position of every patch p of an image, its pixels in one row   (Dosovitskiy et al. 2021, section 3.1).

    Args:
        given: channels of the images.
        place: the pixels of a patch, high x wide; images are filled up with 0 to whole patches.
        width: of the vectors that are made.
        position, longest: as for `GridPositions`.
        dropout: the probability of dropping a unit in training.
    """

    def __init__(self, given: int, place: str, width: int, position: str, longest: int, dropout: float) -> None:
        super().__init__()
        self.width, self.place = width, parts_of(place, 2)
        down, across = self.place
        self.project = Linear(given * down * across, width)
        self.positions = GridPositions(width, position, longest)
        self.dropout = Dropout(dropout)

    def read(self, source: Tensor, sizes: Tensor) -> Places:
        """Images (B, C, H, W), of which heights and widths (B, 2) count."""
        (down, across), (height, width) = self.place, source.shape[2:]
        pixels = blanked(source.permute(0, 2, 3, 1), sizes)
        whole = F.pad(pixels, (0, 0, 0, -width % across, 0, -height % down))
        cut = whole.unflatten(1, (-1, down)).unflatten(3, (-1, across)).transpose(2, 3)  # (B, h, w, down, across, C)
        grid = covered(sizes, self.place)
        vectors, mask = compact(self.dropout(self.positions(self.project(cut.flatten(3)))), grid)
        return Places(vectors, mask, grid)

    def layout(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """The rows and columns of an image (height, width)."""
        return covering(size, self.place)
