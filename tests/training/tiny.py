"""A corpus that a tiny model learns in seconds: numbers in words, to be said backwards in digits."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch

from regard.folder import WEIGHTS, load_weights

_WORDS = ("zero", "one", "two", "three", "four", "five")
TINY: dict[str, Any] = {
    "data": {"source_tokens": "symbols", "target_tokens": "symbols"},
    "model": {"encoder": {"width": 16}, "decoder": {"width": 16}, "embedding": 12, "dropout": 0.2},
    "training": {
        "updates": 24, "batch": 60, "rate": 1e-2, "validate_every": 8, "seed": 3, "device": "cpu", "threads": 1,
    },
}  # fmt: skip


def backwards(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Pairs such as ("two five", "5 2"), all of them different."""
    draw = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        numbers = [draw.randrange(len(_WORDS)) for _ in range(draw.randint(1, 6))]
        found[" ".join(_WORDS[number] for number in numbers)] = " ".join(map(str, reversed(numbers)))
    return list(found.items())


def same_weights(first: Path, second: Path) -> bool:
    """Whether two models' weights are equal to the last bit."""
    one, two = load_weights(first / WEIGHTS), load_weights(second / WEIGHTS)
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)
