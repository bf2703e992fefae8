"""`regard evaluate`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from regard.commands.align import add_way
from regard.commands.parsing import add_settings, given_on, parser
from regard.commands.predicting import add_model
from regard.errors import RegardError, did_you_mean
from regard.settings import SearchSettings

_USUAL = ("bleu", "chrf", "ter", "accuracy", "cer", "per", "token_error_rate")


@dataclass(frozen=True)
class _Test:
    """What is asked, what is right, and the length of each source in words."""

    sources: list[str]
    references: list[tuple[str, ...]]
    lengths: list[int]


def run(arguments: Sequence[str]) -> int:
    """Score a model on pairs, by source length too, and against another model where one is given; or its links."""
    # Both places may be empty, and options may stand between them.
    given = _parser().parse_intermixed_args(list(arguments))
    options = vars(given)
    if "gold_alignments" in options:
        from regard.commands.evaluate_links import evaluate_links

        return evaluate_links(given)
    for name in ("hypothesis_alignments", "against_alignments", "reverse", "symmetrise", "layer", "head"):
        if name in options:
            raise RegardError(f"--{name.replace('_', '-')} is for alignments; give --gold-alignments too")
    if "pairs" not in options:
        raise RegardError("give a model and pairs; `regard evaluate --help` explains")
    search = given_on(given, SearchSettings)
    from regard.evaluation import METRICS, by_length, paired_bootstrap, score_table, statistics, table

    names = [name for name in given.metrics.split(",") if name]
    if not names:
        raise RegardError(f"--metrics: name one or more, as in {','.join(_USUAL)}")
    for name in names:
        if name not in METRICS:
            raise RegardError(f"--metrics: there is no {name!r}{did_you_mean(name, METRICS)}")
    test = _read(given)
    outputs = _outputs(given.model, given.device, test.sources, search)
    found = [statistics(name, outputs, test.references, given.lowercase) for name in names]
    print(f"{len(test.sources):,} pairs")
    print(score_table([each.score() for each in found]))
    print("\nby source length, in words")
    rows: dict[str, list[str]] = {}
    for each in found:
        for length, score in by_length(each, test.lengths):
            rows.setdefault(length, [length, str(score.sentences)]).append(f"{score.value:.2f}")
    print(table(("words", "pairs", *names), list(rows.values())))
    other = getattr(given, "against", None)
    if other is not None:
        others = _outputs(other, given.device, test.sources, search)
        print(f"\n{given.model} (the first) against {other} (the second), paired bootstrap")
        for name, each in zip(names, found, strict=True):
            print(paired_bootstrap(each, statistics(name, others, test.references, given.lowercase)))
    return 0


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "evaluate",
        "How good a model is on pairs, with scores by source length. With --gold-alignments: how good word alignments "
        "are, those of a file or of the model.",
    )
    add_model(made, optional=True)
    made.add_argument("pairs", nargs="?", help="pairs as for `regard train`; or, with --target, the source file")
    made.add_argument("--target", metavar="FILE", help="the target file, line by line beside the source file")
    made.add_argument(
        "--references", action="store_true", default=False, help="all columns from the target on are right answers"
    )
    made.add_argument(
        "--metrics",
        default=",".join(_USUAL),
        metavar="NAMES",
        help=f"separated by commas (default: {','.join(_USUAL)})",
    )
    made.add_argument("--lowercase", action="store_true", default=False, help="compare in lower case")
    made.add_argument("--against", metavar="FOLDER", help="another model, compared by paired bootstrap")
    links = made.add_argument_group("word alignments")
    links.add_argument(
        "--gold-alignments",
        metavar="FILE",
        help="links that people made, a line for each pair: i-j sure, ipj or i?j possible; reports AER, precision, "
        "recall and F1",
    )
    links.add_argument(
        "--hypothesis-alignments", metavar="FILE", help="the links to score (default: those of the model on the pairs)"
    )
    links.add_argument(
        "--against-alignments", metavar="FILE", help="other links, compared with the first by paired bootstrap"
    )
    links.add_argument("--one-based", action="store_true", default=False, help="the gold links count words from 1")
    links.add_argument(
        "--one-based-hypothesis", action="store_true", default=False, help="the other links count words from 1"
    )
    add_way(links)
    add_settings(made, SearchSettings)
    return made


def _read(given: argparse.Namespace) -> _Test:
    from regard.data.reading import read_pairs, read_parallel
    from regard.data.text import word_spans

    target = getattr(given, "target", None)
    if target and given.references:
        raise RegardError("--references are columns of one file; leave out --target")
    pairs, report = (
        read_parallel(given.pairs, target) if target else read_pairs(given.pairs, references=given.references)
    )
    if report.left_out_count or report.noted:
        print(f"regard: {report}".replace("\n", "\nregard: "), file=sys.stderr)
    lengths = [len(word_spans(pair.source)) for pair in pairs]
    return _Test([pair.source for pair in pairs], [pair.targets for pair in pairs], lengths)


def _outputs(folder: str, device: str, sources: Sequence[str], search: dict[str, Any]) -> list[str]:
    from regard.predictor import load

    return [each.text for each in load(folder, device=device).predict(list(sources), **{**search, "n_best": 1})]
