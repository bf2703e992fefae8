"""Pictures in PNG and SVG: heat maps of attention, and curves; drawn by matplotlib (see `regard.view.drawing`)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from regard.errors import RegardError
from regard.maps import AttentionMap, visible
from regard.view.drawing import COLOURS, POINTS, QUIET, blank, check_picture, drawing, widths

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Name -> (xs, ys).
Series: TypeAlias = Mapping[str, tuple[Sequence[float], Sequence[float]]]

#: Inches of one weight where there is room, and of all weights of a picture side by side where there are many.
_CELL, _WIDEST = 0.36, 20.0
#: Columns become so wide to have level labels, as long as all of a picture side by side take no more than that.
_WIDE_CELL, _LEVEL = 1.1, 11.0
#: Matrices of more weights than this are pictures only: their numbers would be too many to be read.
_MOST_NUMBERS = 600
#: What the losses of a training are called.
_LOSSES = {"loss": "training", "train_loss": "training", "dev_loss": "validation"}
#: Longer pairs of texts are not repeated above their matrix.
_LONGEST_TITLE = 120


def heat_map(
    maps: AttentionMap | Sequence[AttentionMap], path: str | Path, titles: Sequence[str] | None = None
) -> None:
    """Draw attention as one picture: rows are target tokens, columns source tokens, the darker the heavier.

    Several single matrices stand side by side; one map of many layers and heads becomes a grid of them, a line for
    each layer. All panels share one linear scale, from 0 to the largest weight. Rows without any weight are hatched.
    Matrices of up to 600 weights show their numbers, an exact 0 as `0`, where the cells have room for them. Source
    labels stand upright only where there is no room for them side by side. `titles`, one for each map, default to the
    two texts and what was done to the weights. The ending of `path` (`.png` or `.svg`) says which kind of picture.
    Characters that no font on this machine has are warned of in one line.

    Raises `RegardError` without matplotlib, for another ending, for an empty map, where one of several maps still has
    layers or heads, or where `path` can't be written.
    """
    maps = [maps] if isinstance(maps, AttentionMap) else list(maps)
    titles = [titled(map) for map in maps] if titles is None else list(titles)
    path = check_picture(path)
    if not maps or any(map.weights.size == 0 for map in maps):
        raise RegardError(f"{path}: there is nothing to draw, the attention map is empty")
    if len(titles) != len(maps):
        raise RegardError(f"{path}: {len(titles)} titles for {len(maps)} attention maps")
    panels = _grid_of(maps[0]) if len(maps) == 1 and maps[0].axes else [list(zip(titles, maps, strict=True))]
    heading = titles[0] if len(maps) == 1 and maps[0].axes else ""
    full = max(float(map.weights.max()) for map in maps) or 1.0
    # Every panel has room for the largest matrix, so that the cells of all are equally large.
    columns, rows = max(len(map.source) for map in maps), max(len(map.target) for map in maps)
    across, down = len(panels[0]), len(panels)
    high = min(_CELL, _WIDEST / (columns * across), _WIDEST / (rows * down))
    labels = [label for map in maps for label in (*map.source.labels, *map.target.labels)]
    with drawing(path, "".join([*labels, *titles])) as save:
        size = min(11.0, max(3.0, high * POINTS * 0.6))
        # Where all labels fit beside each other in columns that are not too wide, they are level.
        longest = max((width for map in maps for width in widths(map.source.labels, size)), default=0.0) + 0.14
        level = high == _CELL and longest <= _WIDE_CELL and longest * columns * across <= _LEVEL
        cell = _Cell(max(high, longest) if level else high, high, level, size)
        # Beside the weights there must be room for labels and titles, and for the colour bar.
        figure = blank(
            (columns * cell.width + 1.6) * across + 1.0, (rows * cell.height + 1.4) * down + 0.4, "compressed"
        )
        grid = figure.subplots(down, across, squeeze=False)
        for line, axes_line in zip(panels, grid, strict=True):
            for (title, map), axes in zip(line, axes_line, strict=True):
                image = _draw_matrix(axes, map, title, full, cell)
                axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
            axes_line[0].set_ylabel(row_label(line[0][1]), fontsize=9, color=QUIET)
        figure.suptitle(heading, parse_math=False)
        figure.colorbar(image, ax=grid, label="weight", shrink=0.8, aspect=30)
        save(figure)


def curves(
    series: Series,
    path: str | Path,
    xlabel: str,
    ylabel: str,
    log_x: bool = False,
    ranges: Series | None = None,
    ticks: Sequence[str] | None = None,
) -> None:
    """Draw lines through points, one for each name of `series`: `{"additive": ([5, 10], [31.2, 29.8])}`.

    A y that is not a number is a gap; `log_x` makes the x axis logarithmic. `ranges` shades a band along the lines of
    those names, between the lowest and the highest y of each x: `{"additive": ([30.9, 29.1], [31.5, 30.4])}`. `ticks`
    name the places 1, 2, ... of the x axis.

    Raises `RegardError` without matplotlib, for an ending other than `.png` and `.svg`, where there is no point or xs
    and ys are not equally many, or where `path` can't be written.
    """
    path = check_picture(path)
    _check_series(path, series)
    for name, (lowest, highest) in (ranges or {}).items():
        _check_series(path, {name: (series[name][0], lowest), f"{name} ": (series[name][0], highest)})
    with drawing(path, "".join([*series, xlabel, ylabel, *(ticks or ())])) as save:
        figure = blank(min(max(7.0, 0.2 * len(ticks or ())), _WIDEST), 4.5, "compressed")
        axes = figure.subplots()
        _draw_lines(axes, series, xlabel, ylabel, log_x)
        if ticks is not None:
            axes.set_xticks(range(1, len(ticks) + 1), ticks, rotation=90, fontsize=9, parse_math=False)
        for name, (lowest, highest) in (ranges or {}).items():
            colour = axes.lines[list(series).index(name)].get_color()
            axes.fill_between(series[name][0], lowest, highest, color=colour, alpha=0.2, linewidth=0)
        save(figure)


def learning_curve(
    records: Iterable[Mapping[str, Any]], path: str | Path, metrics: Mapping[str, str] | Sequence[str] = ()
) -> None:
    """Draw how a training went, from its records (the lines of `metrics.jsonl`).

    A record is a mapping with a number `step` and, under their names, the numbers measured at that step. Every name
    that ends in `loss` is a line of the first panel; each name in `metrics` has a panel below, with its label.
    Raises `RegardError` as `curves` does, and for a metric that no record has.
    """
    path = check_picture(path)
    measured = _by_name(records)
    unknown = [name for name in metrics if name not in measured]
    if unknown:
        known = f"they have {', '.join(measured)}" if measured else "they have none"
        raise RegardError(f"{path}: no record of the training has a number {unknown[0]!r}; {known}")
    losses = {_LOSSES.get(name, name): line for name, line in measured.items() if name.endswith("loss")}
    panels: list[tuple[str, Series]] = [("loss (nats per target token)", losses)] if losses else []
    labels = metrics if isinstance(metrics, Mapping) else {name: name for name in metrics}
    panels += [(label, {name: measured[name]}) for name, label in labels.items()]
    _check_series(path, {name: line for _, lines in panels for name, line in lines.items()})
    with drawing(path, "".join([*measured, *labels.values()])) as save:
        figure = blank(7.0, 1.5 + 2.7 * len(panels), "compressed")
        for axes, (ylabel, lines) in zip(figure.subplots(len(panels), squeeze=False)[:, 0], panels, strict=True):
            _draw_lines(axes, lines, "update", ylabel, log_x=False)
        save(figure)


# Panels ---------------------------------------------------------------------------------------------------------------


def _grid_of(map: AttentionMap) -> list[list[tuple[str, AttentionMap]]]:
    """Every matrix of the map with its title, in lines along its last axis."""
    panels = [
        (", ".join(f"{axis} {number}" for axis, number in zip(map.axes, index, strict=True)), panel)
        for index, panel in map.panels()
    ]
    across = map.weights.shape[-3]
    return [panels[start : start + across] for start in range(0, len(panels), across)]


@dataclass(frozen=True)
class _Cell:
    """Inches of one weight, whether the labels above it are level, and the points of labels."""

    width: float
    height: float
    level: bool
    size: float


def row_label(map: AttentionMap) -> str:
    """What stands beside the rows of a map."""
    return "target, each as it was " + ("predicted" if map.convention == "predicting" else "read")


def titled(map: AttentionMap) -> str:
    """What a picture of a map says above it: the two texts where they are short, and what the weights are."""
    texts = [side.text for side in (map.source, map.target)]
    pair = " → ".join(" ".join(visible(word) for word in text.split()) for text in texts if text)
    # What the rows are is said beside them.
    said = map.description.replace(f" attention, {map.convention}", " attention", 1)
    return f"{pair}\n{said}" if all(texts) and len(pair) <= _LONGEST_TITLE else said


def _draw_matrix(axes: Axes, map: AttentionMap, title: str, full: float, cell: _Cell) -> Any:
    """One matrix with its labels; returns the image, for the colour bar."""
    matrix = map.matrix.astype(np.float64)
    size = cell.size
    image = axes.imshow(
        matrix, cmap=COLOURS, vmin=0.0, vmax=full, aspect=cell.height / cell.width, interpolation="nearest"
    )
    # A label is text as it stands: dollar signs in it are no formulas.
    axes.spines[:].set_visible(False)
    turn = 0 if cell.level else 90
    axes.set_xticks(range(len(map.source)), map.source.labels, rotation=turn, fontsize=size, parse_math=False)
    axes.set_yticks(range(len(map.target)), map.target.labels, fontsize=size, parse_math=False)
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=2)
    wide = max(int(len(map.source) * cell.width * POINTS / 6), 24)
    filled = "\n".join(textwrap.fill(line, wide) for line in title.splitlines())
    axes.set_title(filled, fontsize=10, parse_math=False)
    for row in np.flatnonzero(~matrix.any(axis=1)):
        axes.fill_between(
            (-0.5, len(map.source) - 0.5),
            row - 0.5,
            row + 0.5,
            facecolor="none",
            edgecolor="0.6",
            hatch="////",
            linewidth=0,
        )
    if cell.height >= _CELL and matrix.size <= _MOST_NUMBERS:
        for (row, column), weight in np.ndenumerate(matrix):
            ink = "white" if weight > 0.6 * full else "black"
            number = f"{weight:.2f}".removeprefix("0") if weight else "0"
            axes.text(column, row, number, ha="center", va="center", fontsize=0.65 * size, color=ink)
    # A frame around the matrix itself, which may be smaller than its panel.
    axes.plot(*_outline(len(map.source), len(map.target)), color="0.3", linewidth=0.8, clip_on=False)
    return image


def _outline(columns: int, rows: int) -> tuple[list[float], list[float]]:
    left, right, top, bottom = -0.5, columns - 0.5, -0.5, rows - 0.5
    return [left, right, right, left, left], [top, top, bottom, bottom, top]


def _draw_lines(axes: Axes, series: Series, xlabel: str, ylabel: str, log_x: bool) -> None:
    for name, (xs, ys) in series.items():
        # Single points can be seen only by their marker; on long lines markers would hide the line.
        axes.plot(xs, ys, label=name, marker="o" if len(xs) <= 30 else None, markersize=4, linewidth=1.5)
    if log_x:
        axes.set_xscale("log")
    axes.set_xlabel(xlabel, parse_math=False)
    axes.set_ylabel(ylabel, parse_math=False)
    axes.grid(alpha=0.3)
    if len(series) > 1:
        for label in axes.legend().get_texts():
            label.set_parse_math(False)


# Data -----------------------------------------------------------------------------------------------------------------


def _by_name(records: Iterable[Mapping[str, Any]]) -> dict[str, tuple[list[float], list[float]]]:
    """For each name the steps at which a number of that name was recorded, and the numbers."""
    measured: dict[str, tuple[list[float], list[float]]] = {}
    for record in records:
        for name, number in record.items():
            if name != "step" and "step" in record and isinstance(number, int | float) and not isinstance(number, bool):
                steps, numbers = measured.setdefault(name, ([], []))
                steps.append(record["step"])
                numbers.append(number)
    return measured


def _check_series(path: Path, series: Series) -> None:
    if not any(len(xs) for xs, _ in series.values()):
        raise RegardError(f"{path}: there is nothing to draw, no line has a point")
    for name, (xs, ys) in series.items():
        if len(xs) != len(ys):
            raise RegardError(f"{path}: the line {name!r} has {len(xs)} places but {len(ys)} values")
