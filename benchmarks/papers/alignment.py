"""What both tables of word alignments measure. Which weights become links is chosen on other pairs than are told of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from regard.aligner import Way, symmetriser, word_weights
from regard.evaluation import (
    RATES,
    Gold,
    alignment_score,
    alignment_statistics,
    bootstrap,
    paired_bootstrap,
)
from regard.maps import SYMMETRISATIONS as OF_LINKS
from regard.maps import AttentionMap, Links, flip, links_from
from regard.maps.links import Weights
from regard.predictor import Predictor

SYMMETRISATIONS = (
    "intersection",
    "grow-diag-final-and",
    "union",
    *(f"geometric-mean:{threshold}" for threshold in (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)),
)


@dataclass(frozen=True)
class Judged:
    """Pairs of words separated by spaces, and the links that count as right."""

    pairs: Sequence[tuple[str, str]]
    gold: Sequence[Gold]


def score(
    forward: Sequence[Predictor], backward: Sequence[Predictor], held: Judged, test: Judged
) -> tuple[dict[str, Any], list[Links]]:
    """The error rates on `test` of both directions as one, and its links. Of several models weights are averaged.

    Layer, head and rows of each model, and how both directions become one, are those of the least AER on `held`.
    """
    there = [Side.of(model, held, test, False) for model in forward]
    back = [Side.of(model, held, test, True) for model in backward]
    ways = [[side.best(held) for side in sides] for sides in (there, back)]
    # Of the held out pairs and of the test, each way round: (target words, source words) of every pair.
    weights = [
        [_mean([side.weights(part(side), way) for side, way in zip(sides, chosen, strict=True)]) for part in _PARTS]
        for sides, chosen in zip((there, back), ways, strict=True)
    ]

    def one(name: str, part: int) -> list[Links]:
        both, way = symmetriser(name), replace(ways[0][0], symmetrise=name)
        return [both(*each, way) for each in zip(weights[0][part], weights[1][part], strict=True)]

    chosen = min(SYMMETRISATIONS, key=lambda name: _aer(one(name, 0), held.gold))
    found = one(chosen, 1)
    alone = [
        [links_from(each) for each in weights[0][1]],
        [flip(links_from(each)) for each in weights[1][1]],
    ]
    made = {
        **rates(found, test.gold),
        "forward": round(100 * _aer(alone[0], test.gold), 2),
        "backward": round(100 * _aer(alone[1], test.gold), 2),
        "symmetrise": chosen,
        "weights": [{"layer": way.layer, "head": way.head, "reading": way.reading} for some in ways for way in some],
        "held out aer": round(100 * _aer(one(chosen, 0), held.gold), 2),
    }
    return made, found


def symmetrised(
    forward: Sequence[Links], backward: Sequence[Links], held: Sequence[Gold], test: Sequence[Gold]
) -> tuple[dict[str, Any], list[Links]]:
    """The same of links that were made elsewhere: those of the held out pairs, then those of the test."""

    def both(name: str) -> list[Links]:
        return [OF_LINKS[name](one, other) for one, other in zip(forward, backward, strict=True)]

    chosen = min(OF_LINKS, key=lambda name: _aer(both(name)[: len(held)], held))
    found = both(chosen)[len(held) :]
    alone = [round(100 * _aer(list(links)[len(held) :], test), 2) for links in (forward, backward)]
    return {**rates(found, test), "forward": alone[0], "backward": alone[1], "symmetrise": chosen}, found


def rates(found: Sequence[Links], gold: Sequence[Gold]) -> dict[str, Any]:
    """AER with its interval of 95 %, precision and recall, in per cent."""
    interval = bootstrap(alignment_statistics(found, gold))
    values = {name: round(alignment_statistics(found, gold, name).score().value, 2) for name in RATES}
    return {**values, "interval": [round(interval.low, 2), round(interval.high, 2)], "links": sum(map(len, found))}


def compared(found: Sequence[Links], other: Sequence[Links], gold: Sequence[Gold]) -> dict[str, float]:
    """AER of the others less AER of those found, with the interval of 95 % on resampled pairs: above 0 is better."""
    result = paired_bootstrap(alignment_statistics(found, gold), alignment_statistics(other, gold))
    return {
        "difference": round(result.difference, 2),
        "low": round(result.low, 2),
        "high": round(result.high, 2),
        "p": round(result.p, 4),
    }


def _aer(found: Sequence[Links], gold: Sequence[Gold]) -> float:
    return alignment_score(found, gold).aer


@dataclass(frozen=True)
class Side:
    """One direction: its model, and the maps of all its layers and heads."""

    model: Predictor
    held: Sequence[AttentionMap | None]
    test: Sequence[AttentionMap | None]
    backward: bool

    @classmethod
    def of(cls, model: Predictor, held: Judged, test: Judged, backward: bool) -> Side:
        def maps(judged: Judged) -> list[AttentionMap | None]:
            sources, targets = zip(*(pair[::-1] if backward else pair for pair in judged.pairs), strict=True)
            return model.align(sources, targets)

        return cls(model, maps(held), maps(test), backward)

    def best(self, held: Judged) -> Way:
        """Of all layers, heads and their means, and of both rows: the least AER. A guided model's are known."""
        training = self.model.settings.training
        if self.model.facts.shown_reason == "guided by word alignments":
            layer, head = self.model.facts.shown
            return Way(layer=layer, head=head, reading=training.guided_reading)
        some = next(each for each in self.held if each is not None)
        layers, heads = some.weights.shape[:2]
        ways = [
            Way(layer=layer, head=head, reading=reading)
            for layer in range(layers)
            for head in range(-1 if heads > 1 else 0, heads)
            for reading in (False, True)
        ]
        return min(ways, key=lambda way: _aer(self.links(self.held, way), held.gold))

    def links(self, maps: Sequence[AttentionMap | None], way: Way) -> list[Links]:
        """(word of the forward source, of its target)."""
        made = [links_from(weights) for weights in self.weights(maps, way)]
        return [flip(each) for each in made] if self.backward else made

    def weights(self, maps: Sequence[AttentionMap | None], way: Way) -> list[Weights]:
        assert all(each is not None for each in maps)
        return [word_weights(self.model, each, way) for each in maps if each is not None]


_PARTS: tuple[Callable[[Side], Sequence[AttentionMap | None]], ...] = (lambda side: side.held, lambda side: side.test)


def _mean(models: Sequence[Sequence[Weights]]) -> list[Weights]:
    """The mean over models of the weights of each pair."""
    return [np.mean(some, axis=0) for some in zip(*models, strict=True)]
