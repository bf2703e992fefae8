"""No file is ever half written, whatever fails."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import TINY

from regard.errors import RegardError
from regard.folder import STATE, WEIGHTS, load_weights, save_weights
from regard.training import run
from regard.training.state import Progress, State, load_state, save_state


def _state(number: float) -> State:
    groups = [{"lr": 0.1, "params": [0]}]
    optimizer = {"state": {0: {"step": torch.tensor(number), "kept": 0.1}}, "param_groups": groups}
    return State(Progress(update=int(number)), {"weight": torch.full((4,), number)}, optimizer, "pairs")


def _full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("fault", ["open", "write", "fsync", "replace"])
def test_a_failed_write_leaves_the_last_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    (tmp_path / STATE).parent.mkdir()
    save_state(tmp_path, _state(1))
    with monkeypatch.context() as patch:
        patch.setattr(os, fault, _full)
        with pytest.raises(RegardError, match="can't be written: No space left on device; make room, and try again"):
            save_state(tmp_path, _state(2))
    kept = load_state(tmp_path)
    assert kept is not None
    assert kept.progress.update == 1
    assert kept.weights["weight"].tolist() == [1.0] * 4
    assert kept.optimizer == _state(1).optimizer
    assert [file.name for file in (tmp_path / STATE).parent.iterdir()] == ["state.safetensors"]


@pytest.mark.parametrize("kept", [0, 10, 200])
def test_truncated_files_are_told_in_a_line(tmp_path: Path, kept: int) -> None:
    (tmp_path / STATE).parent.mkdir()
    save_state(tmp_path, _state(1))
    (tmp_path / STATE).write_bytes((tmp_path / STATE).read_bytes()[:kept])
    with pytest.raises(RegardError, match=r"damaged; start anew with --restart") as raised:
        load_state(tmp_path)
    assert "\n" not in str(raised.value)
    save_weights(tmp_path / WEIGHTS, {"a": torch.ones(100)})
    (tmp_path / WEIGHTS).write_bytes((tmp_path / WEIGHTS).read_bytes()[:kept])
    with pytest.raises(RegardError, match="damaged"):
        load_weights(tmp_path / WEIGHTS)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    import pickle

    class Hostile:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "harmed"),)

    (tmp_path / STATE).parent.mkdir()
    (tmp_path / STATE).write_bytes(pickle.dumps(Hostile(), protocol=2))
    with pytest.raises(RegardError, match="damaged"):
        load_state(tmp_path)
    torch.save({"version": 1, "progress": Hostile()}, tmp_path / STATE)
    with pytest.raises(RegardError, match="damaged"):
        load_state(tmp_path)
    assert not (tmp_path / "harmed").exists()


def test_a_disk_that_fills_up_while_training_loses_nothing(
    tmp_path: Path, pairs_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run.train(pairs_file, out=tmp_path / "whole", **TINY)
    from regard.training import loop

    original, count = loop.save_state, 0

    def failing(*arguments: Any) -> None:
        nonlocal count
        count += 1
        if count == 2:
            raise RegardError("state.safetensors: can't be written: No space left on device")
        original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_state", failing)
        with pytest.raises(RegardError, match="No space left"):
            run.train(pairs_file, out=tmp_path / "model", **TINY)
    found = run.train(pairs_file, out=tmp_path / "model", **TINY)
    for one, two in zip(whole.model.parameters(), found.model.parameters(), strict=True):
        assert torch.equal(one, two)
