"""Several processes learn what one learns, and stop, fail and go on together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tiny import TINY, backwards, same_weights

from regard.errors import RegardError
from regard.folder import METRICS, STATE
from regard.training import loop, preparing, processes, run
from regard.training.corpus import texts_of
from regard.training.interrupts import TrainingStopped
from regard.training.processes import on_first
from regard.training.progress import Silent
from regard.training.state import load_state

# With projections, the score `location` owns some that never get a gradient; and dropout is at work.
MODEL = {**TINY["model"], "cross": {"score": "location", "heads": 2}, "longest": 16}
ONE = {**TINY, "model": MODEL, "training": {**TINY["training"], "optimizer": "adamw", "decay": 0.1, "accumulate": 2}}
TWO = {**ONE, "training": {**ONE["training"], "accumulate": 1, "devices": 2}}


def records(folder: Path) -> list[dict[str, Any]]:
    state = load_state(folder)
    assert state is not None
    return [{**record, "seconds": 0} for record in state.progress.records]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process makes of the pairs when it goes through two batches for each update."""
    folder = tmp_path_factory.mktemp("whole")
    pairs = folder / "pairs.tsv"
    pairs.write_text("".join(f"{source}\t{target}\n" for source, target in backwards(80)), encoding="utf-8")
    run.train(pairs, out=folder / "model", **ONE)
    return folder


def test_two_processes_are_one(whole: Path, tmp_path: Path) -> None:
    found = run.train(whole / "pairs.tsv", out=tmp_path / "model", **TWO)
    one, two = records(whole / "model"), records(tmp_path / "model")
    for first, second in zip(one, two, strict=True):
        assert second == {name: pytest.approx(value, rel=1e-6) for name, value in first.items()}
    assert same_weights(whole / "model", tmp_path / "model")
    assert not torch.distributed.is_initialized()
    assert "MASTER_PORT" not in os.environ
    assert found.predict("one two").log_prob < 0


def test_two_processes_cut_texts_as_one(tmp_path: Path) -> None:
    """What BPE dropout draws follows from the seed, the epoch and the pair, not from the process that learns it."""
    data = {"source_tokens": "bpe:40", "target_tokens": "bpe:20", "source_dropout": 0.4, "target_dropout": 0.4}
    (tmp_path / "pairs.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in backwards(60)))
    for name, how in (("one", ONE), ("two", TWO)):
        given = {**how, "data": data, "training": {**how["training"], "updates": 12, "warmup": 4}}
        run.train(tmp_path / "pairs.tsv", out=tmp_path / name, **given)
    one, two = records(tmp_path / "one"), records(tmp_path / "two")
    assert len(one) == len(two) > 0
    for first, second in zip(one, two, strict=True):
        assert second == {name: pytest.approx(value, rel=1e-6) for name, value in first.items()}
    assert same_weights(tmp_path / "one", tmp_path / "two")


@pytest.mark.parametrize("world", [2, 3, 5])
def test_every_example_is_learned_from_once_an_epoch_whatever_the_number_of_processes(
    tmp_path: Path, world: int
) -> None:
    pairs = backwards(61)
    prepared = preparing.prepare(texts_of(pairs[8:], pairs[:8]), preparing.gather(None, TINY))
    training: Any = SimpleNamespace(
        corpus=prepared.corpus, settings=prepared.settings, fabric=SimpleNamespace(world_size=world)
    )
    left_over = 0
    for epoch in range(12):
        steps = loop._steps(training, epoch)
        seen = [index for rank in range(world) for step in steps for batch in step[rank::world] for index in batch]
        assert sorted(seen) == list(range(53))
        left_over += len(steps[-1]) < world
    assert left_over  # some process had nothing to do in the last update


class Acting(Silent):
    """Does something after the tenth update."""

    def __init__(self, act: Any) -> None:
        self.act = act

    def pace(self, pace: Any) -> None:
        if pace.update == 10:
            self.act()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["asked to stop", "the other one killed", "a full disk"])
def test_two_processes_end_together_and_go_on(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    workers: list[subprocess.Popen[str]] = []
    original = processes._worker

    def watched(*arguments: Any) -> subprocess.Popen[str]:
        workers.append(original(*arguments))
        return workers[-1]

    monkeypatch.setattr(processes, "_worker", watched)

    def fail(*_: Any) -> None:
        raise RegardError("state.safetensors: can't be written: No space left on device")

    with monkeypatch.context() as patch:
        act, expected, message = {
            "asked to stop": (lambda: os.kill(os.getpid(), signal.SIGTERM), TrainingStopped, "after update 10"),
            "the other one killed": (lambda: workers[0].kill(), RegardError, "has ended or can't be reached"),
            "a full disk": (lambda: patch.setattr(loop, "save_state", fail), RegardError, "No space left"),
        }[how]
        with pytest.raises(expected, match=message):
            run.train(whole / "pairs.tsv", out=tmp_path / "model", report=Acting(act), **TWO)
    assert workers[0].poll() is not None
    run.train(whole / "pairs.tsv", out=tmp_path / "model", **TWO)
    assert records(whole / "model") == records(tmp_path / "model")
    assert same_weights(whole / "model", tmp_path / "model")


@pytest.mark.slow
def test_torchrun_starts_them_as_well(whole: Path, tmp_path: Path) -> None:
    settings = [
        f"--{name}={value}" for name, value in preparing.gather(None, ONE).items() if name != "training.accumulate"
    ]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    regard = ["-m", "regard", "train", str(whole / "pairs.tsv"), "--out", str(tmp_path / "model"), *settings]
    done = subprocess.run([*command, *regard], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("all 24 updates are done") == 1  # one process tells
    assert same_weights(whole / "model", tmp_path / "model")
    wrong = subprocess.run(
        [*command, *regard, "--training.devices=3", "--restart"],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert "training.devices is 3, but torchrun has started 2" in wrong.stderr
    assert (tmp_path / "model" / METRICS).exists()


def test_a_process_that_can_not_start_is_told_of(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RegardError, match=r"training\.devices: another process could not be started"):
        run.train(whole / "pairs.tsv", out=tmp_path / "model", **TWO)
    assert not (tmp_path / "model" / STATE).exists()


def test_what_fails_first_fails_everywhere() -> None:
    """In a group of one process, which stands for each of two in turn."""
    sent: list[Any] = []

    def fabric(first: bool) -> Any:
        return SimpleNamespace(
            world_size=2, is_global_zero=first, broadcast=lambda value: sent.append(value) if first else sent[-1]
        )

    assert on_first(fabric(True), lambda: 3) == on_first(fabric(False), lambda: 4) == 3

    def fail() -> int:
        raise RegardError("no room")

    for first in (True, False):
        with pytest.raises(RegardError, match="no room"):
            on_first(fabric(first), fail)
