"""How places are drawn from update to update, and that a training of drawn places goes on where it was stopped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from regard.errors import RegardError
from regard.settings import ModelSettings, Settings, TrainingSettings
from regard.training.sampling import check_choices, next_baseline, sampling_at, until


def test_schedules_begin_soft_and_end_hard() -> None:
    training = TrainingSettings(updates=200, sampled_until=100, sampled_temperature=0.25, sampled_entropy=0.2)
    assert (until(training), until(replace(training, sampled_until=None))) == (100, 200)
    first, middle, last = (sampling_at(training, update, -1.5) for update in (1, 51, 150))
    assert (first.temperature, first.soft, first.entropy, first.baseline) == (1.0, 1.0, 0.2, -1.5)
    assert (middle.temperature, middle.soft, middle.entropy) == pytest.approx((0.5, 0.5, 0.1))
    assert (last.temperature, last.soft, last.entropy) == (0.25, 0.0, 0.0)


def test_the_baseline_moves() -> None:
    assert next_baseline(None, -3.0) == -3.0
    assert next_baseline(-3.0, -2.0) == pytest.approx(-2.9)


@pytest.mark.parametrize(
    ("context", "training", "message"),
    [
        (
            "gumbel",
            TrainingSettings(updates=10, sampled_until=11),
            "are 10 updates: what it ends would never end",
        ),
        ("attention", TrainingSettings(updates=10, sampled_until=5), "is for model.context gumbel or reinforce"),
        ("gumbel", TrainingSettings(updates=10, sampled_entropy=0.5), "is for model.context reinforce"),
        ("reinforce", TrainingSettings(updates=10, sampled_temperature=0.7), "is for model.context gumbel"),
        ("reinforce", TrainingSettings(updates=10, coverage=0.7), "training.coverage: model.context reinforce"),
    ],
)
def test_settings_that_do_nothing_or_never_end(context: str, training: TrainingSettings, message: str) -> None:
    with pytest.raises(RegardError, match=message):
        check_choices(replace(Settings(), model=ModelSettings(context=context), training=training))


def test_settings_that_go_together() -> None:
    training = TrainingSettings(updates=10, sampled_until=10, sampled_temperature=0.7)
    check_choices(replace(Settings(), model=ModelSettings(context="gumbel"), training=training))
