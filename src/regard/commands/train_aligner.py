"""`regard train-aligner`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from regard.commands.align import add_words
from regard.commands.parsing import add_settings, add_target, given_on, parser


def run(arguments: Sequence[str]) -> int:
    """Train both directions on pairs, and write the links of the pairs."""
    given = _parser().parse_args(list(arguments))
    settings = given_on(given)
    options = vars(given)
    from regard.aligner import BACKWARD, FORWARD, MEAN, Way, train_aligner
    from regard.training.progress import reporter

    way = Way(given.words, symmetrise=options.get("symmetrise", MEAN))
    with reporter() as report:
        found = train_aligner(
            given.pairs,
            out=given.out,
            target=options.get("target"),
            words=given.words,
            symmetrise=way.symmetrise,
            rounds=given.rounds,
            restart=given.restart,
            report=report,
            **settings,
        )
    folder = found.parent
    print(f"the links: {found}")
    other = f"regard align {folder / FORWARD} PAIRS --reverse {folder / BACKWARD} --symmetrise {way.symmetrise}"
    print(f"of other pairs: {other}")
    return 0


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "train-aligner",
        "Word alignments of pairs without a model: trains one in each direction, and writes the links in which both "
        "meet to FOLDER/links.pharaoh. The same command again goes on where it was stopped.",
    )
    made.add_argument("pairs", help="pairs as for `regard train`; or, with --target, the source file")
    add_target(made)
    made.add_argument("--out", metavar="FOLDER", default="aligner", help="where everything goes (default: aligner)")
    made.add_argument("--restart", action="store_true", default=False, help="begin anew where --out holds an aligner")
    made.add_argument(
        "--rounds", type=int, metavar="N", default=0, help="how often new models are guided by the links (default: 0)"
    )
    add_words(made, usual="geometric-mean")
    add_settings(made)
    return made
