"""What a training needs to go on as if it had never stopped: one file, written whole or not at all.

No state of a random generator is among it: the randomness of every update is made from the seed and the update's
number, that of every epoch's order from the seed and the epoch's number.

The file is one of tensors (safetensors), whose metadata has all that is no tensor, as JSON: nothing is unpickled.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from regard.errors import RegardError
from regard.folder import STATE, load_weights, metadata_of, save_weights

_VERSION = 2
_FACTS = "training"


@dataclass
class Progress:
    """How far a training is.

    `epoch` and `step` say which update comes next: the one number `step` of that epoch. `since` sums up what was
    trained on since the last validation: the loss and the number of target tokens. `skipped` counts the updates left
    out in a row, since their gradient was no number, and `left_out` all of them. `baseline` is what log-probability of
    a token the rewards of drawn places are compared with.
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
    baseline: float | None = None
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
    tensors = {f"weights.{name}": weight for name, weight in state.weights.items()}
    remembered: dict[int, dict[str, Any]] = {}
    for number, entries in state.optimizer["state"].items():
        tensors |= {f"optimizer.{number}.{name}": each for name, each in entries.items() if isinstance(each, Tensor)}
        remembered[number] = {name: each for name, each in entries.items() if not isinstance(each, Tensor)}
    facts = {
        "version": _VERSION,
        "progress": dataclasses.asdict(state.progress),
        "optimizer": {"groups": state.optimizer["param_groups"], "remembered": remembered},
        "fingerprint": state.fingerprint,
    }
    save_weights(folder / STATE, tensors, {_FACTS: json.dumps(facts)})


def load_state(folder: Path) -> State | None:
    """The state that was saved last; None where there is none.

    Raises RegardError: damaged, of a newer version.
    """
    path = folder / STATE
    if not path.exists():
        return None
    remedy = "start anew with --restart"
    try:
        facts = json.loads(metadata_of(path)[_FACTS])
        if facts["version"] != _VERSION:
            raise RegardError(f"{path}: written by another Regard (format {facts['version']!r}); {remedy}")
        progress = Progress(**facts["progress"])
        if not all(isinstance(update, int) for update in (progress.update, progress.best_update, *progress.averaged)):
            raise TypeError("numbers of updates name files, and nothing else may")
        weights: dict[str, Tensor] = {}
        remembered = {int(number): dict(entries) for number, entries in facts["optimizer"]["remembered"].items()}
        for name, tensor in load_weights(path).items():
            kind, rest = name.split(".", 1)
            if kind == "weights":
                weights[rest] = tensor
            else:
                number, entry = rest.split(".", 1)
                remembered[int(number)][entry] = tensor
        optimizer = {"state": remembered, "param_groups": facts["optimizer"]["groups"]}
        return State(progress, weights, optimizer, facts["fingerprint"])
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, RegardError) and "damaged" not in str(error):
            raise
        raise RegardError(f"{path}: damaged; {remedy}") from None
