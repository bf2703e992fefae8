"""`regard align`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from regard.commands.parsing import add_target, parser
from regard.commands.predicting import add_model, folders_of
from regard.errors import RegardError

if TYPE_CHECKING:
    from regard.aligner import Counted, Way
    from regard.data.reading import Pair

_SHOWN = 5


def run(arguments: Sequence[str]) -> int:
    """Print word alignments of given pairs, in Pharaoh format, by forcing the model to say their targets."""
    given = _parser().parse_args(list(arguments))
    options = vars(given)
    from regard.aligner import aligned, by_line, read
    from regard.files import check_place
    from regard.folder import load_settings
    from regard.maps import check_ending, pharaoh, save_maps, weighted_pharaoh
    from regard.predictor import load

    if "maps" in options:
        check_ending(given.maps)
        check_place(given.maps)
    way = way_of(given)
    if "symmetrise" in options and "reverse" not in options:
        raise RegardError("--symmetrise is for two directions; give the other model by --reverse too")
    pairs, report = read(given.pairs, options.get("target"), like=load_settings(Path(given.model)).data)
    if report.left_out_count or report.noted or report.remarks:
        print(f"regard: {report}".replace("\n", "\nregard: "), file=sys.stderr)
    tell_unspaced(pairs, given.words)
    model = load(*folders_of(given), device=given.device)
    reverse = load(options["reverse"], device=given.device) if "reverse" in options else None
    found = list(aligned(pairs, model, reverse, way))
    written = weighted_pharaoh if given.probabilities else pharaoh
    for line in by_line(["" if links is None else written(links) for links in found], pairs, report):
        print(line)
    if None in found:
        numbers = [str(pair.line) for pair, links in zip(pairs, found, strict=True) if links is None]
        named = ", ".join(numbers[:_SHOWN]) + (", ..." if len(numbers) > _SHOWN else "")
        print(
            f"regard: no alignment, since a side is too long: {len(numbers):,} pairs (lines {named})", file=sys.stderr
        )
    if (path := options.get("maps")) is not None:
        every = model.align([pair.source for pair in pairs], [pair.target for pair in pairs], way.weights)
        save_maps([map for map in every if map is not None], Path(path))
    return 0


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "align",
        "Word alignments of given pairs (forced decoding): a line `0-0 1-2` for each line of the pairs, source before "
        "target, words counted from 0; an empty line where there is no pair.",
    )
    add_model(made, several=True)
    made.add_argument("pairs", help="pairs as for `regard train`; or, with --target, the source file")
    add_target(made)
    made.add_argument(
        "--probabilities", action="store_true", default=False, help="each link with its weight: 0-0:0.970"
    )
    made.add_argument("--maps", metavar="FILE", help="write the attention maps to FILE.npz or FILE.jsonl")
    add_way(made)
    return made


def add_way(to: argparse._ActionsContainer) -> None:
    """How weights become links."""
    add_words(to, kinds=("spaces", "text", "tokens"))
    to.add_argument("--reverse", metavar="FOLDER", help="a model from target to source: links of both directions")
    to.add_argument(
        "--method", default="argmax", metavar="NAME", help="argmax, threshold or assignment (default: argmax)"
    )
    to.add_argument(
        "--threshold", type=float, default=0.5, metavar="W", help="the weight that threshold asks for (default: 0.5)"
    )
    to.add_argument(
        "--weights",
        choices=("prior", "posterior"),
        default="prior",
        help="prior: the weights that a word was predicted with; posterior: where it came from, given the whole "
        "target (models with model.context marginal or monotonic, or model.copy) (default: prior)",
    )
    to.add_argument("--layer", type=int, metavar="N", help="of the cross-attention, from 0 (default: the one shown)")
    to.add_argument("--head", type=int, metavar="N", help="of the layer; -1: the mean of all (default: the one shown)")
    to.add_argument(
        "--reading",
        action=argparse.BooleanOptionalAction,
        help="take for each word the weights of the step that read it, not of the one that predicted it (default: as "
        "links have guided the model; without them, of the one that predicted it)",
    )


def add_words(
    to: argparse._ActionsContainer, usual: str = "grow-diag-final-and", kinds: Sequence[str] = ("spaces", "text")
) -> None:
    """What counts as a word, and how two directions become one."""
    tokens = ", or the model's own tokens, such as letters" if "tokens" in kinds else ""
    to.add_argument(
        "--words",
        choices=kinds,
        default="spaces",
        help="what links count: what white space separates, or the words of the text as maps show them, punctuation "
        f"apart and each character of a script without spaces{tokens} (default: spaces)",
    )
    to.add_argument(
        "--symmetrise",
        metavar="NAME",
        help="two directions to one: intersection, grow-diag-final-and or union of their links, or geometric-mean:W, "
        f"the pairs whose weights have a geometric mean of at least W, 0.25 unless given (default: {usual})",
    )


def way_of(given: argparse.Namespace) -> Way:
    """How the links are to be made. Raises RegardError for what there is not."""
    from regard.aligner import Way

    options = vars(given)
    names = ("words", "method", "threshold", "symmetrise", "layer", "head", "reading", "weights")
    return Way(**{name: options[name] for name in names if name in options})


def tell_unspaced(pairs: Sequence[Pair], words: Counted) -> None:
    """Say on standard error where a side is written without spaces, so that all of it would be one word, or is one."""
    from regard.aligner import unspaced

    if complaint := unspaced(pairs, words):
        print(f"regard: {complaint}", file=sys.stderr)
