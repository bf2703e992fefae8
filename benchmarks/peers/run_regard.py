"""Regard: `regard.train` and `Predictor.predict`, from text to text and with all attention, as anyone uses them."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from driver import (
    DATA,
    DECODED_AT_ONCE,
    ENDLESS,
    FORCED,
    RUNS,
    SENTENCES,
    TO_MAKE,
    Meter,
    Task,
    measure_decoding,
    task,
    tell,
)

import regard
from regard.model import EncoderDecoder
from regard.training.preparing import gather, prepare, read
from regard.training.progress import Pace, Silent

PACKAGES = ("regard",)


def settings(asked: Task) -> dict[str, Any]:
    """The groups of settings; of `default` only what the other models have in common too."""
    if asked.model == "default":
        return {"training": {"device": "cpu", "seed": asked.seed}}
    pieces = str(DATA / "pieces.model")
    training = {
        "batch": SENTENCES[asked.model],
        "batch_unit": "sentences",
        "schedule": "constant",
        "clip": 5.0,
        "smoothing": 0.0 if asked.model == "A" else 0.1,
        "device": "cpu",
        "seed": asked.seed,
    }
    return {
        "data": {"source_tokens": pieces, "target_tokens": pieces, "joint": True},
        "model": recurrent(asked) if asked.model == "A" else transformer(),
        "training": training,
    }


def recurrent(asked: Task) -> dict[str, Any]:
    return {
        "encoder": {"width": 512},
        "decoder": {"width": 512},
        "embedding": 256,
        "cross": {"score": asked.attention},
        "dropout": 0.2,
    }


def transformer() -> dict[str, Any]:
    side = {"kind": "transformer", "layers": 4, "width": 128, "feedforward": 256}
    attention = {"score": "scaled_dot", "heads": 4, "dropout": 0.1}
    return {
        "encoder": dict(side),
        "decoder": dict(side),
        "cross": dict(attention),
        "self_attention": dict(attention),
        "share_embeddings": "all",
        "dropout": 0.3,
    }


def folder(asked: Task) -> Path:
    return RUNS / f"regard-{asked.name}-{asked.action if asked.action != 'decode' else 'make'}"


def train(asked: Task, updates: int, validate_every: int, report: Any = None) -> None:
    given = settings(asked)
    given["training"] |= {"updates": updates, "validate_every": validate_every}
    regard.train(
        DATA / "train.en",
        out=folder(asked),
        target=DATA / "train.de",
        dev=DATA / "val.en",
        dev_target=DATA / "val.de",
        restart=True,
        report=report,
        **given,
    )


def measure_training(asked: Task) -> None:
    meter = Meter(asked.seconds, PACKAGES)

    def counted(self: EncoderDecoder, batch: Any, *rest: Any, **named: Any) -> Any:
        if self.training:
            meter.saw(batch.target_lengths.sum())
        return loss(self, batch, *rest, **named)

    loss, EncoderDecoder.loss = EncoderDecoder.loss, counted  # type: ignore[method-assign]
    train(asked, ENDLESS, ENDLESS)


class Stamps(Silent):
    """The time of every update."""

    def __init__(self) -> None:
        self.of: dict[int, float] = {}

    def pace(self, pace: Pace) -> None:
        self.of[pace.update] = time.monotonic()


def measure_validation(asked: Task) -> None:
    """The share of the time that validation takes at the default frequency.

    From the update before the first validation to that before the second, the clock says how long everything took,
    and the `seconds` of `metrics.jsonl` how long the training took.
    """
    texts = read(DATA / "train.en", DATA / "train.de", DATA / "val.en", DATA / "val.de", {})
    chosen = prepare(texts, gather(None, settings(asked))).settings.training
    assert chosen.validate_every is not None
    stamps = Stamps()
    train(asked, 2 * chosen.validate_every, chosen.validate_every, stamps)
    lines = (folder(asked) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    first, second = (json.loads(line) for line in lines)
    whole = stamps.of[second["step"]] - stamps.of[first["step"]]
    training = second["seconds"] - first["seconds"]
    tell(
        PACKAGES,
        updates=chosen.updates,
        validate_every=chosen.validate_every,
        seconds_between=round(whole, 2),
        seconds_of_validation=round(whole - training, 2),
        share=round((whole - training) / whole, 4),
    )


def decoder(asked: Task, beam: int) -> Callable[[list[str]], list[int]]:
    predictor = regard.load(folder(asked), device="cpu")

    def decode(sentences: list[str]) -> list[int]:
        found = predictor.predict(sentences, beam=beam, min_length=FORCED, max_length=FORCED, batch=DECODED_AT_ONCE)
        return [len(each.tokens) for each in found]

    return decode


def main() -> None:
    asked = task()
    if asked.action == "train":
        measure_training(asked)
    elif asked.action == "make":
        shutil.rmtree(folder(asked), ignore_errors=True)
        train(asked, TO_MAKE, TO_MAKE)
    elif asked.action == "validate":
        measure_validation(asked)
    else:
        measure_decoding(asked, PACKAGES, decoder, "test.en")


if __name__ == "__main__":
    main()
