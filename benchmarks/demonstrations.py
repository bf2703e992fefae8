"""The demonstrations of images and recordings, with three seeds each: how good they become, and how long they take.

    OMP_NUM_THREADS=2 python benchmarks/demonstrations.py --minutes 8

Each job is what `regard demo NAME` does, with another seed of the weights and of the order of the examples.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from statistics import fmean
from typing import Any

import measure

RESULTS = measure.RESULTS / "demonstrations.jsonl"
PAGE = measure.RESULTS / "demonstrations.md"
NAMES = ("lines", "scenes", "tones")
SEEDS = (1, 2, 3)
SECONDS_BAR = 150
JOBS = tuple(f"{name}/{seed}" for seed in SEEDS for name in NAMES)


def main() -> int:
    parser = measure.arguments(str(__doc__).splitlines()[0], "demonstrations.py")
    given = parser.parse_args()
    if given.job:
        name, seed = given.job.split("/")
        print(json.dumps(result(name, int(seed))))
        return 0
    done = measure.drive("demonstrations.py", JOBS, RESULTS, given)
    PAGE.write_text(report() + "\n", encoding="utf-8")
    return int(not done)


def result(name: str, seed: int) -> dict[str, Any]:
    from regard.demonstration.media import CORPUS, learn
    from regard.training.progress import Silent

    chosen = import_module(f"regard.demonstration.{name}").DEMONSTRATION
    wall, cpu = time.monotonic(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        examples = chosen.write(Path(folder) / CORPUS)
        model = learn(chosen, Path(folder), Silent(), **{"training.seed": seed, "training.device": "cpu"})
        found = {each.what: round(each.value, 4) for each in chosen.measure(model, examples)}
    return {
        "updates": chosen.settings["training"]["updates"],
        "wall_s": round(time.monotonic() - wall, 1),
        "cpu_s": round(time.process_time() - cpu, 1),
        "found": found,
    }


def report() -> str:
    found = measure.records(RESULTS)
    ok = {job: record["result"] for job, record in found.items() if "result" in record}
    parts = [
        "# Measured: the demonstrations",
        "Written by `python benchmarks/demonstrations.py` from `demonstrations.jsonl`. Seconds are of all that a "
        f"demonstration does, from the corpus to the last figure, other work on the machine included; bar: under "
        f"{SECONDS_BAR} on two cores. Of a processor they are summed over threads.",
        measure.provenance(found),
    ]
    for name in NAMES:
        of = {seed: ok[f"{name}/{seed}"] for seed in SEEDS if f"{name}/{seed}" in ok}
        if of:
            rows = [
                _row(what, [each["found"][what] for each in of.values()]) for what in next(iter(of.values()))["found"]
            ]
            rows += [_row(said, [each[key] for each in of.values()]) for said, key in _TIMES]
            parts += [f"## {name}", measure.table(("", *(f"seed {seed}" for seed in of), "mean"), rows)]
    return "\n\n".join(parts)


_TIMES = (("seconds by the clock", "wall_s"), ("seconds of a processor", "cpu_s"))


def _row(what: str, values: list[float]) -> list[str]:
    return [what.replace("{} ", ""), *(f"{value:.4g}" for value in [*values, fmean(values)])]


if __name__ == "__main__":
    sys.exit(main())
