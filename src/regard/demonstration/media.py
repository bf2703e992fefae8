"""What the demonstrations of images and recordings share: a corpus of files, a training on it, and measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from regard.evaluation import statistics

if TYPE_CHECKING:
    from regard.predictor import Predictor
    from regard.training.progress import Reporter

Gold = TypeVar("Gold")

CORPUS, MODEL = "corpus", "model"


@dataclass(frozen=True)
class Example(Generic[Gold]):
    """A file of the corpus, its one right target, the part it belongs to, and where things are in it."""

    path: Path
    target: str
    part: str
    gold: Gold


@dataclass(frozen=True)
class Measure:
    """One figure: `value` in per cent unless it is a correlation, of so many examples, keys or words."""

    what: str
    value: float
    of: int
    unit: str = " %"

    def __str__(self) -> str:
        decimals = 1 if self.unit == " %" else 3
        return f"{self.what.format(f'{self.of:,}')}: {self.value:.{decimals}f}{self.unit}"


@dataclass(frozen=True)
class Demonstration(Generic[Gold]):
    """One demonstration.

    Args:
        title: what the model learns to do.
        write: writes train.tsv, dev.tsv and the files that they name to a folder, and returns all examples.
        settings: of the training.
        measure: how well a model does on the examples that it has not seen.
        shown: how many examples of the part test are shown with their attention.
    """

    title: str
    write: Callable[[Path], Sequence[Example[Gold]]]
    settings: Mapping[str, Any]
    measure: Callable[[Predictor, Sequence[Example[Gold]]], list[Measure]]
    shown: int = 2


def learn(
    demonstration: Demonstration[Gold], folder: Path, report: Reporter, *, context: str = "attention", **more: Any
) -> Predictor:
    """Train on the corpus in `folder`, to a model beside it; `context` "fixed" leaves the attention out."""
    from regard.training.run import train

    settings = dict(demonstration.settings)
    settings["model"] = {**settings.get("model", {}), "context": context}
    corpus = folder / CORPUS
    out = folder / (MODEL if context == "attention" else f"{MODEL}-{context}")
    return train(corpus / "train.tsv", dev=corpus / "dev.tsv", out=out, report=report, **settings, **more)


def exact_match(model: Predictor, examples: Sequence[Example[Any]], what: str) -> Measure:
    """Which outputs are right from their first to their last character; `what` has {} for how many examples."""
    found = model.predict([str(example.path) for example in examples])
    score = statistics("accuracy", [each.text for each in found], [example.target for example in examples]).score()
    return Measure(what, score.value, len(examples))
