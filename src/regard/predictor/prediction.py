"""What a model says to one source."""

from __future__ import annotations

from dataclasses import dataclass, field

from regard.maps import AttentionMap


@dataclass(frozen=True)
class Replaced:
    """An unknown word of an output and what was put in its place.

    `place` is its number among the output's tokens, from 0; `source` the source word that weighed most for it, and
    `text` what stands in the output: that word itself, or what a dictionary has for it (`known`).
    """

    place: int
    source: str
    text: str
    known: bool


@dataclass(frozen=True)
class Prediction:
    """An output with its log-probability and the attention that it was made with.

    `log_prob` is that of all tokens with the end mark, in nats. `attention` is one matrix, an `AttentionMap` of target
    tokens over source tokens; where the model has several layers or heads it is the one chosen when the model was
    trained, and `every_attention` has them all. Both are None for a model without attention and for an empty text.
    `alternatives` are the next best outputs, the best of them first. `unknown` names the pieces of the source that the
    model has never seen; `note` says what a person should know of this prediction. Where `read` is False the source, a
    file among several, could not be read, and the note says why. `pieces` are the predictions of the pieces that a long
    recording was cut into (`search.piece`), each with its map; `attention` is None where a map of all is too large.
    `replaced` are the unknown words that others were put in the place of, where that was asked for. `copied` says of
    each token which share of its probability was copied from the source (`model.copy`); nothing where weights were
    given, or a window.
    """

    source: str
    text: str
    log_prob: float
    attention: AttentionMap | None = None
    every_attention: AttentionMap | None = field(default=None, repr=False)
    alternatives: tuple[Prediction, ...] = ()
    unknown: tuple[str, ...] = ()
    note: str = ""
    tokens: tuple[int, ...] = field(default=(), repr=False)
    read: bool = True
    pieces: tuple[Prediction, ...] = field(default=(), repr=False)
    replaced: tuple[Replaced, ...] = ()
    copied: tuple[float, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Spoken:
    """A target token that leaves while its source arrives.

    `new` is what it adds to the text, `text` all that was said so far. `place` is the last source token that was looked
    at for it, from 0 (-1: none), and `arrived` how many source tokens had arrived.
    """

    new: str
    text: str
    log_prob: float
    place: int
    arrived: int

    def __str__(self) -> str:
        return self.new
