"""A heat map in the terminal: rows are target tokens, columns source tokens, both with their labels.

Colour blocks where the terminal has colours, shades of grey (or of ASCII) where it has none or where the output goes
to a file. Widths are counted in terminal cells, so that Chinese lines up too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Literal, TypeAlias

from regard.maps import AttentionMap

if TYPE_CHECKING:
    from rich.text import Text

Palette: TypeAlias = Literal["colour", "shades", "ascii"]

_RAMPS = {"shades": " ·░▒▓█", "ascii": " .:+*#"}
_NO_WEIGHT = "-"
#: From nothing to everything, dark to light, each step visibly lighter also for those who see few colours.
_COLOURS = (
    (0x12, 0x10, 0x2E),
    (0x4A, 0x1A, 0x78),
    (0xA8, 0x2E, 0x70),
    (0xE8, 0x6A, 0x3C),
    (0xFC, 0xC8, 0x50),
    (0xFD, 0xFA, 0xC4),
)
#: Cells of a number with two decimals, of a column that shows only its block, and of the longest upright label.
_NUMBER, _NARROW, _TALLEST = 4, 2, 16
#: The sign of a label that goes on.
_CUT = "~"


@dataclass(frozen=True)
class _Style:
    """How weights become cells: the palette, and the weight that is shown at full strength."""

    palette: Palette
    full: float

    def cell(self, weight: float, width: int, numbered: bool) -> tuple[str, str]:
        """The characters and the rich style of one weight."""
        strength = min(weight / self.full, 1.0) if self.full else 0.0
        number = f"{weight:.2f}" if numbered else ""
        if self.palette == "colour":
            red, green, blue = _colour(strength)
            ink = "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 120 else "white"
            return number.center(width), f"{ink} on rgb({red},{green},{blue})"
        ramp = _RAMPS[self.palette]
        # Only a weight of exactly 0 is blank, so that what was filtered out differs from what is merely small.
        levels = len(ramp) - 1
        level = 0 if weight == 0 else min(1 + int(strength * levels), levels)
        blocks = width - len(number) - bool(number)
        return f"{ramp[level] * blocks} {number}" if number else ramp[level] * blocks, ""


def heat_map(map: AttentionMap, width: int = 100, palette: Palette = "colour") -> Text:
    """The picture of a single matrix, at most `width` cells wide where the labels leave room for one column.

    Source labels stand over their columns, with the weights as numbers in them, if all fit beside each other; else
    they are written upright over narrow columns, which go on below when the line is full. A row without any weight is
    struck out. The last line states the scale, which is linear and runs from 0 to the largest weight of the whole map.
    Raises `RegardError` for a map whose layer or head is still to be chosen.
    """
    from rich.text import Text

    matrix = map.matrix
    labels = [_spelled(label, palette) for label in map.source.labels]
    names = [_spelled(label, palette) for label in map.target.labels]
    style = _Style(palette, float(matrix.max()) if matrix.size else 0.0)
    margin = min(max((_cells(name) for name in names), default=0), max(width // 3, _NARROW))
    room = max(width - margin - 1, _NARROW)
    least = _NUMBER if palette == "colour" else _NUMBER + 2
    widths = [max(_cells(label), least) for label in labels]
    across = sum(widths) + len(widths) <= room + 1

    picture = Text(no_wrap=True, end="")
    picture.append(_spelled(map.description, palette) + "\n", style="dim")
    if not labels or not names:
        picture.append("(an empty map: no " + ("source" if not labels else "target") + " tokens)\n")
        return picture
    if not across:
        widths = [_NARROW] * len(labels)
    for start, end in _blocks(len(labels), len(labels) if across else room // _NARROW):
        header = _across(labels, widths) if across else _upright(labels[start:end])
        if end - start < len(labels):
            picture.append(f"{_fitted('', margin)} source {start + 1} to {end} of {len(labels)}\n", style="dim")
        for line in header:
            picture.append(f"{_fitted('', margin)} {line}".rstrip() + "\n")
        for name, row in zip(names, matrix, strict=True):
            picture.append(_fitted(name, margin) + " ")
            _append_row(picture, row[start:end], widths[start:end], style, numbered=across, empty=not row.any())
    _append_scale(picture, style, any(not row.any() for row in matrix))
    return picture


def show(map: AttentionMap, file: IO[str] | None = None, width: int | None = None) -> None:
    """Print the heat map to `file` (standard output by default), as wide and as colourful as the terminal there is.

    Without a terminal, with `NO_COLOR` set or with fewer than 256 colours the map is drawn in shades; where the
    encoding lacks a character of it, in ASCII. A file gets no escape codes.
    """
    from rich.console import Console

    console = Console(file=file, width=width, highlight=False, emoji=False, markup=False)
    colours = console.is_terminal and not console.no_color and console.color_system in ("256", "truecolor")
    picture = heat_map(map, console.width, "colour" if colours else "shades")
    try:
        picture.plain.encode(console.encoding)
    except UnicodeEncodeError:
        picture = heat_map(map, console.width, "ascii")
    # A map may be wider than the terminal where the labels alone are; cutting it would hide weights.
    console.print(picture, soft_wrap=True, end="")


def _append_row(
    picture: Text, row: Iterable[float], widths: Iterable[int], style: _Style, numbered: bool, empty: bool
) -> None:
    for column, (weight, width) in enumerate(zip(row, widths, strict=True)):
        if numbered and column:
            picture.append(" ")
        if empty:
            picture.append(_NO_WEIGHT.center(width), style="dim")
        else:
            picture.append(*style.cell(float(weight), width, numbered))
    picture.append("\n")


def _append_scale(picture: Text, style: _Style, empty_rows: bool) -> None:
    picture.append("0 ", style="dim")
    if style.palette == "colour":
        for step in range(10):
            red, green, blue = _colour(step / 9)
            picture.append(" ", style=f"on rgb({red},{green},{blue})")
    else:
        picture.append(_RAMPS[style.palette])
    picture.append(f" {style.full:.2f}", style="dim")
    if empty_rows:
        picture.append(f"   {_NO_WEIGHT} no weight at all", style="dim")
    picture.append("\n")


def _colour(strength: float) -> tuple[int, int, int]:
    """The colour of a strength from 0 to 1, between its two neighbours in the list."""
    place = strength * (len(_COLOURS) - 1)
    lower = min(int(place), len(_COLOURS) - 2)
    share = place - lower
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(_COLOURS[lower], _COLOURS[lower + 1], strict=True))
    return red, green, blue


def _blocks(columns: int, most: int) -> list[tuple[int, int]]:
    """The columns split into stretches of nearly equal length, none of more than `most`."""
    count = -(-columns // most)
    size = -(-columns // count)
    return [(start, min(start + size, columns)) for start in range(0, columns, size)]


def _across(labels: Sequence[str], widths: Sequence[int]) -> list[str]:
    """One line with each label centred over its column."""
    cells = []
    for label, width in zip(labels, widths, strict=True):
        spare = width - _cells(label)
        cells.append(" " * (spare // 2) + label + " " * (spare - spare // 2))
    return [" ".join(cells)]


def _upright(labels: Sequence[str]) -> list[str]:
    """The labels written from top to bottom, ending on the same line, over columns two cells wide."""
    spelled = [_clusters(label) for label in labels]
    columns = [column if len(column) <= _TALLEST else [*column[: _TALLEST - 1], _CUT] for column in spelled]
    height = max(map(len, columns))
    padded = [[""] * (height - len(column)) + column for column in columns]
    return ["".join(_fitted(column[line], _NARROW) for column in padded) for line in range(height)]


def _clusters(text: str) -> list[str]:
    """The text cut where a new terminal cell begins: marks that take no cell stay with the letter that they modify."""
    clusters: list[str] = []
    for character in text:
        joined = clusters and (not _cells(character) or clusters[-1].endswith("\u200d"))
        if joined:
            clusters[-1] += character
        else:
            clusters.append(character)
    return clusters


def _fitted(text: str, width: int) -> str:
    """The text in exactly `width` cells: filled up with spaces, or cut with a mark."""
    if _cells(text) > width:
        kept = ""
        for cluster in _clusters(text):
            if _cells(kept + cluster) > width - 1:
                break
            kept += cluster
        text = kept + _CUT
    return text + " " * (width - _cells(text))


def _spelled(label: str, palette: Palette) -> str:
    """The label in the characters that there are."""
    return label.encode("ascii", "replace").decode("ascii") if palette == "ascii" else label


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)
