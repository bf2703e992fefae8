"""Tokenisers that are a table from pieces to numbers: one of characters, one of symbols separated by white space."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from regard.data.encoding import Encoding
from regard.data.special import SPECIALS, UNKNOWN_TEXT, Special
from regard.data.storing import save_facts, strings_of
from regard.data.text import Casing, Span, graphemes, normalise
from regard.errors import RegardError

# The module `re` means by white space what `str.split` means; `regex` leaves out the separators U+001C to U+001F.
_SYMBOL = re.compile(r"\S+")


@dataclass(frozen=True)
class _Table(Special):
    """What both tables share. `vocabulary` begins with the four special pieces."""

    vocabulary: tuple[str, ...]
    casing: Casing = "keep"

    @cached_property
    def _ids(self) -> Mapping[str, int]:
        return {piece: number for number, piece in enumerate(self.vocabulary) if number >= len(SPECIALS)}

    def _surface(self, number: int) -> str:
        if number >= len(SPECIALS):
            return self.vocabulary[number]
        return UNKNOWN_TEXT if number == self.unk else ""

    def _with(self, other: _Table) -> tuple[str, ...]:
        """The vocabulary, and after it what another has beyond it."""
        return (*self.vocabulary, *(piece for piece in other.vocabulary[len(SPECIALS) :] if piece not in self._ids))


@dataclass(frozen=True)
class CharacterTokeniser(_Table):
    """One piece a grapheme cluster (`character`), or a code point (`code_point`), whose vocabulary has no clusters.

    A cluster that the vocabulary lacks is spelled by its code points, where it has one of those; else the whole
    cluster is one unknown piece.
    """

    kind: str = "character"

    @classmethod
    def train(cls, texts: Iterable[str], casing: Casing = "keep", kind: str = "character") -> CharacterTokeniser:
        """The table of all code points of `texts`, and for `character` of all clusters that occur twice (a cluster met
        once is better spelled: its own piece would hardly be trained)."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(graphemes(normalise(text, casing)))
        points = {point for cluster in counts for point in cluster}
        clusters = {cluster for cluster, count in counts.items() if count > 1} if kind == "character" else set()
        return cls((*SPECIALS, *sorted(points | clusters)), casing, kind)

    def extended(self, texts: Iterable[str]) -> CharacterTokeniser:
        """The same with what `texts` have beyond it, after its own."""
        return replace(self, vocabulary=self._with(self.train(texts, self.casing, self.kind)))

    def encode(self, text: str) -> Encoding:
        text = normalise(text, self.casing)
        pieces = list(self._pieces(text))
        offsets, start = list[Span](), 0
        for piece in pieces:
            offsets.append((start, start := start + len(piece)))
        return Encoding(text, tuple(self._ids.get(piece, self.unk) for piece in pieces), tuple(offsets))

    def encode_ids(self, texts: Sequence[str]) -> list[list[int]]:
        ids, unk = self._ids, self.unk
        return [[ids.get(piece, unk) for piece in self._pieces(normalise(text, self.casing))] for text in texts]

    def _pieces(self, text: str) -> Iterator[str]:
        for cluster in graphemes(text):
            if len(cluster) == 1 or cluster in self._ids or not any(point in self._ids for point in cluster):
                yield cluster
            else:
                yield from cluster

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(self._surface, ids))

    def trace(self, ids: Sequence[int]) -> Encoding:
        offsets, start = list[Span](), 0
        surfaces = [self._surface(number) for number in ids]
        for surface in surfaces:
            offsets.append((start, start := start + len(surface)))
        return Encoding("".join(surfaces), tuple(ids), tuple(offsets))

    def save(self, folder: Path, name: str) -> None:
        save_facts(folder, name, kind=self.kind, casing=self.casing, vocabulary=self.vocabulary)


@dataclass(frozen=True)
class SymbolTokeniser(_Table):
    """One piece a symbol: what stands between white space. A symbol is never split. The text decoded from ids has one
    space between symbols."""

    kind: str = "symbols"

    @classmethod
    def train(cls, texts: Iterable[str], casing: Casing = "keep", size: int | None = None) -> SymbolTokeniser:
        """The table of all symbols of `texts`; or of the most frequent, at most `size` pieces with the special ones:
        all others are then one unknown piece."""
        counts = Counter(symbol for text in texts for symbol in normalise(text, casing).split())
        symbols = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
        kept = symbols if size is None else symbols[: max(1, size - len(SPECIALS))]
        return cls((*SPECIALS, *sorted(kept)), casing)

    def extended(self, texts: Iterable[str]) -> SymbolTokeniser:
        """The same with what `texts` have beyond it, after its own."""
        return SymbolTokeniser(self._with(self.train(texts, self.casing)), self.casing)

    def encode(self, text: str) -> Encoding:
        text = normalise(text, self.casing)
        found = list(_SYMBOL.finditer(text))
        ids = tuple(self._ids.get(match[0], self.unk) for match in found)
        return Encoding(text, ids, tuple(match.span() for match in found))

    def encode_ids(self, texts: Sequence[str]) -> list[list[int]]:
        ids, unk = self._ids, self.unk
        return [[ids.get(symbol, unk) for symbol in _SYMBOL.findall(normalise(text, self.casing))] for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        return " ".join(filter(None, map(self._surface, ids)))

    def trace(self, ids: Sequence[int]) -> Encoding:
        offsets, start = list[Span](), 0
        for number in ids:
            surface = self._surface(number)
            if surface and start:
                start += 1
            offsets.append((start, start := start + len(surface)))
        return Encoding(self.decode(ids), tuple(ids), tuple(offsets))

    def save(self, folder: Path, name: str) -> None:
        save_facts(folder, name, kind=self.kind, casing=self.casing, vocabulary=self.vocabulary)


def load_table(facts: Mapping[str, Any], path: Path) -> CharacterTokeniser | SymbolTokeniser:
    """A table from what `save` wrote. Raises RegardError where it is not that."""
    vocabulary = strings_of(facts, "vocabulary", path)
    if vocabulary[: len(SPECIALS)] != SPECIALS or len(set(vocabulary[len(SPECIALS) :])) != len(vocabulary) - len(
        SPECIALS
    ):
        raise RegardError(f"{path}: its vocabulary is damaged; take the file from the model's original folder")
    table = SymbolTokeniser if facts["kind"] == "symbols" else CharacterTokeniser
    return table(vocabulary, "fold" if facts["casing"] == "fold" else "keep", facts["kind"])
