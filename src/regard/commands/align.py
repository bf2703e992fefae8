"""`regard align`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from regard.commands.parsing import parser
from regard.commands.predicting import add_model
from regard.errors import RegardError

_SHOWN = 5


def run(arguments: Sequence[str]) -> int:
    """Print word alignments of given pairs, in Pharaoh format, by forcing the model to say their targets."""
    given = _parser().parse_args(list(arguments))
    options = vars(given)
    from regard.data.reading import read_pairs, read_parallel
    from regard.maps import pharaoh, save_maps
    from regard.predictor import load

    target = options.get("target")
    pairs, report = read_parallel(given.pairs, target) if target else read_pairs(given.pairs)
    if report.left_out_count or report.noted:
        print(f"regard: {report}".replace("\n", "\nregard: "), file=sys.stderr)
    model = load(given.model, device=given.device)
    every = model.align([pair.source for pair in pairs], [pair.target for pair in pairs])
    maps = [map for map in every if map is not None]
    if not model.has_attention:
        raise RegardError(f"{given.model}: has a fixed context and no attention, so it aligns nothing")
    for map in every:
        shown = None if map is None else model.shown(map).merged()
        print("" if shown is None else pharaoh(shown.links(given.method, given.threshold)))
    if len(maps) < len(every):
        numbers = [str(pairs[number].line) for number, map in enumerate(every) if map is None]
        named = ", ".join(numbers[:_SHOWN]) + (", ..." if len(numbers) > _SHOWN else "")
        print(
            f"regard: no alignment, since a side is too long: {len(numbers):,} pairs (lines {named})", file=sys.stderr
        )
    if (path := options.get("maps")) is not None:
        save_maps(maps, Path(path))
    return 0


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "align",
        "Word alignments of given pairs (forced decoding): a line `0-0 1-2` for each pair, source before target, words "
        "counted from 0.",
    )
    add_model(made)
    made.add_argument("pairs", help="pairs as for `regard train`; or, with --target, the source file")
    made.add_argument("--target", metavar="FILE", help="the target file, line by line beside the source file")
    made.add_argument(
        "--method", default="argmax", metavar="NAME", help="argmax, threshold or assignment (default: argmax)"
    )
    made.add_argument(
        "--threshold", type=float, default=0.5, metavar="W", help="the weight that threshold asks for (default: 0.5)"
    )
    made.add_argument("--maps", metavar="FILE", help="write the attention maps to FILE.npz or FILE.jsonl")
    return made
