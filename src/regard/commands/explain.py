"""`regard explain`."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from regard.commands.parsing import add_settings, given_on, parser
from regard.commands.predicting import add_model
from regard.errors import RegardError
from regard.settings import SearchSettings

if TYPE_CHECKING:
    from regard.predictor import Explanation, Step
    from regard.predictor.explanation import Numbers

_SHOWN_NUMBERS = 4


def run(arguments: Sequence[str]) -> int:
    """Print how each target token came about: scores, weights, and the context made of the values."""
    given = _parser().parse_intermixed_args(list(arguments))
    search = given_on(given, SearchSettings)
    from regard.predictor import explain, load

    found = explain(load(given.model, device=given.device), given.text, **search)
    for line in _lines(found, getattr(given, "word", None), given.top):
        print(line)
    return 0


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "explain",
        "How each target token came about: the score of every source token, the weights made of the scores, and the "
        "context C_i = sum_j weight_j value_j that the decoder is given.",
    )
    add_model(made)
    made.add_argument("text", help="the source")
    made.add_argument("--word", type=int, metavar="I", help="only target token I, from 1 (default: all)")
    made.add_argument(
        "--top", type=int, default=8, metavar="N", help="source tokens to name, the heaviest (default: 8)"
    )
    add_settings(made, SearchSettings)
    return made


def _lines(found: Explanation, word: int | None, top: int) -> list[str]:
    if word is not None and not 1 <= word <= len(found.steps):
        raise RegardError(f"--word {word}: the output has {len(found.steps)} tokens, numbered from 1")
    lines = [f"{found.prediction.source}  ->  {found.prediction.text}"]
    if found.prediction.note:
        lines.append(f"note: {found.prediction.note}")
    if found.of != (1, 1):
        lines.append(f"layer {found.layer} of {found.of[0]}, head {found.head} of {found.of[1]}, counted from 0")
    for number, step in enumerate(found.steps, start=1):
        if word in (None, number):
            lines += ["", *_step(found, number, step, top)]
    return lines


def _step(found: Explanation, number: int, step: Step, top: int) -> list[str]:
    from regard.evaluation import table

    order = sorted(range(len(found.source)), key=lambda place: (-float(step.weights[place]), place))
    rows = [
        (
            found.source[place],
            f"{step.scores[place]:.3f}",
            f"{step.weights[place]:.3f}",
            _vector(step.values[place]),
            f"{_norm(step.values[place]):.2f}",
        )
        for place in order[:top]
    ]
    lines = [f"{number}. {step.target}  (log-probability {step.log_prob:.3f})"]
    headings = ("source", f"score ({found.score})", f"weight ({found.normalizer})", "value", "norm")
    lines += [f"  {line}" for line in table(headings, rows).splitlines()]
    if order[top:]:
        rest = sum(float(step.weights[place]) for place in order[top:])
        lines.append(f"  {len(order) - top} more source tokens weigh {rest:.3f} together")
    heaviest = [place for place in order[:3] if step.weights[place] >= 0.005]
    terms = " + ".join(f"{step.weights[place]:.2f} value({found.source[place]})" for place in heaviest)
    more = " + ..." if len(found.source) > len(heaviest) else ""
    lines.append(f"  C_{number} = {terms or '0'}{more}")
    lines.append(f"      = {_vector(step.context)}, of norm {_norm(step.context):.2f}")
    return lines


def _vector(numbers: Numbers) -> str:
    """The first of its numbers; all of them where they are few."""
    shown = ", ".join(f"{number:+.2f}" for number in numbers[:_SHOWN_NUMBERS])
    return f"({shown}, ... {len(numbers)} numbers)" if len(numbers) > _SHOWN_NUMBERS else f"({shown})"


def _norm(numbers: Numbers) -> float:
    return math.sqrt(sum(float(number) ** 2 for number in numbers))
