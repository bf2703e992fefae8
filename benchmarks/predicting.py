"""What maps and alignments cost: `regard predict --beam 5` with `--maps --alignments`, beside the same without.

    python benchmarks/predicting.py            # all jobs that have no result yet; results/predicting.md
    python benchmarks/predicting.py --again    # all of them
    python benchmarks/predicting.py --quick    # 100 sentences, few rounds: does it work at all?

The 1,000 sentences of Multi30k's test_2016_flickr, from a file, each output forced to 16 tokens, so that all do the
same work whatever the weights: the models have had a few updates only. Both sides are the command itself, in turn in
one process; loading the model counts, the import of torch, which is the same for both, does not. A job is a model and
a number of threads.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measure

RESULTS = measure.RESULTS / "predicting.jsonl"
CORPUS = Path(os.environ.get("REGARD_DATA", measure.HERE.parents[1] / "shared" / "data")) / "multi30k"
MADE = measure.HERE / "peers" / ".runs"
UPDATES, FORCED, SECONDS, BAR = 5, 16, 90.0, 15
_TRANSFORMER = {"kind": "transformer", "layers": 4}
#: What is not here is chosen from the data, as for anyone.
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "default": ("the default model (recurrent, one attention)", {}),
    "transformer": (
        "a Transformer of 4 + 4 layers, 4 heads (16 attentions)",
        {"encoder": dict(_TRANSFORMER), "decoder": dict(_TRANSFORMER), "cross": {"heads": 4, "score": "scaled_dot"}},
    ),
}
JOBS = [f"{model}/{threads}" for model in MODELS for threads in (1, 2)]


def main() -> None:
    settings = measure.arguments(__doc__.splitlines()[0] if __doc__ else "", "predicting.py").parse_args()
    if settings.job:
        model, threads = settings.job.split("/")
        print(json.dumps(measured(model, int(threads), settings.quick)))
        return
    for model in MODELS:
        if not settings.list:
            make(model)
    path = RESULTS.with_stem("predicting-quick") if settings.quick else RESULTS
    done = measure.drive("predicting.py", JOBS, path, settings)
    if not settings.list:
        path.with_suffix(".md").write_text(report(path) + "\n", encoding="utf-8")
    sys.exit(not done)


def folder(model: str) -> Path:
    return MADE / f"predicting-{model}"


def make(model: str) -> None:
    """Train the model for a few updates, unless it is there."""
    import regard

    if (folder(model) / "model.safetensors").exists():
        return
    MADE.mkdir(parents=True, exist_ok=True)
    print(f"making {folder(model)}", flush=True)
    regard.train(
        CORPUS / "train.en.gz",
        target=CORPUS / "train.de.gz",
        dev=CORPUS / "val.en.gz",
        dev_target=CORPUS / "val.de.gz",
        out=folder(model),
        restart=True,
        model=MODELS[model][1],
        training={"updates": UPDATES, "validate_every": UPDATES, "device": "cpu", "seed": 1},
    )


def measured(model: str, threads: int, quick: bool) -> dict[str, Any]:
    """The seconds of both sides, and the size of the file of maps."""
    import torch

    torch.set_num_threads(threads)
    with gzip.open(CORPUS / "test_2016_flickr.en.gz", "rt", encoding="utf-8") as stream:
        lines = stream.readlines()[: 100 if quick else 1000]
    at = folder(model) / "measured"
    at.mkdir(exist_ok=True)
    texts, maps, links = at / "texts.txt", at / "maps.npz", at / "links.pharaoh"
    texts.write_text("".join(lines), encoding="utf-8")
    plain = ["predict", str(folder(model)), "--input", str(texts), "--beam", "5", "--device", "cpu",
             f"--min_length={FORCED}", f"--max_length={FORCED}"]  # fmt: skip
    sides = {
        "without": command(plain),
        "with": command([*plain, "--maps", str(maps), "--alignments", str(links)]),
    }
    found = measure.alternate(sides, seconds=0 if quick else SECONDS, least=2 if quick else 5)
    assert len(links.read_text(encoding="utf-8").splitlines()) == len(lines)
    added, low, high = (100 * part / found.median("without") for part in found.added("with", "without"))
    return {
        "sentences": len(lines),
        **found.summary(1.0),
        "added_percent": round(added, 2),
        "added_percent_from_to": [round(low, 2), round(high, 2)],
        "maps_bytes": maps.stat().st_size,
    }


def command(arguments: list[str]) -> Callable[[], object]:
    """The command as a call, whose outputs go nowhere."""
    from regard.cli import main

    def run() -> None:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as told:
            code = main(arguments)
        if code:
            raise SystemExit(told.getvalue())

    return run


def report(path: Path) -> str:
    found = measure.records(path)
    rows = []
    for job in JOBS:
        if job not in found:
            continue
        model, threads = job.split("/")
        if "failed" in found[job]:
            rows.append((MODELS[model][0], threads, found[job]["failed"], "-", "-", "-", "-"))
            continue
        result = found[job]["result"]
        low, high = result["added_percent_from_to"]
        rows.append(
            (
                MODELS[model][0],
                threads,
                result["without"]["median"],
                result["with"]["median"],
                f"{result['added_percent']:.1f} % ({low:.1f} to {high:.1f})",
                "met" if result["added_percent"] <= BAR else "not met",
                f"{result['maps_bytes'] / 1e6:.1f} MB",
            )
        )
    head = ("model", "threads", "s without", "s with maps and alignments", "added", f"at most {BAR} %", "maps")
    return "\n\n".join(
        [
            "# Measured: the cost of maps and alignments",
            "Written by `python benchmarks/predicting.py` from `predicting.jsonl`. `regard predict --beam 5` on the "
            "1,000 sentences of Multi30k's test_2016_flickr, English to German, each output forced to 16 tokens, with "
            "`--maps` (all layers and heads, single precision) and `--alignments`, and without, in turn in one "
            "process; medians. Added: the median of the paired differences, with its 95 % confidence interval.",
            measure.provenance(found),
            measure.table(head, rows),
        ]
    )


if __name__ == "__main__":
    main()
