"""Tables of results: trainings as jobs that are run in pieces, side by side, each to its end once.

A *job* is a value: what it learns from, how it trains and how it is scored. A table is a list of jobs. `run` goes on
with those that have no result yet until its minutes are over; a training that was stopped goes on from where it was.
Several workers may run the same table: a job that one of them holds is left alone by the others. Models stay in
`.runs/`; each finished job adds one line to `results/papers/TABLE.jsonl`, known by a digest of all that determines it.
"""

from __future__ import annotations

import argparse
import datetime
import fcntl
import hashlib
import importlib.metadata
import json
import math
import os
import platform
import resource
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from regard.predictor import Predictor
from regard.training.interrupts import TrainingStopped
from regard.training.progress import Lines, Reporter

HERE = Path(__file__).resolve().parent
RUNS, RESULTS = HERE / ".runs", HERE.parent / "results" / "papers"
# Scoring is not cut in pieces, so a piece of training ends early enough for it.
_SCORING_SECONDS = 100.0
_WORTH_BEGINNING = 30.0

Record = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """A training and its scores.

    Args:
        name: a name of its own within its table.
        about: all that determines the result: corpus, settings, seed, in values that JSON knows.
        train: trains in a folder (a second call goes on there), and tells a reporter how it goes.
        score: what is measured of the model in the end, in values that JSON knows.
        model: where in the folder the model is whose updates are told; by default the folder is its own.
        told: what is told of the training, given that folder and what `train` returned, where that is no model of ours.
    """

    name: str
    about: Mapping[str, Any]
    train: Callable[[Path, Reporter], Any]
    score: Callable[[Any], Mapping[str, Any]]
    model: str = "."
    told: Callable[[Path, Any], Mapping[str, Any]] | None = None

    @property
    def digest(self) -> str:
        """The same for the same `about`, and for no other."""
        return hashlib.sha256(json.dumps(self.about, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:12]


def corpora() -> Path:
    """The folder of public corpora: $REGARD_DATA, or shared/data beside the repository."""
    folder = Path(os.environ.get("REGARD_DATA", HERE.parents[2] / "shared" / "data"))
    if not folder.is_dir():
        raise SystemExit(f"{folder}: no such folder; set REGARD_DATA to the folder of the public corpora")
    return folder


def prepared_place(corpus: str) -> Path:
    """Where files of a corpus are that a table makes for itself, outside of the repository: $REGARD_PREPARED, or
    ~/.cache/regard."""
    return Path(os.environ.get("REGARD_PREPARED", Path.home() / ".cache" / "regard")) / corpus


def main(table: str, jobs: Sequence[Job], description: str) -> int:
    """The command line of a table; 0 when every job has its result, 1 when there is something left."""
    parser = argparse.ArgumentParser(prog=f"python benchmarks/papers/{table}.py", description=description)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop in time after so long (default: never)")
    parser.add_argument("--only", metavar="NAME", default="", help="only jobs whose name begins so")
    parser.add_argument("--list", action="store_true", help="show the jobs and which are done")
    given = parser.parse_args()
    chosen = [job for job in jobs if job.name.startswith(given.only)]
    if given.list:
        known = records(table)
        for job in chosen:
            print(f"{'done' if job.digest in known else '    '} {job.name}")
        return 0
    left = run(table, chosen, given.minutes)
    print(
        f"{left} of {len(chosen)} jobs left; the same command goes on" if left else f"all {len(chosen)} jobs are done"
    )
    return int(left > 0)


def run(table: str, jobs: Sequence[Job], minutes: float) -> int:
    """Go on with the jobs in their order until they are done or the time is over; how many have no result then."""
    end = time.monotonic() + 60 * minutes
    for job in jobs:
        if end - time.monotonic() < _SCORING_SECONDS + _WORTH_BEGINNING:
            break
        with _held(place(table, job, "lock")) as held:
            # Another worker may have finished it just before.
            if held and job.digest not in records(table) and (found := _work(table, job, end)) is not None:
                _append(table, found)
                print(f"{job.name}: {json.dumps(found['scores'], ensure_ascii=False)}", flush=True)
    known = records(table)
    return sum(job.digest not in known for job in jobs)


def records(table: str) -> dict[str, Record]:
    """The results of a table by the digests of their jobs; the last line of each counts."""
    path = RESULTS / f"{table}.jsonl"
    if not path.exists():
        return {}
    return {record["digest"]: record for record in map(json.loads, path.read_text(encoding="utf-8").splitlines())}


def spread(values: Iterable[float]) -> str:
    """The mean, and where there are several the standard deviation."""
    listed = list(values)
    return f"{fmean(listed):.1f}" + (f" ± {stdev(listed):.1f}" if len(listed) > 1 else "")


# One job --------------------------------------------------------------------------------------------------------------


def _work(table: str, job: Job, end: float) -> Record | None:
    """Train until the job is done or the time is over, and score; the record of a job that is done."""
    folder, clock = place(table, job, "model"), place(table, job, "json")
    spent = json.loads(clock.read_text()) if clock.exists() else {"wall": 0.0, "cpu": 0.0, "pieces": 0}
    wall, cpu = time.monotonic(), _cpu_seconds()
    trained = None
    try:
        with _stopped_at(end - _SCORING_SECONDS):
            trained = job.train(folder, Lines())
    except TrainingStopped as stopped:
        print(f"{job.name}: {stopped}", flush=True)
    finally:
        spent["wall"] += time.monotonic() - wall
        spent["cpu"] += _cpu_seconds() - cpu
        spent["pieces"] += 1
        clock.write_text(json.dumps(spent))
    if trained is None or end - time.monotonic() < _SCORING_SECONDS / 2:
        return None
    return {
        "job": job.name,
        "digest": job.digest,
        **job.about,
        "scores": dict(job.score(trained)),
        "training": {
            **(job.told or _told)(folder / job.model, trained),
            "wall_seconds": round(spent["wall"]),
            "cpu_seconds": round(spent["cpu"]),
            "pieces": spent["pieces"],
        },
        **surroundings(),
        "date": datetime.date.today().isoformat(),
    }


def _told(folder: Path, predictor: Predictor) -> Record:
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {
        "parameters": sum(parameter.numel() for parameter in predictor.model.parameters()),
        "updates": metrics[-1]["step"],
        "epochs": metrics[-1]["epoch"],
        "best_update": predictor.facts.update,
        "best": predictor.facts.score,
        "chosen": {name: _setting(predictor, name) for name in predictor.facts.chosen},
    }


def _cpu_seconds() -> float:
    """Of this process, and of those that it has waited for."""
    waited = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + waited.ru_utime + waited.ru_stime


def _setting(predictor: Predictor, name: str) -> Any:
    value: Any = predictor.settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def surroundings() -> Record:
    """The machine and the versions, on which times depend, and scores in their last digits."""
    import torch

    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "machine": {
            "processor": (models or [platform.processor() or platform.machine()])[0],
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        },
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("regard", "torch", "sacrebleu", "tokenizers")},
        },
    }


# Pieces and workers ---------------------------------------------------------------------------------------------------


def place(table: str, job: Job, ending: str) -> Path:
    """The model's folder of a job, or a file of it; other settings have other places."""
    path = RUNS / table / f"{job.name}-{job.digest}.{ending}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def _stopped_at(end: float) -> Iterator[None]:
    """Inside, the process is asked to stop at `end`, as by SIGTERM; outside of updates that is TrainingStopped too."""

    def stop(number: int, frame: Any) -> None:
        raise TrainingStopped("stopped between trainings", number)

    def ask(number: int, frame: Any) -> None:
        signal.raise_signal(signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, stop), signal.signal(signal.SIGALRM, ask)
    try:
        if math.isfinite(end):
            signal.setitimer(signal.ITIMER_REAL, max(end - time.monotonic(), 1.0))
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGALRM, before[1])


@contextmanager
def _held(path: Path) -> Iterator[bool]:
    """Whether a file could be locked; the lock ends with the process that has it, however that ends."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _append(table: str, record: Record) -> None:
    path = RESULTS / f"{table}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    # One write at the end of the file, so that lines of two workers never mix.
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record, ensure_ascii=False) + "\n")
