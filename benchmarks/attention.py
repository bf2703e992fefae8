"""The bars of the attention operator: time, extra peak memory, and the ratio to a peer measured in turn with it.

    python benchmarks/attention.py                    all that is not measured yet, and results/attention.md
    python benchmarks/attention.py --minutes 9        the same in pieces: repeat until nothing is left
    python benchmarks/attention.py --only spike --again
    python benchmarks/attention.py --quick            small sizes: does it work at all? (results/attention-quick.*)

The peers of the sparse normalizers come with `pip install regard[peers]`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measure import RESULTS, arguments, drive, provenance, records, table

SCORES = ("dot", "scaled_dot", "bilinear", "additive", "cosine", "distance", "location", "function")
NORMALIZERS = (
    "softmax", "softmax (learned temperature)", "softmax (sink)", "sparsemax", "entmax15", "entmax:1.3",
    "entmax (learned alpha)", "sigmoid", "top_k:64", "threshold:0.1", "argmax",
)  # fmt: skip
# Masks and positions that do not themselves hold a number for every query and key.
MASKS = (
    "lengths", "causal", "window", "window (centres)", "gaussian", "several", "filter", "alibi", "relative (learned)",
    "rotary", "dropout",
)  # fmt: skip
LONG = (("scaled_dot", "softmax"), ("scaled_dot", "entmax15"), ("scaled_dot", "top_k:64"), ("additive", "softmax"))
LENGTHS = (32, 64, 128, 256, 362, 512, 1024)

JOBS = (
    *(f"overhead/{size}" for size in ("tiny", "small", "large")),
    *(
        f"additive/{what}"
        for size in ("512", "30")
        for what in (f"time/{size}", f"memory/{size}/regard", f"memory/{size}/naive")
    ),
    *(
        f"sparse/{what}"
        for name in ("entmax15", "sparsemax")
        for what in (f"time/{name}", f"memory/{name}/regard", f"memory/{name}/entmax package")
    ),
    "empty_row/entmax15",
    "empty_row/sparsemax",
    "observe/time",
    "observe/memory/regard",
    "observe/memory/eager",
    "spike/softmax",
    "spike/entmax15",
    *(f"step/{batch}/{mask}" for batch in (1, 64) for mask in ("plain", "mask")),
    *(f"crossover/{name}/{n}" for name in ("softmax", "entmax15", "additive") for n in LENGTHS),
    *(f"long/{score}/{normalizer}" for score, normalizer in LONG),
    *(f"linear/{score}/{normalizer}/none" for score in SCORES for normalizer in NORMALIZERS),
    *(f"linear/scaled_dot/{normalizer}/{mask}" for normalizer in ("softmax", "entmax15") for mask in MASKS),
)

Results = dict[str, Any]


def main() -> None:
    parser = arguments("The bars of the attention operator.", "attention.py")
    settings = parser.parse_args()
    if settings.job:
        from attention_jobs import measure

        print(json.dumps(measure(settings.job, settings.quick)))
        return
    path = RESULTS / ("attention-quick.jsonl" if settings.quick else "attention.jsonl")
    drive("attention.py", JOBS, path, settings)
    if not settings.list:
        report(path, " --quick" if settings.quick else "")


def report(path: Path, options: str) -> None:
    """The tables, beside the records."""
    found = {job: record for job, record in records(path).items() if job in JOBS}
    done = {job: record["result"] for job, record in found.items() if "result" in record}
    failed = {job: record["failed"] for job, record in found.items() if "failed" in record}
    parts = [
        "# Measured: the attention operator",
        f"Written by `python benchmarks/attention.py{options}` from `{path.name}`; fp32, times are medians of calls in "
        "turn with the peer's in one process, memory is the growth of the process over its inputs in a process of its "
        f"own. {len(done)} of {len(JOBS)} jobs.",
        provenance(found),
        *_bars(done),
    ]
    if failed:
        parts += ["## Failed", table(("job", "why"), failed.items())]
    text = "\n\n".join(parts) + "\n"
    path.with_suffix(".md").write_text(text, encoding="utf-8")
    print(f"wrote {path.with_suffix('.md')}")


def _bars(done: Results) -> Iterator[str]:
    for title, text, head, rows in (
        (
            "Overhead over the fused call, scaled_dot x softmax",
            "Forward without gradients, the weights there to be asked. Bar: under 15 us at (32, 8, 64, 32), not "
            "measurable at (1, 8, 2048, 64). `tiny` is (1, 1, 2, 4), where the kernel itself costs next to nothing.",
            (
                "size",
                "SDPA ms",
                "attend ms",
                "added us",
                "paired us [95 %]",
                "added us, least times",
                "fused calls",
                "weights' error",
            ),
            _overhead(done),
        ),
        (
            "additive x softmax against naive broadcasting, forward + backward",
            "Bar: at (4, 512, 512, 256) at least 4 x as fast with under a tenth of the memory; at (64, 30, 30, 256) at "
            "least 2 x.",
            ("size", "regard ms", "naive ms", "ratio", "regard MB", "naive MB", "memory ratio", "difference"),
            _against(done, "additive", {"512": "(4, 512, 512, 256)", "30": "(64, 30, 30, 256)"}, "naive"),
        ),
        (
            "entmax15 and sparsemax against eager attention with the `entmax` package, forward + backward",
            "At (1, 8, 2048, 64). Bar: at least 6 x as fast with under a tenth of the memory.",
            ("normalizer", "regard ms", "package ms", "ratio", "regard MB", "package MB", "memory ratio", "difference"),
            _against(done, "sparse", {"entmax15": "entmax15", "sparsemax": "sparsemax"}, "entmax package"),
        ),
        (
            "A query that may attend to nothing",
            "Bar: no failure.",
            ("normalizer", "regard", "`entmax` package, exact", "`entmax` package, bisection"),
            [
                (name, *(r[k] for k in ("regard", "entmax package, exact", "entmax package, bisection")))
                for name in ("entmax15", "sparsemax")
                if (r := done.get(f"empty_row/{name}"))
            ],
        ),
        (
            "16,384 queries and keys, 8 heads of 64, forward + backward",
            "additive: score dim 16. Bar: under 1.5 GB above the inputs.",
            ("score", "normalizer", "kernel", "seconds", "extra MB"),
            [
                (score, normalizer, r["kernel"], float(r["seconds"]), r["mb"])
                for score, normalizer in LONG
                if (r := done.get(f"long/{score}/{normalizer}"))
            ],
        ),
        (
            "Memory grows linearly",
            "Extra MB of one forward + backward with 2,048 / 4,096 queries and keys, 2 heads, dim 16, and their ratio; "
            "one fp32 number for every query and key would take 34 / 134 MB, a ratio of 4. The workspace of the tiles "
            "does not grow at all, so that ratios are between 1 and 2.",
            ("normalizer", *SCORES),
            [
                (normalizer, *(_growth(done, f"linear/{score}/{normalizer}/none") for score in SCORES))
                for normalizer in NORMALIZERS
            ],
        ),
        (
            "The same with masks and positions, scaled_dot",
            "",
            ("mask", "softmax", "entmax15"),
            [
                (mask, *(_growth(done, f"linear/scaled_dot/{name}/{mask}") for name in ("softmax", "entmax15")))
                for mask in MASKS
            ],
        ),
        (
            "Observation: top(8), entropy, argmax and received together at (1, 8, 4096, 64)",
            "Bar: the observation takes at most twice the SDPA forward pass.",
            ("", "ms", "over SDPA", "extra MB of attention with it"),
            _observation(done),
        ),
        (
            "Generic tiles against a hand-written kernel at (1, 8, 2048, 64)",
            "dot product, `kernel='tiled'`. Bar: at most 1.5 x, forward + backward.",
            ("normalizer", "generic ms", "by hand ms", "ratio", "ratio, forward", "SDPA ms", "generic over SDPA"),
            [
                (
                    name,
                    *(float(r[side]["median"]) for side in ("generic", "by hand")),
                    r["ratio"],
                    r["ratio_forward"],
                    float(r["sdpa"]["median"]),
                    r["over_sdpa"],
                )
                for name in ("softmax", "entmax15")
                if (r := done.get(f"spike/{name}"))
            ],
        ),
        (
            "A step of a decoder against its bare tensor operations",
            "`Attention.step`, additive, `project='scores'`, dim 256, 20 places, without gradients.",
            ("batch", "mask", "step us", "bare us", "added us", "95 %"),
            [
                (batch, mask, *(float(r[s]["median"]) for s in ("regard", "bare")), r["added_us"], r["added_us_95"])
                for batch in (1, 64)
                for mask in ("plain", "mask")
                if (r := done.get(f"step/{batch}/{mask}"))
            ],
        ),
        (
            "Whole matrices against the kernel for large problems, forward + backward",
            "8 heads of 32 (additive: 16). Time of `dense` over that of `fused` (softmax) or `tiled`: over 1 the other "
            "is faster. In brackets the elements, of which `SMALL` is a number: weights, or weights x score dim.",
            ("queries = keys", "softmax: fused", "entmax15: tiled", "additive: tiled"),
            [
                (n, *(_crossing(done.get(f"crossover/{name}/{n}")) for name in ("softmax", "entmax15", "additive")))
                for n in LENGTHS
            ],
        ),
    ):
        yield "\n\n".join(part for part in (f"## {title}", text, table(head, rows)) if part)


def _overhead(done: Results) -> Iterator[tuple[Any, ...]]:
    for size in ("tiny", "small", "large"):
        if r := done.get(f"overhead/{size}"):
            low, high = r["paired_us_95"]
            yield (
                {"tiny": "(1, 1, 2, 4)", "small": "(32, 8, 64, 32)", "large": "(1, 8, 2048, 64)"}[size],
                float(r["sdpa"]["median"]),
                float(r["regard"]["median"]),
                r["added_us"],
                f"{r['paired_us']} [{low}, {high}]",
                r["least_added_us"],
                r["fused_calls"]["fused"],
                f"{r['error_of_weights']:.0e}",
            )


def _against(done: Results, kind: str, names: dict[str, str], peer: str) -> Iterator[tuple[Any, ...]]:
    for name, shown in names.items():
        time = done.get(f"{kind}/time/{name}")
        ours, theirs = (done.get(f"{kind}/memory/{name}/{side}", {}).get("mb") for side in ("regard", peer))
        if time:
            yield (
                shown,
                float(time["regard"]["median"]),
                float(time[peer]["median"]),
                time["ratio"],
                ours,
                theirs,
                round(theirs / max(ours, 0.1), 1) if ours is not None and theirs is not None else None,
                f"{time['greatest_difference']:.0e}",
            )


def _growth(done: Results, job: str) -> str:
    r = done.get(job)
    return f"{r['2k']:.0f} / {r['4k']:.0f}: {r['ratio']:.2f}" if r else ""


def _observation(done: Results) -> Iterator[tuple[Any, ...]]:
    if time := done.get("observe/time"):
        sides = {"sdpa": None, "observation": None, "attend and observe": "regard", "eager": "eager"}
        for side, memory in sides.items():
            median = float(time[side]["median"])
            mb = done.get(f"observe/memory/{memory}", {}).get("mb", "")
            yield side, median, median / time["sdpa"]["median"], mb


def _crossing(r: Results | None) -> str:
    return f"{r['dense_over_other']:.2f} ({r['elements']:,})" if r else ""


if __name__ == "__main__":
    main()
