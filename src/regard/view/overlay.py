"""What was looked at in an image: the weights over it word by word, and, of a line of text, below it in columns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from regard.errors import RegardError
from regard.maps import AttentionMap, Picture
from regard.view.drawing import COLOURS, QUIET, blank, check_picture, drawing, placed, shortened, weight_scale, written
from regard.view.signal import Bytes, Floats, grey, shrunk, spread, summed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: So many words of one output are drawn over the image; more are counted.
MOST_WORDS = 60
#: So many rows of one output are drawn below a line of text.
MOST_ROWS = 150
#: Inches: the whole width, the width and height of one word's image at most, what is between two, a word above it.
_WIDTH, _PANEL, _GAP, _WORD = 10.0, (5.0, 1.5), 0.14, 0.24
_HEAD, _SCALE, _MARGIN = 0.55, 0.42, 0.2
_LABELS, _ROW = 1.2, 0.21
#: How much of an image's grey stays where nothing was looked at, and how much of the weight's colour covers it.
_FADED, _COVERED = 0.45, 0.78
_TINT = np.array([214, 69, 0], np.float32)
#: Pixels of one word's image at most, and columns of weights below a line.
_PIXELS, _COLUMNS = 640, 2000


def overlaid(map: AttentionMap, word: int, smooth: bool = True) -> Bytes:
    """The image of a single matrix in light grey with the weights of one target token over it, (H, W, 3).

    Full colour is the token's largest weight. The weights are linear between the centres of places, or, without
    `smooth`, a box for each. Images of more than 640 pixels a side come out smaller.
    Raises `RegardError` for a map that is not over an image, and for a token that is not there.
    """
    picture, weights = _picture_of(map), map.matrix
    if not -len(weights) <= word < len(weights):
        raise RegardError(f"there is no target token {word}; they are numbered 0 to {len(weights) - 1}")
    return _tinted(picture, weights[word], smooth)


def overlay(map: AttentionMap, path: str | Path, word: int, smooth: bool = True) -> None:
    """Draw `overlaid` as a picture with its word above and its scale below. Errors also as of `heat_map`."""
    path = check_picture(path)
    found = overlaid(map, word, smooth)
    picture, label = _picture_of(map), map.target.labels[word]
    width = min(6.0, 6.0 * picture.width / picture.height)
    height = width * picture.height / picture.width
    outer = max(width, 3.2)
    with drawing(path, f"{label}{map.source.text}") as save:
        figure = blank(outer + 2 * _MARGIN, height + _HEAD + _SCALE + _MARGIN)
        written(figure, _MARGIN, 0.14, shortened(label, outer, 13), fontsize=13, weight="bold")
        written(figure, _MARGIN, 0.4, shortened(_said(map), outer, 8), fontsize=8, color=QUIET)
        _show(figure, found, _MARGIN, _HEAD + 0.1, width, height)
        _tint_scale(figure, _MARGIN, _HEAD + height + 0.24, f"{_largest(map, word)}, the largest weight")
        save(figure)


@dataclass(frozen=True)
class Section:
    """What an image and its weights take of a page of pictures, in inches, and how they are drawn there."""

    map: AttentionMap
    title: str
    width: float
    height: float

    def draw(self, figure: Figure, top: float) -> None:
        """Draw it, `top` inches below the upper edge of the figure."""
        room = self.width - 2 * _MARGIN
        written(figure, _MARGIN, top + 0.12, shortened(self.title, room, 11), fontsize=11)
        written(figure, _MARGIN, top + 0.36, shortened(_said(self.map), room, 8.5), fontsize=8.5, color=QUIET)
        top += _HEAD
        if _picture_of(self.map).is_line:
            top = _draw_line(figure, self.map, top, self.width)
        if _has_strip(_picture_of(self.map)):
            _draw_strip(figure, self.map, top, self.width)


def section(map: AttentionMap, title: str) -> Section:
    """The image of a single matrix, by itself and with the weights of every word over it.

    A line of text (`Picture.is_line`) stands above its weights, of which each row is a word and each column
    of the grid in its place; a grid of several rows is summed over them, and shown word by word too.
    """
    picture = _picture_of(map)
    width = _WIDTH
    height = _HEAD + _MARGIN
    if picture.is_line:
        width = min(max(picture.width / 60 + _LABELS, _WIDTH), 16.0)
        height += _line_height(map, width)
    if _has_strip(picture):
        height += _strip(map, width)[-1] + _SCALE
    return Section(map, title, width, height)


# A line of text -------------------------------------------------------------------------------------------------------


def _has_strip(picture: Picture) -> bool:
    return not picture.is_line or picture.rows > 1


def _line_height(map: AttentionMap, width: float) -> float:
    picture = _picture_of(map)
    image = (width - 2 * _MARGIN - _LABELS) * picture.height / picture.width
    return image + 0.06 + min(len(map.target), MOST_ROWS) * _ROW + 0.5


def _draw_line(figure: Figure, map: AttentionMap, top: float, width: float) -> float:
    """The image and the heat map below it; returns where they end."""
    picture = _picture_of(map)
    left, room = _MARGIN + _LABELS, width - 2 * _MARGIN - _LABELS
    image = room * picture.height / picture.width
    _show(figure, shrunk(picture.pixels, 4000), left, top, room, image)
    top += image + 0.06
    rows = min(len(map.target), MOST_ROWS)
    matrix = map.matrix[:rows].reshape(rows, picture.rows, picture.columns).sum(1)
    axes = placed(figure, left, top, room, rows * _ROW)
    extent = (0, picture.width, rows - 0.5, -0.5)
    drawn = axes.imshow(
        summed(matrix, _COLUMNS), cmap=COLOURS, vmin=0, aspect="auto", interpolation="nearest", extent=extent
    )
    labels = [shortened(label, _LABELS - 0.15, 9) for label in map.target.labels[:rows]]
    axes.set_yticks(range(rows), labels, fontsize=9, parse_math=False)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_color("0.7")
    top += rows * _ROW
    said = "weight" if picture.rows == 1 else f"weight, summed over the {picture.rows} rows of the grid"
    weight_scale(figure, drawn, left, top + 0.14, f"{said}{_more(map, rows)}")
    return top + 0.5


# Word by word ---------------------------------------------------------------------------------------------------------


def _strip(map: AttentionMap, width: float) -> tuple[int, float, float, float]:
    """How many images stand in a row, their width and height, and the height of all."""
    picture = _picture_of(map)
    ratio = picture.width / picture.height
    panel = min(_PANEL[0], _PANEL[1] * ratio)
    # As many as fill the whole width, none larger than may be.
    across = max(math.ceil((width - 2 * _MARGIN + _GAP) / (panel + _GAP)), 1)
    panel = min((width - 2 * _MARGIN + _GAP) / across - _GAP, panel)
    high = panel / ratio
    count = min(len(map.target), MOST_WORDS) + (0 if picture.is_line else 1)
    return across, panel, high, -(-count // across) * (high + _WORD + _GAP)


def _draw_strip(figure: Figure, map: AttentionMap, top: float, width: float) -> None:
    across, panel, high, height = _strip(map, width)
    picture, words = _picture_of(map), range(min(len(map.target), MOST_WORDS))
    images: list[tuple[str, str, Bytes]] = [
        (map.target.labels[word], _largest(map, word), _tinted(picture, map.matrix[word], smooth=True))
        for word in words
    ]
    if not picture.is_line:
        images.insert(0, ("", f"{picture.width} x {picture.height}", shrunk(picture.pixels, _PIXELS)))
    for number, (word, said, pixels) in enumerate(images):
        row, column = divmod(number, across)
        left, above = _MARGIN + column * (panel + _GAP), top + row * (high + _WORD + _GAP)
        written(figure, left, above + 0.03, shortened(word, panel - 0.4, 10), fontsize=10)
        written(figure, left + panel, above + 0.06, said, fontsize=7.5, color="0.55", ha="right")
        _show(figure, pixels, left, above + _WORD, panel, high)
    said = f"a word's largest weight, above its image at the right{_more(map, len(words))}"
    _tint_scale(figure, _MARGIN, top + height + 0.06, said)


def _largest(map: AttentionMap, word: int) -> str:
    weight = float(map.matrix[word].max(initial=0))
    return f"{weight:.2f}" if weight >= 0.005 else f"{weight:.1g}"


def _more(map: AttentionMap, drawn: int) -> str:
    return f"; the first {drawn} of {len(map.target):,} target tokens" if drawn < len(map.target) else ""


# Pixels ---------------------------------------------------------------------------------------------------------------


def _picture_of(map: AttentionMap) -> Picture:
    if not isinstance(map.medium, Picture):
        raise RegardError("this attention map is not over an image")
    return map.medium


def _tinted(picture: Picture, weights: Floats, smooth: bool) -> Bytes:
    """The image in light grey, the more in the colour of weights the heavier."""
    light = 1 - _FADED * (1 - grey(shrunk(picture.pixels, _PIXELS)))
    # A small image has more pixels here than of its own, so that the edges between places are where they belong.
    times = max(_PIXELS // (2 * max(light.shape)), 1)
    light = np.kron(light, np.ones((times, times), np.float32))
    most = float(weights.max(initial=0))
    share = spread(picture, weights / (most or 1.0), light.shape[0], light.shape[1], smooth)[..., None]
    colours = 255 * light[..., None] * (1 - _COVERED * share) + _COVERED * share * _TINT
    found: npt.NDArray[np.uint8] = np.rint(colours).astype(np.uint8)
    return found


def _show(figure: Figure, pixels: Bytes, left: float, top: float, width: float, height: float) -> None:
    axes = placed(figure, left, top, width, height)
    more: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255} if pixels.ndim == 2 else {}
    axes.imshow(pixels, aspect="auto", interpolation="antialiased", **more)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_color("0.8")


def _tint_scale(figure: Figure, left: float, top: float, said: str) -> None:
    steps = np.linspace(0, 1, 64, dtype=np.float32)[None, :, None]
    light = np.float32(255)
    pixels = np.rint(light * (1 - _COVERED * steps) + _COVERED * steps * _TINT).astype(np.uint8)
    written(figure, left, top, "0", fontsize=8, color=QUIET)
    _show(figure, pixels, left + 0.12, top + 0.02, 1.4, 0.1)
    written(figure, left + 1.6, top, said, fontsize=8, color=QUIET)


def _said(map: AttentionMap) -> str:
    how = "as each word was predicted" if map.convention == "predicting" else "as each word was read"
    return "; ".join(part for part in (f"{map.place} attention, {how}", map.note) if part)
