"""Pictures and pages of attention maps, for the commands that write them."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from regard.errors import RegardError

if TYPE_CHECKING:
    from regard.maps import AttentionMap

PICTURES = ("png", "svg")
#: Side by side in one picture; more would be too small to read.
MOST_MAPS = 12


def add_views(to: argparse._ActionsContainer) -> None:
    """Where pictures and a page go."""
    for kind in PICTURES:
        to.add_argument(f"--{kind}", metavar="FILE", help=f"write a picture, FILE.{kind}")
    to.add_argument(
        "--html", metavar="FILE", help="write a page to be explored in a browser: one file that needs no network"
    )


def check_views(count: int, given: argparse.Namespace, instead: str) -> None:
    """See before the work whether its maps, so many, can be shown as is asked. Raises RegardError."""
    from regard.files import check_place

    options = vars(given)
    for name in (*PICTURES, "html", "entropy"):
        if name in options:
            check_place(options[name])
    for name in (*PICTURES, "entropy"):
        if name in options:
            from regard.view.drawing import check_picture

            path = check_picture(options[name])
            if name in PICTURES and path.suffix != f".{name}":
                raise RegardError(f"{path}: --{name} writes .{name} files; give --{path.suffix[1:]} {path}")
            _check_few(count, path, instead)


def pictures_of(given: argparse.Namespace) -> list[str]:
    """The files of all pictures that are asked for."""
    return [vars(given)[name] for name in PICTURES if name in given]


def write_picture(maps: Sequence[AttentionMap], path: str, titles: Sequence[str] | None = None) -> None:
    """Draw one map, with a panel for each of its layers and heads, or the means of several side by side.

    Over images and recordings the means are drawn, one below the other.
    """
    from regard.view.pictures import picture

    with told_warnings():
        picture(maps[0] if len(maps) == 1 else [map.mean() if map.axes else map for map in maps], path, titles)


def write_html(maps: Iterable[AttentionMap], path: str, title: str, words: bool = False) -> int:
    """Write a page of the maps; returns their number."""
    from regard.view.page import write_page

    return write_page(maps, path, title=title, words=words)


def chosen(map: AttentionMap, given: argparse.Namespace) -> AttentionMap:
    """The map of the layer and the head that were asked for, or that are the only ones."""
    for axis in ("layer", "head"):
        asked = vars(given).get(axis)
        if axis not in map.axes:
            continue
        single = map.weights.shape[map.axes.index(axis)] == 1
        if asked is not None or single:
            note = map.note
            map = map.select(**{axis: asked or 0})
            map = replace(map, note=note) if single else map  # nothing was chosen, so there is nothing to tell
    return map


class told_warnings(warnings.catch_warnings):
    """Inside, what is warned of is told in one line, as errors are."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_, **__: print(f"regard: {message}", file=sys.stderr)


def _check_few(count: int, path: Path, instead: str) -> None:
    if count > MOST_MAPS:
        raise RegardError(f"{path}: a picture of {count:,} maps could not be read; {instead}, or write --html")
