"""The edit distance against its recursive definition, and the laws of a metric."""

from __future__ import annotations

from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from regard.evaluation import edit_distance

words = st.text("ab汤", max_size=6)


def defined(first: str, second: str) -> int:
    """The definition, written as it is told."""

    @cache
    def distance(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        replace = distance(i - 1, j - 1) + (first[i - 1] != second[j - 1])
        return min(replace, distance(i - 1, j) + 1, distance(i, j - 1) + 1)

    return distance(len(first), len(second))


@given(words, words)
def test_it_equals_its_definition(first: str, second: str) -> None:
    assert edit_distance(first, second) == defined(first, second)


@given(words, words, words)
def test_it_is_a_metric(a: str, b: str, c: str) -> None:
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, b) == edit_distance(b, a)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)
    assert abs(len(a) - len(b)) <= edit_distance(a, b) <= max(len(a), len(b))


def test_any_elements_are_compared() -> None:
    assert edit_distance(["k", "ɪ", "t", "ə", "n"], ["s", "ɪ", "t", "ɪ", "ŋ"]) == 3
    assert edit_distance((1, 2, 3), [1, 3]) == 1
