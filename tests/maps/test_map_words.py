"""Maps and links over the words of a text, whatever pieces it is cut into."""

from __future__ import annotations

import numpy as np
import pytest

from regard.errors import RegardError
from regard.maps import (
    NO_WORD,
    AttentionMap,
    Tokens,
    in_words,
    links_from,
    weigh,
    weighted_links,
    weighted_pharaoh,
    word_matrix,
    words_at,
)

SPANS = [(0, 3), (4, 10)]  # "Tom chases"
SOURCE = Tokens(("Tom", " cha", "ses"), (0, 1, 1), "Tom chases", ((0, 3), (3, 7), (7, 10)))
TARGET = Tokens(("a", "b", "c", "<eos>"), (0, 0, 0, NO_WORD), "ab c", ((0, 1), (1, 2), (2, 4), (4, 4)))


def test_pieces_belong_to_the_word_they_reach_into() -> None:
    assert words_at(SPANS, [(0, 3), (3, 7), (3, 4), (7, 10), (10, 11)]) == (0, 1, 1, 1, 1)
    assert words_at([], [(0, 1)]) == (NO_WORD,)
    assert in_words(TARGET, [(0, 2), (3, 4)]).words == (0, 0, 1, NO_WORD)
    with pytest.raises(RegardError, match="their places"):
        in_words(Tokens(("a",), (0,)), SPANS)


def test_word_matrix_sums_sources_and_averages_targets() -> None:
    weights = np.array([[0.6, 0.3, 0.1], [0.2, 0.4, 0.4], [0.0, 0.5, 0.5], [1.0, 0.0, 0.0]])
    found = word_matrix(AttentionMap(weights, SOURCE, TARGET, axes=()), SPANS, [(0, 2), (3, 4), (9, 10)])
    np.testing.assert_allclose(found, [[0.4, 0.6], [0.0, 1.0], [0.0, 0.0]])
    assert links_from(found) == {(1, 0), (1, 1)}
    assert weighted_pharaoh(weighted_links(found, "threshold", 0.4)) == "0-0:0.400 1-0:0.600 1-1:1.000"
    assert weigh(frozenset({(1, 0)}), found, np.zeros_like(found)) == {(1, 0): pytest.approx(0.3)}
    with pytest.raises(RegardError, match="did you mean 'argmax'"):
        links_from(found, "argmaxx")
