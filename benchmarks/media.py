"""Images and recordings: what reading and features cost in a training, and what memory long recordings take.

    python benchmarks/media.py --minutes 8

`share/...` trains a demonstration's model, or that of the spoken digits, for 20 updates and for 220. The difference is
what an update costs, all threads together, of which features are so much; reading is done once, before. The share is
that of a whole training, as if features were not made beside it. `memory/...` writes down 1, 5 and 10 minutes of spoken
digits, made of the test recordings as `papers/speech_fsdd.py` makes its long utterances, with the model that this table
trained (`content-1`).
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import measure

sys.path.insert(0, str(measure.HERE / "papers"))
RESULTS = measure.RESULTS / "media.jsonl"
PAGE = measure.RESULTS / "media.md"
FEW, MANY = 20, 220
SHARE_BAR = 15.0
MINUTES = (1, 5, 10)
SHARES = ("lines", "scenes", "tones", "digits")
JOBS = (
    *(f"share/{name}" for name in SHARES),
    *(f"memory/{how}/{minutes}" for how in ("pieces", "whole") for minutes in MINUTES),
)


def main() -> int:
    parser = measure.arguments(str(__doc__).splitlines()[0], "media.py")
    given = parser.parse_args()
    if given.job:
        print(json.dumps(result(given.job)))
        return 0
    done = measure.drive("media.py", JOBS, RESULTS, given)
    PAGE.write_text(report() + "\n", encoding="utf-8")
    return int(not done)


def result(job: str) -> dict[str, Any]:
    kind, *rest = job.split("/")
    return share(rest[0]) if kind == "share" else memory(rest[0] == "pieces", int(rest[1]))


# What an update costs -------------------------------------------------------------------------------------------------


class _Told:
    """Keeps what a training tells."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def sample(self, text: str) -> None: ...

    def pace(self, pace: Any) -> None: ...

    def number(self, pattern: str) -> float:
        (found,) = [match[1] for line in self.lines if (match := re.search(pattern, line))]
        return float(found)


def share(name: str) -> dict[str, Any]:
    """Seconds of a processor: of reading all files once, of an update's features, and of an update."""
    with tempfile.TemporaryDirectory() as folder:
        train, dev, settings = _digits() if name == "digits" else _demonstration(name, Path(folder))
        updates = settings.pop("training.updates")
        _train(dev, dev, Path(folder) / "first", _Told(), {**settings, "training.updates": 1})  # what is loaded once
        spent = list[float]()
        for _ in range(2):  # the first reads the files, the second and all others find them in the cache
            begin = time.process_time()
            _train(train, dev, Path(folder) / "model", _Told(), {**settings, "training.updates": 1})
            spent.append(time.process_time() - begin)
        reading = max(spent[0] - spent[1], 0.0)
        seconds, features = list[float](), list[float]()
        for count in (FEW, MANY):
            told, begin = _Told(), time.process_time()
            _train(train, dev, Path(folder) / "model", told, {**settings, "training.updates": count})
            seconds.append(time.process_time() - begin)
            features.append(told.number(r"features took ([\d.]+) seconds"))
        update, of_it = (1000 * (b - a) / (MANY - FEW) for a, b in (seconds, features))
        whole = reading + updates * update / 1000
        return {
            "updates": updates,
            "reading_s": round(reading, 2),
            "features_ms": round(of_it, 2),
            "update_ms": round(update, 2),
            "share_percent": round(100 * (reading + updates * of_it / 1000) / whole, 2),
        }


def _train(train: Path, dev: Path, out: Path, told: _Told, settings: dict[str, Any]) -> None:
    from regard.training.run import train as learn

    more = {"training.validate_every": settings["training.updates"], "training.threads": 1, "training.device": "cpu"}
    learn(train, dev=dev, out=out, restart=True, report=told, **{**settings, **more})


def _demonstration(name: str, folder: Path) -> tuple[Path, Path, dict[str, Any]]:
    from regard.configuration import flatten

    chosen = import_module(f"regard.demonstration.{name}").DEMONSTRATION
    chosen.write(folder)
    return folder / "train.tsv", folder / "dev.tsv", dict(flatten(chosen.settings))


def _digits() -> tuple[Path, Path, dict[str, Any]]:
    import speech_fsdd

    data = speech_fsdd.prepared()
    return data / "train.tsv", data / "dev.tsv", {**speech_fsdd.COMMON, **speech_fsdd.MODELS["content"]}


# Long recordings ------------------------------------------------------------------------------------------------------


def memory(in_pieces: bool, minutes: int) -> dict[str, Any]:
    """By how much the process grows while it writes down so many minutes, and how good that is."""
    import runner
    import speech_fsdd

    from regard.evaluation import statistics
    from regard.predictor import load

    job = speech_fsdd.job("content", 1)
    folder = runner.place(speech_fsdd.TABLE, job, "model")
    if not (folder / "model.safetensors").exists():
        raise SystemExit("train it first: python benchmarks/papers/speech_fsdd.py --only content-1")
    model = load(folder, device="cpu")
    samples, words = speech_fsdd.spoken(60.0 * minutes)
    short, _ = speech_fsdd.spoken(4.0)
    piece = speech_fsdd.PIECE if in_pieces else None
    found: list[Any] = []
    grown, seconds = measure.peak_mb(
        lambda: found.append(model.predict((samples, speech_fsdd.RATE), beam=5, piece=piece)),
        lambda: model.predict((short, speech_fsdd.RATE), beam=5, piece=piece),
    )
    (said,) = found
    return {
        "minutes": minutes,
        "words": len(words),
        "peak_mb": round(grown, 1),
        "seconds": round(seconds, 1),
        "wer": round(statistics("wer", [said.text], [" ".join(words)]).score().value, 2),
        "map_of_all": said.attention is not None,
    }


# The page -------------------------------------------------------------------------------------------------------------


def report() -> str:
    found = measure.records(RESULTS)
    ok = {job: record["result"] for job, record in found.items() if "result" in record}
    shares = [
        (name, each["updates"], each["reading_s"], each["features_ms"], each["update_ms"],
         f"{each['share_percent']:.1f} %", "met" if each["share_percent"] < SHARE_BAR else "not met")
        for name in SHARES
        if (each := ok.get(f"share/{name}"))
    ]  # fmt: skip
    long = [
        (how, each["minutes"], each["words"], each["peak_mb"], each["seconds"], each["wer"])
        for how in ("pieces", "whole")
        for minutes in MINUTES
        if (each := ok.get(f"memory/{how}/{minutes}"))
    ]
    return "\n\n".join(
        [
            "# Measured: images and recordings",
            "Written by `python benchmarks/media.py` from `media.jsonl`.",
            measure.provenance(found),
            "## Reading and features in a training",
            "Seconds of a processor: reading all files once, the features of an update with their "
            "augmentation, and all of an update. The share is that of a training of so many updates.",
            measure.table(
                ("corpus", "updates", "reading s", "features ms", "update ms", "share", f"under {SHARE_BAR:.0f} %"),
                shares,
            ),
            "## Long recordings",
            "Spoken digits without an end, beam 5: predicted in pieces of at most 2 seconds (`--piece 2`), and whole, "
            "where a model that has never heard more than six digits stops after about as many.",
            measure.table(("predicted", "minutes", "digits", "peak MB", "s", "WER %"), long),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
