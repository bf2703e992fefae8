"""What a training needs to go on as if it had never stopped: one file, written whole or not at all.

No state of a random generator is among it: the randomness of every update is made from the seed and the update's
number, that of every epoch's order from the seed and the epoch's number.
"""

from __future__ import annotations

import dataclasses
import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from regard.errors import RegardError
from regard.files import write_bytes
from regard.folder import STATE

_VERSION = 1


@dataclass
class Progress:
    """How far a training is.

    `epoch` and `step` say which update comes next: the one number `step` of that epoch. `since` sums up what was
    trained on since the last validation: the loss and the number of target tokens. `skipped` counts the updates left
    out in a row, since their gradient was no number, and `left_out` all of them.
    """

    update: int = 0
    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    since_loss: float = 0.0
    since_tokens: int = 0
    best: float | None = None
    best_update: int = 0
    stale: int = 0
    reductions: int = 0
    skipped: int = 0
    left_out: int = 0
    finished: bool = False
    reason: str = ""
    records: list[dict[str, Any]] = field(default_factory=list)
    averaged: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class State:
    """A training's progress, weights and optimiser, and the fingerprint of the pairs it learns from."""

    progress: Progress
    weights: Mapping[str, Any]
    optimizer: Mapping[str, Any]
    fingerprint: str


def save_state(folder: Path, state: State) -> None:
    """Write the state. Raises RegardError where it can't be written; the one before is then still there."""
    content = io.BytesIO()
    torch.save(
        {
            "version": _VERSION,
            "progress": dataclasses.asdict(state.progress),
            "weights": dict(state.weights),
            "optimizer": dict(state.optimizer),
            "fingerprint": state.fingerprint,
        },
        content,
    )
    write_bytes(folder / STATE, content.getvalue())


def load_state(folder: Path) -> State | None:
    """The state that was saved last; None where there is none. Only tensors and plain values are read from the file.

    Raises RegardError: damaged, of a newer version.
    """
    path = folder / STATE
    if not path.exists():
        return None
    remedy = "start anew with --restart"
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["version"] != _VERSION:
            raise RegardError(f"{path}: written by another Regard (format {content['version']!r}); {remedy}")
        progress = Progress(**content["progress"])
        if not all(isinstance(update, int) for update in (progress.update, progress.best_update, *progress.averaged)):
            raise TypeError("numbers of updates name files, and nothing else may")
        return State(progress, content["weights"], content["optimizer"], content["fingerprint"])
    except RegardError:
        raise
    except OSError as error:
        raise RegardError(f"{path}: can't be read ({error.strerror or error})") from None
    except (RuntimeError, pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError, AttributeError):
        raise RegardError(f"{path}: damaged; {remedy}") from None
