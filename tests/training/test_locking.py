"""Two trainings in one folder: the second is told so, and harms nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny import TINY, backwards, same_weights

from regard.errors import RegardError
from regard.locking import alone
from regard.training import preparing, run

pytest.importorskip("fcntl")

SHORT = {**TINY, "training": {**TINY["training"], "updates": 2, "validate_every": 2}}
PAIRS, DEV = backwards(40)[8:], backwards(40)[:8]
HOLDER = """
import sys, time
from pathlib import Path
from regard.locking import alone
with alone(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def train(out: Path, **more: Any) -> None:
    run.train(PAIRS, dev=DEV, out=out, **SHORT, **more)


def test_the_second_training_is_refused_in_one_line_and_changes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "model"
    train(out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    for restart in (False, True):
        with alone(out), pytest.raises(RegardError, match="another training is at work in it; wait for it") as raised:
            train(out, restart=restart)
        assert "\n" not in str(raised.value)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    train(out, restart=True)


def test_the_lock_goes_with_its_process_however_that_ends(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    with holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RegardError, match="another training"), alone(tmp_path):
            pass
        os.kill(holder.pid, signal.SIGKILL)
    with alone(tmp_path):
        assert list(tmp_path.iterdir()) == []


def test_a_folder_that_another_training_made_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, other = tmp_path / "model", tmp_path / "other"
    train(other)
    read = preparing.read

    def slow(*given: Any) -> Any:
        if not out.exists():
            monkeypatch.setattr(run, "read", read)
            train(out)
        return read(*given)

    monkeypatch.setattr(run, "read", slow)
    with pytest.raises(RegardError, match="has been here meanwhile; give the same command again"):
        train(out)
    assert same_weights(out, other)


def test_pairs_that_can_not_be_used_leave_no_folder(tmp_path: Path) -> None:
    with pytest.raises(RegardError):
        run.train(tmp_path / "none.tsv", out=tmp_path / "model", **SHORT)
    assert not (tmp_path / "model").exists()
