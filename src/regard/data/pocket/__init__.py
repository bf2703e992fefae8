"""Pocket corpora: small, made by code from grammars and word lists of Regard's own, with gold alignments.

`english-chinese` has sentences with word alignments, `dates` characters with character alignments.
"""

from __future__ import annotations

from collections.abc import Callable

from regard.data.pocket.dates import dates
from regard.data.pocket.english_chinese import english_chinese
from regard.data.pocket.pairs import (
    PARTS,
    Part,
    PartStatistics,
    PocketPair,
    by_character,
    character_links,
    statistics,
    word_for_word,
    word_for_word_accuracy,
    write_tsv,
)
from regard.errors import RegardError, did_you_mean

CORPORA: dict[str, Callable[[int], list[PocketPair]]] = {"english-chinese": english_chinese, "dates": dates}


def corpus(name: str, seed: int = 0) -> list[PocketPair]:
    """The pairs of a pocket corpus, all parts, the same for the same seed on every machine and Python."""
    if name not in CORPORA:
        raise RegardError(f"there is no pocket corpus {name!r}{did_you_mean(name, CORPORA)}")
    return CORPORA[name](seed)


__all__ = [
    "CORPORA",
    "PARTS",
    "Part",
    "PartStatistics",
    "PocketPair",
    "by_character",
    "character_links",
    "corpus",
    "statistics",
    "word_for_word",
    "word_for_word_accuracy",
    "write_tsv",
]
