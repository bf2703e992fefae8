"""`regard show`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from regard.commands.parsing import parser
from regard.errors import RegardError


def run(arguments: Sequence[str]) -> int:
    """Show attention maps of a file: in the terminal, as a picture, or as a page for a browser."""
    given = _parser().parse_args(list(arguments))
    options = vars(given)
    from regard.maps import AttentionMap, load_maps

    maps = load_maps(given.maps)
    if not maps:
        raise RegardError(f"{given.maps}: holds no attention map")
    if (number := options.get("map")) is not None:
        if not 1 <= number <= len(maps):
            raise RegardError(f"{given.maps}: there is no map {number}; they are numbered 1 to {len(maps)}")
        maps = [maps[number - 1]]

    def chosen(map: AttentionMap) -> AttentionMap:
        for axis in ("layer", "head"):
            if axis in map.axes and (options.get(axis) is not None or map.weights.shape[map.axes.index(axis)] == 1):
                note = map.note
                single = map.weights.shape[map.axes.index(axis)] == 1
                map = map.select(**{axis: options.get(axis) or 0})
                map = replace(map, note=note) if single else map  # nothing was chosen, so there is nothing to tell
        return map

    maps = [chosen(map) for map in maps]
    picture, page = options.get("picture"), options.get("html")
    if page is not None:
        from regard.view.page import write_page

        # The page merges words itself, and keeps the pieces.
        write_page(maps, page, title=Path(given.maps).stem, words=given.words)
    maps = [map.merged() for map in maps] if given.words else maps
    if picture is not None:
        from regard.view.figure import heat_map

        heat_map(maps[0] if len(maps) == 1 else [map if not map.axes else map.mean() for map in maps], picture)
    if picture is not None or page is not None:
        return 0
    from regard.view.terminal import show

    for map in maps:
        flat = map.mean() if map.axes else map
        print(flat.reading(given.top))
        show(flat)
    return 0


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "show",
        "Attention maps that `regard predict --maps` wrote: in the terminal, as a picture, or as a page for a browser.",
    )
    made.add_argument("maps", help="a .npz or .jsonl file of maps")
    made.add_argument("--map", type=int, metavar="N", help="only map N of the file, from 1 (default: all)")
    made.add_argument("--layer", type=int, metavar="N", help="a layer, from 0 (default: the mean of all)")
    made.add_argument("--head", type=int, metavar="N", help="a head, from 0 (default: the mean of all)")
    made.add_argument("--words", action="store_true", default=False, help="words instead of pieces")
    made.add_argument(
        "--top", type=int, default=4, metavar="N", help="source tokens to name for each target token (default: 4)"
    )
    made.add_argument(
        "--png", "--svg", dest="picture", metavar="FILE", help="write a picture instead; its ending says which kind"
    )
    made.add_argument(
        "--html",
        metavar="FILE",
        help="write a page instead, one file that needs no network, to be explored in a browser",
    )
    return made
