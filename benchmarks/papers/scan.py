"""SCAN: commands to actions, and whether a model knows what it has never been shown, with and without attention.

    python benchmarks/papers/scan.py --minutes 9

The four splits of Lake & Baroni (2018): simple, at random; length, where test actions are longer than any in training;
jump and turn left, where one command is in training alone and is combined with others in the test. The last 500 of the
shuffled training pairs are for validation.
"""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from runner import Job, Record, corpora, main, spread

from regard.evaluation import statistics
from regard.predictor import Predictor
from regard.training.progress import Reporter
from regard.training.run import train

TABLE, CORPUS = "scan", "scan"
#: The first split is a sanity check, which one seed is enough for.
SEEDS = {"simple": (1,), "length": (1, 2, 3), "addprim_jump": (1, 2, 3), "addprim_turn_left": (1, 2, 3)}
HELD = 500
#: Right answers of the test, in per cent, as published: the best single architecture of Lake & Baroni (2018), and the
#: GRU with attention of Bastings et al. (2018).
PUBLISHED = {
    "simple": ("99.8", "100"),
    "length": ("20.8", "18.1 ± 1.1"),
    "addprim_jump": ("1.2", "12.5 ± 6.6"),
    "addprim_turn_left": ("90.3", "59.1 ± 16.8"),
}
COMMON: dict[str, Any] = {
    "data.source_tokens": "symbols",
    "data.target_tokens": "symbols",
    "model.encoder.width": 200,
    "model.decoder.width": 200,
    "model.embedding": 100,
    "model.decoder.input_feeding": False,
    "model.dropout": 0.3,
    "training.batch": 2000,
    "training.updates": 3000,
    "training.rate": 2e-3,
    "training.schedule": "linear",
    "training.smoothing": 0.0,
    "training.validate_every": 500,
    "training.metric": "accuracy",
    "training.threads": 1,
}
MODELS: dict[str, dict[str, Any]] = {"attention": {}, "no attention": {"model.context": "fixed"}}

Texts = list[tuple[str, str]]


def jobs() -> list[Job]:
    """All splits and models of the first seed, then of the second, ..."""
    found = [(seed, split) for split, seeds in SEEDS.items() for seed in seeds]
    return [job(split, model, seed) for seed, split in sorted(found, key=lambda each: each[0]) for model in MODELS]


def job(split: str, model: str, seed: int) -> Job:
    settings = {**COMMON, **MODELS[model]}

    def training(folder: Path, report: Reporter) -> Predictor:
        pairs = texts(split, "train")
        return train(pairs[:-HELD], dev=pairs[-HELD:], out=folder, report=report, **settings, training={"seed": seed})

    def scored(predictor: Predictor) -> Mapping[str, Any]:
        sources, targets = zip(*texts(split, "test"), strict=True)
        outputs = [each.text for each in predictor.predict(list(sources), beam=1)]
        return {"accuracy": statistics("accuracy", outputs, list(targets)).score().value, "commands": len(targets)}

    about = {"corpus": CORPUS, "split": split, "model": model, "settings": settings, "seed": seed}
    return Job(f"{split}-{model.replace(' ', '-')}-{seed}", about, training, scored)


@cache
def texts(split: str, part: str) -> Texts:
    """Commands and actions; those of the training in an order of their own, always the same."""
    path = corpora() / CORPUS / f"tasks_{part}_{split}.txt.gz"
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    pairs = [(found[1], found[2]) for line in lines if (found := re.fullmatch(r"IN: (.*) OUT: (.*)", line.strip()))]
    if len(pairs) != len(lines):
        raise SystemExit(f"{path}: {len(lines) - len(pairs)} of {len(lines)} lines are no commands with actions")
    if part == "train":
        Random(0).shuffle(pairs)
    return pairs


# What is told --------------------------------------------------------------------------------------------------------

_NAMES = {"simple": "simple", "length": "length", "addprim_jump": "jump", "addprim_turn_left": "turn left"}
_SECTION = """## SCAN: what was never shown

Commands to sequences of actions (Lake & Baroni 2018): how many test commands are answered rightly, in per cent, greedy.
In the splits other than simple, what the test asks for can only be had by putting known things together in a new way,
which models of this kind are known not to do; a high figure there would be a sign of a leak. One setting for all:
bidirectional LSTM and LSTM of width {width}, {updates:,} updates of {batch:,} tokens. Published are the best single
architecture of Lake & Baroni (2018) and the GRU with attention of Bastings et al. (2018).

    python benchmarks/papers/scan.py --minutes 9    # again and again, until all is done"""


def sections(found: Sequence[Record], table: Callable[[Sequence[str], Iterable[Sequence[str]]], str]) -> list[str]:
    """Of the page of results."""
    if not found:
        return []
    text = _SECTION.format(
        width=COMMON["model.encoder.width"], updates=COMMON["training.updates"], batch=COMMON["training.batch"]
    )
    rows = []
    for split, published in PUBLISHED.items():
        of = {
            model: [each["scores"]["accuracy"] for each in found if (each["split"], each["model"]) == (split, model)]
            for model in MODELS
        }
        if any(of.values()):
            told = [spread(values) if values else "" for values in of.values()]
            rows.append([_NAMES[split], *told, str(max(map(len, of.values()))), *published])
    return [text, table(("split", *MODELS, "seeds", "Lake & Baroni", "Bastings et al."), rows)]


if __name__ == "__main__":
    sys.exit(main(TABLE, jobs(), str(__doc__).splitlines()[0]))
