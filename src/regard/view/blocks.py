"""Maps over images and recordings in a terminal: rows of cells along the line or the time, or small pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from regard.maps import AttentionMap, Picture, Sound
from regard.view.cells import (
    NO_WEIGHT,
    RAMPS,
    Palette,
    Style,
    append_scale,
    colour,
    decimal,
    fitted,
    shade,
    spelled,
    width_of,
)
from regard.view.signal import envelope, grey, pooled, spread, summed

if TYPE_CHECKING:
    from rich.text import Text

Floats = npt.NDArray[np.floating[Any]]
#: The characters and the rich style of some cells.
Cells = tuple[str, str]

#: So many words have pictures, and so many have rows; more are counted.
MOST_WORDS, MOST_ROWS = 40, 200
#: A small picture has at most so many cells across and points down, and at least so many across.
_ACROSS, _DOWN, _LEAST = 24, 24, 12
#: Eighths of a cell, for the loudness of a recording.
_BARS = {"shades": " ▁▂▃▄▅▆▇█", "ascii": " .:-=+*#@"}
_HALF = "▀"


def along(map: AttentionMap, width: int, palette: Palette) -> Text:
    """A row of cells for each word, along the seconds of a recording or the width of an image of a line.

    Above stands how loud the recording is, or the image. A cell has the sum of the places that share it, and of all
    rows of the grid.
    """
    from rich.text import Text

    medium, matrix, rows = map.medium, map.matrix[:MOST_ROWS], 1
    if isinstance(medium, Picture):
        rows, matrix = medium.rows, matrix.reshape(-1, medium.rows, medium.columns).sum(1)
    names = [spelled(label, palette) for label in map.target.labels[:MOST_ROWS]]
    margin = min(max((width_of(name) for name in names), default=0), max(width // 4, 2))
    room = max(width - margin - 1, 8)
    columns = min(matrix.shape[1], room)
    each = room // columns
    weights = np.repeat(summed(matrix, columns), each, axis=1)
    style = Style(palette, float(weights.max(initial=0.0)))

    picture = Text(no_wrap=True, end="")
    picture.append(spelled(map.description, palette) + "\n", style="dim")
    for line in _above(medium, weights.shape[1], palette):
        picture.append(" " * (margin + 1))
        _append(picture, line)
    for name, row in zip(names, weights, strict=True):
        picture.append(fitted(name, margin) + " ")
        if row.any():
            _append(picture, [style.cell(float(weight), 1, numbered=False) for weight in row])
        else:
            picture.append(NO_WEIGHT * len(row) + "\n", style="dim")
    length, unit = (medium.places * medium.step, "s") if isinstance(medium, Sound) else (_width_of(medium), "px")
    picture.append(" " * (margin + 1) + _axis(length, unit, weights.shape[1]) + "\n", style="dim")
    places = rows * matrix.shape[1] / columns
    append_scale(picture, style, not matrix.any(axis=1).all())
    if places > 1:
        picture.append(f"a cell: the sum of {places:.3g} places\n", style="dim")
    _append_more(picture, map, len(names))
    return picture


def pictures(map: AttentionMap, width: int, palette: Palette) -> Text:
    """A small picture of the weights for each word, each on its own scale, side by side; in colours also the image.

    Above each stands its word, and its largest weight. Of the places that share a point, the heaviest counts.
    """
    from rich.text import Text

    medium = map.medium
    assert isinstance(medium, Picture)  # by `heat_map`
    across, down = _points(medium, palette)
    drawn: list[tuple[str, str, list[list[Cells]]]] = []
    if palette == "colour":
        drawn.append(("", f"{medium.width} x {medium.height}", _halves(_thumbnail(medium, across, down))))
    for label, weights in list(zip(map.target.labels, map.matrix, strict=True))[:MOST_WORDS]:
        most = float(weights.max(initial=0.0))
        points = _gridded(medium, weights, across, down)
        said = decimal(most) if most else "no weight at all"
        drawn.append((spelled(label, palette), said, _lines(points, most, palette)))

    cells = across * (1 if palette == "colour" else 2)
    beside = max((width + 2) // (cells + 2), 1)
    picture = Text(no_wrap=True, end="")
    picture.append(spelled(map.description, palette) + "\n", style="dim")
    for start in range(0, len(drawn), beside):
        row = drawn[start : start + beside]
        for number, (label, said, _) in enumerate(row):
            room = cells - width_of(said) - 1
            picture.append("  " * (number > 0) + (fitted(label, room) if room > 0 else "") + " " * (room >= 0))
            picture.append(fitted(said, min(cells, width_of(said))), style="dim")
        picture.append("\n")
        for line in range(len(row[0][2])):
            _append(
                picture,
                [cell for number, each in enumerate(row) for cell in [("  " * (number > 0), ""), *each[2][line]]],
            )
    append_scale(picture, Style(palette, 1.0), empty_rows=False, of="   of a word's largest")
    _append_more(picture, map, min(len(map.target), MOST_WORDS))
    return picture


# Points ---------------------------------------------------------------------------------------------------------------


def _points(picture: Picture, palette: Palette) -> tuple[int, int]:
    """How many points a small picture has across and down: in the shape of the image, about one for each place."""
    ratio = picture.width / picture.height
    across = min(max(picture.columns, picture.rows * ratio, _LEAST), _ACROSS, _DOWN * ratio)
    across = max(round(across), 1)
    down = max(min(round(across / ratio), _DOWN), 1)
    # Two points share a cell where there are colours.
    return across, down + (down % 2 if palette == "colour" else 0)


def _gridded(picture: Picture, weights: Floats, across: int, down: int) -> Floats:
    """The weights at each point, (down, across)."""
    fine = spread(picture, weights, max(down, picture.rows) * 2, max(across, picture.columns) * 2, smooth=False)
    return pooled(pooled(fine, across).T, down).T


def _thumbnail(picture: Picture, across: int, down: int) -> npt.NDArray[np.uint8]:
    """The image in so many points, (down, across, 3), each the mean of its pixels."""
    pixels: Floats = (picture.pixels if picture.pixels.ndim == 3 else np.stack([picture.pixels] * 3, axis=2)).astype(
        float
    )
    for axis, points in ((0, down), (1, across)):
        count = pixels.shape[axis]
        if count < points:
            pixels = np.take(pixels, np.arange(points) * count // points, axis)
            continue
        starts = np.arange(points) * count // points
        sizes = np.diff(np.append(starts, count)).reshape([-1 if each == axis else 1 for each in range(3)])
        pixels = np.add.reduceat(pixels, starts, axis=axis) / sizes
    return np.rint(pixels).astype(np.uint8)


# Cells ----------------------------------------------------------------------------------------------------------------


def _lines(points: Floats, most: float, palette: Palette) -> list[list[Cells]]:
    """The points of one word's weights as lines of cells."""
    if palette != "colour":
        ramp = RAMPS[palette]
        return [[(2 * shade(ramp, float(weight), most), "") for weight in row] for row in points]
    shares = points / most if most else points
    return _halves(np.array([[colour(min(float(share), 1.0)) for share in row] for row in shares], np.uint8))


def _halves(points: npt.NDArray[np.uint8]) -> list[list[Cells]]:
    """Colours (an even number of rows, columns, 3) as lines of cells, each of an upper and a lower half."""
    return [
        [(_HALF, f"{_rgb(upper)} on {_rgb(lower)}") for upper, lower in zip(*rows, strict=True)]
        for rows in zip(points[::2], points[1::2], strict=True)
    ]


def _rgb(colours: Sequence[int] | npt.NDArray[np.uint8]) -> str:
    red, green, blue = colours
    return f"rgb({red},{green},{blue})"


def _above(medium: Any, columns: int, palette: Palette) -> list[list[Cells]]:
    """What stands above the rows: the loudness of a recording, or an image, as lines of cells."""
    if isinstance(medium, Sound):
        lowest, highest = envelope(medium, columns)
        loud = np.maximum(abs(lowest), abs(highest))
        loud = np.repeat(loud, -(-columns // len(loud)))[:columns]
        bars = _BARS["ascii" if palette == "ascii" else "shades"]
        steps = np.ceil(loud / (float(loud.max()) or 1.0) * (len(bars) - 1)).astype(int)
        return [[(bars[step], "dim") for step in steps]]
    if palette == "colour":
        down = max(round(columns * medium.height / medium.width), 2)
        return _halves(_thumbnail(medium, columns, down + down % 2))
    ink = 1 - grey(_thumbnail(medium, columns, max(round(columns * medium.height / medium.width / 2), 2)))
    ink = np.where(ink - np.median(ink) > 0.1, ink, 0)
    return [[(shade(RAMPS[palette], float(point), float(ink.max())), "dim") for point in row] for row in ink]


def _append(picture: Text, cells: Sequence[Cells]) -> None:
    """A line of cells; neighbours alike are one piece."""
    piece, style = "", ""
    for text, own in cells:
        if own != style and piece:
            picture.append(piece, style=style)
            piece = ""
        piece, style = piece + text, own
    picture.append(piece, style=style)
    picture.append("\n")


def _append_more(picture: Text, map: AttentionMap, drawn: int) -> None:
    if drawn < len(map.target):
        picture.append(f"the first {drawn} of {len(map.target):,} target tokens\n", style="dim")


def _width_of(medium: Any) -> float:
    return float(medium.width)


def _axis(length: float, unit: str, columns: int) -> str:
    """Numbers below the cells that begin at them, from 0 on, at even steps, as many as have room."""
    least = length * 10 / columns
    scale = 10 ** math.floor(math.log10(least))
    step = next(scale * factor for factor in (1, 2, 5, 10) if scale * factor >= least)
    digits = max(-math.floor(math.log10(step) + 1e-9), 0)
    line, number = "", 0
    while number * step <= length:
        at = round(number * step / length * columns)
        text = f"{number * step:.{digits}f}{unit if not number else ''}"
        if at + len(text) > columns or at < len(line):
            break
        line = line.ljust(at) + text
        number += 1
    return line
