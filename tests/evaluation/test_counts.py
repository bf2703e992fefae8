"""Scores of parts of a corpus, and what resampling says of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regard.errors import RegardError
from regard.evaluation import METRICS, Statistics, bootstrap, by_length, paired_bootstrap, score, statistics

REFERENCES = [f"the number {number} of many sentences" for number in range(40)]
GOOD = [text.replace("many", "some") if i % 8 == 0 else text for i, text in enumerate(REFERENCES)]
BAD = [text.replace("many", "some").replace("the", "a") if i % 2 == 0 else text for i, text in enumerate(REFERENCES)]


def right(flags: list[bool]) -> Statistics:
    return statistics("accuracy", ["yes" if flag else "no" for flag in flags], ["yes"] * len(flags))


@pytest.mark.parametrize("name", METRICS)
def test_the_score_of_a_part_is_that_of_its_sentences_alone(name: str) -> None:
    chosen = np.arange(5, 17)
    alone = score(name, [BAD[i] for i in chosen], [REFERENCES[i] for i in chosen])
    part = statistics(name, BAD, REFERENCES).score(chosen)
    assert part.value == pytest.approx(alone.value)
    assert part.sentences == alone.sentences == 12


def test_by_length_parts_at_the_edges() -> None:
    lengths = [1, 10, 11, 20, 21, 99]
    found = by_length(right([True, True, True, False, False, False]), lengths, edges=[10, 20, 40])
    assert [(name, part.value, part.sentences) for name, part in found] == [
        ("up to 10", 100, 2),
        ("11-20", 50, 2),
        ("21-40", 0, 1),
        ("over 40", 0, 1),
    ]


def test_ranges_without_sentences_are_left_out_and_one_length_is_one_range() -> None:
    assert [name for name, _ in by_length(right([True] * 3), [1, 2, 50], edges=[5, 10])] == ["up to 5", "over 10"]
    assert [name for name, _ in by_length(right([True] * 3), [7, 7, 7])] == ["up to 7"]
    assert [name for name, _ in by_length(right([True] * 3), [6, 7, 8], edges=[6, 7])] == ["up to 6", "7", "over 7"]


@given(st.lists(st.integers(0, 60), min_size=1, max_size=50))
def test_every_sentence_is_in_one_range(lengths: list[int]) -> None:
    found = by_length(right([length % 2 == 0 for length in lengths]), lengths)
    assert sum(part.sentences for _, part in found) == len(lengths)
    even = sum(part.value * part.sentences for _, part in found) / len(lengths)
    assert even == pytest.approx(right([length % 2 == 0 for length in lengths]).score().value)


def test_by_length_refuses_what_does_not_fit() -> None:
    with pytest.raises(RegardError, match="2 lengths for 1 sentences"):
        by_length(right([True]), [1, 2])
    with pytest.raises(RegardError, match="edges must rise"):
        by_length(right([True]), [1], edges=[10, 10])


@pytest.mark.parametrize("name", METRICS)
def test_a_clear_difference_is_found_in_either_order(name: str) -> None:
    good, bad = statistics(name, GOOD, REFERENCES), statistics(name, BAD, REFERENCES)
    found = paired_bootstrap(bad, good, samples=200, seed=1)
    assert found.p < 0.05
    assert (found.difference > 0) == METRICS[name].higher_is_better
    assert found.low <= found.difference <= found.high
    assert "the second is better" in str(found)
    back = paired_bootstrap(good, bad, samples=200, seed=1)
    assert (back.difference, back.low, back.high) == pytest.approx((-found.difference, -found.high, -found.low))
    assert back.p == found.p
    assert "the first is better" in str(back)


@pytest.mark.parametrize("name", ["bleu", "accuracy"])
def test_a_system_does_not_differ_from_itself(name: str) -> None:
    same = statistics(name, BAD, REFERENCES)
    found = paired_bootstrap(same, same, samples=50)
    assert (found.p, found.difference, found.low, found.high) == (1, 0, 0, 0)
    assert "no difference" in str(found)


def test_the_seed_decides_the_samples() -> None:
    bad = statistics("chrf", BAD, REFERENCES)
    assert bootstrap(bad, 50, seed=3) == bootstrap(bad, 50, seed=3)
    assert bootstrap(bad, 50, seed=3) != bootstrap(bad, 50, seed=4)


def test_the_interval_is_as_wide_as_theory_says() -> None:
    # The share of 100 right ones out of 400 has a standard error of sqrt(0.25 * 0.75 / 400) = 2.165 points.
    found = bootstrap(right([i % 4 == 0 for i in range(400)]), samples=2000, seed=0)
    assert found.score.value == 25
    assert found.high - found.low == pytest.approx(2 * 1.96 * 2.165, rel=0.1)
    assert str(found).startswith("accuracy 25.00 [")


@settings(max_examples=20)
@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_p_is_a_chance(flags: list[bool]) -> None:
    found = paired_bootstrap(right(flags), right([True] * len(flags)), samples=30)
    assert 0 < found.p <= 1


def test_what_cannot_be_compared_is_said() -> None:
    some = right([True, False])
    with pytest.raises(RegardError, match="one system has 2 sentences, the other 3"):
        paired_bootstrap(some, right([True] * 3))
    with pytest.raises(RegardError, match=r"accuracy .* can't be compared with cer"):
        paired_bootstrap(some, statistics("cer", ["a", "b"], ["a", "b"]))
    with pytest.raises(RegardError, match="at least 1, not 0"):
        bootstrap(some, samples=0)
