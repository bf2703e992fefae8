"""What Regard does to a text before anything else, and what it calls a character and a word.

A text is brought to Unicode's normal form C, its case kept or folded; every offset that Regard shows counts in that
*normalised* text. A character is a grapheme cluster (what a reader calls one: a letter with its marks, an emoji with
its modifiers). A word is a run of letters and digits, a run of one punctuation mark, or, in a script that is written
without spaces, one character.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Literal

import regex  # type: ignore[import-untyped]

from regard.settings import Words

Casing = Literal["keep", "fold"]
Span = tuple[int, int]

UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u30fc"
"""Inside of a character class (regex and Oniguruma alike): the scripts whose words no space separates."""

_LETTERS = rf"[[\p{{L}}\p{{M}}\p{{N}}_]--[{UNSPACED}]]"
# An apostrophe, hyphen or point inside a word ("don't", "well-known", "3.5") does not end it.
_WORD = regex.compile(
    rf"[{UNSPACED}]\p{{M}}*|{_LETTERS}+(?:['’\-.,:·]{_LETTERS}+)*|(\S)\1*",
    flags=regex.V1,
)
_SPACED = re.compile(r"\S+")  # the white space of `str.split`, which `regex` counts otherwise
_GRAPHEME = regex.compile(r"\X")
_UNSPACED = regex.compile(rf"[{UNSPACED}]")
_SURROGATE = regex.compile(r"[\ud800-\udfff]")


def normalise(text: str, casing: Casing = "keep") -> str:
    """NFC of `text`; `fold` turns it to lower case as well. Idempotent.

    Half surrogates (what a terminal passes on for bytes that are not UTF-8) become U+FFFD, since no tokeniser takes
    them.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", _SURROGATE.sub("\ufffd", text))
    return unicodedata.normalize("NFC", text.lower()) if casing == "fold" else text


def has_surrogate(text: str) -> bool:
    """Whether a half of a surrogate pair stands in it, which no UTF-8 can hold."""
    return _SURROGATE.search(text) is not None


def graphemes(text: str) -> list[str]:
    """The grapheme clusters of `text`; joined they are `text`."""
    if text.isascii() and "\r" not in text:
        return list(text)
    found: list[str] = _GRAPHEME.findall(text)
    return found


def is_unspaced(character: str) -> bool:
    """Whether `character` is of a script written without spaces between words (Chinese, Japanese, Thai, ...)."""
    return _UNSPACED.match(character) is not None


def word_spans(text: str) -> list[Span]:
    """Start and end of every word of `text`, in order; what lies between them is white space."""
    return [match.span() for match in _WORD.finditer(text)]


def spaced_spans(text: str) -> list[Span]:
    """Start and end of everything that white space separates, in order: what `text.split()` counts."""
    return [match.span() for match in _SPACED.finditer(text)]


def spans_of_words(text: str, words: Words) -> list[Span]:
    """Start and end of each word of a normalised text: those of `spaced_spans` or of `word_spans`."""
    return spaced_spans(text) if words == "spaces" else word_spans(text)


def trim(text: str, start: int, end: int) -> Span:
    """The span without white space at its ends; a span of white space alone stays as it is."""
    surface = text[start:end]
    if not surface or not (surface[0].isspace() or surface[-1].isspace()) or surface.isspace():
        return start, end
    return end - len(surface.lstrip()), start + len(surface.rstrip())


def words_of_pieces(text: str, pieces: Sequence[Span]) -> tuple[tuple[int, ...], tuple[Span, ...]]:
    """For each piece the index of its word, and the words' spans.

    Every piece lies in exactly one word: words that one piece reaches across (a subword of two Chinese characters)
    are joined. A piece of white space, or an empty one, belongs to the word after it, at the end to the last one. A
    text without words counts as one word.
    """
    spans = word_spans(text)
    if not spans:
        return (0,) * len(pieces), ((0, len(text)),) if pieces else ()
    starts, ends = [start for start, _ in spans], [end for _, end in spans]
    first_words: list[int] = []
    joined = [False] * len(spans)  # joined[i]: word i continues word i - 1
    for start, end in pieces:
        first, last = bisect_right(ends, start), bisect_left(starts, end) - 1
        first_words.append(min(first, len(spans) - 1))
        for word in range(first + 1, last + 1):
            joined[word] = True
    group, groups, merged = -1, [], list[Span]()
    for span, continues in zip(spans, joined, strict=True):
        if continues:
            merged[group] = (merged[group][0], span[1])
        else:
            group += 1
            merged.append(span)
        groups.append(group)
    return tuple(groups[word] for word in first_words), tuple(merged)
