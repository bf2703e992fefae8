"""Dialling by tones: a model that hears which keys were dialled, and whether it looks at each while it sounds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regard.data.pocket.tones import Dialled, write
from regard.demonstration.media import Demonstration, Example, Measure, exact_match
from regard.maps import AttentionMap, Sound

if TYPE_CHECKING:
    from regard.predictor import Predictor

# What is compared knows its neighbours, and where the model looked before tells equal keys apart; what is looked up
# (memory: words) is of a place alone, a fortieth of a second on both sides of it. So the model has to look at a key
# while it sounds.
SETTINGS: dict[str, Any] = {
    "data": {
        "sound": {"rate": 8000, "hop": 0.02, "low": 300.0, "high": 2000.0},
        "target_tokens": "symbols",
    },
    "model": {
        "encoder": {"stem": "frames", "place": "2", "channels": 16, "width": 128, "memory": "words"},
        "decoder": {"width": 128, "input_feeding": False},
        "cross": {"score": "location_aware"},
        "embedding": 64,
        "dropout": 0.1,
    },
    "training": {
        "updates": 1400,
        "batch": 32,
        "batch_unit": "sentences",
        "rate": 4e-3,
        "schedule": "linear",
        "warmup": 50,
        "validate_every": 700,
        "threads": 1,  # its steps are too small to be shared; features are made beside it
    },
    "search": {"beam": 1},
}


def examples(folder: Path) -> list[Example[Dialled]]:
    """The corpus, written to a folder."""
    return [Example(path, dialled.target, dialled.part, dialled) for path, dialled in write(folder)]


def measure(model: Predictor, corpus: Sequence[Example[Dialled]]) -> list[Measure]:
    """Of the recordings of the part test: how many are written down rightly, and how many keys the model looked at
    while they sounded, when it was made to say the right ones."""
    test = [example for example in corpus if example.part == "test"]
    maps = model.align([str(example.path) for example in test], [example.target for example in test])
    found = [
        each
        for map, example in zip(maps, test, strict=True)
        if map is not None
        for each in within(model.shown(map), example.gold)
    ]
    return [
        exact_match(model, test, "exactly right, of {} unseen recordings"),
        Measure("looked at while it sounds, of {} keys", 100 * sum(found) / max(len(found), 1), len(found)),
    ]


def within(map: AttentionMap, dialled: Dialled) -> list[bool]:
    """For each key whether the middle of the place that weighs most is within its tone."""
    assert isinstance(map.medium, Sound)
    middles = [map.medium.centre(int(place)) for place in map.argmax()]
    return [start <= middle <= end for middle, (start, end) in zip(middles, dialled.spans, strict=False)]


DEMONSTRATION = Demonstration("writing down dialled keys", examples, SETTINGS, measure)
