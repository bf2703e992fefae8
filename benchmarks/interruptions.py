"""Trainings that are killed at random moments and started again, beside the same trainings left alone.

    python benchmarks/interruptions.py            # all jobs that have no result yet
    python benchmarks/interruptions.py --report   # the table of what is stored

A job forks a process for every start of a training, sends it SIGKILL at a moment drawn evenly from the time that the
training takes, looks whether every file in the folder can be read, and starts the same training again (in half of the
cases to be killed again), until it is done. Then its weights are compared byte by byte with those of a training that
nobody killed. So that kills meet writes often, the state is saved after every update. A training that was done before
its moment came does not count; another one is started.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import measure

RESULTS = measure.RESULTS / "interruptions.jsonl"
TRAININGS, QUICK_TRAININGS = 10, 4
KINDS: dict[str, dict[str, Any]] = {
    "recurrent": {},
    "transformer": {
        "model": {
            "encoder": {"kind": "transformer", "width": 16, "feedforward": 32, "layers": 1},
            "decoder": {"kind": "transformer", "width": 16, "feedforward": 32, "layers": 1},
        },
        "training": {"average": 3, "accumulate": 2, "schedule": "plateau"},
    },
}
JOBS = [f"{kind}-{number}" for kind in KINDS for number in range(7)]


def main() -> int:
    """Run the jobs that are left, or one of them."""
    parser = measure.arguments(__doc__.splitlines()[0] if __doc__ else "", "interruptions.py")
    parser.add_argument("--report", action="store_true", help="write the table of what is stored")
    given = parser.parse_args()
    if given.job:
        print(json.dumps(job(given.job, QUICK_TRAININGS if given.quick else TRAININGS)))
        return 0
    done = given.report or measure.drive("interruptions.py", JOBS, RESULTS, given)
    if not given.quick:
        RESULTS.with_suffix(".md").write_text(report(), encoding="utf-8")
    return 0 if done else 1


# One job --------------------------------------------------------------------------------------------------------------


def job(name: str, trainings: int) -> dict[str, Any]:
    """Kill so many trainings, each once or several times; what was found."""
    import torch

    torch.set_num_threads(1)  # a process with more than one thread can't be forked
    from regard.training import loop, run

    loop._SAVE_SECONDS = 0.0
    run.find_spec = lambda _: None  # no picture: drawing would take most of the time
    chance = random.Random(name)
    folder = Path(tempfile.mkdtemp(prefix="regard-interruptions-"))
    try:
        if _status(_start(name, folder / "first", folder / "modules")):
            raise SystemExit("the training that nobody kills failed")
        # Everything that a training imports is there before the others are forked.
        for module in (folder / "modules").read_text().splitlines():
            importlib.import_module(module)
        begin = time.monotonic()
        _status(_start(name, folder / "whole"))
        seconds = time.monotonic() - begin
        found: Counter[str] = Counter()
        while found["trainings"] < trainings:
            found += _trial(name, folder, seconds, chance)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"seconds of a training": round(seconds, 2), **found}


def _trial(name: str, folder: Path, seconds: float, chance: random.Random) -> Counter[str]:
    """One training, killed once or several times."""
    found: Counter[str] = Counter()
    out = folder / "parts"
    shutil.rmtree(out, ignore_errors=True)
    kill_again = True
    while kill_again:
        child = _start(name, out)
        time.sleep(chance.random() * seconds)
        os.kill(child, signal.SIGKILL)
        if os.WIFSIGNALED(_status(child)):
            found["kills"] += 1
            found += _look(out)
            kill_again = chance.random() < 0.5
        else:
            kill_again = False
    if not found:
        return found
    found["trainings"] += 1
    found["ended with an error"] += _status(_start(name, out)) != 0
    whole, parts = folder / "whole", out
    same = all(_same(whole / file, parts / file) for file in ("model.safetensors", "config.yaml", "facts.json"))
    found["trainings with the same files"] += same and _records(whole) == _records(parts)
    found["files left behind"] += sum(path.name.endswith(".part") for path in parts.rglob("*"))
    return found


def _look(out: Path) -> Counter[str]:
    """Where a kill has hit, and what can't be read after it."""
    from regard.errors import RegardError
    from regard.folder import load_facts, load_settings, load_sides, load_weights
    from regard.training.state import load_state

    found: Counter[str] = Counter()
    state = None
    readers = {
        "config.yaml": lambda: load_settings(out),
        "facts.json": lambda: load_facts(out),
        "target.json": lambda: load_sides(out, load_settings(out)),
        "model.safetensors": lambda: load_weights(out / "model.safetensors"),
        "metrics.jsonl": lambda: _records(out),
        **{
            f"training/{path.name}": (lambda path=path: load_weights(path))
            for path in (out / "training").glob("weights-*.safetensors")
        },
    }
    for file, read in readers.items():
        try:
            if (out / file).exists():
                read()
        except (RegardError, ValueError):
            found["unreadable files"] += 1
    try:
        state = load_state(out)
    except RegardError:
        found["unreadable files"] += 1
    if any(path.name.endswith(".part") for path in out.rglob("*")):
        found["killed inside a write"] += 1
    if state is None:
        found["killed before the first state"] += 1
    elif state.progress.update == 0:
        found["killed before the second state"] += 1
    else:
        found["killed between updates"] += 1
    return found


def _start(name: str, out: Path, modules: Path | None = None) -> int:
    """Fork a process that trains, or goes on; its number. `modules` is to be the list of what it imports."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        import regard

        pairs = _backwards(60)
        regard.train(pairs[12:], dev=pairs[:12], out=out, **_settings(name))
        if modules is not None:
            known = (module for module, found in sys.modules.items() if getattr(found, "__spec__", None))
            modules.write_text("".join(f"{module}\n" for module in known if module != "__main__"))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _settings(name: str) -> dict[str, Any]:
    kind = KINDS[name.rpartition("-")[0]]
    model = {"encoder": {"width": 16}, "decoder": {"width": 16}, "embedding": 12, "dropout": 0.2}
    training = {"updates": 12, "batch": 60, "rate": 1e-2, "validate_every": 3, "device": "cpu", "threads": 1}
    return {
        "data": {"source_tokens": "symbols", "target_tokens": "symbols"},
        "model": model | kind.get("model", {}),
        "training": training | kind.get("training", {}),
    }


def _backwards(count: int) -> list[tuple[str, str]]:
    """Pairs such as ("two five", "5 2"), all of them different."""
    words = ("zero", "one", "two", "three", "four", "five")
    draw, found = random.Random(0), dict[str, str]()
    while len(found) < count:
        numbers = [draw.randrange(len(words)) for _ in range(draw.randint(1, 6))]
        found[" ".join(words[number] for number in numbers)] = " ".join(map(str, reversed(numbers)))
    return list(found.items())


def _status(child: int) -> int:
    return os.waitpid(child, 0)[1]


def _same(first: Path, second: Path) -> bool:
    return first.read_bytes() == second.read_bytes()


def _records(folder: Path) -> list[dict[str, Any]]:
    """The lines of `metrics.jsonl`, but for the time they took."""
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [{**json.loads(line), "seconds": 0} for line in lines]


# The table ------------------------------------------------------------------------------------------------------------


def report() -> str:
    """What all jobs found, in Markdown."""
    records = {name: record for name, record in measure.records(RESULTS).items() if "result" in record}
    columns = (
        "kills", "killed before the first state", "killed before the second state", "killed between updates",
        "killed inside a write", "unreadable files", "trainings", "trainings with the same files",
        "ended with an error", "files left behind",
    )  # fmt: skip
    rows = []
    for kind in KINDS:
        results = [record["result"] for name, record in records.items() if name.rpartition("-")[0] == kind]
        rows.append([kind, *(sum(result.get(column, 0) for result in results) for column in columns)])
    rows.append(["all", *(sum(row[place] for row in rows) for place in range(1, len(columns) + 1))])
    return (
        "# Killed and started again\n\n"
        "`python benchmarks/interruptions.py` (how it is done is told at the top of that file). The same files: "
        "`model.safetensors`, `config.yaml` and `facts.json` byte by byte, `metrics.jsonl` but for the seconds.\n\n"
        + measure.table(["training", *columns], rows)
        + "\n\n"
        + measure.provenance(records)
        + "\n"
    )


if __name__ == "__main__":
    sys.exit(main())
