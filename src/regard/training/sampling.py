"""How places are drawn from update to update, where attention draws them; and which settings that goes with."""

from __future__ import annotations

from regard.errors import RegardError
from regard.model.contexts import check_teachable
from regard.model.sampling import Sampling
from regard.settings import Settings, TrainingSettings

BASELINE = 0.9
"""Of the moving baseline, how much of the one before is kept at an update (Xu et al. 2015, section 4.1)."""
_OF = {"sampled_temperature": ("gumbel",), "sampled_entropy": ("reinforce",), "sampled_until": ("gumbel", "reinforce")}


def sampling_at(settings: TrainingSettings, update: int, baseline: float) -> Sampling:
    """How places are drawn at an update, counted from 1.

    With x = u / `sampled_until`, at most 1, the temperature is `sampled_temperature` ^ x, and both the share of steps
    that see the weighted sum and the worth of undecided weights fall in a line, as 1 - x.
    """
    done = min(1.0, (update - 1) / until(settings))
    left = 1.0 - done
    return Sampling(settings.sampled_temperature**done, left, settings.sampled_entropy * left, baseline)


def until(settings: TrainingSettings) -> int:
    """The update from which places are drawn as in the end."""
    return settings.sampled_until or max(1, settings.updates or 0)


def next_baseline(before: float | None, mean: float) -> float:
    """The baseline after an update whose tokens had this mean log-probability."""
    return mean if before is None else BASELINE * before + (1 - BASELINE) * mean


def check_choices(settings: Settings) -> None:
    """Raises RegardError where settings of the training don't go with `model.context`, before anything is trained."""
    training, kind = settings.training, settings.model.context_kind
    if training.coverage:
        check_teachable(settings.model, "training.coverage")
    for name, kinds in _OF.items():
        if getattr(training, name) != getattr(TrainingSettings(), name) and kind not in kinds:
            raise RegardError(
                f"training.{name} is for model.context {' or '.join(kinds)}, and it is {settings.model.context}; "
                "leave it out"
            )
    if training.sampled_until is not None and training.sampled_until > (training.updates or 0):
        raise RegardError(
            f"training.sampled_until is {training.sampled_until:,}, but there are {training.updates:,} updates: what "
            "it ends would never end; give at most so many"
        )
