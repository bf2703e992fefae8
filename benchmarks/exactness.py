"""Two processes beside one, and a batch of one beside a batch of many.

    python benchmarks/exactness.py            # all jobs that have no result yet
    python benchmarks/exactness.py --report   # the tables of what is stored

`processes-KIND`: 200 updates of a model with dropout, in one process that goes through two batches for each update, and
in two (gloo) that take one each: the loss after every update, and the weights in the end. The number of batches of an
epoch is odd in many epochs, so that the second process has nothing to do in the last update.

`batches-KIND`: a model of 200 updates predicts sources one by one and in batches of 64, greedily and with a beam of 5,
in double and in single precision: how many outputs differ, by how much their scores do, and how far the
log-probabilities of equal outputs are apart, in units of the last place of the sum.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import measure

RESULTS = measure.RESULTS / "exactness.jsonl"
TABLES = measure.RESULTS / "two_processes.md"
UPDATES, QUICK_UPDATES = 200, 8
_TRANSFORMER = {"kind": "transformer", "width": 48, "feedforward": 96, "layers": 2}
KINDS: dict[str, dict[str, Any]] = {
    "recurrent": {"encoder": {"width": 48}, "decoder": {"width": 48}},
    "transformer": {"encoder": _TRANSFORMER, "decoder": _TRANSFORMER},
    # Some of its parameters never get a gradient.
    "location": {"encoder": {"width": 48}, "decoder": {"width": 48}, "cross": {"score": "location", "heads": 2}},
}
JOBS = [f"{what}-{kind}" for what in ("processes", "batches") for kind in KINDS]


def main() -> int:
    """Run the jobs that are left, or one of them."""
    parser = measure.arguments(__doc__.splitlines()[0] if __doc__ else "", "exactness.py")
    parser.add_argument("--report", action="store_true", help="write the tables of what is stored")
    given = parser.parse_args()
    if given.job:
        what, _, kind = given.job.partition("-")
        updates = QUICK_UPDATES if given.quick else UPDATES
        with tempfile.TemporaryDirectory() as folder:
            found = (processes if what == "processes" else batches)(kind, updates, Path(folder))
        print(json.dumps(found))
        return 0
    done = given.report or measure.drive("exactness.py", JOBS, RESULTS, given)
    if not given.quick:
        TABLES.write_text(report(), encoding="utf-8")
    return 0 if done else 1


# Jobs -----------------------------------------------------------------------------------------------------------------


def processes(kind: str, updates: int, folder: Path) -> dict[str, Any]:
    """One process with two batches for each update, and two with one."""
    import torch

    from regard.folder import load_weights
    from regard.training import loop

    losses, weights, records = [], [], []
    for name, more in (("one", {"accumulate": 2}), ("two", {"devices": 2})):
        losses.append(_train(kind, updates, folder / name, more))
        weights.append(load_weights(folder / name / "model.safetensors"))
        lines = (folder / name / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        records.append([json.loads(line)["dev_loss"] for line in lines])
    once, idle, epochs = _epochs(kind, folder / "plan", loop)
    return {
        "updates": updates,
        "greatest relative difference of the loss": max(abs(a - b) / b for a, b in zip(*losses, strict=True)),
        "of the validation loss": max(abs(a - b) / b for a, b in zip(*records, strict=True)),
        "weights that differ": sum(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0]),
        "epochs looked at": epochs,
        "epochs with every example once": once,
        "epochs whose last update leaves the second process without a batch": idle,
    }


def batches(kind: str, updates: int, folder: Path) -> dict[str, Any]:
    """The outputs for sources that come one by one, beside those for many at a time."""
    import numpy as np

    from regard.predictor import Predictor

    _train(kind, updates, folder / "model", {})
    predictor = Predictor.load(folder / "model", device="cpu")
    sources = [source for source, _ in _pairs()][:101]
    found: dict[str, Any] = {}
    for precision, kept in (("fp64", np.float64), ("fp32", np.float32)):
        if precision == "fp64":
            predictor.model.double()
        else:
            predictor = Predictor.load(folder / "model", device="cpu")
        for beam in (1, 5):
            together = predictor.predict(sources, beam=beam, batch=64)
            alone = [predictor.predict(source, beam=beam) for source in sources]
            pairs = list(zip(alone, together, strict=True))
            differ = [(one, many) for one, many in pairs if one.tokens != many.tokens]
            apart = [
                abs(one.log_prob - many.log_prob) / float(np.spacing(kept(abs(many.log_prob))))
                for one, many in pairs
                if one.tokens == many.tokens
            ]
            found[f"{precision}, beam {beam}"] = {
                "sources": len(pairs),
                "outputs that differ": len(differ),
                "of these within 1e-5": sum(abs(one.log_prob - many.log_prob) <= 1e-5 for one, many in differ),
                "units in the last place": max(apart),
            }
    return found


def _train(kind: str, updates: int, out: Path, more: dict[str, Any]) -> list[float]:
    """Train; the mean loss since the last validation, after each update."""
    from regard.training.progress import Silent
    from regard.training.run import train

    class Losses(Silent):
        def __init__(self) -> None:
            self.found: list[float] = []

        def pace(self, pace: Any) -> None:
            self.found.append(pace.loss)

    losses, pairs = Losses(), _pairs()
    train(pairs[20:], dev=pairs[:20], out=out, report=losses, **_settings(kind, updates, more))
    return losses.found


def _epochs(kind: str, out: Path, loop: Any) -> tuple[int, int, int]:
    """(epochs in which two processes see each example once, those with an odd number of batches, all looked at)."""
    from types import SimpleNamespace

    from regard.training.corpus import texts_of
    from regard.training.preparing import gather, prepare

    pairs = _pairs()
    prepared = prepare(texts_of(pairs[20:], pairs[:20]), gather(None, _settings(kind, 1, {"devices": 2})))
    training = SimpleNamespace(corpus=prepared.corpus, settings=prepared.settings, fabric=SimpleNamespace(world_size=2))
    once = idle = 0
    for epoch in range(40):
        steps = loop._steps(training, epoch)
        seen = [index for rank in (0, 1) for step in steps for batch in step[rank::2] for index in batch]
        once += sorted(seen) == list(range(len(prepared.corpus.train)))
        idle += len(steps[-1]) == 1
    return once, idle, 40


def _settings(kind: str, updates: int, more: dict[str, Any]) -> dict[str, Any]:
    training = {
        "updates": updates, "batch": 120, "rate": 3e-3, "validate_every": 40, "device": "cpu", "threads": 1,
    }  # fmt: skip
    return {
        "data": {"source_tokens": "symbols", "target_tokens": "symbols"},
        "model": {"embedding": 32, "dropout": 0.2, "longest": 32, **KINDS[kind]},
        "training": training | more,
    }


def _pairs() -> list[tuple[str, str]]:
    """221 pairs such as ("two five", "5 2"), all of them different."""
    words = ("zero", "one", "two", "three", "four", "five")
    draw, found = random.Random(0), dict[str, str]()
    while len(found) < 221:
        numbers = [draw.randrange(len(words)) for _ in range(draw.randint(1, 9))]
        found[" ".join(words[number] for number in numbers)] = " ".join(map(str, reversed(numbers)))
    return list(found.items())


# The tables -----------------------------------------------------------------------------------------------------------


def report() -> str:
    """Both tables, in Markdown."""
    records = {name: record for name, record in measure.records(RESULTS).items() if "result" in record}
    found = {name: record["result"] for name, record in records.items()}
    one = {name.partition("-")[2]: result for name, result in found.items() if name.startswith("processes")}
    two = {name.partition("-")[2]: result for name, result in found.items() if name.startswith("batches")}
    parts = [
        "# Two processes and one",
        "`python benchmarks/exactness.py`; what it does is told at the top of that file.",
    ]
    if one:
        columns = list(next(iter(one.values())))
        parts.append(measure.table(["model", *columns], [[kind, *result.values()] for kind, result in one.items()]))
    parts.append("# A batch of one and a batch of many")
    if two:
        columns = list(next(iter(next(iter(two.values())).values())))
        rows = [[kind, how, *each.values()] for kind, result in two.items() for how, each in result.items()]
        parts.append(measure.table(["model", "search", *columns], rows))
    return "\n\n".join([*parts, measure.provenance(records)]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
