"""`regard evaluate --gold-alignments`: how good word alignments are."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from regard.commands.align import tell_unspaced, way_of
from regard.commands.predicting import folders_of
from regard.errors import RegardError

if TYPE_CHECKING:
    from regard.data.reading import Pair
    from regard.data.report import ReadReport
    from regard.evaluation import Gold
    from regard.maps import Links

_NAMES = {"aer": "AER", "precision": "precision", "recall": "recall", "f1": "F1"}


def evaluate_links(given: argparse.Namespace) -> int:
    """Print AER, precision, recall and F1 with their intervals, and the comparison with other links."""
    options = vars(given)
    if "against" in options:
        raise RegardError("--against compares what models say; to compare links, give --against-alignments")
    if "hypothesis_alignments" in options and "pairs" not in options and "model" in options:
        raise RegardError(f"{given.model}: --hypothesis-alignments needs no model; leave it out, or give pairs too")
    from regard.aligner import read
    from regard.data.reading import sizes_in_words
    from regard.evaluation import RATES, alignment_statistics, bootstrap, paired_bootstrap, read_gold, read_links, table
    from regard.folder import load_settings

    read_in: tuple[list[Pair], ReadReport] | None = None
    sizes = None
    if "pairs" in options:
        read_in = read(given.pairs, options.get("target"), like=load_settings(Path(given.model)).data)
        sizes = sizes_in_words(*read_in, given.words)
    gold = read_gold(given.gold_alignments, sizes, int(given.one_based))
    first = int(given.one_based_hypothesis)
    if "hypothesis_alignments" in options:
        name = given.hypothesis_alignments
        found = read_links(name, sizes, first)
    elif read_in is None:
        raise RegardError("--gold-alignments: give --hypothesis-alignments, or a model and pairs to align")
    else:
        name, found = given.model, _links_of(given, *read_in)
    _check_lengths(name, found, given.gold_alignments, gold)
    rows = []
    for rate in RATES:
        interval = bootstrap(alignment_statistics(found, gold, rate))
        rows.append((_NAMES[rate], f"{interval.score.value:.1f}", f"{interval.low:.1f}", f"{interval.high:.1f}"))
    links, sure, possible = (
        sum(map(len, each)) for each in (found, [one.sure for one in gold], [one.possible for one in gold])
    )
    print(f"{len(gold):,} pairs; {links:,} links, and {sure:,} sure and {possible - sure:,} possible gold links")
    print(table(("per cent", "value", "from", "to"), rows))
    print("from, to: 95 % of the values on resampled pairs (bootstrap, 1,000 samples)")
    if "against_alignments" in options:
        others = read_links(given.against_alignments, sizes, first)
        _check_lengths(given.against_alignments, others, given.gold_alignments, gold)
        print(f"\n{name} (the first) against {given.against_alignments} (the second), paired bootstrap")
        print("differences are second minus first")
        for rate in RATES:
            one, other = (alignment_statistics(each, gold, rate) for each in (found, others))
            print(paired_bootstrap(one, other))
    return 0


def _links_of(given: argparse.Namespace, pairs: Sequence[Pair], report: ReadReport) -> list[Links]:
    """The links of every line of the pairs, by the model, or by both."""
    from regard.aligner import aligned
    from regard.predictor import load

    way = way_of(given)
    if report.left_out_count or report.noted or report.remarks:
        print(f"regard: {report}".replace("\n", "\nregard: "), file=sys.stderr)
    tell_unspaced(pairs, given.words)
    reverse = vars(given).get("reverse")
    model = load(*folders_of(given), device=given.device)
    backward = None if reverse is None else load(reverse, device=given.device)
    lines: list[Links] = [frozenset()] * report.lines
    for pair, links in zip(pairs, aligned(pairs, model, backward, way), strict=True):
        lines[pair.line - report.first] = frozenset(links or ())
    return lines


def _check_lengths(name: str, found: Sequence[Links], gold_name: str, gold: Sequence[Gold]) -> None:
    if len(found) != len(gold):
        raise RegardError(
            f"{name} has links of {len(found):,} pairs, and {gold_name} of {len(gold):,}; line i of both should be of "
            "the same pair"
        )
