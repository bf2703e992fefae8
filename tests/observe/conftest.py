"""Models of transformers are small and drawn at random; their list is that of the benchmark."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "benchmarks")]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Transformers warns of itself (of what torch has deprecated, mostly); only here warnings are no errors."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"))
