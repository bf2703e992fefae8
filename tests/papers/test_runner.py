"""The runner of jobs: in pieces, by several workers, each job once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import runner
from runner import Job

from regard.folder import Facts
from regard.training.interrupts import TrainingStopped


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(runner, "RESULTS", tmp_path / "results")


class _Model:
    def parameters(self) -> list[Any]:
        return []


class Trained:
    """A training that takes so many calls, or fails to end."""

    def __init__(self, name: str, calls: int = 1, **about: Any) -> None:
        self.calls, self.left = 0, calls
        self.job = Job(name, {"model": name, **about}, self.train, lambda _: {"bleu": 12.5})

    def train(self, folder: Path, report: Any) -> Any:
        self.calls += 1
        self.left -= 1
        folder.mkdir(exist_ok=True)
        if self.left > 0:
            raise TrainingStopped("stopped and saved", signal.SIGTERM)
        (folder / "metrics.jsonl").write_text('{"step": 4, "epoch": 1}\n')
        return SimpleNamespace(model=_Model(), facts=Facts(update=4, score=1.0))


def run(jobs: list[Trained], minutes: float = 10.0) -> int:
    return runner.run("table", [each.job for each in jobs], minutes)


def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (runner.RESULTS / "table.jsonl").read_text().splitlines()]


def test_each_job_is_done_once_and_in_pieces() -> None:
    jobs = [Trained("one"), Trained("two", calls=3)]
    assert [run(jobs) for _ in range(4)] == [1, 1, 0, 0]
    assert [each.calls for each in jobs] == [1, 3]
    one, two = lines()
    assert (one["job"], one["scores"], one["training"]["pieces"]) == ("one", {"bleu": 12.5}, 1)
    assert (two["job"], two["training"]["pieces"], two["training"]["updates"]) == ("two", 3, 4)
    assert two["machine"]["cores"] == os.cpu_count()
    assert "torch" in two["versions"]


def test_other_settings_are_another_job() -> None:
    assert run([Trained("one", rate=1)]) == 0
    again, other = Trained("one", rate=1), Trained("one", rate=2)
    assert run([again, other]) == 0
    assert (again.calls, other.calls) == (0, 1)
    assert len({line["digest"] for line in lines()}) == 2


def test_nothing_is_begun_without_the_time_for_it() -> None:
    job = Trained("one")
    assert run([job], minutes=1.0) == 1
    assert job.calls == 0


def test_a_job_that_another_worker_holds_is_left_to_it() -> None:
    held, free = Trained("held"), Trained("free")
    code = "import fcntl, sys; file = open(sys.argv[1], 'a'); fcntl.flock(file, 2); print(1, flush=True); input()"
    lock = runner.place("table", held.job, "lock")
    command = [sys.executable, "-c", code, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert run([held, free]) == 1
        other.kill()
        other.kill()
    assert (held.calls, free.calls) == (0, 1)
    assert run([held, free]) == 0


def test_what_is_told_of_a_training_that_is_no_model_of_ours() -> None:
    def train(folder: Path, report: Any) -> str:
        subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.6: pass"], check=True)
        return "trained"

    job = Job("other", {}, train, lambda found: {"said": found}, told=lambda folder, found: {"epochs": len(found)})
    assert runner.run("table", [job], 10.0) == 0
    (line,) = lines()
    assert (line["scores"], line["training"]["epochs"]) == ({"said": "trained"}, 7)
    assert line["training"]["cpu_seconds"] >= 1  # that of the process which the training has run


def test_a_training_is_asked_to_stop_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_SCORING_SECONDS", 0.0)
    monkeypatch.setattr(runner, "_WORTH_BEGINNING", 0.0)

    def train(folder: Path, report: Any) -> Any:
        time.sleep(60)

    before = signal.getsignal(signal.SIGTERM)
    assert runner.run("table", [Job("long", {}, train, lambda _: {})], 1 / 60) == 1
    assert signal.getsignal(signal.SIGTERM) is before
    assert not (runner.RESULTS / "table.jsonl").exists()
