"""What is changed of an image in training, so that a model learns what does not matter.

Made anew for every image of every batch, so what takes no thought takes little time: one call draws all numbers, one
histogram a channel tells paper and contrast, and noise is a piece of a table of normal numbers.
"""

from __future__ import annotations

from functools import cache
from math import prod

import numpy as np
from numpy.typing import NDArray

# At full strength: how much smaller an image may become and how far it may move, in parts of its size and of its
# height; how far its top may move against its bottom, in parts of its height, and its ends up and down; how much weaker
# or stronger its ink may become, how much lighter one side of it than the other, and how strong the noise.
_SMALLER, _FARTHER = 0.25, 0.05
_SHEAR, _TURN, _STEEPEST = 0.3, 0.1, 0.25
_CONTRAST, _SHADE, _NOISE = 0.4, 0.15, 0.1
_FAINTEST = 32
# How long the table is: many times as long as an image, so that two hardly meet the same piece.
_NORMALS = 1 << 18


def paper_and_contrast(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
    """Of pixels (H, W, C): the median of each channel (C,), and how far any pixel is from it at most, 32 at least.

    The median is the paper of a text, the ground of a drawing.
    """
    high, wide, channels = pixels.shape
    ground, most = [], _FAINTEST
    for channel in range(channels):
        counts = np.bincount(pixels[..., channel].ravel(), minlength=256)
        middle = int(counts.cumsum().searchsorted(high * wide / 2))
        (there,) = counts.nonzero()
        ground.append(middle)
        most = max(most, int(there[-1]) - middle, middle - int(there[0]))
    return np.array(ground, np.float32), float(most)


def augmented(pixels: NDArray[np.uint8], strength: float, draw: np.random.Generator) -> NDArray[np.float32]:
    """Features (C, H, W) of a changed image: (x - paper) / contrast of pixels that were moved, shaded and made noisy.

    It becomes a little smaller and lies somewhere in the room that this leaves, sheared and turned; its contrast, how
    evenly it is lit and its noise change. All of it is drawn evenly up to `strength` (0 to 1) of the most.
    """
    ground, most = paper_and_contrast(pixels)
    high, wide, channels = pixels.shape
    drawn = draw.random(13).tolist()
    moved = _moved(pixels, ground, strength, drawn[:8])
    stronger, across, down = (2 * each - 1 for each in drawn[8:11])
    found = moved.transpose(2, 0, 1) - ground[:, None, None]
    found *= (1 + _CONTRAST * strength * stronger) / most
    shade = _SHADE * strength / 2
    light = _from_end_to_end(shade * down, high)[:, None] + _from_end_to_end(shade * across, wide)
    noise = _noise((channels, high, wide), drawn[12]) * np.float32(_NOISE * strength * drawn[11])
    found += light
    found += noise
    return found


def _from_end_to_end(end: float, count: int) -> NDArray[np.float32]:
    """From -end to end."""
    return np.arange(count, dtype=np.float32) * np.float32(2 * end / max(count - 1, 1)) - np.float32(end)


def _noise(shape: tuple[int, ...], place: float) -> NDArray[np.float32]:
    """Normal numbers from a place (0 to 1) of the table on, from its begin again where it ends."""
    count, table = prod(shape), _normals()
    begin = int(place * len(table))
    part = table[begin : begin + count]
    if len(part) < count:
        part = np.resize(np.roll(table, -begin), count)
    return part.reshape(shape)


@cache
def _normals() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal(_NORMALS, dtype=np.float32)


def _moved(
    pixels: NDArray[np.uint8], ground: NDArray[np.float32], strength: float, drawn: list[float]
) -> NDArray[np.uint8]:
    """The same size, with the image in it smaller, sheared, turned and elsewhere, and paper around it."""
    from PIL import Image

    high, wide = pixels.shape[:2]
    narrower, lower = (1 - _SMALLER * strength * each for each in drawn[:2])
    shear, turn, right, below, farther_right, farther_below = (2 * each - 1 for each in drawn[2:])
    # The ends of a long line move by no more than those of a short one.
    steep = min(2 * _TURN * high / wide, _STEEPEST) * strength * turn
    slant = _SHEAR * strength * shear - steep
    # From a place of the new image, (x, y) off its middle, to one of the old image: the inverse of
    # [[narrower, slant * lower], [steep * narrower, lower]].
    size = 1 - slant * steep
    a, b, c, d = 1 / (narrower * size), -slant / (narrower * size), -steep / (lower * size), 1 / (lower * size)
    x, y = wide / 2, high / 2
    farther = _FARTHER * strength * min(high, wide)
    to_x = x + x * (1 - narrower) * right + farther * farther_right
    to_y = y + y * (1 - lower) * below + farther * farther_below
    data = (a, b, x - a * to_x - b * to_y, c, d, y - c * to_x - d * to_y)
    grey = pixels.shape[2] == 1
    fill = int(ground[0]) if grey else tuple(int(value) for value in ground)
    image = Image.fromarray(pixels[..., 0] if grey else pixels).transform(
        (wide, high), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR, fillcolor=fill
    )
    found = np.asarray(image)
    return found[..., None] if grey else found
