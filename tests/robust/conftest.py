"""A small corpus, the settings of a tiny model, and that model, trained once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fuzzing import TINY, small_pairs


@pytest.fixture(scope="session")
def pairs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "pairs.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in small_pairs(40)), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, pairs_file: Path) -> Path:
    """A model's folder with subwords on one side and characters on the other."""
    from regard import train

    folder = tmp_path_factory.mktemp("trained") / "model"
    settings: dict[str, Any] = {**TINY, "data": {"source_tokens": "bpe:30", "target_tokens": "character"}}
    train(pairs_file, out=folder, **settings)
    return folder
