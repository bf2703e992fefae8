"""The tokenisers of a model to begin with, extended by what a new corpus has beyond them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from regard.data.describe import coverage
from regard.data.features import FeaturedTokeniser
from regard.data.media import Images, Sounds, Source
from regard.data.tables import CharacterTokeniser, SymbolTokeniser
from regard.data.tokenisers import Tokeniser
from regard.folder import load_settings, load_sides
from regard.settings import DataSettings

_NAMED = 10


@dataclass(frozen=True)
class Known:
    """What reads the two sides of a model that a training begins with, and its settings of the data."""

    data: DataSettings
    source: Source
    target: Tokeniser

    @classmethod
    def of(cls, folder: Path) -> Known:
        """That of a model's folder. Raises RegardError as `load_sides` does."""
        settings = load_settings(folder)
        return cls(settings.data, *load_sides(folder, settings))

    def source_for(self, data: DataSettings, sources: Sequence[str], targets: Sequence[str]) -> Tokeniser | None:
        """The source's tokeniser, extended, where the new settings ask for the same; features are another matter."""
        if isinstance(self.source, (Images, Sounds)) or not self._same(data, "source"):
            return None
        inner = self.source.inner if isinstance(self.source, FeaturedTokeniser) else self.source
        return extended(inner, [*sources, *targets] if data.joint else sources)

    def target_for(self, data: DataSettings, targets: Sequence[str]) -> Tokeniser | None:
        """The target's tokeniser, extended, where the new settings ask for the same."""
        return extended(self.target, targets) if self._same(data, "target") else None

    @property
    def features(self) -> tuple[str, ...]:
        """Those of the source that the model knows."""
        return self.source.features if isinstance(self.source, FeaturedTokeniser) else ()

    def _same(self, data: DataSettings, side: str) -> bool:
        return data.joint == self.data.joint and all(
            getattr(data, f"{side}_{name}") == getattr(self.data, f"{side}_{name}") for name in ("tokens", "case")
        )


def extended(tokeniser: Tokeniser, texts: Sequence[str]) -> Tokeniser:
    """The same tokeniser, with the characters or symbols of `texts` that it lacks after its own.

    Subwords stay as they are: a piece more would cut texts otherwise than the model has learned.
    """
    if isinstance(tokeniser, CharacterTokeniser):
        return tokeniser.extended(texts)
    return tokeniser.extended(texts) if isinstance(tokeniser, SymbolTokeniser) else tokeniser


def told(known: Known, source: Source, target: Tokeniser, sources: Sequence[str], targets: Sequence[str]) -> list[str]:
    """What became of the vocabularies, for a person: the tokens that are new, or what subwords that stay don't know."""
    lines = []
    for side, before, now, texts in (
        ("source", known.source, source, sources),
        ("target", known.target, target, targets),
    ):
        if isinstance(before, (Images, Sounds)) or isinstance(now, (Images, Sounds)):
            continue
        first = set(before.vocabulary)
        # Features may be left out: pairs without any have none to learn.
        if before.kind != now.kind or not set(_texts(before)) <= set(now.vocabulary):
            lines.append(f"{side}: {now.kind}, a vocabulary of its own, and not that of the model to begin with")
            continue
        new = list(dict.fromkeys(piece for piece in now.vocabulary if piece not in first))
        named = " ".join(piece.strip() or repr(piece) for piece in new[:_NAMED]) + (" ..." if new[_NAMED:] else "")
        count = f"{len(first & set(now.vocabulary)):,} tokens of the model to begin with"
        if new:
            lines.append(f"{side}: {now.kind}, {count}, and {len(new):,} new: {named}")
        else:
            lines.append(f"{side}: {now.kind}, {count}, none new; {coverage(now, list(texts))}")
    return lines


def _texts(tokeniser: Tokeniser) -> tuple[str, ...]:
    """The pieces of texts themselves."""
    return (tokeniser.inner if isinstance(tokeniser, FeaturedTokeniser) else tokeniser).vocabulary
