"""Erasing source words: which are taken, what is summed up, and that the stored results are of the jobs of today."""

from __future__ import annotations

from typing import Any

import erasure
import numpy as np
import pytest
from erasure import Said, Words
from runner import records

SAID = Said(
    pieces=(11, 12, 13, 14, 15),
    word_of=(0, 1, 1, 2, 3),
    tokens=(7, 8),
    attention=np.array([[0.7, 0.1, 0.15, 0.05], [0.1, 0.6, 0.0, 0.3]]),
)
FALL = np.array([[2.0, 0.2, 0.4, 0.1], [0.0, 1.0, 0.5, 1.5]])


def test_a_word_goes_with_all_of_its_pieces() -> None:
    assert SAID.without(frozenset()) == (11, 12, 13, 14, 15)
    assert SAID.without(frozenset({1})) == (11, 14, 15)
    assert SAID.without(frozenset({0, 3})) == (12, 13, 14)


def test_the_falls_without_one_word() -> None:
    falls = {name: values[0].tolist() for name, values in erasure._of_one([SAID], [FALL]).items()}
    assert falls == {
        "most attended": [2.0, 1.0],
        "random": [pytest.approx(0.675), 0.75],
        "least attended": [0.1, 0.5],
        "the worst": [2.0, 1.5],
    }


def test_the_falls_without_several_words_ask_for_each_set_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Words] = []

    def log_probs(predictor: Any, sets: list[tuple[Said, Words]]) -> list[Any]:
        asked.extend(words for _, words in sets)
        return [-np.array([sum(words), 10.0 + sum(words)]) for _, words in sets]

    monkeypatch.setattr(erasure, "log_probs", log_probs)
    falls = erasure._of_several(Any, [SAID], [np.zeros(2)], 2)  # type: ignore[arg-type]
    assert len(asked) == len(set(asked)) > 0
    assert all(len(words) == 2 for words in asked)
    # The first token looks most at words 0 and 2, least at 1 and 3; the second at 1 and 3, least at 0 and 2.
    assert falls["most attended"][0].tolist() == [2.0, 14.0]
    assert falls["least attended"][0].tolist() == [4.0, 12.0]


def test_how_well_weights_foretell_the_falls() -> None:
    found = erasure._foretold([SAID], [FALL])
    assert found["same word"][0] == 0.5
    assert found["same word by chance"] == 0.25
    assert found["same word by greatest weight"] == {"0.5": [0.5, 2]}
    assert found["kendall"][0] == pytest.approx((6 / 6 + (4 - 2) / 6) / 2)


def test_kendall() -> None:
    rows = np.arange(5.0)
    assert erasure.kendall(rows, rows**3) == 1
    assert erasure.kendall(rows, -rows) == -1
    assert erasure.kendall(rows, np.zeros(5)) == 0


def test_a_mean_lies_in_its_interval_and_counts_tokens_not_sentences() -> None:
    mean, low, high = erasure.mean_and_interval([np.array([1.0, 2.0, 3.0]), np.array([6.0])])
    assert mean == 3.0
    assert low < mean < high


def test_every_stored_result_is_of_a_job_of_today() -> None:
    assert set(records(erasure.TABLE)) == {job.digest for job in erasure.jobs()}
