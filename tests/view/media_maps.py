"""Maps over images and recordings, made of numbers alone: shapes, a line of digits, a telephone number dialled."""

from __future__ import annotations

from typing import Any

import numpy as np

from regard.maps import AttentionMap, Picture, Sound, whole_words

#: Digits of 5 by 7 points, a row in each five bits.
_DIGITS = {
    "0": (14, 17, 19, 21, 25, 17, 14),
    "1": (4, 12, 4, 4, 4, 4, 14),
    "2": (14, 17, 1, 2, 4, 8, 31),
    "3": (31, 2, 4, 2, 1, 17, 14),
    "4": (2, 6, 10, 18, 31, 2, 2),
    "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (6, 8, 16, 30, 17, 17, 14),
    "7": (31, 1, 2, 4, 8, 8, 8),
    "8": (14, 17, 17, 14, 17, 17, 14),
    "9": (14, 17, 17, 15, 1, 2, 12),
}


def scene(axes: tuple[str, ...] = ()) -> AttentionMap:
    """A red circle left of a blue square: each word looks at its object, "left of" between them, the end everywhere."""
    pixels = np.full((96, 128, 3), 250, np.uint8)
    y, x = np.mgrid[:96, :128]
    pixels[(y - 40) ** 2 + (x - 34) ** 2 < 20**2] = (210, 40, 40)
    pixels[(abs(y - 56) < 17) & (abs(x - 94) < 17)] = (40, 70, 200)
    rows, columns = 12, 16
    circle, square, between = (
        _spot(rows, columns, 5, 4.2),
        _spot(rows, columns, 7, 11.7),
        _spot(rows, columns, 6, 8, 2.6),
    )
    words = {"a": circle, "red": circle, "circle": circle, "left": between, "of": between + 0.3 * square}
    weights = [*words.values(), square, square, square, np.ones(rows * columns)]
    target = whole_words([*words, "a", "blue", "square", "</s>"], special=["</s>"])
    return _map(Picture(pixels, rows, columns), "scene-17.png", weights, target, axes)


def line(text: str = "2718 281828", rows: int = 1, height: int = 32) -> AttentionMap:
    """A line of digits, read from left to right."""
    pixels = np.full((height, 18 * len(text) + 14), 244, np.uint8)
    for place, digit in enumerate(text):
        if digit in _DIGITS:
            points = [[(bits >> (4 - column)) & 1 for column in range(5)] for bits in _DIGITS[digit]]
            top, left = height // 2 - 10 + place % 3 - 1, 10 + 18 * place
            drawn = np.kron(np.array(points, bool), np.ones((3, 2), bool))
            pixels[top : top + 21, left : left + 10][drawn] = 30
    columns = pixels.shape[1] // 4
    weights = [_spot(rows, columns, (rows - 1) / 2, (10 + 18 * place + 5) / 4 - 0.5, 1.5) for place in range(len(text))]
    weights.append(_spot(rows, columns, (rows - 1) / 2, columns - 2, 1))
    return _map(
        Picture(pixels, rows, columns), "line.png", weights, whole_words([*text.replace(" ", "␣"), "</s>"], ["</s>"])
    )


def dialled(seed: int = 3, axes: tuple[str, ...] = ()) -> AttentionMap:
    """Keys of a telephone, each attended to while it sounds."""
    from regard.data.pocket.tones import RATE, tones

    example = [each for each in tones(seed) if each.part == "dev"][seed]
    samples = example.samples()
    step = 0.04
    places = int(np.ceil(len(samples) / RATE / step))
    time = (np.arange(places) + 0.5) * step
    generator = np.random.default_rng(seed)
    weights = []
    for start, end in example.spans:
        inside = np.exp(-((np.maximum(np.maximum(start - time, time - end), 0) / 0.02) ** 2))
        weights.append(inside * (0.6 + 0.4 * generator.random(places)) + 0.002)
    weights.append(np.exp(-(((time - len(samples) / RATE) / 0.1) ** 2)))
    target = whole_words([*example.keys, "</s>"], special=["</s>"])
    return _map(Sound(samples, RATE, places, step), "call-3.wav", weights, target, axes)


def _spot(rows: int, columns: int, row: float, column: float, width: float = 1.6) -> np.ndarray:
    y, x = np.mgrid[:rows, :columns]
    spot: np.ndarray = np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * width**2)).ravel()
    return spot


def _map(medium: Any, name: str, weights: list[np.ndarray], target: Any, axes: tuple[str, ...] = ()) -> AttentionMap:
    rows = np.array(weights) / np.sum(weights, axis=-1, keepdims=True)
    for axis in reversed(axes):
        rows = np.stack([rows, np.roll(rows, 2, axis=-1)]) if axis == "head" else rows[None]
    return AttentionMap(rows.astype(np.float32), medium.tokens(name), target, axes=axes, medium=medium)
