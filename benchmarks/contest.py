"""Regard and its peers on Multi30k: who takes part, how one of them is run, and what the tables have in common.

A contestant is a toolkit with a model and an attention; its driver in `peers/` runs it by the Python of its own
environment, which `peers/install.sh` makes.

    A: BiLSTM encoder 2 x 256, LSTM decoder 512 with input feeding, embeddings 256, dropout 0.2, 80 pairs an update
    B: Transformer 4 + 4, width 128, inner width 256, 4 heads, one embedding for all, dropout 0.3 (attention 0.1),
       label smoothing 0.1, 256 pairs an update

Both with the same 8,000 pieces (`peers/prepare.py`), Adam, and batches of like length.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measure import HERE, LIMIT, sources

PEERS = HERE / "peers"
THREADS = (2, 1)
ROUNDS = {2: 3, 1: 1}  # by threads; what is far behind anyway has one
ONCE = ("joeynmt",)
HOMES = {"opennmt": "opennmt", "eole": "eole", "joeynmt": "joeynmt", "ctranslate2": "opennmt"}  # environments
NAMES = {
    "regard": "Regard",
    "opennmt": "OpenNMT-py",
    "eole": "Eole",
    "joeynmt": "JoeyNMT",
    "ctranslate2": "CTranslate2",
}
Records = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Contestant:
    """Who runs what."""

    model: str
    toolkit: str
    attention: str

    @property
    def name(self) -> str:
        """The end of a job's name."""
        return self.toolkit if self.attention in ("additive", "scaled_dot") else f"{self.toolkit}-{self.attention}"


PYTORCH = ("regard", "opennmt", "eole", "joeynmt")
TRAINED = (
    *(Contestant("A", toolkit, attention) for attention in ("additive", "bilinear") for toolkit in PYTORCH),
    *(Contestant("B", toolkit, "scaled_dot") for toolkit in PYTORCH),
)
DECODED = (*TRAINED, Contestant("B", "ctranslate2", "scaled_dot"))


def jobs(contestants: Sequence[Contestant]) -> list[str]:
    """`2/B/eole/1`: threads, model, toolkit, round. In a round everybody has a turn, in the next in reverse order."""
    return [
        f"{threads}/{one.model}/{one.name}/{round_}"
        for threads in THREADS
        for round_ in range(1, ROUNDS[threads] + 1)
        for one in (contestants if round_ % 2 else reversed(contestants))
        if round_ == 1 or one.toolkit not in ONCE
    ]


def contestant(model: str, name: str) -> Contestant:
    """The contestant of a job."""
    return next(one for one in DECODED if (one.model, one.name) == (model, name))


# --- running ---


def run(one: Contestant, action: str, threads: int, **options: Any) -> dict[str, Any]:
    """What a driver found out."""
    prepare_data()
    arguments = {"model": one.model, "attention": one.attention, **options}
    command = [str(python_of(one.toolkit)), f"run_{one.toolkit}.py", action]
    command += [part for name, value in arguments.items() for part in (f"--{name}", str(value))]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        command, cwd=PEERS, env=environment, capture_output=True, text=True, timeout=LIMIT - 10, check=False
    )
    lines = [line for line in (done.stderr if done.returncode else done.stdout).splitlines() if line.strip()]
    if done.returncode:
        raise SystemExit(f"{one.toolkit}: exit {done.returncode}: {lines[-1] if lines else 'no message'}")
    found: dict[str, Any] = json.loads(lines[-1]) if action != "make" else {}
    return found | ({"sources": sources("src/regard")} if one.toolkit == "regard" else {})


def made(one: Contestant) -> None:
    """See to it that there is a model to decode with; one of Regard is made by its present code."""
    mark = PEERS / ".runs" / f"made-{one.toolkit}-{one.model}-{one.attention}"
    state = sources("src/regard") if one.toolkit == "regard" else one.toolkit
    if one.toolkit == "ctranslate2":
        made(Contestant(one.model, "opennmt", one.attention))
    if not mark.exists() or mark.read_text() != state:
        run(one, "make", os.cpu_count() or 1)
        mark.write_text(state)


def python_of(toolkit: str) -> Path:
    """The Python of a toolkit's environment."""
    if toolkit == "regard":
        return Path(sys.executable)
    found = PEERS / ".venvs" / HOMES[toolkit] / "bin" / "python"
    if not found.exists():
        raise SystemExit(f"{toolkit} is not installed; run benchmarks/peers/install.sh {HOMES[toolkit]}")
    return found


def prepare_data() -> None:
    subprocess.run([sys.executable, str(PEERS / "prepare.py")], check=True, capture_output=True)


# --- tables ---


def rounds_of(found: Records, threads: int, one: Contestant) -> list[dict[str, Any]]:
    """The results of a contestant, one of each round that was measured."""
    names = (f"{threads}/{one.model}/{one.name}/{round_}" for round_ in range(1, ROUNDS[threads] + 1))
    return [found[name]["result"] for name in names if "result" in found.get(name, {})]


def median(results: Iterable[dict[str, Any]], *path: str) -> float:
    """The median over the rounds of the value at `path`."""
    return statistics.median(_at(result, path) for result in results)


def each(results: Iterable[dict[str, Any]], *path: str) -> str:
    """The values of all rounds, in their order."""
    return ", ".join(f"{_at(result, path):.0f}" for result in results)


def _at(result: Any, path: Sequence[str]) -> float:
    for name in path:
        result = result[name]
    return float(result)


def factor(ours: float, theirs: Sequence[float], bar: float = 1.2) -> str:
    """How many times the best of theirs ours is, and whether that is enough."""
    if not theirs or not ours:
        return "not measured"
    ratio = ours / max(theirs)
    return f"{ratio:.2f} x ({'met' if ratio >= bar else 'not met'})"


def conditions(found: Records) -> str:
    """One paragraph: the machine, the versions, the load, and what was measured in another state of Regard."""
    if not found:
        return "Nothing measured yet."
    every = sorted(found.values(), key=lambda record: str(record["date"]))
    versions: dict[str, set[str]] = {}
    for record in every:
        for name, version in record.get("result", {}).get("versions", {}).items():
            versions.setdefault(name, set()).add(version)
    machines = sorted({f"{record['cpu']} ({record['vectors']}), {record['cores']} cores" for record in every})
    policies = sorted({record["omp_wait_policy"] for record in every})
    loads = [record["load"] for record in every]
    text = (
        f"{'; '.join(machines)}; OpenMP wait policy {', '.join(policies)}; Python {every[-1]['python']}; "
        + ", ".join(f"{name} {'/'.join(sorted(some))}" for name, some in sorted(versions.items()))
        + f"; {every[0]['date']} to {every[-1]['date']}; load average before the jobs {min(loads):.2f} to "
        f"{max(loads):.2f} (median {statistics.median(loads):.2f})."
    )
    now = sources("src/regard")
    earlier = [job for job, record in found.items() if record.get("result", {}).get("sources", now) != now]
    if earlier:
        text += f" Measured with an earlier state of Regard: {', '.join(earlier)}."
    failed = [f"{job} ({record['failed']})" for job, record in found.items() if "failed" in record]
    if failed:
        text += f" Failed: {'; '.join(failed)}."
    return text
