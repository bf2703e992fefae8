"""The cases of the benchmarks are the cases of the tests: they are imported from there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from attending import tiles

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))


@pytest.fixture
def small_tiles():
    """Tiles of some rows and blocks of some keys, so that small sizes go through many of both."""
    with tiles(32):
        yield
