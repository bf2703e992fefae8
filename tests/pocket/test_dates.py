"""The character task: dates."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest

from regard.data.pocket import PocketPair, corpus


@pytest.fixture(scope="module")
def pairs() -> list[PocketPair]:
    return corpus("dates")


def test_sizes_and_determinism(pairs: list[PocketPair]) -> None:
    assert Counter(pair.part for pair in pairs) == {"train": 4000, "dev": 300, "test": 500, "templates": 200}
    assert pairs == corpus("dates", seed=0)
    assert pairs != corpus("dates", seed=1)


def test_every_date_is_one_of_the_calendar_and_of_one_part(pairs: list[PocketPair]) -> None:
    assert len({date.fromisoformat(pair.target) for pair in pairs}) == len(pairs)


def test_formats_of_the_templates_are_unseen(pairs: list[PocketPair]) -> None:
    seen = {pair.template for pair in pairs if pair.part != "templates"}
    assert len(seen) == 8
    assert not seen & {pair.template for pair in pairs if pair.part == "templates"}


def test_links_lead_from_digit_to_digit(pairs: list[PocketPair]) -> None:
    for pair in pairs:
        assert "".join(pair.source_words) == pair.source
        assert "".join(pair.target_words) == pair.target
        assert all(pair.source[i] == pair.target[j] for i, j in pair.links)
        assert {(pair.source[i], pair.target[j]) for i, j in pair.links}
        # every character of the target comes from somewhere
        assert {j for _, j in pair.links | pair.possible} == set(range(10))


def test_a_date_of_each_kind() -> None:
    by_format = {pair.template: pair for pair in corpus("dates")}
    letters = by_format["Nov. 3, 1987"]
    assert letters.source[:3].isalpha()
    month = {(i, j) for i in range(3) for j in (5, 6)}
    assert month <= letters.possible
    assert [letters.source[i] for i, j in sorted(letters.links) if j < 4] == list(letters.target[:4])
    numbers = by_format["3.11.1987"]
    day, month_number, year = numbers.source.split(".")
    assert numbers.target == f"{int(year):04}-{int(month_number):02}-{int(day):02}"
    american = by_format["11/3/1987"]
    month_number, day, year = american.source.split("/")
    assert american.target == f"{int(year):04}-{int(month_number):02}-{int(day):02}"
