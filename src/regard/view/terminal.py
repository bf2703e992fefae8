"""Attention maps in the terminal; over texts a heat map: rows are target tokens, columns source tokens.

Colour blocks where the terminal has colours, shades of grey (or of ASCII) where it has none or where the output goes
to a file. Widths are counted in terminal cells, so that Chinese lines up too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import IO, TYPE_CHECKING

from regard.maps import AttentionMap, Picture
from regard.view.cells import CUT, NO_WEIGHT, Palette, Style, append_scale, clusters, fitted, spelled, width_of

if TYPE_CHECKING:
    from rich.text import Text

#: Cells of a number with two decimals, of a column that shows only its block, and of the longest upright label.
_NUMBER, _NARROW, _TALLEST = 4, 2, 16


def heat_map(map: AttentionMap, width: int = 100, palette: Palette = "colour") -> Text:
    """The picture of a single matrix, at most `width` cells wide where the labels leave room for one column.

    Source labels stand over their columns, with the weights as numbers in them, if all fit beside each other; else
    they are written upright over narrow columns, which go on below when the line is full. A row without any weight is
    struck out. The last line states the scale, which is linear and runs from 0 to the largest weight of the whole map.
    Raises `RegardError` for a map whose layer or head is still to be chosen.
    """
    from rich.text import Text

    matrix = map.matrix
    labels = [spelled(label, palette) for label in map.source.labels]
    names = [spelled(label, palette) for label in map.target.labels]
    style = Style(palette, float(matrix.max()) if matrix.size else 0.0)
    margin = min(max((width_of(name) for name in names), default=0), max(width // 3, _NARROW))
    room = max(width - margin - 1, _NARROW)
    least = _NUMBER if palette == "colour" else _NUMBER + 2
    widths = [max(width_of(label), least) for label in labels]
    across = sum(widths) + len(widths) <= room + 1

    picture = Text(no_wrap=True, end="")
    picture.append(spelled(map.description, palette) + "\n", style="dim")
    if not labels or not names:
        picture.append("(an empty map: no " + ("source" if not labels else "target") + " tokens)\n")
        return picture
    if not across:
        widths = [_NARROW] * len(labels)
    for start, end in _blocks(len(labels), len(labels) if across else room // _NARROW):
        header = _across(labels, widths) if across else _upright(labels[start:end])
        if end - start < len(labels):
            picture.append(f"{fitted('', margin)} source {start + 1} to {end} of {len(labels)}\n", style="dim")
        for line in header:
            picture.append(f"{fitted('', margin)} {line}".rstrip() + "\n")
        for name, row in zip(names, matrix, strict=True):
            picture.append(fitted(name, margin) + " ")
            _append_row(picture, row[start:end], widths[start:end], style, numbered=across, empty=not row.any())
    append_scale(picture, style, any(not row.any() for row in matrix))
    return picture


def picture_of(map: AttentionMap, width: int = 100, palette: Palette = "colour") -> Text:
    """The picture of a single matrix in the way that suits its source.

    A text has a heat map (`heat_map`); a recording, or the image of a line, a row of cells for each word along it;
    another image a small picture for each word (`regard.view.blocks`). Errors as of `heat_map`.
    """
    from regard.view.blocks import along, pictures

    if map.medium is None or not len(map.target):
        return heat_map(map, width, palette)
    if isinstance(map.medium, Picture) and not map.medium.is_line:
        return pictures(map, width, palette)
    return along(map, width, palette)


def show(map: AttentionMap, file: IO[str] | None = None, width: int | None = None) -> None:
    """Print the map to `file` (standard output by default), as wide and as colourful as the terminal there is.

    Without a terminal, with `NO_COLOR` set or with fewer than 256 colours the map is drawn in shades; where the
    encoding lacks a character of it, in ASCII. A file gets no escape codes.
    """
    from rich.console import Console

    console = Console(file=file, width=width, highlight=False, emoji=False, markup=False)
    colours = console.is_terminal and not console.no_color and console.color_system in ("256", "truecolor")
    picture = picture_of(map, console.width, "colour" if colours else "shades")
    try:
        picture.plain.encode(console.encoding)
    except UnicodeEncodeError:
        picture = picture_of(map, console.width, "ascii")
    # A map may be wider than the terminal where the labels alone are; cutting it would hide weights.
    console.print(picture, soft_wrap=True, end="")


def _append_row(
    picture: Text, row: Iterable[float], widths: Iterable[int], style: Style, numbered: bool, empty: bool
) -> None:
    for column, (weight, width) in enumerate(zip(row, widths, strict=True)):
        if numbered and column:
            picture.append(" ")
        if empty:
            picture.append(NO_WEIGHT.center(width), style="dim")
        else:
            picture.append(*style.cell(float(weight), width, numbered))
    picture.append("\n")


def _blocks(columns: int, most: int) -> list[tuple[int, int]]:
    """The columns split into stretches of nearly equal length, none of more than `most`."""
    count = -(-columns // most)
    size = -(-columns // count)
    return [(start, min(start + size, columns)) for start in range(0, columns, size)]


def _across(labels: Sequence[str], widths: Sequence[int]) -> list[str]:
    """One line with each label centred over its column."""
    cells = []
    for label, width in zip(labels, widths, strict=True):
        spare = width - width_of(label)
        cells.append(" " * (spare // 2) + label + " " * (spare - spare // 2))
    return [" ".join(cells)]


def _upright(labels: Sequence[str]) -> list[str]:
    """The labels written from top to bottom, ending on the same line, over columns two cells wide."""
    spelled = [clusters(label) for label in labels]
    columns = [column if len(column) <= _TALLEST else [*column[: _TALLEST - 1], CUT] for column in spelled]
    height = max(map(len, columns))
    padded = [[""] * (height - len(column)) + column for column in columns]
    return ["".join(fitted(column[line], _NARROW) for column in padded) for line in range(height)]
