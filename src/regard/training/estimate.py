"""What a training will take, measured on a few of its updates."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from dataclasses import dataclass
from typing import Any

import torch

from regard.data.batches import plan
from regard.settings import Settings
from regard.training.corpus import Corpus
from regard.training.guidance import guide_of
from regard.training.progress import spoken
from regard.training.validation import make_batch

_TRIED = 5


@dataclass(frozen=True)
class Estimate:
    """Parameters of the model, seconds of all updates without validations, and bytes at the most."""

    parameters: int
    seconds: float
    memory: int

    def __str__(self) -> str:
        return (
            f"{self.parameters:,} parameters; about {spoken(self.seconds)} on this machine (validations not counted), "
            f"about {self.memory / 2**30:.1f} GiB of memory"
        )


def estimate(model: Any, corpus: Corpus, settings: Settings, device: torch.device) -> Estimate:
    """Try the largest batch and some usual ones, with gradients and a step of Adam, and reckon from these.

    The model is changed by it.
    """
    chosen = settings.training
    assert chosen.batch is not None
    assert chosen.updates is not None
    batches = plan(
        corpus.train.source_lengths,
        corpus.train.target_lengths,
        size=chosen.batch,
        unit=chosen.batch_unit,
        seed=chosen.seed,
        epoch=0,
    )
    cells = corpus.train.source_lengths + corpus.train.target_lengths
    largest = max(batches, key=lambda batch: int(cells[batch].sum()))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0)
    seconds = []
    model.train()
    for indices in [largest, *batches[:_TRIED]]:
        begin = time.perf_counter()
        batch = make_batch(corpus.train, indices, corpus.source, corpus.target).to(device)
        optimizer.zero_grad(set_to_none=True)
        found = model.loss(batch, chosen.smoothing, chosen.coverage, guide_of(corpus, settings, batch))
        (sum(found.auxiliary.values(), found.nll) / found.tokens).backward()
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begin)
    memory = torch.cuda.max_memory_allocated() if device.type == "cuda" else _most_memory()
    return Estimate(
        sum(parameter.numel() for parameter in model.parameters()),
        statistics.mean(seconds[1:]) * chosen.updates * chosen.accumulate,
        memory,
    )


def _most_memory() -> int:
    """Bytes that this process held at the most; Linux counts them in KiB, macOS one by one."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
