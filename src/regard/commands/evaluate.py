"""`regard evaluate`."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from regard.commands.align import add_way
from regard.commands.parsing import add_settings, add_target, given_on, parser
from regard.commands.predicting import add_model, check_drawn, folders_of
from regard.errors import RegardError, did_you_mean
from regard.settings import DataSettings, SearchSettings

_USUAL = ("bleu", "chrf", "ter", "accuracy", "cer", "per", "token_error_rate")
_OF_WORDS = ("accuracy", "cer")
_OF_SYMBOLS = ("accuracy", "per")
_OF_MEDIA = ("accuracy", "cer", "wer", "bleu")


@dataclass(frozen=True)
class _Test:
    """What is asked, what is right, and the length of each in the `unit`: of the `side` that is a text."""

    sources: list[str]
    references: list[tuple[str, ...]]
    lengths: list[int]
    side: str
    unit: str


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
    from regard.evaluation import METRICS, by_length, length_ratio, paired_bootstrap, score_table, statistics, table
    from regard.folder import load_settings

    settings = load_settings(Path(given.model))
    data = settings.data
    check_drawn(search, settings.search)
    if "n_best" in search:
        raise RegardError("--n_best: one output of each source is scored; leave it out")
    names = [name for name in options.get("metrics", "").split(",") if name]
    if "metrics" in options and not names:
        raise RegardError(f"--metrics: name one or more, as in {','.join(_USUAL)}")
    for name in names:
        if name not in METRICS:
            raise RegardError(f"--metrics: there is no {name!r}{did_you_mean(name, METRICS)}")
    if "against" in options:
        _check_alike(given.model, data, given.against)
    test = _read(given, data)
    names = names or [*_usual(test, data)]
    test, outputs = _those_read(test, _outputs(folders_of(given), given.device, test, search))
    found = [statistics(name, outputs, test.references, given.lowercase) for name in names]
    print(f"{len(test.sources):,} pairs")
    print(score_table([each.score() for each in found], {name: METRICS[name].meaning for name in names}))
    for each in found:
        if each.name == "bleu":
            print(_told_length(length_ratio(each)))
    print(f"\nby {test.side} length, in {test.unit}")
    rows: dict[str, list[str]] = {}
    for each in found:
        for length, score in by_length(each, test.lengths):
            rows.setdefault(length, [length, str(score.sentences)]).append(f"{score.value:.2f}")
    print(table((test.unit, "pairs", *names), list(rows.values())))
    if "against" in options:
        others = [each or "" for each in _outputs([given.against], given.device, test, search)]
        print(f"\n{given.model} (the first) against {given.against} (the second), paired bootstrap")
        print("differences are second minus first")
        for name, each in zip(names, found, strict=True):
            print(paired_bootstrap(each, statistics(name, others, test.references, given.lowercase)))
    return 0


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "evaluate",
        "How good a model is on pairs, with scores by source length. With --gold-alignments: how good word alignments "
        "are, those of a file or of the model.",
    )
    add_model(made, optional=True, several=True)
    made.add_argument("pairs", nargs="?", help="pairs as for `regard train`; or, with --target, the source file")
    add_target(made)
    made.add_argument(
        "--references", action="store_true", default=False, help="all columns from the target on are right answers"
    )
    made.add_argument(
        "--metrics",
        metavar="NAMES",
        help=f"separated by commas (default: {','.join(_USUAL)}; of images and recordings {','.join(_OF_MEDIA)}; of "
        f"single words {','.join(_OF_WORDS)}, of symbols {','.join(_OF_SYMBOLS)})",
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


def _read(given: argparse.Namespace, data: DataSettings) -> _Test:
    from regard.data.corpora import read_any
    from regard.data.text import graphemes, word_spans

    target = getattr(given, "target", None)
    if target and given.references:
        raise RegardError("--references are columns of one file; leave out --target")
    medium = data.medium or "text"
    pairs, report, _ = read_any(given.pairs, target, DataSettings(medium=medium), given.references, like=data)
    if report.left_out_count or report.noted or report.remarks:
        print(f"regard: {report}".replace("\n", "\nregard: "), file=sys.stderr)
    side = "source" if medium == "text" else "target"
    texts = [pair.text if side == "source" else pair.target for pair in pairs]
    lengths, unit = [len(word_spans(text)) for text in texts], "words"
    if side == "source" and _mostly(length == 1 for length in lengths):
        lengths, unit = [len(graphemes(text)) for text in texts], "letters"
    return _Test([pair.source for pair in pairs], [pair.targets for pair in pairs], lengths, side, unit)


def _check_alike(model: str, data: DataSettings, other: str) -> None:
    """Raises RegardError where two models can't be asked the same."""
    from regard.data.corpora import has_features
    from regard.folder import load_settings

    others = load_settings(Path(other)).data
    if (others.medium or "text") != (data.medium or "text"):
        raise RegardError(f"--against {other}: it reads {others.medium or 'text'}, and {model} {data.medium or 'text'}")
    if has_features(others) != has_features(data):
        featured, plain = (model, other) if has_features(data) else (other, model)
        raise RegardError(f"--against {other}: {featured} was trained with features, and {plain} without")


def _usual(test: _Test, data: DataSettings) -> tuple[str, ...]:
    """The metrics that say most of what a model was made for: a word is right or it is not."""
    if (data.medium or "text") != "text":
        return _OF_MEDIA
    if data.target_tokens == "symbols":
        return _OF_SYMBOLS
    from regard.data.text import word_spans

    single = _mostly(len(word_spans(target)) == 1 for targets in test.references for target in targets)
    return _OF_WORDS if single else _USUAL


def _told_length(ratio: float) -> str:
    """How long outputs are, and what makes them longer where BLEU suffers for it by a twentieth or more."""
    told = f"length: {100 * ratio:.0f} % of the tokens of the references"
    factor = math.exp(min(0.0, 1.0 - 1.0 / max(ratio, 1e-9)))
    if factor > 0.95:
        return told
    return f"{told}, for which BLEU is {factor:.2f} times what it were; a greater --length_penalty makes outputs longer"


def _mostly(truths: Iterable[bool]) -> bool:
    """Nine times out of ten."""
    known = list(truths)
    return 10 * sum(known) >= 9 * len(known)


def _outputs(folders: list[str], device: str, test: _Test, search: dict[str, Any]) -> list[str | None]:
    """What a model, or several together, say to each source; None where a file could not be read, which is told."""
    from regard.predictor import load

    found = load(*folders, device=device).predict(test.sources, **{**search, "n_best": 1})
    for each in found:
        if not each.read:
            print(f"regard: {each.note}", file=sys.stderr)
    return [each.text if each.read else None for each in found]


def _those_read(test: _Test, outputs: list[str | None]) -> tuple[_Test, list[str]]:
    """The pairs whose source was read, and the outputs for them. Raises RegardError where there is none."""
    kept = [number for number, output in enumerate(outputs) if output is not None]
    if len(kept) < len(outputs):
        print(f"regard: left out, since they could not be read: {len(outputs) - len(kept):,} pairs", file=sys.stderr)
    if not kept:
        raise RegardError("none of the sources could be read")
    chosen = replace(
        test,
        sources=[test.sources[number] for number in kept],
        references=[test.references[number] for number in kept],
        lengths=[test.lengths[number] for number in kept],
    )
    return chosen, [output for output in outputs if output is not None]
