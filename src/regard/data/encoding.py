"""`Encoding`: a text in pieces, each with its number in the vocabulary and its place in the text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from regard.data.text import Span, words_of_pieces


@dataclass(frozen=True)
class Encoding:
    """The pieces of one text.

    `text` is the normalised text, `ids` the pieces' numbers (no start or end mark among them), `offsets` the start
    and end of each piece in `text`, in characters as Python counts them. A piece that the vocabulary does not have
    bears the id of the unknown piece and still its own place in the text, so that it can be shown. The first pieces may
    be `features` of the text (`regard.data.features`), which stand behind it, after a tab, and belong to no word.
    """

    text: str
    ids: tuple[int, ...]
    offsets: tuple[Span, ...]
    features: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def pieces(self) -> tuple[str, ...]:
        """The surface of each piece: `text[start:end]`. An end mark (in an encoding of predicted ids) is empty."""
        return tuple(self.text[start:end] for start, end in self.offsets)

    @property
    def words(self) -> tuple[int, ...]:
        """For each piece the index of the word that it belongs to; -1 for features."""
        return (-1,) * self.features + self._words[0]

    @property
    def word_offsets(self) -> tuple[Span, ...]:
        """Start and end of each word in `text`; no piece reaches across two words."""
        return self._words[1]

    @property
    def word_texts(self) -> tuple[str, ...]:
        """The surface of each word."""
        return tuple(self.text[start:end] for start, end in self.word_offsets)

    @cached_property
    def _words(self) -> tuple[tuple[int, ...], tuple[Span, ...]]:
        text = self.text.partition("\t")[0] if self.features else self.text
        return words_of_pieces(text, self.offsets[self.features :])
