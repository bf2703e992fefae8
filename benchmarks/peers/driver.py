"""What the drivers of all contestants share: their arguments, and how speed is measured.

A driver is run by the Python of its contestant's environment and ends with one line of JSON:

    python run_NAME.py train  --model A --attention additive --seconds 20 --seed 1
    python run_NAME.py make   --model A --attention additive               a model to decode with, in `.runs/`
    python run_NAME.py decode --model A --attention additive --seconds 5
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

HERE = Path(__file__).resolve().parent
DATA, RUNS = HERE / ".data", HERE / ".runs"
SENTENCES = {"A": 80, "B": 256}  # in a batch of training
DECODED_AT_ONCE = 64
FORCED = 16  # tokens of every decoded sentence
BEAMS = (1, 5)
ENDLESS = 1_000_000  # updates, of which the meter sees few
TO_MAKE = 8  # updates of a model to decode with: the length is forced, so the weights hardly matter
WARM_UP = 5  # updates before the window
SINGLES = 50  # sentences that are decoded one by one


@dataclass(frozen=True)
class Task:
    """What a driver is asked for."""

    action: str
    model: str
    attention: str
    seconds: float
    sentences: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.model}-{self.attention}"


def family(asked: Task, updates: int) -> dict[str, Any]:
    """The settings of training that OpenNMT-py and Eole, which comes from it, call by the same names."""
    return {
        # The whole corpus is one bucket, sorted by length.
        "batch_type": "sents",
        "batch_size": SENTENCES[asked.model],
        "bucket_size": 29000,
        "num_workers": 0,
        "optim": "adam",
        "adam_beta2": 0.98,
        "learning_rate": 0.001,
        "decay_method": "none",
        "start_decay_steps": ENDLESS,
        "max_grad_norm": 5,
        "train_steps": updates,
        "save_checkpoint_steps": updates,
        "valid_steps": ENDLESS,
    }


def task() -> Task:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=("train", "make", "decode", "validate"))
    parser.add_argument("--model", choices=("A", "B", "default"), required=True)
    parser.add_argument("--attention", choices=("additive", "bilinear", "scaled_dot"), required=True)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--sentences", type=int, default=1000, help="how many to decode")
    parser.add_argument("--seed", type=int, default=1)
    found = Task(**vars(parser.parse_args()))
    sys.argv[1:] = []  # the toolkits look there too
    RUNS.mkdir(exist_ok=True)
    return found


# --- training ---


class Meter:
    """Target tokens a second (marks of the end counted) over whole updates, after the warm-up.

    It counts the steps of whatever optimizer there is, and ends the process when the window is over.
    """

    def __init__(self, seconds: float, packages: Sequence[str]) -> None:
        self.seconds, self.packages = seconds, packages
        self.updates = self.tokens = 0
        self.began = self.cpu = 0.0
        register_optimizer_step_post_hook(self._stepped)

    def saw(self, tokens: Any) -> None:
        """So many tokens are learned from in the update to come."""
        self.tokens += int(tokens)

    def _stepped(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        self.updates += 1
        if self.updates == WARM_UP:
            self.tokens, self.began, self.cpu = 0, time.perf_counter(), time.process_time()
        elif self.updates > WARM_UP and time.perf_counter() - self.began >= self.seconds:
            self._end(sum(weight.numel() for group in optimizer.param_groups for weight in group["params"]))

    def _end(self, parameters: int) -> None:
        seconds, cpu = time.perf_counter() - self.began, time.process_time() - self.cpu
        tell(
            self.packages,
            tokens_per_second=round(self.tokens / seconds, 1),
            tokens=self.tokens,
            updates=self.updates - WARM_UP,
            seconds=round(seconds, 2),
            cpu_seconds=round(cpu, 2),
            parameters=parameters,
        )
        os._exit(0)  # nothing else ends every toolkit's training in the midst


def blocks(pairs: Sequence[tuple[str, str]], size: int, seed: int) -> list[tuple[str, str]]:
    """Pairs of pieces, sorted by length, cut into blocks of `size` which stand in random order; a rest comes last."""
    ordered = sorted(pairs, key=lambda pair: [len(side.split()) for side in pair])
    whole = len(ordered) - len(ordered) % size
    cut = [ordered[at : at + size] for at in range(0, whole, size)]
    random.Random(seed).shuffle(cut)
    return [pair for block in [*cut, ordered[whole:]] for pair in block]


# --- decoding ---


def measure_decoding(
    asked: Task,
    packages: Sequence[str],
    decoder: Callable[[Task, int], Callable[[list[str]], list[int]]],
    test: str = "test.pieces.en",
) -> None:
    """Sentences a second in batches, and milliseconds of single ones, for each beam.

    `decoder(asked, beam)` makes what is given sentences and returns the numbers of tokens that it made of them. The
    sentences are pieces separated by spaces, or with `test.en` the text.
    """
    every = (DATA / test).read_text(encoding="utf-8").splitlines()
    sentences = every[:: max(1, len(every) // asked.sentences)]
    some = sentences[:: max(1, len(sentences) // SINGLES)]
    found: dict[str, Any] = {}
    for beam in BEAMS:
        decode = decoder(asked, beam)
        decode(some)
        passes: list[float] = []
        made: list[int] = []
        end = time.perf_counter() + asked.seconds
        while not passes or time.perf_counter() < end:
            begin = time.perf_counter()
            made = decode(sentences)
            passes.append(time.perf_counter() - begin)
        for sentence in some[:3]:
            decode([sentence])
        singles = []
        for sentence in some:
            begin = time.perf_counter()
            decode([sentence])
            singles.append(1e3 * (time.perf_counter() - begin))
        found[f"beam {beam}"] = {
            "sentences_per_second": round(len(sentences) / statistics.median(passes), 2),
            "passes": [round(each, 3) for each in passes],
            "milliseconds": round(statistics.median(singles), 2),
            "milliseconds_p90": round(statistics.quantiles(singles, n=10)[-1], 2),
            "mean_length": round(statistics.mean(made), 3),
        }
    tell(packages, **found)


# --- results ---


def tell(packages: Sequence[str], **result: Any) -> None:
    """Print a result with what it depends on."""
    result |= {
        "peak_mb": round(_peak_mb()),
        "threads": torch.get_num_threads(),
        "versions": {name: importlib.metadata.version(name) for name in (*packages, "torch")},
    }
    print(json.dumps(result), flush=True)


def _peak_mb() -> float:
    """The most memory that this process held. (That of getrusage may be the parent's.)"""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise OSError("/proc/self/status has no VmHWM")
