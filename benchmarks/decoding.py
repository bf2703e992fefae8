"""Decoding speed on Multi30k, English to German: Regard and its peers in turn (see `contest.py`).

    python benchmarks/decoding.py                    all that has not been measured; results/decoding.md
    python benchmarks/decoding.py --minutes 9        the same in pieces: repeat until nothing is left
    python benchmarks/decoding.py --only 2/B --again model B on two threads, anew
    python benchmarks/decoding.py --quick            32 sentences: does it work at all?

A job is one contestant in a process of its own: the 1,000 test sentences in batches of 64, then 50 of them one by one,
greedily and with a beam of 5, each output forced to 16 tokens, so that all do the same work whatever their weights.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from contest import (
    DECODED,
    NAMES,
    THREADS,
    Contestant,
    Records,
    conditions,
    contestant,
    each,
    factor,
    jobs,
    made,
    median,
    rounds_of,
    run,
)
from measure import RESULTS, arguments, drive, records, table

WINDOW = 3.0  # seconds of passes over the sentences, at least one
BEAMS = {"beam 1": "greedy", "beam 5": "beam 5"}
MOST_MS = 12.0
JOBS = jobs(DECODED)


def main() -> None:
    settings = arguments("Decoding speed, Regard and its peers.", "decoding.py").parse_args()
    if settings.job:
        print(json.dumps(measure(settings.job, settings.quick)))
        return
    path = RESULTS / ("decoding-quick.jsonl" if settings.quick else "decoding.jsonl")
    drive("decoding.py", JOBS, path, settings)
    if not settings.list:
        report(path)


def measure(job: str, quick: bool) -> dict[str, Any]:
    threads, model, name, _ = job.split("/")
    one = contestant(model, name)
    made(one)
    return run(one, "decode", int(threads), seconds=0 if quick else WINDOW, sentences=32 if quick else 1000)


# --- the tables ---


def report(path: Path) -> None:
    found = records(path)
    parts = [
        "# Measured: decoding speed on Multi30k",
        "Written by `python benchmarks/decoding.py` from `decoding.jsonl`. The 1,000 sentences of test_2016_flickr, "
        "each output forced to 16 tokens, in batches of 64 of like length; then 50 of them one by one. Medians of "
        "the rounds, of contestants in turn. Regard goes from text to text and returns all attention; the others go "
        "from pieces to pieces, by the interface that they offer for sentences in memory. What takes part is in "
        f"`contest.py` and `peers/`. {sum('result' in each for each in found.values())} of {len(JOBS)} jobs.",
        conditions(found),
        "## Bars",
        bars(found),
        *(speeds(found, threads, model, beam) for threads in THREADS for model in ("A", "B") for beam in BEAMS),
    ]
    path.with_suffix(".md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def bars(found: Records) -> str:
    """What was aimed at, and what was reached."""
    rows = []
    for threads in THREADS:
        for model in ("A", "B"):
            for beam, named in BEAMS.items():
                ours = next(one for one in DECODED if (one.model, one.name) == (model, "regard"))
                results = rounds_of(found, threads, ours)
                if not results:
                    continue
                peers = [one for one in DECODED if one.model == model and one.toolkit in ("opennmt", "eole", "joeynmt")]
                theirs = [
                    median(some, beam, "sentences_per_second")
                    for one in peers
                    if (some := rounds_of(found, threads, one))
                ]
                single = median(results, beam, "milliseconds")
                rows.append(
                    (
                        threads,
                        model,
                        named,
                        factor(median(results, beam, "sentences_per_second"), theirs),
                        f"{single:.1f} ms ({'met' if single < MOST_MS else 'not met'})",
                    )
                )
    head = (
        "threads",
        "model",
        "search",
        "sentences/s, at least 1.20 x the best PyTorch peer",
        "one sentence, under 12 ms",
    )
    return table(head, rows)


def speeds(found: Records, threads: int, model: str, beam: str) -> str:
    rows = []
    for one in DECODED:
        results = rounds_of(found, threads, one)
        if one.model == model and results:
            rows.append(_row(one, results, beam))
    rows.sort(key=lambda row: -row[2])
    head = (
        "toolkit", "attention", "sentences/s", "of each round", "one sentence ms", "90th percentile", "mean length",
        "peak MB",
    )  # fmt: skip
    threads_named = f"{threads} thread{'s' if threads > 1 else ''}"
    return f"## Model {model}, {BEAMS[beam]}, {threads_named}\n\n{table(head, rows)}"


def _row(one: Contestant, results: list[dict[str, Any]], beam: str) -> tuple[Any, ...]:
    return (
        NAMES[one.toolkit],
        one.attention,
        round(median(results, beam, "sentences_per_second")),
        each(results, beam, "sentences_per_second"),
        median(results, beam, "milliseconds"),
        median(results, beam, "milliseconds_p90"),
        median(results, beam, "mean_length"),
        median(results, "peak_mb"),
    )


if __name__ == "__main__":
    main()
