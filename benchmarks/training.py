"""Training speed on Multi30k, English to German: Regard and its peers in turn (see `contest.py`).

    benchmarks/peers/install.sh                      once: the peers' environments
    python benchmarks/training.py                    all that has not been measured; results/training.md
    python benchmarks/training.py --minutes 9        the same in pieces: repeat until nothing is left
    python benchmarks/training.py --only 2/B --again model B on two threads, anew
    python benchmarks/training.py --quick            windows of 2 seconds: does it work at all?

A job is one contestant in a process of its own: some 10 seconds of steady training, target tokens counted.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import multiply_adds
from contest import (
    NAMES,
    PEERS,
    ROUNDS,
    THREADS,
    TRAINED,
    Contestant,
    Records,
    conditions,
    contestant,
    each,
    factor,
    jobs,
    median,
    prepare_data,
    rounds_of,
    run,
)
from measure import RESULTS, arguments, drive, records, table

WINDOW = 10.0
VALIDATED = tuple(
    Contestant(model, "regard", attention)
    for model, attention in (("A", "additive"), ("B", "scaled_dot"), ("default", "additive"))
)
JOBS = (
    "work",
    *(f"peak/{threads}/{round_}" for threads in THREADS for round_ in range(1, ROUNDS[threads] + 1)),
    *jobs(TRAINED),
    *(f"validation/{one.model}" for one in VALIDATED),
)
BIGGEST, PEAK_SECONDS = (512, 1024, 2048), 1.5


def main() -> None:
    settings = arguments("Training speed, Regard and its peers.", "training.py").parse_args()
    if settings.job:
        print(json.dumps(measure(settings.job, settings.quick)))
        return
    path = RESULTS / ("training-quick.jsonl" if settings.quick else "training.jsonl")
    drive("training.py", JOBS, path, settings)
    if not settings.list:
        report(path)


# --- jobs ---


def measure(job: str, quick: bool) -> dict[str, Any]:
    kind, *rest = job.split("/")
    if kind == "work":
        return work()
    if kind == "peak":
        return peak(int(rest[0]))
    if kind == "validation":
        return run(next(one for one in VALIDATED if one.model == rest[0]), "validate", THREADS[0])
    model, name, round_ = rest
    return run(contestant(model, name), "train", int(kind), seconds=2.0 if quick else WINDOW, seed=round_)


def work() -> dict[str, float]:
    """Multi30k's multiply-adds of training per target token, of the models A and B."""
    from regard.configuration import with_given
    from regard.settings import Settings

    prepare_data()
    sides = [
        (PEERS / ".data" / f"train.pieces.{side}").read_text(encoding="utf-8").splitlines() for side in ("en", "de")
    ]
    lengths = [(len(source.split()), len(target.split()) + 1) for source, target in zip(*sides, strict=True)]
    side = {"kind": "transformer", "layers": 4, "width": 128, "feedforward": 256}
    a = {"model.encoder.width": 512, "model.decoder.width": 512, "model.embedding": 256}
    b = {f"model.{where}.{name}": value for where in ("encoder", "decoder") for name, value in side.items()}
    return {
        "A": multiply_adds.training(with_given(Settings(), a).model, 8000, lengths),
        "A-bilinear": multiply_adds.training(
            with_given(Settings(), {**a, "model.cross.score": "bilinear"}).model, 8000, lengths
        ),
        "B": multiply_adds.training(with_given(Settings(), b).model, 8000, lengths),
    }


def peak(threads: int) -> dict[str, float]:
    """The most multiply-adds a second of a product of square matrices, in 1e9, fp32, by any library that torch has."""
    import torch

    from regard.attention.products import product

    torch.set_num_threads(threads)
    best: dict[str, float] = {}
    for size in BIGGEST:
        left, right = torch.randn(size, size), torch.randn(size, size)
        out = left @ right
        least, end = float("inf"), time.perf_counter() + PEAK_SECONDS
        while time.perf_counter() < end:
            begin = time.perf_counter()
            torch.mm(left, right, out=out)
            middle = time.perf_counter()
            product(left, right)
            least = min(least, middle - begin, time.perf_counter() - middle)
        best[str(size)] = size**3 / least / 1e9
    return best | {"most": max(best.values())}


# --- the tables ---


def report(path: Path) -> None:
    found = records(path)
    parts = [
        "# Measured: training speed on Multi30k",
        "Written by `python benchmarks/training.py` from `training.jsonl`. Target tokens with the mark of the end, "
        "counted in every update; medians of windows of some 10 s in steady training, of contestants in turn; memory "
        "is the most that the whole process held. What takes part, and how, is in `contest.py` and `peers/`; the share "
        "of the peak is tokens/s times the model's multiply-adds per token (`multiply_adds.py`), by what the best "
        f"product of square matrices reaches. {sum('result' in each for each in found.values())} of {len(JOBS)} jobs.",
        conditions(found),
        *bars(found),
        *(speeds(found, threads, model) for threads in THREADS for model in ("A", "B")),
        validation(found),
    ]
    path.with_suffix(".md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def bars(found: Records) -> list[str]:
    """What was aimed at, and what was reached."""
    rows = []
    for threads in THREADS:
        for model, toolkits in (("A", ("opennmt",)), ("B", ("opennmt", "eole", "joeynmt"))):
            ours = _column(found, threads, model, ("regard",), "tokens_per_second")
            theirs = _column(found, threads, model, toolkits, "tokens_per_second")
            ours_mb = _column(found, threads, model, ("regard",), "peak_mb")
            theirs_mb = _column(found, threads, model, toolkits, "peak_mb")
            rows.append(
                (
                    threads,
                    model,
                    " or ".join(NAMES[toolkit] for toolkit in toolkits),
                    factor(ours[0] if ours else 0.0, theirs),
                    f"{ours_mb[0]:.0f} MB against {min(theirs_mb):.0f}" if ours and theirs else "not measured",
                )
            )
    head = ("threads", "model", "against the best of", "tokens/s, at least 1.20 x", "peak memory, no higher")
    return ["## Bars", table(head, rows)]


def _column(found: Records, threads: int, model: str, toolkits: tuple[str, ...], name: str) -> list[float]:
    """The medians of some toolkits, that of Regard with the model's own attention."""
    chosen = [one for one in TRAINED if one.model == model and one.toolkit in toolkits]
    if toolkits == ("regard",):
        chosen = [one for one in chosen if one.attention != "bilinear"]
    return [median(results, name) for one in chosen if (results := rounds_of(found, threads, one))]


def speeds(found: Records, threads: int, model: str) -> str:
    peaks = [
        record["result"]["most"]
        for job, record in found.items()
        if job.startswith(f"peak/{threads}/") and "result" in record
    ]
    needed = found.get("work", {}).get("result", {})
    rows = []
    for one in TRAINED:
        results = rounds_of(found, threads, one)
        if one.model != model or not results:
            continue
        speed = median(results, "tokens_per_second")
        share = float("nan")
        if peaks and needed:
            share = speed * needed[f"{model}-bilinear" if one.attention == "bilinear" else model] / (1e9 * max(peaks))
        rows.append(
            (
                NAMES[one.toolkit],
                one.attention,
                round(speed),
                each(results, "tokens_per_second"),
                f"{100 * share:.0f} %",
                median(results, "peak_mb"),
                round(sum(result["tokens"] for result in results) / sum(result["updates"] for result in results)),
                1000 * sum(r["cpu_seconds"] for r in results) / sum(r["tokens"] for r in results),
                f"{results[0]['parameters']:,}",
            )
        )
    rows.sort(key=lambda row: -row[2])
    head = (
        "toolkit", "attention", "tokens/s", "of each round", "of the peak", "peak MB", "tokens an update",
        "CPU s per 1,000 tokens", "parameters",
    )  # fmt: skip
    note = ""
    if peaks and needed:
        works = ", ".join(f"{name} {value / 1e6:.1f}" for name, value in needed.items() if name.startswith(model))
        note = (
            f"\n\nMillion multiply-adds per target token: {works}; the machine's peak: {max(peaks):.0f} thousand "
            "million a second."
        )
    return f"## Model {model}, {threads} thread{'s' if threads > 1 else ''}\n\n{table(head, rows)}{note}"


def validation(found: Records) -> str:
    rows = [
        (
            one.model,
            result["updates"],
            result["validate_every"],
            result["seconds_between"],
            result["seconds_of_validation"],
            f"{100 * result['share']:.1f} %",
        )
        for one in VALIDATED
        if (result := found.get(f"validation/{one.model}", {}).get("result"))
    ]
    head = ("settings", "updates by default", "between validations", "seconds of these", "of validation", "share")
    return (
        "## Validation at the default frequency\n\nBar: under 5 % of the time. Regard, from the end of one stretch of "
        f"training to the end of the next; 1,014 pairs.\n\n{table(head, rows)}"
    )


if __name__ == "__main__":
    main()
