"""Forced decoding: what a model makes of given targets, how probable each token is and what it looks at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from regard.data.batches import evaluation_batches, restore
from regard.data.collate import with_targets
from regard.data.encoding import Encoding
from regard.data.media import Item
from regard.memory import in_halves

if TYPE_CHECKING:
    from regard.predictor.predictor import Predictor

_CELLS = 4_000
Numbers = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class ForcedPair:
    """A pair whose target was said: log p of each of its T tokens, the mark of the end among them, and the weights
    (layers, heads, T, S) of the place that was asked for."""

    source: Encoding | Item
    target: Encoding
    log_probs: Numbers
    weights: Numbers | None


@dataclass(frozen=True)
class Likelihood:
    """How probable a model finds a given target.

    `log_prob` is that of all tokens with the mark of the end, in nats, and `log_probs` that of each; `tokens` are these
    tokens as they stand in the text, and the mark by its name.
    """

    source: str
    target: str
    log_prob: float
    tokens: tuple[str, ...]
    log_probs: tuple[float, ...]

    @property
    def per_token(self) -> float:
        """The mean of the tokens' log-probabilities, by which targets of different lengths can be compared."""
        return self.log_prob / len(self.log_probs)

    @property
    def least(self) -> int:
        """The place of the least probable token, from 0."""
        return min(range(len(self.log_probs)), key=self.log_probs.__getitem__)


def force(
    predictor: Predictor, sources: Sequence[Any], targets: Sequence[str], place: str | None
) -> list[ForcedPair | None]:
    """Say each of the targets to its source; None for pairs with a side that is empty, too long, or can't be read."""
    encodings = predictor.encodings(sources)
    texts = [predictor.encode_target(text) for text in targets]
    given = [predictor.as_copied(text, source) for text, source in zip(texts, encodings, strict=True)]
    filled = [
        number
        for number, (source, target) in enumerate(zip(encodings, given, strict=True))
        if predictor.can_read(source) and 0 < len(target) <= predictor.longest_said
    ]
    found: list[ForcedPair | None] = [None] * len(encodings)
    rows = force_encoded(predictor, [encodings[number] for number in filled], [given[n] for n in filled], place)
    for number, row in zip(filled, rows, strict=True):
        found[number] = row
    return found


def force_encoded(
    predictor: Predictor, sources: Sequence[Encoding | Item], targets: Sequence[Encoding], place: str | None
) -> list[ForcedPair]:
    """The same of pairs in tokens, in batches of like lengths."""
    if not sources:
        return []
    lengths = [max(len(source), len(target) + 1) for source, target in zip(sources, targets, strict=True)]
    batches = evaluation_batches(lengths, size=_CELLS, unit="tokens")

    def forced(batch: Sequence[int]) -> list[ForcedPair]:
        return _forced(predictor, [sources[n] for n in batch], [targets[n] for n in batch], place)

    return restore(batches, [in_halves(forced, batch, "pairs") for batch in batches])


def likelihood_of(pair: ForcedPair, end: str) -> Likelihood:
    """The same for a person; `end` is the name of the mark of the end."""
    log_probs = tuple(pair.log_probs.tolist())
    return Likelihood(pair.source.text, pair.target.text, math.fsum(log_probs), (*pair.target.pieces, end), log_probs)


def _forced(
    predictor: Predictor, sources: Sequence[Encoding | Item], targets: Sequence[Encoding], place: str | None
) -> list[ForcedPair]:
    model, target = predictor.model, predictor.target
    batch = with_targets(
        *predictor.side_by_side(sources),
        [each.ids for each in targets],
        range(len(targets)),
        target_pad=target.pad,
        bos=target.bos,
        eos=target.eos,
    ).to(predictor.device)
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        said = model.forced(batch, observe=() if place is None else (place,))
    model.train(was_training)
    log_probs = said.log_probs.double().cpu().numpy()
    layers = None
    if said.observed:
        layers = torch.stack([said.observed[key].float() for key in sorted(said.observed)], 1).cpu().numpy()
    found = []
    for row, (source, text) in enumerate(zip(sources, targets, strict=True)):
        count = len(text) + 1
        weights = None if layers is None else layers[row, ..., :count, : len(source)]
        found.append(ForcedPair(source, text, log_probs[row, :count], weights))
    return found
