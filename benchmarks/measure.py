"""Tools of all benchmarks: one job in a process of its own, time of several sides in turn, peak memory, kept results.

A *job* is a name that a script measures when called with `--job NAME`; it prints one line of JSON. The driver starts a
process for each job, so that no job sees another's memory, and keeps the lines in `results/`; a job that is there is
not run again, so a long benchmark can be run in pieces.
"""

from __future__ import annotations

import argparse
import ctypes
import datetime
import gc
import hashlib
import importlib.metadata
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results"
LIMIT = 580.0  # seconds for one job


# --- time ---


@dataclass(frozen=True)
class Times:
    """Seconds of each call of each side; the calls with the same place in the lists were made one after the other."""

    of: dict[str, list[float]]

    def median(self, side: str) -> float:
        return statistics.median(self.of[side])

    def least(self, side: str) -> float:
        return min(self.of[side])

    def ratio(self, slow: str, fast: str) -> float:
        """How many times as long `slow` takes, by the medians."""
        return self.median(slow) / self.median(fast)

    def added(self, side: str, to: str) -> tuple[float, float, float]:
        """The median of the paired differences, and the ends of its 95 % confidence interval."""
        found = sorted(a - b for a, b in zip(self.of[side], self.of[to], strict=True))
        reach = math.ceil(0.98 * math.sqrt(len(found)))  # of the sign test
        middle = len(found) // 2
        low, high = found[max(0, middle - reach)], found[min(len(found) - 1, middle + reach)]
        return statistics.median(found), low, high

    def summary(self, unit: float = 1e3) -> dict[str, Any]:
        """Median and least of each side, by default in milliseconds, and the number of rounds."""
        rounds = len(next(iter(self.of.values())))
        found: dict[str, Any] = {
            side: {"median": round(unit * self.median(side), 4), "least": round(unit * self.least(side), 4)}
            for side in self.of
        }
        return {**found, "rounds": rounds}


def alternate(
    sides: dict[str, Callable[[], object]],
    *,
    seconds: float,
    least: int = 3,
    most: int = 2000,
    calls: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Times:
    """Call the sides in turn, A B, B A, A B, ..., until the time is over; each time is of `calls` calls, for one.

    `clock` tells the time of a call; `time.process_time` that of the processor, on a machine that does other work.
    """
    found: dict[str, list[float]] = {name: [] for name in sides}
    for side in sides.values():
        side()
    order = list(sides)
    gc.collect()
    gc.disable()
    try:
        end = time.perf_counter() + seconds
        for round_ in range(most):
            if round_ >= least and time.perf_counter() > end:
                break
            for name in order:
                side = sides[name]
                begin = clock()
                for _ in range(calls):
                    side()
                found[name].append((clock() - begin) / calls)
            order.reverse()
    finally:
        gc.enable()
    return Times(found)


# --- memory ---


def peak_mb(run: Callable[[], object], warm_up: Callable[[], object]) -> tuple[float, float]:
    """By how many MB the process grew at most during `run`, over what it held before, and the seconds it took.

    The warm-up is the same on tiny inputs: it loads code and starts threads, so that these are not counted.
    """
    warm_up()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # memory freed but kept would hide what is asked for next
    Path("/proc/self/clear_refs").write_text("5")  # the mark of the peak goes back to what is held now
    base = _status_kb("VmRSS")
    begin = time.perf_counter()
    run()
    seconds = time.perf_counter() - begin
    return (_status_kb("VmHWM") - base) / 1024, seconds


def _status_kb(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise OSError(f"/proc/self/status has no {name}")


# --- the machine ---


def machine() -> dict[str, Any]:
    """What a figure depends on besides the code."""
    models = [line.split(":")[1] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    flags = Path("/proc/cpuinfo").read_text()
    return {
        "cpu": (models or [platform.processor()])[0].strip(),
        "cores": os.cpu_count(),
        "vectors": next((name for name in ("avx512f", "avx2", "neon", "asimd") if name in flags), "unknown"),
        "threads": int(_environment()["OMP_NUM_THREADS"]),
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", "default"),
        "python": platform.python_version(),
        "torch": importlib.metadata.version("torch"),
        "sources": sources(),
    }


def sources(folder: str = "src/regard/attention") -> str:
    """A digest of the measured code, by which a figure of an earlier state can be told."""
    digest = hashlib.sha256()
    for path in sorted((HERE.parent / folder).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _environment() -> dict[str, str]:
    return {"OMP_NUM_THREADS": str(os.cpu_count() or 1), **os.environ}


# --- jobs and their results ---


def arguments(description: str, script: str) -> argparse.ArgumentParser:
    """The arguments that all drivers have."""
    parser = argparse.ArgumentParser(prog=f"python benchmarks/{script}", description=description)
    parser.add_argument("--quick", action="store_true", help="small sizes, few repetitions: does it work at all?")
    parser.add_argument("--only", metavar="NAME", default="", help="only jobs whose name begins so")
    parser.add_argument("--again", action="store_true", help="also jobs that have a result already")
    parser.add_argument("--minutes", type=float, default=math.inf, help="start no further job after so long")
    parser.add_argument("--list", action="store_true", help="show the names of the jobs and which are done")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    return parser


def main(
    description: str,
    name: str,
    jobs: Mapping[str, Callable[[bool], dict[str, Any]]],
    report: Callable[[Path], str],
) -> int:
    """The command line of a benchmark whose jobs are functions of `quick`: its records, and the page made of them."""
    script, path = f"{name}.py", RESULTS / f"{name}.jsonl"
    given = arguments(description, script).parse_args()
    if given.job:
        print(json.dumps(jobs[given.job](given.quick)))
        return 0
    if given.quick:
        path = path.with_stem(f"{name}-quick")
    done = drive(script, list(jobs), path, given)
    if not given.list:
        path.with_suffix(".md").write_text(report(path) + "\n", encoding="utf-8")
    return int(not done)


def drive(script: str, jobs: Sequence[str], path: Path, settings: argparse.Namespace) -> bool:
    """Run the jobs that are asked for and have no result yet; whether all of them have one now."""
    done = records(path)
    wanted = [job for job in jobs if job.startswith(settings.only)]
    if settings.list:
        for job in wanted:
            print(f"{'done' if job in done else '    '} {job}")
        return all(job in done for job in wanted)
    if not wanted:
        raise SystemExit(f"--only: no job begins with {settings.only!r}; see --list")
    left = [job for job in wanted if settings.again or job not in done]
    end = time.monotonic() + 60 * settings.minutes
    for place, job in enumerate(left):
        if time.monotonic() > end:
            print(f"{len(left) - place} jobs left; the same command goes on")
            return False
        record = run_job(script, job, settings.quick)
        append(path, record)
        shown = record["result"] if "result" in record else record["failed"]
        print(f"[{place + 1}/{len(left)}] {job} ({record['seconds']:.1f} s): {json.dumps(shown)}", flush=True)
    return True


def run_job(script: str, job: str, quick: bool) -> dict[str, Any]:
    """One job in a fresh process, with the machine's facts beside its result, or why it failed."""
    command = [sys.executable, str(HERE / script), "--job", job, *(["--quick"] if quick else [])]
    record: dict[str, Any] = {
        "job": job,
        "date": datetime.datetime.now().isoformat(timespec="seconds"),
        "load": round(os.getloadavg()[0], 2),
        **machine(),
    }
    begin = time.monotonic()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env=_environment(), check=False)
    except subprocess.TimeoutExpired:
        record["failed"] = f"not done after {LIMIT:.0f} s"
    else:
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            record["failed"] = f"exit {done.returncode}: {lines[-1] if lines else 'no message'}"
        else:
            record["result"] = json.loads(done.stdout.splitlines()[-1])
    return record | {"seconds": round(time.monotonic() - begin, 1)}


def records(path: Path) -> dict[str, dict[str, Any]]:
    """The last record of each job."""
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return {record["job"]: record for record in map(json.loads, lines)}


def append(path: Path, record: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


# --- tables ---


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table in Markdown; numbers with three digits that count."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(number(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def number(cell: Any) -> str:
    """A cell as text: 1234, 12.3, 0.123."""
    if not isinstance(cell, float):
        return str(cell).replace("|", "\\|")
    if math.isnan(cell) or cell == 0 or math.isinf(cell):
        return str(cell)
    digits = 2 - math.floor(math.log10(abs(cell)))
    return f"{round(cell, digits):.{max(digits, 0)}f}"


def provenance(found: dict[str, dict[str, Any]]) -> str:
    """One paragraph: the machine, the dates, the load, and which figures are of an earlier state of the code."""
    if not found:
        return "Nothing measured yet."
    last = max(found.values(), key=lambda record: record["date"])
    loads = [record["load"] for record in found.values()]
    kinds = {(record["cpu"], record["cores"], record["torch"], record["threads"]) for record in found.values()}
    text = (
        f"{last['cpu']} ({last['vectors']}), {last['cores']} cores, {last['threads']} threads, "
        f"OMP wait policy {last['omp_wait_policy']}, torch {last['torch']}, Python {last['python']}; "
        f"{min(r['date'] for r in found.values())} to {last['date']}, "
        f"load average before the jobs {min(loads):.2f} to {max(loads):.2f} (median {statistics.median(loads):.2f})."
    )
    if len(kinds) > 1:
        text += f" The figures come from {len(kinds)} different machines or versions; see the lines of the .jsonl file."
    earlier = [job for job, record in found.items() if record["sources"] != sources()]
    if earlier:
        shown = ", ".join(earlier[:6]) + (", ..." if len(earlier) > 6 else "")
        text += f" {len(earlier)} of {len(found)} jobs were measured with an earlier state of the sources: {shown}"
    return text
