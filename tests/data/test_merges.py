"""BPE dropout: merges by hand are those of the library; a text stays itself, and is cut by seed, epoch and example."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regard.data.features import FeaturedTokeniser
from regard.data.merges import Dropout, Merges, check_dropout
from regard.data.subwords import SubwordTokeniser
from regard.errors import RegardError
from regard.settings import DataSettings, Settings

TEXTS = ["the cat sat on the mat", "a cat, a hat; that's 12 hats!", "他看见 the 猫", "flatter hatter matter"] * 3
MADE = SubwordTokeniser.train(TEXTS, "bpe", 90)


WORDS = st.lists(st.sampled_from(["the", "cat", "hat", "ma", "tter", "matter", "猫", "12", ",", "é"])).map(" ".join)


@given(st.one_of(st.text(max_size=30), WORDS))
@settings(max_examples=200, deadline=None)
def test_merges_by_hand_are_those_of_the_library(text: str) -> None:
    assert Merges(MADE).encode(text, 0.0, random.Random(0)) == MADE.encode(text)


@given(WORDS.filter(bool), st.integers(0, 9))
@settings(max_examples=50, deadline=None)
def test_a_text_stays_itself(text: str, epoch: int) -> None:
    dropout = Dropout(MADE, 0.4, 0)
    found = dropout.encode(text, 3, epoch, 5)
    assert found == dropout.encode(text, 3, epoch, 5)
    assert MADE.decode(found.ids) == MADE.decode(MADE.encode(text).ids)  # é was not in the training
    assert found.text == text
    assert "".join(found.pieces).replace(" ", "") == text.replace(" ", "")
    assert len(found) >= len(MADE.encode(text))


def test_every_number_cuts_otherwise() -> None:
    text = "the flatter cat sat on the matter that is a hat"
    cuts = {Dropout(MADE, 0.5, side).encode(text, seed, epoch, example).ids
            for seed in (1, 2) for epoch in (0, 1) for example in (0, 1) for side in (0, 1)}  # fmt: skip
    assert len(cuts) == 16
    assert Dropout(MADE, 0.0, 0).encode(text, 0, 0, 0) == MADE.encode(text)


def test_the_share_that_is_left_out() -> None:
    """Of one possible merge, p are left out; of two in a row, each in its turn."""
    made = SubwordTokeniser.train(["ab"] * 5, "bpe", 12)
    assert made.encode("ab").pieces == ("ab",)
    found = Counter(len(Dropout(made, 0.3, 0).encode("ab", 0, 0, example)) for example in range(4000))
    # " a" + "b" or " " + "ab": whichever merges there are, the whole word needs two in a row.
    assert set(found) == {1, 2, 3}
    assert found[3] / 4000 == pytest.approx(0.3, abs=0.03)
    assert found[1] / 4000 == pytest.approx(0.49, abs=0.03)


def test_features_are_never_cut() -> None:
    made = FeaturedTokeniser.train(MADE, ["the cat\tN;PL"])
    found = Dropout(made, 0.9, 0).encode("the cat\tN;PL", 0, 0, 0)
    assert found.pieces[:2] == ("N", "PL")
    assert found.features == 2
    assert made.decode(found.ids) == "the cat"
    assert len(found) > len(made.encode("the cat\tN;PL"))


def test_what_it_is_not_for() -> None:
    for given_settings, guided, complaint in (
        (DataSettings(source_tokens="character", source_dropout=0.1), False, "data.source_tokens is character"),
        (DataSettings(target_tokens="unigram:90", target_dropout=0.1), False, "data.target_tokens is unigram:90"),
        (DataSettings(source_tokens="bpe:90", source_dropout=0.1), True, "leave out one of them"),
        (DataSettings(medium="image", source_tokens="bpe", source_dropout=0.1), False, "sources are no texts"),
    ):
        with pytest.raises(RegardError, match=complaint):
            check_dropout(Settings(data=given_settings), guided)
    check_dropout(Settings(data=DataSettings(source_tokens="bpe:90", source_dropout=0.1)), False)
