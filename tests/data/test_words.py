"""Normal form, characters, words, and which piece belongs to which word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.data.encoding import Encoding
from regard.data.text import graphemes, normalise, word_spans


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in word_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tom chases Jerry.", ["Tom", "chases", "Jerry", "."]),
        ("I don't like 3.5 well-known...", ["I", "don't", "like", "3.5", "well-known", "..."]),
        ("汤姆在追杰瑞。", list("汤姆在追杰瑞。")),
        ("ラーメンを食べる", list("ラーメンを食べる")),
        ("Tom在家。", ["Tom", "在", "家", "。"]),
        ("সে এসেছিলো।", ["সে", "এসেছিলো", "।"]),
        ("b ɔ̃ ʒ u ʁ", ["b", "ɔ̃", "ʒ", "u", "ʁ"]),
        ("  ", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text())
def test_words_are_all_but_white_space(text: str) -> None:
    inside = [False] * len(text)
    for start, end in word_spans(text):
        assert start < end
        assert not any(inside[start:end])
        inside[start:end] = [True] * (end - start)
    assert all(found != character.isspace() for found, character in zip(inside, text, strict=True)) or any(
        character in "\x1c\x1d\x1e\x1f" for character in text
    )


def test_normal_form_and_case() -> None:
    assert normalise("Cafe\u0301") == "Caf\u00e9"
    assert normalise("ÉCOLE Straße", "fold") == "école straße"
    assert normalise("bad \ud800") == "bad \ufffd"


@given(st.text(), st.sampled_from(["keep", "fold"]))
def test_normalising_twice_changes_nothing(text: str, casing: str) -> None:
    once = normalise(text, casing)  # type: ignore[arg-type]
    assert normalise(once, casing) == once  # type: ignore[arg-type]


@given(st.text())
def test_graphemes_join_to_the_text(text: str) -> None:
    assert "".join(graphemes(text)) == text


def test_graphemes_are_what_readers_call_characters() -> None:
    assert graphemes("কে👩‍👩‍👧!") == ["কে", "👩‍👩‍👧", "!"]


def test_pieces_find_their_words() -> None:
    encoding = Encoding("Tom chases.", (7,) * 5, ((0, 3), (3, 4), (4, 7), (7, 10), (10, 11)))
    assert encoding.pieces == ("Tom", " ", "cha", "ses", ".")
    assert encoding.words == (0, 1, 1, 1, 2)
    assert encoding.word_texts == ("Tom", "chases", ".")


def test_words_that_a_piece_reaches_across_are_one() -> None:
    encoding = Encoding("汤姆在追。", (7, 7, 7), ((0, 2), (2, 3), (3, 5)))
    assert encoding.words == (0, 1, 2)
    assert encoding.word_texts == ("汤姆", "在", "追。")


@pytest.mark.parametrize(
    ("text", "offsets", "expected"), [("", (), ()), ("  ", ((0, 1), (1, 2)), (0, 0)), ("a ", ((0, 1), (1, 2)), (0, 0))]
)
def test_white_space_belongs_to_a_word_too(
    text: str, offsets: tuple[tuple[int, int], ...], expected: tuple[int, ...]
) -> None:
    assert Encoding(text, (7,) * len(offsets), offsets).words == expected
