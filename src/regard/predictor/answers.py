"""From what a search has found to a `Prediction`: texts, maps, and what a person should know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from regard.data.encoding import Encoding
from regard.data.features import FeaturedTokeniser
from regard.data.media import Images, Item, Sounds
from regard.data.tokenisers import unknown_pieces
from regard.model import Hypothesis
from regard.model.contracts import POSTERIOR
from regard.predictor.forcing import force_encoded
from regard.predictor.labels import target_tokens
from regard.predictor.prediction import Prediction, Replaced
from regard.predictor.unknown import replacements, told

if TYPE_CHECKING:
    from regard.predictor.predictor import Predictor

EMPTY = "an empty text: nothing to predict from"


@dataclass(frozen=True)
class Asked:
    """What is asked of the output for one source: what it begins with, what unknown words are looked up in (None: they
    stay unknown), and for these the source as it is written, which the model may read in lower case."""

    prefix: Encoding | None = None
    dictionary: Mapping[str, str] | None = None
    written: str = ""

    @property
    def begin(self) -> tuple[int, ...]:
        """The tokens of the prefix."""
        return () if self.prefix is None else self.prefix.ids


def answer(predictor: Predictor, source: Encoding | Item, hypotheses: Sequence[Hypothesis], asked: Asked) -> Prediction:
    """The best of the hypotheses, with the others as its alternatives."""
    best, *others = [_one(predictor, source, hypothesis, asked) for hypothesis in hypotheses]
    unknown: tuple[str, ...] = ()
    notes: list[str] = []
    if isinstance(source, Item) or isinstance(predictor.source, (Images, Sounds)):
        notes += source.notes if isinstance(source, Item) else ()
    elif unknown := unknown_pieces(predictor.source, source):
        notes.append(f"never seen in training: {_named(unknown)}")
    if isinstance(source, Encoding) and isinstance(predictor.source, FeaturedTokeniser) and not source.features:
        notes.append("no features given, which this model was trained with")
    if asked.prefix is not None and (strange := unknown_pieces(predictor.target, asked.prefix)):
        notes.append(f"of the prefix, never seen in training: {_named(strange)}")
    known = predictor.settings.data.max_source_tokens
    if isinstance(source, Encoding) and len(source) > known:
        notes.append(f"{len(source)} tokens, more than the {known} of any text in training")
    if best.replaced:
        notes.append(told(best.replaced))
    return replace(best, alternatives=tuple(others), unknown=unknown, note="; ".join(notes))


def no_answer(predictor: Predictor, source: Encoding | Item, most: int, asked: Asked) -> Prediction:
    """What is said to a source that nothing is predicted from."""
    note = EMPTY
    if len(source) > most:
        what = "places" if isinstance(source, Item) else "tokens"
        note = f"{len(source):,} {what}, more than the {most:,} of search.max_source: nothing predicted"
    elif isinstance(source, Item) and not predictor.settings.model.knows(source.layout):
        note = f"{' x '.join(map(str, source.layout))} places, more than model.longest: nothing predicted"
    elif len(source) and len(asked.begin) > predictor.longest_said:
        note = (
            f"a prefix of {len(asked.begin):,} tokens, and this model says {predictor.longest_said:,} at most: nothing "
            "predicted"
        )
    elif isinstance(source, Item):
        note = "; ".join(source.notes)
    elif len(source):  # of several models, whose tokens differ
        note = "too long for one of the models: nothing predicted"
    return Prediction(source.text, "", 0.0, note=note, read=isinstance(source, Encoding) or len(source) > 0)


def _one(predictor: Predictor, source: Encoding | Item, hypothesis: Hypothesis, asked: Asked) -> Prediction:
    target, tokens = predictor.target, hypothesis.tokens
    layers = sorted(key for key in hypothesis.attention if key[0] == "cross")
    rows = np.stack([hypothesis.attention[key] for key in layers]) if layers else None
    # What stands in a prefix is known, though not to the model; so is what was copied.
    surfaces = {} if asked.prefix is None else _unknown_surfaces(asked.prefix, target.unk)
    plain = tokens
    if predictor.copying is not None and isinstance(source, Encoding):
        surfaces |= predictor.copying.surfaces(tokens, source)
        plain = predictor.copying.plain(tokens)
    replaced: tuple[Replaced, ...] = ()
    if asked.dictionary is not None and rows is not None and target.unk in tokens[len(asked.begin) :]:
        map = predictor.shown(predictor.map_of(rows, source, target_tokens(target, (*plain, target.eos))))
        assert isinstance(source, Encoding)
        found = replacements(target, tokens, map, source, asked.dictionary, asked.written)
        replaced = tuple(each for each in found if each.place >= len(asked.begin))
        surfaces |= {each.place: each.text for each in replaced}
    labels = target_tokens(target, (*plain, target.eos), surfaces) if surfaces or rows is not None else None
    every = None if rows is None or labels is None else predictor.map_of(rows, source, labels)
    text = target.decode(plain) if not surfaces or labels is None or labels.text is None else labels.text
    return Prediction(
        source.text,
        text,
        hypothesis.log_prob,
        None if every is None else predictor.shown(every),
        every,
        tokens=tokens,
        replaced=replaced,
    )


def with_copied(
    predictor: Predictor, found: Sequence[Prediction], sources: Sequence[Encoding | Item]
) -> list[Prediction]:
    """Predictions of a model that copies, with how much of each token was copied; their alternatives, too."""
    outputs = [
        (each, source)
        for best, source in zip(found, sources, strict=True)
        for each in (best, *best.alternatives)
        if each.tokens
    ]
    targets = [predictor.trace(each.tokens, source) for each, source in outputs]
    forced = iter(force_encoded(predictor, [source for _, source in outputs], targets, POSTERIOR))

    def with_share(output: Prediction) -> Prediction:
        weights = next(forced).weights if output.tokens else None
        alternatives = tuple(map(with_share, output.alternatives))
        shares = () if weights is None else tuple(weights[0, 0].sum(-1)[:-1].tolist())
        return replace(output, copied=shares, alternatives=alternatives)

    return list(map(with_share, found))


def _unknown_surfaces(encoding: Encoding, unk: int) -> dict[int, str]:
    return {place: encoding.pieces[place] for place, number in enumerate(encoding.ids) if number == unk}


def _named(pieces: Sequence[str]) -> str:
    return " ".join(dict.fromkeys(pieces))
