"""What a training step of marginal and monotonic attention costs beside soft attention's, at vocabulary 8,000.

    python benchmarks/mixture_step.py

A step is the gradient of 80 random pairs of 15 source and 15 target tokens, label smoothing of 0.1 and the update of
Adam; additive scores, a bidirectional LSTM of 512 and a decoder of 512, one thread. The soft model has no input
feeding, as a mixture can't have it; with it, it is dearer. The kinds take turns, and the median counts. Adds a line to
results/mixture_step.jsonl.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch

from papers.runner import surroundings
from regard.allocation import keep_freed_memory
from regard.data.collate import Batch, collate
from regard.model import EncoderDecoder
from regard.settings import AttentionSettings, DecoderSettings, EncoderSettings, ModelSettings

VOCABULARY, SENTENCES, LENGTH, WIDTH, ROUNDS = 8000, 80, 15, 512, 7
KINDS = {
    "soft, fed": ("attention", "softmax", True),
    "soft": ("attention", "softmax", False),
    "marginal": ("marginal", "softmax", None),
    "marginal, top 4": ("marginal", "top_k:4", None),
    "monotonic:0": ("monotonic:0", "softmax", None),
    "monotonic:1": ("monotonic:1", "softmax", None),
}
RESULTS = Path(__file__).resolve().parent / "results" / "mixture_step.jsonl"


def made(kind: str) -> EncoderDecoder:
    context, normalizer, feeding = KINDS[kind]
    settings = ModelSettings(
        encoder=EncoderSettings(width=WIDTH),
        decoder=DecoderSettings(width=WIDTH, input_feeding=feeding),
        context=context,
        cross=AttentionSettings("additive", normalizer),
    )
    return EncoderDecoder(settings, VOCABULARY, VOCABULARY).train()


def pairs(seed: int) -> Batch:
    chance = np.random.default_rng(seed)
    sides = [[chance.integers(4, VOCABULARY, LENGTH) for _ in range(SENTENCES)] for _ in range(2)]
    return collate(*sides, range(SENTENCES), source_pad=0, target_pad=0, bos=2, eos=3)


def step(model: EncoderDecoder, optimizer: torch.optim.Optimizer, batch: Batch) -> float:
    """Seconds of one update."""
    begin = time.perf_counter()
    optimizer.zero_grad(set_to_none=True)
    loss = model.loss(batch, 0.1)
    (loss.nll / loss.tokens).backward()
    optimizer.step()
    return time.perf_counter() - begin


def main() -> int:
    keep_freed_memory()  # as every training does
    torch.set_num_threads(1)
    torch.manual_seed(0)
    models = {kind: made(kind) for kind in KINDS}
    optimizers = {kind: torch.optim.Adam(model.parameters(), fused=True) for kind, model in models.items()}
    seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for number in range(ROUNDS + 1):
        batch = pairs(number)
        for kind, model in models.items():
            found = step(model, optimizers[kind], batch)
            if number:
                seconds[kind].append(found)
    medians = {kind: statistics.median(each) for kind, each in seconds.items()}
    for kind, median in medians.items():
        print(f"{kind:<16} {1e3 * median:7.0f} ms   {median / medians['soft']:.2f} x soft")
    record = {
        "milliseconds": {kind: round(1e3 * median, 1) for kind, median in medians.items()},
        "over soft": {kind: round(median / medians["soft"], 2) for kind, median in medians.items()},
        "peak MB of all": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        **surroundings(),
    }
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
