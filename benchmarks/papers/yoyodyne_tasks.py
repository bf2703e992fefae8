"""What Regard and Yoyodyne learn side by side: the pairs, and the settings that each tries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import hard_attention
from runner import corpora

OURS, THEIRS = "Regard", "Yoyodyne"
WIDTH, EMBEDDING, PAIRS_AT_ONCE, CLIP = 128, 64, 32, 1.0
DROPOUT, SMOOTHING = 0.3, 0.1
#: At first; they fall to 0 along a line.
RATES = (3e-3, 6e-3)
VALIDATIONS = 5

Row = tuple[str, str, str]
"""Source, features (or none), target."""


@dataclass(frozen=True)
class Task:
    """What is learned, in how many epochs, and the kinds of model that each side tries with each of the rates.

    `batch` is Regard's: it puts pairs of like length together and splits batches with much padding, so that it takes a
    larger number for as many updates in an epoch.
    """

    title: str
    pairs: int
    epochs: Mapping[str, int]
    batch: int
    ours: Mapping[str, Mapping[str, Any]]
    theirs: Mapping[str, Mapping[str, Any]]

    @property
    def kinds(self) -> dict[str, Mapping[str, Mapping[str, Any]]]:
        return {OURS: self.ours, THEIRS: self.theirs}


_FORMS = {
    "data.source_tokens": "character",
    "data.target_tokens": "character",
    "model.decoder.input_feeding": True,
}
_SOFT: dict[str, Any] = {"class": "SoftAttentionLSTMModel"}
_POINTER: dict[str, Any] = {"class": "PointerGeneratorLSTMModel"}
_MONOTONIC = {
    f"monotonic:{order}": {"class": "HardAttentionLSTMModel", "enforce_monotonic": True, "attention_context": order}
    for order in (0, 1)
}
TASKS: dict[str, Task] = {
    "hard": Task(
        "French to phones, 800 words, monotonic attention alone",
        pairs=800,
        epochs={OURS: 60, THEIRS: 20},
        batch=44,
        ours={name: {"model.context": name, "model.mixture": "joint"} for name in _MONOTONIC},
        theirs=_MONOTONIC,
    ),
    "phones": Task(
        "French to phones, all 3,600 words",
        pairs=3600,
        epochs={OURS: 20, THEIRS: 10},
        batch=32,
        ours={"soft": {}, "monotonic:1": {"model.context": "monotonic:1"}},
        theirs={"soft": _SOFT, "monotonic:1": _MONOTONIC["monotonic:1"]},
    ),
    "forms": Task(
        "German forms, 2,000 of 10,000 pairs",
        pairs=2000,
        epochs={OURS: 30, THEIRS: 15},
        batch=36,
        ours={"soft": _FORMS, "pointer-generator": {"model.copy": True, **_FORMS}},
        theirs={"soft": _SOFT, "pointer-generator": _POINTER},
    ),
}


def settings(task: str, side: str) -> list[tuple[str, dict[str, Any]]]:
    """All that a side tries, with their names: as Regard's settings, or as a model of Yoyodyne's configuration."""
    return [
        (f"{kind}, rate {rate:g}", (_ours if side == OURS else _theirs)(TASKS[task], given, rate))
        for kind, given in TASKS[task].kinds[side].items()
        for rate in RATES
    ]


def _ours(task: Task, given: Mapping[str, Any], rate: float) -> dict[str, Any]:
    updates = -(-task.pairs // PAIRS_AT_ONCE)
    return {
        "model.encoder.width": WIDTH,
        "model.encoder.memory": "both",
        "model.decoder.width": WIDTH,
        "model.decoder.input_feeding": False,
        "model.embedding": EMBEDDING,
        "model.dropout": DROPOUT,
        "training.batch": task.batch,
        "training.batch_unit": "sentences",
        "training.schedule": "linear",
        "training.smoothing": SMOOTHING,
        "training.clip": CLIP,
        "training.rate": rate,
        "training.updates": task.epochs[OURS] * updates,
        "training.validate_every": task.epochs[OURS] // VALIDATIONS * updates,
        "training.metric": "accuracy",
        "training.threads": 1,
        **given,
    }


def _theirs(task: Task, given: Mapping[str, Any], rate: float) -> dict[str, Any]:
    """What `yoyodyne_peer.configuration` makes a configuration of. Monotonic models know no label smoothing."""
    sizes = {
        "width": WIDTH,
        "embedding": EMBEDDING,
        "dropout": DROPOUT,
        "clip": CLIP,
        "batch_size": PAIRS_AT_ONCE,
    }
    smoothing = {} if "enforce_monotonic" in given else {"label_smoothing": SMOOTHING}
    return {**sizes, **smoothing, "epochs": task.epochs[THEIRS], "lr": rate, **given}


# Pairs ----------------------------------------------------------------------------------------------------------------


@cache
def rows(task: str, part: str) -> list[Row]:
    """The lists are in alphabetical order; the training pairs are spread over it evenly."""
    if task == "forms":
        path = corpora() / "inflection-sigmorphon2023" / f"deu.{part}.tsv"
        lines = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
        every = [(lemma, features.replace(" ", ""), form) for lemma, features, form in lines]
    else:
        every = [(source, "", target) for source, target in hard_attention.texts("g2p-fre", part)]
    if part != "train":
        return every
    pairs = TASKS[task].pairs
    return [every[number * len(every) // pairs] for number in range(pairs)]


def texts(task: str, part: str) -> list[tuple[Any, str]]:
    """The same for Regard: a source with features is a pair of both."""
    return [((source, features) if features else source, target) for source, features, target in rows(task, part)]
