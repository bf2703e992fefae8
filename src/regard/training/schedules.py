"""Learning rates as functions of the update."""

from __future__ import annotations

import math

from regard.settings import TrainingSettings

PLATEAU_FACTOR = 0.5
"""What the rate is multiplied by after a validation without a better score (schedule `plateau`)."""


def rate_at(settings: TrainingSettings, update: int, *, updates: int, width: int, reductions: int = 0) -> float:
    """The learning rate of an update, counted from 1.

    With R = `rate`, W = `warmup`, u = `update` and U = `updates`, the last one:

        constant       R min(1, u / W)
        inverse_sqrt   R min(u / W, sqrt(W / u))
        noam           R width^-1/2 min(u^-1/2, u W^-3/2)      (Vaswani et al. 2017, section 5.3)
        linear         R min(u / W, (U - u) / (U - W)), with U + 1 for U, so that the last update still learns
        cosine         R min(u / W, (1 + cos(pi (u - W) / (U - W))) / 2), likewise
        plateau        R min(1, u / W) 0.5^reductions

    `width` is that of the decoder. Without warm-up W counts as 1 where it divides.
    """
    warmup = max(settings.warmup or 0, 1)
    rise = min(1.0, update / warmup)
    end = updates + 1
    done = min(1.0, max(0.0, (update - warmup) / max(end - warmup, 1)))
    factors: dict[str, float] = {
        "constant": rise,
        "inverse_sqrt": min(rise, math.sqrt(warmup / update)),
        "noam": width**-0.5 * min(update**-0.5, update * warmup**-1.5),
        "linear": min(rise, 1 - done),
        "cosine": min(rise, (1 + math.cos(math.pi * done)) / 2),
        "plateau": rise * PLATEAU_FACTOR**reductions,
    }
    return settings.rate * factors[settings.schedule]
