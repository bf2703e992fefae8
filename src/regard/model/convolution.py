"""Convolutions that make fewer and fewer places of an image's pixels or a recording's frames, and know no padding."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from regard.attention.products import Linear
from regard.errors import RegardError
from regard.model.contracts import Places, first_ones
from regard.model.dropout import Dropout
from regard.model.embeddings import place_table, places
from regard.model.grid import GridPositions, blanked, compact, covered, covering, parts_of

# The channels of the first layer are doubled so many times at most: the last layers would else be most of the cost.
_DOUBLED = 3


class Convolutions(nn.Module):
    """x <- relu(norm(conv(x))), layer after layer; a layer with stride 2 halves a side (and rounds up).

    Kernels are 3x3. With stride 2 place i is made of what is around 2i or around 2i + 1, never of what is around their
    middle. The last layer that halves a side takes 2i + 1, all before take 2i: so place i, which stands for the pixels
    from n i to n (i + 1), is made of what is around their middle, but for half a pixel.

    What is outside of an image is 0 before each convolution, and the norm is over the channels at each pixel: so what
    comes out depends neither on how far a batch is padded nor on its other images.

    Without the norm weights begin as He et al. (2015, section 2.2) have them, and biases at 0. Empty paper then is 0 in
    every layer, and what is not is what was drawn; a norm makes as much of the faintest noise as of ink, and a model
    learned to read only after three times as many updates, if at all.

    Args:
        given: channels of the input.
        channels: of the first layer; each following one has twice as many, up to 8 times.
        strides: of each layer, down and across.
        norm: whether there is one: for inputs that are 0 on average everywhere, such as normalised bands.
    """

    def __init__(self, given: int, channels: int, strides: Sequence[tuple[int, int]], norm: bool) -> None:
        super().__init__()
        self.strides = tuple(strides)
        widths = [channels << min(layer, _DOUBLED) for layer in range(len(strides))]
        self.channels = widths[-1] if widths else given
        last = [max((n for n, stride in enumerate(self.strides) if stride[side] == 2), default=-1) for side in (0, 1)]
        centred = [[layer != each for each in last] for layer in range(len(strides))]
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride, padding=(int(down), int(across)))
            for before, after, stride, (down, across) in zip([given, *widths], widths, strides, centred, strict=False)
        )
        # Behind the last row and column of those inputs that have no row or column before the first.
        self.behind = [(0, 2 * (not across), 0, 2 * (not down)) for down, across in centred]
        self.norms = nn.ModuleList(nn.LayerNorm(after) if norm else nn.Identity() for after in widths)
        if not norm:
            for layer in self.layers:
                assert isinstance(layer, nn.Conv2d)
                nn.init.normal_(layer.weight, std=(2 / layer.weight[0].numel()) ** 0.5)
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, sizes: Tensor) -> Tensor:
        """x (B, H, W, C), of which `sizes` (B, 2) count, as (B, h, w, channels), 0 outside of what counts."""
        x = blanked(x, sizes)
        for layer, norm, stride, behind in zip(self.layers, self.norms, self.strides, self.behind, strict=True):
            sizes = covered(sizes, stride)
            channels_first = x.permute(0, 3, 1, 2)
            if any(behind):
                channels_first = nn.functional.pad(channels_first, behind)
            x = torch.relu(norm(layer(channels_first).permute(0, 2, 3, 1)))
            x = blanked(x, sizes)
        return x


class Convolution(nn.Module):
    """The stem of images that are read by convolutions: of a place of 32x4 pixels, say, the height is halved five times
    and the width, in the first layers, twice.

    Args:
        given: channels of the images.
        channels: of the first layer.
        place: how many pixels a place stands for, high x wide, both powers of two.
        width: of the vectors that are made.
        position, longest: as for `GridPositions`.
        dropout: the probability of dropping a unit in training.
    """

    def __init__(
        self, given: int, channels: int, place: str, width: int, position: str, longest: int, dropout: float
    ) -> None:
        super().__init__()
        self.width, self.place = width, parts_of(place, 2)
        down, across = (halvings(part, place) for part in self.place)
        strides = [(1 + (layer < down), 1 + (layer < across)) for layer in range(max(down, across, 1))]
        self.convolutions = Convolutions(given, channels, strides, norm=False)
        self.project = Linear(self.convolutions.channels, width)
        # Most of a picture is paper: with this a place says as much of what is drawn there as of where it lies.
        nn.init.normal_(self.project.weight, std=2 * self.convolutions.channels**-0.5)
        nn.init.zeros_(self.project.bias)
        self.positions = GridPositions(width, position, longest)
        self.dropout = Dropout(dropout)

    def read(self, source: Tensor, sizes: Tensor) -> Places:
        """Images (B, C, H, W), of which heights and widths (B, 2) count."""
        grid = covered(sizes, self.place)
        found = self.positions(self.project(self.convolutions(source.permute(0, 2, 3, 1), sizes)))
        vectors, mask = compact(self.dropout(found), grid)
        return Places(vectors, mask, grid)

    def layout(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """The rows and columns of an image (height, width)."""
        return covering(size, self.place)


class Frames(nn.Module):
    """The stem of recordings: convolutions over time and bands, of which each layer halves both.

    Args:
        bands: of a frame.
        channels: of the first layer.
        place: how many frames a place stands for, a power of two; 1: each frame is a place, without convolutions.
        width: of the vectors that are made.
        position: `sinusoidal` or `learned`; else nothing is added.
        longest: how many places `learned` knows.
        dropout: the probability of dropping a unit in training.
    """

    def __init__(
        self, bands: int, channels: int, place: str, width: int, position: str, longest: int, dropout: float
    ) -> None:
        super().__init__()
        self.width, self.position = width, position
        (self.place,) = parts_of(place, 1)
        halved = halvings(self.place, place)
        self.convolutions = Convolutions(1, channels, [(2, 2)] * halved, norm=True)
        for _ in range(halved):
            bands = -(-bands // 2)
        self.project = Linear(bands * self.convolutions.channels, width)
        self.dropout = Dropout(dropout)
        place_table(self, "places", position, longest, width)

    def read(self, source: Tensor, sizes: Tensor) -> Places:
        """Recordings (B, S, bands), of which so many frames (B,) count."""
        bands = torch.full_like(sizes, source.shape[2])
        found = self.convolutions(source[..., None], torch.stack([sizes, bands], 1))
        found = self.project(found.flatten(2))
        if self.position in ("sinusoidal", "learned"):
            found = found + places(self.places, self.position, 0, found.shape[1]).to(found.dtype)  # type: ignore[arg-type]
        counts = covered(sizes[:, None], (self.place,))[:, 0]
        return Places(self.dropout(found), first_ones(counts, found.shape[1]))

    def layout(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """How many places so many frames (count,) make."""
        return covering(size, (self.place,))


def halvings(part: int, place: str) -> int:
    """How often so many pixels or frames are halved until one is left."""
    if part & (part - 1):
        below = 1 << (part.bit_length() - 1)
        raise RegardError(
            f"model.encoder.place: came {place}, but convolutions halve, so that it should be of powers of two; "
            f"take {below} or {2 * below} instead of {part}"
        )
    return part.bit_length() - 1
