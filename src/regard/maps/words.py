"""Attention over the words that a file of alignments counts, whatever pieces the model has cut them into."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from regard.errors import RegardError
from regard.maps.attention_map import AttentionMap
from regard.maps.links import Link, Links, links_from
from regard.maps.tokens import NO_WORD, Tokens

Spans = Sequence[tuple[int, int]]
Matrix = npt.NDArray[np.floating[Any]]


def words_at(spans: Spans, offsets: Spans) -> tuple[int, ...]:
    """For each piece, by its start and end in a text, the number of the word that it belongs to.

    `spans` are the words' starts and ends, in order. A piece belongs to the first word that it reaches into, one of
    white space to the word after it, at the end to the last one; `NO_WORD` where there is no word.
    """
    ends = [end for _, end in spans]
    return tuple(min(bisect_right(ends, start), len(spans) - 1) if spans else NO_WORD for start, _ in offsets)


def in_words(tokens: Tokens, spans: Spans) -> Tokens:
    """The same tokens, counted to the words with these starts and ends in their text; special ones stay outside.

    Raises `RegardError` for tokens whose places in the text are not known.
    """
    if tokens.offsets is None:
        raise RegardError("tokens: without their places in a text they can't be counted to its words")
    numbers = [
        NO_WORD if outside else word
        for outside, word in zip(tokens.special, words_at(spans, tokens.offsets), strict=True)
    ]
    return Tokens(tokens.pieces, tuple(numbers), tokens.text, tokens.offsets)


def word_matrix(map: AttentionMap, source: Spans, target: Spans) -> Matrix:
    """(target words, source words) of a single matrix: a source word has the sum of its pieces' weights, a target word
    the mean of its pieces' rows, and words without any piece have none.

    The weight of tokens outside the text is left out. Errors as `in_words` and `AttentionMap.matrix`.
    """
    rows, columns = in_words(map.target, target).words, in_words(map.source, source).words
    gather = np.zeros((len(columns), len(source)))
    average = np.zeros((len(target), len(rows)))
    for piece, word in enumerate(columns):
        if word != NO_WORD:
            gather[piece, word] = 1
    for piece, word in enumerate(rows):
        if word != NO_WORD:
            average[word, piece] = 1
    average /= np.maximum(average.sum(1, keepdims=True), 1)
    found: Matrix = average @ map.matrix @ gather
    return found


def idle_words(map: AttentionMap, target: Spans) -> npt.NDArray[np.float64]:
    """(target words,): with which weight each looked at nothing (`AttentionMap.nothing`), the mean of its pieces."""
    rows, idle = in_words(map.target, target).words, map.nothing().reshape(-1)
    total, count = np.zeros(len(target)), np.zeros(len(target))
    for word, weight in zip(rows, idle, strict=True):
        if word != NO_WORD:
            total[word] += weight
            count[word] += 1
    return total / np.maximum(count, 1)


def weighted_links(matrix: Matrix, method: str = "argmax", threshold: float = 0.5) -> dict[Link, float]:
    """The links of `regard.maps.links.links_from` with the weight of each."""
    return weigh(links_from(matrix, method, threshold), matrix)


def weigh(links: Links, *matrices: Matrix) -> dict[Link, float]:
    """Each link (source, target) with its mean weight in matrices (targets, sources)."""
    return {(s, t): float(np.mean([matrix[t, s] for matrix in matrices])) for s, t in sorted(links)}


def weighted_pharaoh(links: Mapping[Link, float]) -> str:
    """The links in Pharaoh format, each with its weight after a colon.

    >>> weighted_pharaoh({(0, 1): 0.5})
    '0-1:0.500'
    """
    return " ".join(f"{s}-{t}:{weight:.3f}" for (s, t), weight in sorted(links.items()))
