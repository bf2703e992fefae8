"""The full product of `attention_cases.py`: each case beside the definition in fp64: the greatest errors in a table.

    python benchmarks/attention_correctness.py                 all that is not done yet, two processes
    python benchmarks/attention_correctness.py --minutes 9     the same in pieces: repeat until nothing is left
    python benchmarks/attention_correctness.py --plain         without positions, and with the tiled kernel alone
    python benchmarks/attention_correctness.py --sample 50     50 cases of each pair, for a first look

The piece of work is a pair of score and normalizer: all masks, positions, dtypes, shapes and kernels. A piece that was
done with an earlier state of the operator or of the cases is done again.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import math
import multiprocessing
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measure import HERE, RESULTS, append, machine, provenance, records, sources, table

SHOWN = 40  # failures that are written down for each pair


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python benchmarks/attention_correctness.py", description="Every case of attention beside its definition."
    )
    parser.add_argument("--minutes", type=float, default=math.inf, help="start no further pair after so long")
    parser.add_argument("--only", default="", metavar="NAME", help="only pairs `score/normalizer` that begin so")
    parser.add_argument("--sample", type=int, default=0, help="so many cases of each pair (default: all)")
    parser.add_argument("--plain", action="store_true", help="only the tiled kernel, and no positions")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes of one thread each")
    parser.add_argument("--again", action="store_true", help="also pairs that are done already")
    settings = parser.parse_args()
    path = RESULTS / ("attention_correctness" + _suffix(settings.sample, settings.plain) + ".jsonl")
    os.environ["OMP_NUM_THREADS"] = "1"  # for the workers, before they load torch
    from attention_cases import FACTORS

    state = {"sources": sources(), "cases_digest": _digest()}
    done = {job: r for job, r in records(path).items() if all(r.get(k) == v for k, v in state.items())}
    jobs = [f"{score}/{name}" for score in FACTORS["score"] for name in FACTORS["normalizer"]]
    left = [job for job in jobs if job.startswith(settings.only) and (settings.again or job not in done)]
    end = time.monotonic() + 60 * settings.minutes
    tasks = ((job, settings.sample, settings.plain, end) for job in left)
    with multiprocessing.get_context("spawn").Pool(settings.workers) as pool:
        for place, (job, found) in enumerate(pool.imap_unordered(_pair, tasks)):
            if found is None:
                continue
            append(
                path, {"job": job, "date": time.strftime("%Y-%m-%dT%H:%M:%S"), **_load(), **machine(), **state, **found}
            )
            print(f"[{place + 1}/{len(left)}] {job}: {_line(found)}", flush=True)
    everything = {job: r for job, r in records(path).items() if job in jobs}
    current = [job for job in jobs if all(everything.get(job, {}).get(k) == v for k, v in state.items())]
    print(f"{len(current)} of {len(jobs)} pairs are done" + ("" if len(current) == len(jobs) else "; repeat to go on"))
    factors = {**FACTORS, "position": ("none",), "kernel": ("tiled",)} if settings.plain else FACTORS
    options = " --plain" * settings.plain + (f" --sample {settings.sample}" if settings.sample else "")
    _report(path, everything, factors, options)


def _digest() -> str:
    texts = [(HERE / name).read_bytes() for name in ("attention_cases.py", "attention_settings.py")]
    return hashlib.sha256(b"".join(texts)).hexdigest()[:12]


def _load() -> dict[str, float]:
    return {"load": round(os.getloadavg()[0], 2)}


def _suffix(sample: int, plain: bool) -> str:
    return ("-plain" if plain else "") + (f"-sample{sample}" if sample else "")


def _pair(task: tuple[str, int, bool, float]) -> tuple[str, dict[str, Any] | None]:
    """All cases of a score and a normalizer; None where the time was over before it began."""
    job, sample, plain, end = task
    if time.monotonic() > end:
        return job, None
    import torch

    torch.set_num_threads(1)
    from attention_cases import run

    cases = list(_cases(*job.split("/")))
    if plain:
        cases = [case for case in cases if case.position == "none" and case.kernel == "tiled"]
    if sample:
        cases = random.Random(0).sample(cases, min(sample, len(cases)))
    begin = time.monotonic()
    worst: dict[str, dict[str, Any]] = {}
    failures, rows, left_out, failed = [], 0, 0, 0
    for case in cases:
        try:
            errors = run(case)
            what, error = errors.worst
        except Exception as problem:  # whatever a case raises is its result
            what, error = f"{type(problem).__name__}: {str(problem).splitlines()[0] if str(problem) else ''}", math.inf
        else:
            rows, left_out = rows + errors.rows, left_out + errors.left_out
        if not error <= case.tolerance:
            failed += 1
            failures.append({"case": str(case), "what": what, "error": str(error)})
        elif error >= worst.get(case.dtype, {"error": 0.0})["error"]:
            worst[case.dtype] = {"error": error, "what": what, "case": str(case)}
    return job, {
        "cases": len(cases),
        "failed": failed,
        "failures": failures[:SHOWN],
        "worst": worst,
        "rows": rows,
        "left_out": left_out,
        "seconds": round(time.monotonic() - begin, 1),
    }


def _cases(score: str, normalizer: str) -> Iterator[Any]:
    from attention_cases import FACTORS, Case

    others = [values for name, values in FACTORS.items() if name not in ("score", "normalizer")]
    made = (Case(score, normalizer, *values) for values in itertools.product(*others))
    return (case for case in made if case.possible)


def _line(found: dict[str, Any]) -> str:
    worst = ", ".join(f"{dtype} {one['error']:.1e}" for dtype, one in sorted(found["worst"].items()))
    first = f"; {found['failures'][0]}" if found["failures"] else ""
    return f"{found['cases']} cases, {found['failed']} failed, worst {worst} ({found['seconds']} s){first}"


def _report(path: Path, done: dict[str, Any], factors: dict[str, tuple[str, ...]], options: str) -> None:
    from attention_cases import TOLERANCE

    total = {key: sum(r[key] for r in done.values()) for key in ("cases", "failed", "rows", "left_out")}
    limits = ", ".join(f"{dtype} {limit:.0e}" for dtype, limit in TOLERANCE.items())
    others = "; ".join(
        f"{name}: {', '.join(values)}"
        for name, values in factors.items()
        if name in ("mask", "position", "shape", "kernel")
    )
    share = 100 * total["left_out"] / max(total["rows"], 1)
    parts = [
        "# Every case of attention beside its definition",
        f"Written by `python benchmarks/attention_correctness.py{options}` from "
        f"`{path.name}`. Each case compares context, weights and all gradients (through the context and through the "
        "weights) with the reference in fp64. The error is the greatest difference, relative to the greatest magnitude "
        f"of the result (at least 1); allowed: {limits}.",
        f"**{total['cases']:,} cases, {total['failed']:,} failed.** {share:.1f} % of the rows are nearer to a tie than "
        "rounding and left out of the comparison.",
        f"Over {others}.",
        provenance(done),
    ]
    for dtype in factors["dtype"]:
        rows = [
            (score, *(_cell(done.get(f"{score}/{name}"), dtype) for name in factors["normalizer"]))
            for score in factors["score"]
        ]
        head = ("score", *factors["normalizer"])
        parts += [f"## Greatest error of the cases that passed, {dtype}", table(head, rows)]
    worst = [(job, dtype, one) for job, r in done.items() for dtype, one in r["worst"].items()]
    worst.sort(key=lambda item: item[2]["error"] / TOLERANCE[item[1]], reverse=True)
    parts += [
        "## Nearest to the limit",
        table(("case", "error", "of"), ((one["case"], f"{one['error']:.1e}", one["what"]) for _, _, one in worst[:10])),
    ]
    if total["failed"]:
        lines = [(f["case"], f["error"], f["what"]) for r in done.values() for f in r["failures"]]
        counts = [(job, r["failed"], r["cases"]) for job, r in done.items() if r["failed"]]
        parts += [
            "## Failed",
            table(("score/normalizer", "failed", "of"), counts),
            f"The first {SHOWN} of each pair:",
            table(("case", "error", "of"), lines),
        ]
    path.with_suffix(".md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print(f"wrote {path.with_suffix('.md')}")


def _cell(found: dict[str, Any] | None, dtype: str) -> str:
    if found is None or dtype not in found["worst"]:
        return ""
    failed = f", {found['failed']} failed" if found["failed"] else ""
    return f"{found['worst'][dtype]['error']:.0e}{failed}"


if __name__ == "__main__":
    main()
