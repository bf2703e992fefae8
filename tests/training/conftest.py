"""The tiny corpus as a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import backwards


@pytest.fixture
def pairs_file(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in backwards(80)), encoding="utf-8")
    return path
