"""`regard likelihood`."""

from __future__ import annotations

import argparse
import heapq
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from regard.commands.parsing import add_target, parser
from regard.commands.predicting import add_model, folders_of
from regard.errors import RegardError
from regard.settings import DataSettings

if TYPE_CHECKING:
    from regard.data.reading import Pair
    from regard.data.report import ReadReport
    from regard.predictor import Likelihood, Predictor

_STRANGE = "a target with tokens never seen in training"
_NOT_SAID = "a side that is too long or can't be read"
_AT_ONCE = {"text": 1000, "image": 100, "sound": 100}
_COLUMNS = ("log_prob", "per_token", "least", "token", "line", "source", "target", "log_probs")


class _Found(NamedTuple):
    """A pair and how probable its target is."""

    line: int
    said: Likelihood


_RANKED: dict[str, Callable[[_Found], float]] = {
    "per_token": lambda found: found.said.per_token,
    "log_prob": lambda found: found.said.log_prob,
    "least": lambda found: min(found.said.log_probs),
}


def run(arguments: Sequence[str]) -> int:
    """Print how probable a model finds each target of some pairs, all of it and token by token."""
    given = _parser().parse_intermixed_args(list(arguments))
    options = vars(given)
    by = options.get("sort", "per_token" if "worst" in options else None)
    if by is not None and by not in _RANKED:
        raise RegardError(f"--sort: came {by!r}; known: {', '.join(_RANKED)}")
    if options.get("worst", 1) < 1:
        raise RegardError(f"--worst: came {given.worst}; expected 1 or more")
    from regard.data.corpora import stream_any
    from regard.folder import load_settings

    data = load_settings(Path(given.model)).data
    pairs, report = stream_any(given.pairs, options.get("target"), DataSettings(medium=data.medium or "text"), data)
    from regard.predictor import load

    found = _likelihoods(load(*folders_of(given), device=given.device), pairs, report)
    write = _as_json if given.json else _as_row
    lines = map(write, found) if by is None else _sorted(found, _RANKED[by], write, options.get("worst"))
    if not given.json:
        print("\t".join(_COLUMNS))
    for line in lines:
        print(line, flush=by is None)
    if report.left_out_count or report.noted or report.remarks:
        print(f"regard: {report}".replace("\n", "\nregard: "), file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "likelihood",
        "How probable a model finds the targets of given pairs: the log-probability of each, in nats, its mean per "
        "token, and that of every token with the mark of the end. Sorted, entries that are wrong come first.",
    )
    add_model(made, several=True)
    made.add_argument("pairs", help="pairs as for `regard train`; or, with --target, the source file")
    add_target(made)
    made.add_argument(
        "--sort",
        metavar="BY",
        help="the least probable first, by per_token, log_prob, or least, the least probable token (default: in the "
        "order of the pairs, each as soon as it is known)",
    )
    made.add_argument(
        "--worst", type=int, metavar="N", help="print only the N least probable (by --sort, or per_token)"
    )
    made.add_argument(
        "--json", action="store_true", default=False, help="print a JSON object a line, with the tokens by name"
    )
    return made


def _likelihoods(model: Predictor, pairs: Iterator[Pair], report: ReadReport) -> Iterator[_Found]:
    """Those of all pairs in their order, some at a time; pairs without one are told in the report."""
    size = _AT_ONCE[model.medium]
    while part := list(islice(pairs, size)):
        known = model.likelihood([pair.source for pair in part], [pair.target for pair in part])
        for pair, said in zip(part, known, strict=True):
            if said is None:
                report.leave_out(_NOT_SAID, pair.line)
                report.kept -= 1
            else:
                if model.target.unk in model.target.encode_ids([pair.target])[0]:
                    report.note(_STRANGE, pair.line)
                yield _Found(pair.line, said)


def _sorted(
    found: Iterator[_Found], rank: Callable[[_Found], float], write: Callable[[_Found], str], worst: int | None
) -> Iterator[str]:
    """The lines to print, the least probable first; only these are kept, and with `worst` only so many at a time."""
    lines = ((rank(each), write(each)) for each in found)
    # The first of equals is the first in the file, as by a stable sort.
    first = sorted(lines, key=itemgetter(0)) if worst is None else heapq.nsmallest(worst, lines, itemgetter(0))
    return map(itemgetter(1), first)


def _as_row(found: _Found) -> str:
    said = found.said
    numbers = (said.log_prob, said.per_token, said.log_probs[said.least])
    each = " ".join(f"{number:.4f}" for number in said.log_probs)
    texts = (said.tokens[said.least], str(found.line), said.source, said.target, each)
    return "\t".join([*(f"{number:.4f}" for number in numbers), *(" ".join(text.split()) for text in texts)])


def _as_json(found: _Found) -> str:
    said = found.said
    plain = {
        "line": found.line,
        "source": said.source,
        "target": said.target,
        "log_prob": round(said.log_prob, 6),
        "per_token": round(said.per_token, 6),
        "least": round(said.log_probs[said.least], 6),
        "token": said.tokens[said.least],
        "place": said.least,
        "tokens": said.tokens,
        "log_probs": [round(number, 6) for number in said.log_probs],
    }
    return json.dumps(plain, ensure_ascii=False)
