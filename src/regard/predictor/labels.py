"""From pieces and weights to an attention map that a person can read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from regard.data.encoding import Encoding
from regard.data.tokenisers import Tokeniser
from regard.folder import Facts
from regard.maps import NO_WORD, AttentionMap, Tokens


def source_tokens(encoding: Encoding) -> Tokens:
    """The labels of a source; a piece that the model does not know is shown as it was written.

    Features stand first under their names, as parts of no word.
    """
    return Tokens(encoding.pieces, encoding.words, encoding.text, encoding.offsets)


def target_tokens(tokeniser: Tokeniser, ids: Sequence[int]) -> Tokens:
    """The labels of an output: its pieces, and its marks (which are no part of the text) by name."""
    traced = tokeniser.trace(ids)
    marks = {tokeniser.pad, tokeniser.bos, tokeniser.eos}
    special = [number in marks for number in ids]
    pieces = [
        tokeniser.vocabulary[number] if mark else piece
        for number, piece, mark in zip(ids, traced.pieces, special, strict=True)
    ]
    words = [NO_WORD if mark else word for word, mark in zip(traced.words, special, strict=True)]
    return Tokens(tuple(pieces), tuple(words), traced.text, traced.offsets)


def said_tokens(encoding: Encoding, tokeniser: Tokeniser) -> Tokens:
    """The labels of a given target and its end mark; what the model does not know is shown as it was written."""
    end = len(encoding.text)
    return Tokens(
        (*encoding.pieces, tokeniser.vocabulary[tokeniser.eos]),
        (*encoding.words, NO_WORD),
        encoding.text,
        (*encoding.offsets, (end, end)),
    )


def shown_map(every: AttentionMap, facts: Facts, reading: bool) -> AttentionMap:
    """The one matrix that is shown: the only one, or the layer and head chosen on development data, and named.

    With `reading`, the row of a token is that of the step which has read it.
    """
    layers, heads = every.weights.shape[:2]
    if layers * heads == 1:
        # Nothing was chosen, so the note says nothing.
        found = replace(every, weights=every.weights[0, 0], axes=())
    else:
        layer, head = facts.shown
        chosen = every.select(layer=layer)
        found = chosen.mean("head") if head < 0 else chosen.select(head=head)
    return found.after_reading() if reading else found
