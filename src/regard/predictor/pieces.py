"""Predicting from a long recording piece by piece: what each piece says, put together.

A piece knows nothing of the others, so that time and memory grow with the length of a recording and not with its
square. The map over the whole has a row of all places for each token, and is made as long as it is small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from regard.data.encoding import Encoding
from regard.data.media import Item, Sounds, Source
from regard.data.pieces import cut_at_quiet
from regard.maps import NO_WORD, AttentionMap, Sound, Tokens, WordTime, word_times
from regard.predictor.prediction import Prediction

#: A map over a whole recording has no more bytes of weights than this; beyond, there are only those of its pieces.
MOST_BYTES = 1 << 26


def pieces_of(source: Source, item: Encoding | Item, seconds: float | None) -> list[Encoding | Item]:
    """A recording as items of at most so many seconds, cut at quiet moments between its places; all else as it is."""
    if seconds is None or not isinstance(source, Sounds) or not isinstance(item, Item) or not len(item):
        return [item]
    rate = source.settings.rate
    assert rate is not None
    cuts = cut_at_quiet(item.values, rate, seconds, round(source.step * rate))
    if len(cuts) == 1:
        return [item]
    return [source.item(item.text, item.values[start:end], item.notes) for start, end in cuts]


def put_together(parts: Sequence[Prediction]) -> Prediction:
    """One prediction of the predictions of a recording's pieces, which it keeps; of a single one, that one."""
    if len(parts) == 1:
        return parts[0]
    every = _joined([part.every_attention for part in parts])
    shown = _joined([part.attention for part in parts])
    notes = [note for note in dict.fromkeys(part.note for part in parts) if note]
    if any(part.alternatives for part in parts):
        notes.append("only the first output of each piece is put together; the others are in `pieces`")
    told = "" if shown or parts[0].attention is None else ", too long for a map of the whole"
    return Prediction(
        parts[0].source,
        " ".join(part.text for part in parts if part.text),
        sum(part.log_prob for part in parts),
        shown,
        every,
        note="; ".join([f"predicted in {len(parts):,} pieces{told}", *notes]),
        tokens=tuple(token for part in parts for token in part.tokens),
        pieces=tuple(parts),
    )


def heard(prediction: Prediction) -> list[WordTime]:
    """The times of the words of a prediction from a recording; of one in pieces, those of its pieces, one after the
    other. Raises RegardError as `word_times`."""
    if not prediction.pieces:
        return [] if prediction.attention is None else word_times(prediction.attention)
    words, begin = list[WordTime](), 0.0
    for piece in prediction.pieces:
        if piece.attention is None:
            continue
        found = word_times(piece.attention)
        # Between pieces there is a space, though the first word of a text has none before it.
        found = [replace(word, spaced=word.spaced or (not place and bool(words))) for place, word in enumerate(found)]
        words += [replace(word, start=word.start + begin, end=word.end + begin) for word in found]
        assert isinstance(piece.attention.medium, Sound)
        begin += piece.attention.medium.seconds
    return words


def _joined(maps: Sequence[AttentionMap | None]) -> AttentionMap | None:
    """The map over a whole recording: the weights of each token are on the places of its piece."""
    known = [map for map in maps if map is not None]
    if len(known) < len(maps):
        return None
    first, media = known[0], [map.medium for map in known if isinstance(map.medium, Sound)]
    rows = [np.flatnonzero(~np.array(map.target.special)) for map in known[:-1]] + [np.arange(len(known[-1].target))]
    shape = (*first.weights.shape[:-2], sum(map(len, rows)), sum(len(map.source) for map in known))
    if math.prod(shape) * first.weights.itemsize > MOST_BYTES or len(media) < len(known):
        return None
    weights = np.zeros(shape, first.weights.dtype)
    row = column = 0
    for map_, chosen in zip(known, rows, strict=True):
        here = weights[..., row : row + len(chosen), column : column + len(map_.source)]
        here[...] = map_.weights[..., chosen, :]
        row, column = row + len(chosen), column + len(map_.source)
    whole = Sound(np.concatenate([each.samples for each in media]), media[0].rate, shape[-1], media[0].step)
    target = _text([map_.target.take(chosen.tolist()) for map_, chosen in zip(known, rows, strict=True)])
    return replace(first, weights=weights, source=whole.tokens(first.source.text or ""), target=target, medium=whole)


def _text(parts: Sequence[Tokens]) -> Tokens:
    """The tokens of texts with a space between them, as those of one text."""
    pieces, words, offsets, texts = list[str](), list[int](), list[tuple[int, int]](), list[str]()
    begin = first = 0
    for part in parts:
        assert part.text is not None
        assert part.offsets is not None
        pieces += part.pieces
        words += [word if word == NO_WORD else word + first for word in part.words]
        offsets += [(start + begin, end + begin) for start, end in part.offsets]
        first = max(words, default=NO_WORD) + 1
        if part.text:
            texts.append(part.text)
            begin += len(part.text) + 1
    text = " ".join(texts)
    return Tokens(tuple(pieces), tuple(words), text, tuple((min(a, len(text)), min(b, len(text))) for a, b in offsets))
