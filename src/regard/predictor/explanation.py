"""How each target word came about: the scores of all source pieces, the weights made of them, and the context C_i."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from regard.attention import dense
from regard.data.encoding import Encoding
from regard.data.media import Item
from regard.errors import RegardError
from regard.maps import visible
from regard.model import ObservedStep
from regard.predictor.intervention import between
from regard.predictor.prediction import Prediction
from regard.predictor.predictor import Predictor

Numbers = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Step:
    """One target token.

    `scores` and `weights` (S) are those of one head over the source tokens; `values` (S, V) what that head sums, and
    `context` (V) the sum: C_i = sum_j weights_j values_j.
    """

    target: str
    scores: Numbers
    weights: Numbers
    values: Numbers
    context: Numbers
    log_prob: float


@dataclass(frozen=True)
class Explanation:
    """A prediction, token by token, in one layer and head."""

    prediction: Prediction
    source: tuple[str, ...]
    steps: tuple[Step, ...]
    score: str
    normalizer: str
    layer: int
    head: int
    of: tuple[int, int]


def explain(predictor: Predictor, source: Any, **search: Any) -> Explanation:
    """Predict, then go along the prediction once more and keep what the attention computes.

    Of several layers and heads it is the layer that is shown, and the head that is, or the first one where the mean of
    the layer's heads is shown (a mean has no scores). Raises RegardError for an empty text, what can't be read,
    and without attention.
    """
    context = predictor.settings.model.context
    if context not in ("attention", "fixed"):
        raise RegardError(
            f"a model with model.context {context} does not sum all places by their weights, so there is no C_i to "
            "explain; `regard predict --show` shows what it looks at"
        )
    encoding = predictor.encode(source)
    prediction = predictor.predict(encoding if isinstance(encoding, Item) else source, **search)
    if not prediction.tokens and prediction.attention is None and predictor.has_attention:
        raise RegardError(f"there is nothing to explain: {prediction.note}")
    with between(predictor.model) as watched:
        said, memory = _go_along(predictor, encoding, prediction.tokens)
    layer, head = predictor.facts.shown
    layer, head = layer % len(watched), max(head, 0)
    # (T, heads, S): at every step one query of one source.
    scores = torch.stack([step[0, :, 0] for step in watched[layer].scores])
    weights = torch.stack([dense(step[("cross", layer)])[0, :, 0] for step, _ in said])
    values = memory.cross[layer].value[0]
    names = [*predictor.trace(prediction.tokens, encoding).pieces, predictor.target.vocabulary[predictor.target.eos]]
    steps = []
    for number, (name, (_, log_prob)) in enumerate(zip(names, said, strict=True)):
        own = weights[number, head].float()
        steps.append(
            Step(
                visible(name),
                scores[number, head].float().cpu().numpy(),
                own.cpu().numpy(),
                values[head].float().cpu().numpy(),
                (own @ values[head].float()).cpu().numpy(),
                log_prob,
            )
        )
    settings = predictor.settings.model.cross
    return Explanation(
        prediction,
        predictor.labels(encoding).labels,
        tuple(steps),
        settings.score,
        settings.normalizer,
        layer,
        head,
        (len(watched), scores.shape[1]),
    )


def _go_along(
    predictor: Predictor, source: Encoding | Item, tokens: tuple[int, ...]
) -> tuple[list[tuple[ObservedStep, float]], Any]:
    """For each token and the end mark the weights and the log-probability; and the memory."""
    model, device = predictor.model, predictor.device
    model.eval()
    found = []
    with torch.inference_mode():
        side, sizes = predictor.side_by_side([source])
        encoded = model.encode(side.to(device), sizes.to(device))
        memory, state = model.prepare(encoded), model.start(encoded, 1)
        before = predictor.target.bos
        for token in (*tokens, predictor.target.eos):
            step = model.step(torch.tensor([[before]], device=device), memory, state, ("cross",))
            state, before = step.state, token
            found.append((step.observed, float(step.log_probs[0, 0, token])))
    return found, memory
