"""`regard show`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from regard.commands.parsing import parser
from regard.commands.showing import (
    add_views,
    check_views,
    chosen,
    pictures_of,
    told_warnings,
    write_html,
    write_picture,
)
from regard.errors import RegardError

if TYPE_CHECKING:
    from regard.maps import AttentionMap


def run(arguments: Sequence[str]) -> int:
    """Show attention maps of files: in the terminal, as a picture, or as a page for a browser."""
    given = _parser().parse_intermixed_args(list(arguments))
    options = vars(given)
    maps, titles = [], []
    for path in given.maps:
        found = [chosen(map, given) for map in _read(path, options.get("map"))]
        maps += found
        titles += [f"{Path(path).stem}: {_flat(map).description}" for map in found]
    named = titles if len(given.maps) > 1 else None
    pictures, entropy, page = pictures_of(given), options.get("entropy"), options.get("html")
    check_views(len(maps), given, "choose one by --map")
    if page is not None:
        # The page merges words itself, and keeps the pieces.
        write_html(maps, page, ", ".join(Path(path).stem for path in given.maps), given.words)
    maps = [map.merged() for map in maps] if given.words else maps
    for picture in pictures:
        write_picture(maps, picture, named)
    if entropy is not None:
        from regard.view.entropy import entropy_curves

        with told_warnings():
            entropy_curves(maps, entropy, named)
    if not pictures and entropy is None and page is None:
        _print(maps, given.top, named)
    return 0


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "show",
        "Attention maps that `regard predict --maps` wrote: in the terminal, as pictures, or as a page for a browser. "
        "With files of two models, a picture has their maps side by side.",
    )
    made.add_argument("maps", nargs="+", metavar="MAPS", help=".npz or .jsonl files of maps")
    made.add_argument("--map", type=int, metavar="N", help="only map N of each file, from 1 (default: all)")
    made.add_argument("--layer", type=int, metavar="N", help="a layer, from 0 (default: the mean of all)")
    made.add_argument("--head", type=int, metavar="N", help="a head, from 0 (default: the mean of all)")
    made.add_argument("--words", action="store_true", default=False, help="words instead of pieces")
    made.add_argument(
        "--top", type=int, default=4, metavar="N", help="source tokens to name for each target token (default: 4)"
    )
    add_views(made)
    made.add_argument(
        "--entropy",
        metavar="FILE",
        help="write a picture (.png or .svg) of how spread out the weights of each target token are: a line for each "
        "layer, or for each map where there are several",
    )
    return made


def _read(path: str, number: int | None) -> list[AttentionMap]:
    from regard.maps import load_maps

    maps = load_maps(path)
    if not maps:
        raise RegardError(f"{path}: holds no attention map")
    if number is None:
        return maps
    if not 1 <= number <= len(maps):
        raise RegardError(f"{path}: there is no map {number}; they are numbered 1 to {len(maps)}")
    return [maps[number - 1]]


def _print(maps: Sequence[AttentionMap], top: int, titles: Sequence[str] | None) -> None:
    from regard.view.terminal import show

    for number, map in enumerate(maps):
        flat = _flat(map)
        if titles:
            print(titles[number])
        print(flat.reading(top))
        show(flat)


def _flat(map: AttentionMap) -> AttentionMap:
    """The mean of what was not chosen."""
    return map.mean() if map.axes else map
