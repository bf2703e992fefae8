"""What `training.precision: bf16-mixed` brings on a processor, and what it costs in the loss.

    OMP_NUM_THREADS=1 python benchmarks/precision.py            # results/precision.jsonl and .md

`updates`: the same batch is learned from in single precision and in bfloat16, in turn, in one process, by models of
several kinds. `losses`: the same training on the English-Chinese pocket corpus in each, and its validation losses.
Seconds are of the processor, so that other work on the machine counts less. It is for processors that multiply
bfloat16 by themselves (AVX512-BF16, AMX).
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measure

SENTENCES, LENGTH, SECONDS = 190, 15, 60.0
PRECISIONS = ("32-true", "bf16-mixed")
#: Kind, layers, width and vocabulary.
MODELS = {
    "Transformer 4 + 4, width 128, 8,000 pieces": ("transformer", 4, 128, 8000),
    "Transformer 2 + 2, width 256, 8,000 pieces": ("transformer", 2, 256, 8000),
    "recurrent, width 256, 8,000 pieces": ("recurrent", 1, 256, 8000),
    "recurrent, width 256, 100 letters": ("recurrent", 1, 256, 100),
}
UPDATES, SEEDS = 200, (1, 2)


def updates(quick: bool) -> dict[str, Any]:
    """Forward, backward and a step of Adam, in milliseconds."""
    found = dict[str, Any]()
    for name, size in MODELS.items():
        sides = {precision: _update(size, precision) for precision in PRECISIONS}
        seconds = 0 if quick else SECONDS
        times = measure.alternate(sides, seconds=seconds, least=2 if quick else 5, clock=time.process_time)
        found[name] = {**times.summary(), "times as fast": round(times.ratio(*PRECISIONS), 3)}
    return found


def _update(size: tuple[Any, int, int, int], precision: str) -> Callable[[], object]:
    import torch

    from regard.data.collate import Batch
    from regard.model import EncoderDecoder
    from regard.settings import AttentionSettings, DecoderSettings, EncoderSettings, ModelSettings

    torch.set_num_threads(1)
    torch.manual_seed(1)
    kind, layers, width, vocabulary = size
    heads = AttentionSettings(score="scaled_dot", heads=4) if kind == "transformer" else AttentionSettings()
    sizes: dict[str, Any] = {"kind": kind, "layers": layers, "width": width, "feedforward": 2 * width}
    encoder, decoder = EncoderSettings(**sizes), DecoderSettings(**sizes)
    model = EncoderDecoder(ModelSettings(encoder, decoder, cross=heads, dropout=0.3), vocabulary, vocabulary).train()
    lengths = torch.full((SENTENCES,), LENGTH)
    source, before, after = torch.randint(4, vocabulary, (3, SENTENCES, LENGTH)).unbind()
    batch = Batch(source, lengths, before, after, lengths, torch.arange(SENTENCES))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)

    def update() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
            loss = model.loss(batch, smoothing=0.1)
        (loss.nll / loss.tokens).backward()
        optimizer.step()
        optimizer.zero_grad()

    return update


def losses(quick: bool) -> dict[str, Any]:
    """The best validation losses of a Transformer, by seed."""
    import regard
    from regard.data.pocket import corpus

    pairs = {
        part: [(pair.source, pair.target) for pair in corpus("english-chinese") if pair.part == part]
        for part in ("train", "dev")
    }
    found = dict[str, Any]()
    for precision in PRECISIONS:
        best = []
        for seed in SEEDS[: 1 if quick else None]:
            with tempfile.TemporaryDirectory() as folder:
                model = regard.train(
                    pairs["train"],
                    dev=pairs["dev"],
                    out=Path(folder) / "model",
                    report=False,
                    training={"updates": 20 if quick else UPDATES, "seed": seed, "precision": precision, "threads": 1},
                    **{f"model.{side}.kind": "transformer" for side in ("encoder", "decoder")},
                )
                best.append(round(model.facts.score, 4))
        found[precision] = best
    return found


def report(path: Path) -> str:
    records = measure.records(path)
    found = {job: record["result"] for job, record in records.items() if "result" in record}
    parts = [
        "# Measured: training in bfloat16 on a processor",
        "Written by `OMP_NUM_THREADS=1 python benchmarks/precision.py` from `precision.jsonl`.",
        measure.provenance(records),
    ]
    if "updates" in found:
        rows = [(name, *(of[each]["median"] for each in PRECISIONS), of["times as fast"]) for name, of in
                found["updates"].items()]  # fmt: skip
        said = (
            f"One update (forward, backward, Adam) of {SENTENCES} sentences of {LENGTH} tokens on both sides, in "
            "milliseconds of the processor: medians of updates in turn."
        )
        parts += ["## Updates", said, measure.table(("model", *PRECISIONS, "times as fast"), rows)]
    if "losses" in found:
        of = found["losses"]
        said = f"A Transformer of the sizes chosen for the English-Chinese pocket corpus, after {UPDATES} updates."
        rows = [(f"seed {seed}", *(f"{of[each][place]:.4f}" for each in PRECISIONS)) for place, seed in
                enumerate(SEEDS[: len(of[PRECISIONS[0]])])]  # fmt: skip
        parts += ["## Best validation losses", said, measure.table(("training", *PRECISIONS), rows)]
    return "\n\n".join(parts)


if __name__ == "__main__":
    jobs = {"updates": updates, "losses": losses}
    sys.exit(measure.main(str(__doc__).splitlines()[0], "precision", jobs, report))
