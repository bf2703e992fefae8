"""Lines of one to six handwritten digits, read with soft, sparse and hard attention, and without any.

    python benchmarks/papers/image_mnist.py --minutes 9

The MNIST digits side by side, by the lists of image-mnist: 20,000 lines to train on, 1,000 to validate and to test
with, of other digits. The models differ in what is named alone. The lines are written as PNG files to a folder outside
of the repository: $REGARD_PREPARED, or ~/.cache/regard.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from runner import Job, Record, corpora, main, prepared_place, spread

from regard.data.pocket.pictures import png
from regard.evaluation import by_length, statistics
from regard.files import make_folder, write_bytes
from regard.predictor import Predictor
from regard.training.progress import Reporter
from regard.training.run import train

TABLE, CORPUS = "image_mnist", "image-mnist"
SEEDS = (1, 2, 3)
PARTS = ("train", "dev", "test")
SIDE, TRAIN = 28, 20_000

COMMON: dict[str, Any] = {
    "data.image.colours": "grey",
    "data.image.height": 32,
    "data.image.augment": 0.5,
    "data.target_tokens": "symbols",
    "model.encoder.stem": "convolution",
    "model.encoder.place": "32x8",
    "model.encoder.channels": 16,
    "model.encoder.kind": "none",
    "model.encoder.width": 128,
    "model.decoder.width": 128,
    "model.embedding": 64,
    "model.dropout": 0.1,
    "training.batch": 32,
    "training.batch_unit": "sentences",
    "training.updates": 3000,
    "training.rate": 2e-3,
    "training.schedule": "linear",
    "training.warmup": 100,
    "training.smoothing": 0.0,
    "training.validate_every": 500,
    "training.metric": "accuracy",
    "search.beam": 1,
}
MODELS: dict[str, dict[str, Any]] = {
    "softmax": {},
    "no attention": {"model.context": "fixed"},
    "sparsemax": {"model.cross.normalizer": "sparsemax"},
    "top_k:1": {"model.cross.normalizer": "top_k:1"},
    "softmax, longer": {"training.updates": 9000},
}


def jobs() -> list[Job]:
    """All models of the first seed, then of the second, ..."""
    return [job(model, seed) for seed in SEEDS for model in MODELS]


def job(model: str, seed: int) -> Job:
    settings = {**COMMON, **MODELS[model]}

    def training(folder: Path, report: Reporter) -> Predictor:
        lines = prepared()
        here = {"training.seed": seed, "training.threads": 1, "data.workers": 1}
        return train(lines / "train.tsv", dev=lines / "dev.tsv", out=folder, report=report, **settings, **here)

    about = {"corpus": CORPUS, "model": model, "seed": seed, "settings": settings}
    return Job(f"{model}-{seed}", about, training, scored)


def scored(predictor: Predictor) -> Mapping[str, Any]:
    """Lines without any error, of all and by the number of digits, and wrong digits; in per cent."""
    rows = [line.split("\t") for line in (prepared() / "test.tsv").read_text(encoding="utf-8").splitlines()]
    found = [each.text for each in predictor.predict([str(prepared() / name) for name, _ in rows])]
    right = [digits for _, digits in rows]
    lines = statistics("accuracy", found, right)
    lengths = [len(digits.split()) for digits in right]
    return {
        "accuracy": lines.score().value,
        "wrong digits": statistics("wer", found, right).score().value,
        "by length": {name: [score.value, score.sentences] for name, score in by_length(lines, lengths, range(1, 6))},
    }


_SECTION = """## Handwritten digits

Lines of one to six MNIST digits side by side: 20,000 to train on, 1,000 to test with, of digits that are in no other
part. The models differ in one setting: weights of softmax; no attention, the mean of all places for every step;
sparsemax, whose weights can be exactly 0; or top_k:1, one place alone, chosen in training too, which teaches the scores
nothing; the longer one is the first, trained three times as long. A convolution makes a place of each 8 columns of
pixels; {updates:,} updates of {batch} lines, {epochs:.0f} epochs. Right are lines without any error, in per cent,
greedy; in the last columns by the number of digits.

    python benchmarks/papers/image_mnist.py --minutes 9    # again and again, until all is done"""


def sections(found: Sequence[Record], table: Callable[[Sequence[str], Iterable[Sequence[str]]], str]) -> list[str]:
    """Of the page of results."""
    if not found:
        return []
    epochs = COMMON["training.updates"] * COMMON["training.batch"] / TRAIN
    text = _SECTION.format(updates=COMMON["training.updates"], batch=COMMON["training.batch"], epochs=epochs)
    rows = []
    for model in MODELS:
        of = [record for record in found if record["model"] == model]
        if of:
            scores = [record["scores"] for record in of]
            minutes = fmean(record["training"]["cpu_seconds"] for record in of) / 60
            rows.append(
                [
                    model,
                    *(spread([each[name] for each in scores]) for name in ("accuracy", "wrong digits")),
                    *(spread([each["by length"][name][0] for each in scores]) for name in scores[0]["by length"]),
                    str(len(of)),
                    f"{minutes:.0f} min",
                ]
            )
    lengths = found[0]["scores"]["by length"]
    head = ["model", "right lines", "wrong digits", *lengths, "seeds", "time of one core"]
    return [text, table(head, rows)]


# Files ----------------------------------------------------------------------------------------------------------------


@cache
def prepared() -> Path:
    """The folder of the lines, written once."""
    folder = prepared_place(CORPUS)
    if all((folder / f"{part}.tsv").exists() for part in PARTS):
        return folder
    print(f"writing {CORPUS} to {folder}", flush=True)
    digits = images(corpora() / CORPUS / "train-images-idx3-ubyte.gz")
    for part in PARTS:
        make_folder(folder / part)
        rows = []
        for line in (corpora() / CORPUS / f"sequences.{part}.tsv").read_text(encoding="utf-8").splitlines():
            name, numbers, said = line.split("\t")
            path = f"{part}/{name}.png"
            side_by_side = np.hstack([digits[int(number)] for number in numbers.split()])
            write_bytes(folder / path, png(side_by_side), durable=False)
            rows.append(f"{path}\t{said}\n")
        write_bytes(folder / f"{part}.tsv", "".join(rows).encode())
    return folder


def images(path: Path) -> NDArray[np.uint8]:
    """The images (count, 28, 28) of a file in the idx format."""
    content = gzip.decompress(path.read_bytes())
    magic, count, high, wide = (int.from_bytes(content[at : at + 4], "big") for at in range(0, 16, 4))
    if (magic, high, wide) != (2051, SIDE, SIDE):
        raise SystemExit(f"{path}: no idx file of images of {SIDE} x {SIDE} pixels")
    return np.frombuffer(content, np.uint8, offset=16).reshape(count, SIDE, SIDE)


if __name__ == "__main__":
    sys.exit(main(TABLE, jobs(), str(__doc__).splitlines()[0]))
