"""What of a source may be copied into a target: for each piece of it the number that the target would have for it.

Pieces are the same where their strings are, whatever vocabularies the two sides have. A piece that the target's
vocabulary (V pieces) lacks is number V + j, where j is the place of the first piece like it in this source: each source
extends the vocabulary by its own. Features, marks and pieces of nothing are never copied (-1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regard.data.encoding import Encoding
from regard.data.features import FeaturedTokeniser
from regard.data.tokenisers import Tokeniser

NOT_COPIED = -1


class Copying:
    """What may be copied from texts of one tokeniser to those of another."""

    def __init__(self, source: Tokeniser, target: Tokeniser) -> None:
        self._source, self._target = source, target
        # What lies beyond are features.
        self._pieces = len(source.inner.vocabulary) if isinstance(source, FeaturedTokeniser) else len(source.vocabulary)
        self._marks = {source.pad, source.bos, source.eos}
        marks = {target.pad, target.unk, target.bos, target.eos}
        self._known = {name: number for number, name in enumerate(target.vocabulary) if number not in marks}
        self._names = source.vocabulary

    def source_rows(self, encoding: Encoding) -> NDArray[np.int32]:
        """(S, 2): the numbers of a source's pieces, and of each as a piece of the target."""
        return np.array([encoding.ids, self._copies(encoding)], np.int32).T.reshape(-1, 2)

    def target_ids(self, encoding: Encoding, source: Encoding) -> tuple[int, ...]:
        """The numbers of a target's pieces; of those that its vocabulary lacks, as pieces of this source."""
        if self._target.unk not in encoding.ids:
            return encoding.ids
        beyond = self._beyond(source)
        unk = self._target.unk
        return tuple(
            beyond.get(piece, number) if number == unk else number
            for number, piece in zip(encoding.ids, encoding.pieces, strict=True)
        )

    def plain(self, ids: Sequence[int]) -> tuple[int, ...]:
        """The same numbers, with the unknown piece for what the target's vocabulary lacks."""
        size = len(self._target.vocabulary)
        return tuple(self._target.unk if number >= size else number for number in ids)

    def surfaces(self, ids: Sequence[int], source: Encoding) -> dict[int, str]:
        """What stands in the text for the pieces that the target's vocabulary lacks, by their place."""
        size = len(self._target.vocabulary)
        found = {place: self._name(number - size, source) for place, number in enumerate(ids) if number >= size}
        return {place: name if place else name.removeprefix(" ") for place, name in found.items()}

    def _copies(self, encoding: Encoding) -> list[int]:
        beyond = self._beyond(encoding)
        found = []
        for place, number in enumerate(encoding.ids):
            name = self._name(place, encoding)
            if place < encoding.features or not name or number in self._marks:
                found.append(NOT_COPIED)
            else:
                found.append(self._known.get(name, beyond.get(name, NOT_COPIED)))
        return found

    def _beyond(self, source: Encoding) -> Mapping[str, int]:
        """The pieces of a source that the target's vocabulary lacks, with their numbers."""
        first: dict[str, int] = {}
        for place in range(source.features, len(source)):
            name = self._name(place, source)
            if name and name not in self._known:
                first.setdefault(name, len(self._target.vocabulary) + place)
        return first

    def _name(self, place: int, source: Encoding) -> str:
        """What a piece is called: as it is written, where the source's vocabulary lacks it too."""
        number = source.ids[place]
        return source.pieces[place] if number == self._source.unk or number >= self._pieces else self._names[number]


def copying_of(copies: bool, source: Any, target: Tokeniser) -> Copying | None:
    """What a model copies by, if its settings say that it does."""
    return Copying(source, target) if copies else None
