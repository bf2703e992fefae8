"""Features of a source, such as `V;PST;3;SG` beside a lemma: symbols of their own that stand before its tokens.

Everywhere a source with features is one text: `walk`, a tab, `V;PST`. No other source holds a tab, since the readers
turn those into spaces.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from regard.data.encoding import Encoding
from regard.data.storing import load_facts, save_facts, strings_of
from regard.data.text import Casing, Span, normalise
from regard.data.tokenisers import Tokeniser, load_tokeniser
from regard.errors import RegardError, shown

MARK = "\t"
"""Parts a text from its features; their names in the vocabulary begin with it, as no piece of a text does."""

# Separated by semicolons, bars or white space, that after a comma left out.
_FEATURE = re.compile(r"(?:,\s*|[^;|\s])+")
_SPACES = re.compile(r"\s+")
_BUNDLE = re.compile(r"[A-Z0-9_.+/*{},=:()\-]+(?:[;|][A-Z0-9_.+/*{},=:() \-]+)*")
_SAMPLE = 2_000
_MOST, _SEVERAL = 0.95, 0.5


def joined(text: str, features: str) -> str:
    """A source with features as one text."""
    return f"{text}{MARK}{features}"


def parted(source: str) -> tuple[str, str | None]:
    """The text and the features of a source; None where it has none."""
    text, mark, features = source.partition(MARK)
    return text, features if mark else None


def text_of(source: str) -> str:
    """A source without its features."""
    return source.partition(MARK)[0]


def given(source: Any) -> Any:
    """A source as it was given, a pair (text, features) as one text."""
    if isinstance(source, tuple) and len(source) == 2 and all(isinstance(part, str) for part in source):
        return joined(*(_SPACES.sub(" ", part).strip() for part in source))
    return source


def are_pair(source: Sequence[Any]) -> bool:
    """Whether two texts are, by what the second one holds, a text and its features."""
    return (
        len(source) == 2
        and all(isinstance(part, str) for part in source)
        and ";" in source[1]
        and are_features(source[1:])
    )


def feature_spans(features: str) -> list[Span]:
    """Start and end of each feature of `V;IMP;NOM(2,SG)`."""
    return [match.span() for match in _FEATURE.finditer(features)]


def are_features(cells: Sequence[str]) -> bool:
    """Whether a column of a table holds features: capitals and digits, mostly several with semicolons or bars."""
    sample = [cell.strip() for cell in cells[:: max(1, len(cells) // _SAMPLE)] if cell.strip()]
    bundles = [cell for cell in sample if _BUNDLE.fullmatch(cell)]
    several = sum(";" in cell or "|" in cell for cell in bundles)
    return bool(sample) and len(bundles) >= _MOST * len(sample) and several >= _SEVERAL * len(sample)


@dataclass(frozen=True)
class FeaturedTokeniser:
    """The pieces of a text by another tokeniser, after one piece for each of its features.

    `features` are the known ones; they follow the pieces of `inner` in the vocabulary, each under its name after a tab.
    """

    inner: Tokeniser
    features: tuple[str, ...]

    @classmethod
    def train(cls, inner: Tokeniser, sources: Iterable[str], known: Sequence[str] = ()) -> FeaturedTokeniser:
        """All features of `sources`, by their names, after those that are `known` already."""
        met = Counter[str]()
        for source in sources:
            met.update(_named(normalise(parted(source)[1] or "")))
        return cls(inner, (*known, *sorted(set(met) - set(known))))

    @property
    def kind(self) -> str:
        return self.inner.kind

    @property
    def casing(self) -> Casing:
        return self.inner.casing

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        return (*self.inner.vocabulary, *(f"{MARK}{name}" for name in self.features))

    @property
    def pad(self) -> int:
        return self.inner.pad

    @property
    def unk(self) -> int:
        return self.inner.unk

    @property
    def bos(self) -> int:
        return self.inner.bos

    @property
    def eos(self) -> int:
        return self.inner.eos

    def encode(self, text: str) -> Encoding:
        return self.around(text, self.inner.encode)

    def around(self, text: str, encode: Callable[[str], Encoding]) -> Encoding:
        """The same, by another way to cut the text itself."""
        own, features = parted(text)
        inner, features = encode(own), normalise(features or "")
        begin = len(inner.text) + len(MARK)
        spans = feature_spans(features)
        return Encoding(
            inner.text if MARK not in text else joined(inner.text, features),
            (*self._numbers(features), *inner.ids),
            (*((begin + start, begin + end) for start, end in spans), *inner.offsets),
            len(spans),
        )

    def encode_ids(self, texts: Sequence[str]) -> list[list[int]]:
        sides = [parted(text) for text in texts]
        inner = self.inner.encode_ids([own for own, _ in sides])
        return [
            [*self._numbers(normalise(features or "")), *ids] for (_, features), ids in zip(sides, inner, strict=True)
        ]

    def decode(self, ids: Sequence[int]) -> str:
        return self.inner.decode([number for number in ids if number < len(self.inner.vocabulary)])

    def trace(self, ids: Sequence[int]) -> Encoding:
        return self.inner.trace([number for number in ids if number < len(self.inner.vocabulary)])

    def save(self, folder: Path, name: str) -> None:
        self.inner.save(folder, name)
        facts, _ = load_facts(folder, name)
        save_facts(folder, name, **{**facts, "features": self.features})

    @cached_property
    def _ids(self) -> Mapping[str, int]:
        return {name: number for number, name in enumerate(self.features, start=len(self.inner.vocabulary))}

    def _numbers(self, features: str) -> Iterator[int]:
        return (self._ids.get(name, self.unk) for name in _named(features))


def load_source(folder: str | Path, name: str) -> Tokeniser:
    """The tokeniser of a source, with features where it has been saved with such. Errors as `load_tokeniser`."""
    inner = load_tokeniser(folder, name)
    facts, path = load_facts(folder, name)
    if "features" not in facts:
        return inner
    features = strings_of(facts, "features", path)
    if len(set(features)) != len(features):
        raise RegardError(f"{path}: a feature is there twice; take the file from the model's original folder")
    return FeaturedTokeniser(inner, features)


def check_some(source: Any, texts: Sequence[Any]) -> None:
    """Raises RegardError where a model knows features and none of the texts that it is given has any."""
    if isinstance(source, FeaturedTokeniser) and texts and not any(MARK in text for text in texts):
        raise RegardError(
            f"this model was trained with features beside each text, and {shown(texts[0])} has none; give them after a "
            "tab, or in Python as a pair (text, features)"
        )


def _named(features: str) -> Iterator[str]:
    """Features by name: of nested ones, such as N;ABL(PL;PSS(2,PL)), each has the brackets that it needs itself."""
    for match in _FEATURE.finditer(features):
        name = _SPACES.sub("", match[0])
        lacking = name.count("(") - name.count(")")
        yield name + ")" * lacking if lacking >= 0 else name[:lacking] if name.endswith(")" * -lacking) else name
