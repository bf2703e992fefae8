"""Which tokeniser suits a side of the corpus, judged from its texts, with the reason in a sentence."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from regard.data.text import graphemes, is_unspaced, normalise

_SAMPLE = 20_000
_FEW_LINES = 1_000
_MANY_LINES = 200_000
_USES_PER_PIECE = 50
_SIZES = (500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000)
# Where clusters are more often met than not with another mark, so many times as many as code points (Hindi words: 8).
_CLUSTERS_OF_POINTS = 2
_ATTACHED = re.compile(r"\w[.,!?;:।。！？，]+$")


class Choice(NamedTuple):
    """A setting, and why it was chosen."""

    kind: str
    reason: str


def detect_kind(texts: Sequence[str]) -> Choice:
    """The tokeniser setting that suits `texts`, the lines of one side.

    `symbols` for short space-separated symbols (phones) and for small codes; characters for single words, for small
    corpora, and for scripts without spaces below 200,000 lines; else BPE with a size that the corpus can train.
    Characters are grapheme clusters (`character`) unless these are made of few letters and marks in many combinations,
    as in the scripts of India: then `code_point`.
    """
    sample = texts[:: max(1, len(texts) // _SAMPLE)]
    counts: Counter[str] = Counter()
    for text in sample:
        counts.update(text.split())
    tokens = counts.total()
    if not tokens:
        return Choice("character", "there is no text to judge by")
    characters, spelled = _characters(counts)
    per_line = tokens / len(sample)
    if per_line >= 1.5 and (symbols := _symbols(counts, per_line)):
        return symbols
    if _unspaced_share(counts) > 0.3:
        if len(texts) < _MANY_LINES:
            return Choice(
                characters, f"its script has no spaces, and {len(texts):,} lines are few for subwords{spelled}"
            )
        return Choice(f"bpe:{_SIZES[-2]}", f"its script has no spaces, and {len(texts):,} lines suffice for subwords")
    if per_line < 2.5:
        return Choice(
            characters, f"most lines are {'a single word' if per_line < 1.5 else 'one or two words'}{spelled}"
        )
    if len(texts) < _FEW_LINES:
        return Choice(characters, f"{len(texts):,} lines are few for subwords{spelled}")
    words = sum(len(text.split()) for text in texts)
    size = subword_size(texts)
    return Choice(f"bpe:{size}", f"{len(texts):,} lines with {words:,} words suffice for {size:,} subwords")


def subword_size(texts: Sequence[str]) -> int:
    """A number of subwords so that each is met about 50 times: the nearest of 500, 1,000, ... 32,000."""
    words = sum(len(text.split()) or 1 for text in texts)
    sample = "".join(texts[:: max(1, len(texts) // 200)])[:20_000]
    if sum(map(is_unspaced, sample)) > len(sample) / 2:  # words can't be counted without spaces
        return _SIZES[-2]
    wanted = words / _USES_PER_PIECE
    return min(_SIZES, key=lambda size: max(size / (wanted or 1), wanted / size))


def _symbols(counts: Counter[str], per_line: float) -> Choice | None:
    """`symbols` where nearly all tokens are one or two letters, or where there are hardly any different ones."""
    tokens = counts.total()
    lengths: Counter[int] = Counter()
    for token, count in counts.items():
        lengths[_letters(token)] += count
    short = (lengths[0] + lengths[1] + lengths[2]) / tokens
    single = (lengths[0] + lengths[1]) / tokens
    if short >= 0.9 and (len(counts) <= 1000 or single >= 0.9):
        return Choice(
            "symbols",
            f"its lines are short symbols separated by spaces ({len(counts):,} different ones, {per_line:.1f} a line)",
        )
    attached = sum(count for token, count in counts.items() if _ATTACHED.search(token)) / tokens
    if len(counts) <= 100 and tokens >= 20 * len(counts) and attached < 0.01:
        return Choice("symbols", f"it is made of only {len(counts):,} different symbols separated by spaces")
    return None


def _characters(counts: Counter[str]) -> tuple[str, str]:
    """Grapheme clusters or code points, and why where these are the better ones."""
    clusters = {cluster for token in counts for cluster in graphemes(normalise(token))}
    points = {point for cluster in clusters for point in cluster}
    if len(clusters) <= _CLUSTERS_OF_POINTS * len(points):
        return "character", ""
    return "code_point", f"; its {len(clusters):,} letters with marks are made of {len(points):,} code points"


def _letters(token: str) -> int:
    """The length of a token without its marks: tie bars, tones, aspiration and their like."""
    return sum(unicodedata.category(character) not in ("Mn", "Mc", "Me", "Lm", "Sk") for character in token)


def _unspaced_share(counts: Counter[str]) -> float:
    letters: Counter[str] = Counter()
    for token, count in counts.items():
        for character in token:
            letters[character] += count
    total = sum(count for character, count in letters.items() if character.isalpha())
    unspaced = sum(count for character, count in letters.items() if is_unspaced(character))
    return unspaced / max(total, 1)
