"""Every test runs on one thread (pytest-xdist uses the cores), and may ask for the public corpora."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes depends on what else the machine does.
settings.register_profile("regard", deadline=None)
settings.load_profile("regard")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything imports torch

_REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of public corpora: $REGARD_DATA, or shared/data beside the repository; skips where there is none."""
    folder = Path(os.environ.get("REGARD_DATA", _REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no public corpora here (set REGARD_DATA to a folder of them)")
    return folder
