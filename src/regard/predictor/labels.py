"""From pieces and weights to an attention map that a person can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def target_tokens(tokeniser: Tokeniser, ids: Sequence[int], surfaces: Mapping[int, str] | None = None) -> Tokens:
    """The labels of an output: its pieces, and its marks (which are no part of the text) by name.

    `surfaces` are what stands in the text for some of the pieces, by their place, instead of their own.
    """
    traced = tokeniser.trace(ids)
    if surfaces:
        traced = resurfaced(traced, surfaces)
    marks = {tokeniser.pad, tokeniser.bos, tokeniser.eos}
    special = [number in marks for number in ids]
    pieces = [
        tokeniser.vocabulary[number] if mark else piece
        for number, piece, mark in zip(ids, traced.pieces, special, strict=True)
    ]
    words = [NO_WORD if mark else word for word, mark in zip(traced.words, special, strict=True)]
    return Tokens(tuple(pieces), tuple(words), traced.text, traced.offsets)


def resurfaced(encoding: Encoding, surfaces: Mapping[int, str]) -> Encoding:
    """The same pieces with other surfaces for some of them, by their place, and the text that this makes."""
    parts, offsets, at, moved = list[str](), list[tuple[int, int]](), 0, 0
    for place, (start, end) in enumerate(encoding.offsets):
        if place not in surfaces:
            offsets.append((start + moved, end + moved))
            continue
        new = surfaces[place]
        parts += [encoding.text[at:start], new]
        offsets.append((start + moved, start + moved + len(new)))
        at, moved = end, moved + len(new) - (end - start)
    return Encoding("".join([*parts, encoding.text[at:]]), encoding.ids, tuple(offsets))


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
