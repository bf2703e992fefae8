"""What is changed of an image in training, so that a model learns what does not matter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# At full strength: how much smaller an image may become and how far it may move, in parts of its size and of its
# height; how far its top may move against its bottom, in parts of its height, and its ends up and down; how much weaker
# or stronger its ink may become, how much lighter one side of it than the other, and how strong the noise.
_SMALLER, _FARTHER = 0.25, 0.05
_SHEAR, _TURN, _STEEPEST = 0.3, 0.1, 0.25
_CONTRAST, _SHADE, _NOISE = 0.4, 0.15, 0.1
_FAINTEST = 32.0


def paper(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The median of each channel of pixels (H, W, C), (C,): the paper of a text, the ground of a drawing."""
    middle = pixels.shape[0] * pixels.shape[1] / 2
    counts = [np.bincount(channel.ravel(), minlength=256) for channel in np.moveaxis(pixels, 2, 0)]
    return np.array([np.searchsorted(np.cumsum(count), middle) for count in counts], dtype=np.float32)


def contrast(pixels: NDArray[np.uint8], ground: NDArray[np.float32]) -> np.float32:
    """The greatest difference of a pixel from the ground (C,), 32 at least."""
    ends = np.stack([pixels.min((0, 1)), pixels.max((0, 1))]).astype(np.float32)
    return np.float32(max(np.abs(ends - ground).max(), _FAINTEST))


def augmented(pixels: NDArray[np.uint8], strength: float, draw: np.random.Generator) -> NDArray[np.float32]:
    """Features (C, H, W) of a changed image: (x - paper) / contrast of pixels that were moved, shaded and made noisy.

    It becomes a little smaller and lies somewhere in the room that this leaves, sheared and turned; its contrast, how
    evenly it is lit and its noise change. All of it is drawn evenly up to `strength` (0 to 1) of the most.
    """
    ground = paper(pixels)
    moved = _moved(pixels, ground, strength, draw)
    high, wide = pixels.shape[:2]
    stronger, across, down, noise = draw.uniform((-1, -1, -1, 0), 1)
    found = (moved.transpose(2, 0, 1).astype(np.float32) - ground[:, None, None]) * np.float32(
        (1 + _CONTRAST * strength * stronger) / contrast(pixels, ground)
    )
    shade = _SHADE * strength / 2
    found += np.linspace(-shade * down, shade * down, high, dtype=np.float32)[:, None]
    found += np.linspace(-shade * across, shade * across, wide, dtype=np.float32)
    found += draw.standard_normal(found.shape, dtype=np.float32) * np.float32(_NOISE * strength * noise)
    return found


def _moved(
    pixels: NDArray[np.uint8], ground: NDArray[np.float32], strength: float, draw: np.random.Generator
) -> NDArray[np.uint8]:
    """The same size, with the image in it smaller, sheared, turned and elsewhere, and paper around it."""
    from PIL import Image

    high, wide = pixels.shape[:2]
    smaller = 1 - _SMALLER * strength * draw.random(2)
    shear, turn, *place = draw.uniform(-1, 1, 6)
    # The ends of a long line move by no more than those of a short one.
    steep = min(2 * _TURN * high / wide, _STEEPEST) * strength * turn
    slant = _SHEAR * strength * shear - steep
    # From a place of the new image, (x, y) off its middle, to one of the old image.
    matrix = np.linalg.inv(np.array([[1.0, slant], [steep, 1.0]]) * smaller)
    middle = np.array([wide, high]) / 2
    room = middle * (1 - smaller) * place[:2] + _FARTHER * strength * min(high, wide) * np.array(place[2:])
    offset = middle - matrix @ (middle + room)
    data = (matrix[0, 0], matrix[0, 1], offset[0], matrix[1, 0], matrix[1, 1], offset[1])
    grey = pixels.shape[2] == 1
    fill = int(ground[0]) if grey else tuple(int(value) for value in ground)
    image = Image.fromarray(pixels[..., 0] if grey else pixels).transform(
        (wide, high), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR, fillcolor=fill
    )
    found = np.asarray(image)
    return found[..., None] if grey else found
