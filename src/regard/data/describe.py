"""The corpus in plain lines, for `--dry-run`: counts, lengths, scripts, what the vocabulary covers, what is cut off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import regex  # type: ignore[import-untyped]
from numpy.typing import ArrayLike

from regard.data.examples import Examples, Lengths, Omitted
from regard.data.features import FeaturedTokeniser
from regard.data.media import Images, Sounds, Source
from regard.data.reading import Pair
from regard.data.tokenisers import Tokeniser

_SCRIPTS = (
    *("Latin", "Greek", "Cyrillic", "Armenian", "Georgian", "Hebrew", "Arabic", "Ethiopic"),
    *("Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala"),
    *("Thai", "Lao", "Tibetan", "Myanmar", "Khmer", "Han", "Hiragana", "Katakana", "Hangul"),
)
_BAR = "█"


def script_shares(texts: Iterable[str]) -> dict[str, float]:
    """The share of each script among the letters and marks of `texts`, the largest first; unlisted ones as `other`."""
    characters: Counter[str] = Counter()
    for text in texts:
        characters.update(text)
    known = [(name, regex.compile(rf"\p{{Script={name}}}")) for name in _SCRIPTS]
    counts: Counter[str] = Counter()
    for character, count in characters.items():
        if regex.match(r"[\p{L}\p{M}]", character):
            counts[next((name for name, pattern in known if pattern.match(character)), "other")] += count
    total = counts.total()
    return {name: count / total for name, count in counts.most_common()}


def histogram(lengths: ArrayLike, *, rows: int = 10, width: int = 40) -> list[str]:
    """Bars of how many lengths fall in each of at most `rows` ranges of equal width, one a line."""
    values = np.asarray(lengths, np.int64)
    if not values.size:
        return []
    low, high = int(values.min()), int(values.max())
    step = -(-(high - low + 1) // rows)
    counts = np.bincount((values - low) // step)
    ranges = [
        f"{low + step * row}" if step == 1 else f"{low + step * row}-{min(low + step * (row + 1) - 1, high)}"
        for row in range(len(counts))
    ]
    wide, most = max(map(len, ranges)), int(counts.max())
    return [
        # Whatever is there at all shows at least one mark.
        f"{label:>{wide}} {_BAR * (max(1, round(width * int(count) / most)) if count else 0)} {int(count):,}"
        for label, count in zip(ranges, counts, strict=True)
    ]


@dataclass(frozen=True)
class Coverage:
    """How much of some texts a vocabulary knows."""

    tokens: int
    unknown: int
    texts: int
    texts_with_unknown: int
    commonest_unknown: tuple[str, ...]

    def __str__(self) -> str:
        if not self.unknown:
            return f"all {self.tokens:,} tokens known"
        shown = " ".join(repr(piece) for piece in self.commonest_unknown)
        return (
            f"{self.unknown:,} of {self.tokens:,} tokens unknown ({self.unknown / self.tokens:.2%}), "
            f"in {self.texts_with_unknown:,} of {self.texts:,} lines; the commonest: {shown}"
        )


def coverage(tokeniser: Tokeniser, texts: Sequence[str], *, shown: int = 5) -> Coverage:
    """Count the tokens of `texts` that the tokeniser does not know."""
    tokens, affected, unknown = 0, 0, Counter[str]()
    for text, ids in zip(texts, tokeniser.encode_ids(texts), strict=True):
        tokens += len(ids)
        if tokeniser.unk in ids:
            affected += 1
            encoding = tokeniser.encode(text)
            unknown.update(
                piece for piece, number in zip(encoding.pieces, encoding.ids, strict=True) if number == tokeniser.unk
            )
    commonest = tuple(piece for piece, _ in unknown.most_common(shown))
    return Coverage(tokens, unknown.total(), len(texts), affected, commonest)


def describe(
    examples: Examples,
    omitted: Omitted,
    source: Source,
    target_tokeniser: Tokeniser,
    dev: Sequence[Pair] = (),
) -> list[str]:
    """The lines that `--dry-run` shows about a corpus."""
    lines = [f"training pairs: {len(examples):,}" + (f"; development pairs: {len(dev):,}" if dev else "")]
    lines += str(omitted).splitlines()
    sides: list[tuple[str, Tokeniser, Lengths]] = [("target", target_tokeniser, examples.target_lengths - 1)]
    if isinstance(source, (Images, Sounds)):
        lines += ["", f"source: {source.described()}", *_spread("places of each", examples.source_lengths)]
    else:
        sides = [("source", source, examples.source_lengths), *sides]
    for side, tokeniser, lengths in sides:
        texts = [pair.text if side == "source" else pair.target for pair in examples.pairs]
        scripts = ", ".join(f"{name} {share:.1%}" for name, share in script_shares(texts).items() if share >= 0.001)
        lines += [
            "",
            f"{side}: {tokeniser.kind}, a vocabulary of {len(tokeniser.vocabulary):,}, {int(lengths.sum()):,} tokens",
            *_features(tokeniser),
            f"  scripts: {scripts or 'no letters'}",
        ]
        lines += _spread("tokens a line", lengths)
        if dev:
            of_dev = [pair.source if side == "source" else pair.target for pair in dev]
            lines.append(f"  development part: {coverage(tokeniser, of_dev)}")
    return lines


def _features(tokeniser: Tokeniser) -> list[str]:
    known = tokeniser.features if isinstance(tokeniser, FeaturedTokeniser) else ()
    return [f"  features: {len(known):,} different ones"] if known else []


def _spread(what: str, lengths: Lengths) -> list[str]:
    if not lengths.size:
        return []
    middle, most = np.percentile(lengths, (50, 99))
    return [
        f"  {what}: median {middle:.0f}, 99 % at most {most:.0f}, longest {lengths.max():,}",
        *(f"  {row}" for row in histogram(lengths)),
    ]
