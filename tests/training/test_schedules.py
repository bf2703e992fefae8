"""Learning rates against their formulas."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.settings import TrainingSettings
from regard.training.schedules import rate_at

BASE = TrainingSettings(rate=0.5, warmup=10)


def rate(schedule: str, update: int, **others: int) -> float:
    return rate_at(replace(BASE, schedule=schedule), update, **{"updates": 100, "width": 64, **others})


@pytest.mark.parametrize(
    ("schedule", "update", "expected"),
    [
        ("constant", 5, 0.25),
        ("constant", 10, 0.5),
        ("constant", 99, 0.5),
        ("inverse_sqrt", 5, 0.25),
        ("inverse_sqrt", 40, 0.5 * math.sqrt(10 / 40)),
        ("noam", 5, 0.5 * 64**-0.5 * 5 * 10**-1.5),
        ("noam", 40, 0.5 * 64**-0.5 * 40**-0.5),
        ("linear", 5, 0.25),
        ("linear", 100, 0.5 * 1 / 91),
        ("cosine", 5, 0.25),
        ("cosine", 100, 0.5 * (1 + math.cos(math.pi * 90 / 91)) / 2),
        ("plateau", 50, 0.5),
    ],
)
def test_formulas(schedule: str, update: int, expected: float) -> None:
    assert rate(schedule, update) == pytest.approx(expected, rel=1e-12)


def test_plateau_halves_with_every_reduction() -> None:
    assert rate("plateau", 50, reductions=3) == pytest.approx(0.5 / 8)


@given(
    st.sampled_from(["constant", "inverse_sqrt", "noam", "linear", "cosine", "plateau"]),
    st.integers(1, 1000),
    st.integers(0, 50),
)
def test_rates_are_positive_and_never_above_the_greatest(schedule: str, update: int, warmup: int) -> None:
    found = rate_at(replace(BASE, schedule=schedule, warmup=warmup), update, updates=1000, width=64)
    assert 0 < found <= BASE.rate
