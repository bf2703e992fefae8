"""A corpus that a tiny model learns in seconds, and that model, trained once by the command line."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from regard.cli import main

_WORDS = ("zero", "one", "two", "three", "four", "five")
FLAGS = [
    "--data.source_tokens=symbols", "--data.target_tokens=symbols", "--model.encoder.width=32",
    "--model.decoder.width=32", "--model.embedding=16", "--model.dropout=0", "--training.updates=120",
    "--training.batch=120", "--training.rate=0.02", "--training.validate_every=60", "--training.device=cpu",
    "--training.smoothing=0", "--training.threads=1",
]  # fmt: skip


@pytest.fixture(scope="session")
def tiny_flags() -> list[str]:
    return FLAGS


@pytest.fixture(scope="session")
def pairs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs such as `two five` and `2 5`."""
    draw = random.Random(0)
    lines = set()
    while len(lines) < 150:
        numbers = [draw.randrange(len(_WORDS)) for _ in range(draw.randint(1, 5))]
        lines.add(f"{' '.join(_WORDS[number] for number in numbers)}\t{' '.join(map(str, numbers))}\n")
    path = tmp_path_factory.mktemp("corpus") / "pairs.tsv"
    path.write_text("".join(sorted(lines)), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory, pairs_file: Path) -> Path:
    """The folder of a model trained with `regard train`."""
    out = tmp_path_factory.mktemp("models") / "model"
    assert main(["train", str(pairs_file), "--out", str(out), *FLAGS]) == 0
    return out
