"""Trainings that are really killed, some of the hundred of `benchmarks/interruptions.py`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "interruptions.py"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the trainings are forked")
@pytest.mark.skipif(not SCRIPT.exists(), reason="the benchmarks are not here")
def test_killed_and_started_again(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--job", "transformer-0", "--quick"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=570, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["kills"] >= 4
    assert found["trainings with the same files"] == found["trainings"] > 0
    wrong = ("unreadable files", "ended with an error", "files left behind")
    assert not [name for name in wrong if found.get(name)]
