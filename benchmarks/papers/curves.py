"""How good a model of default settings becomes with how many pairs: English to Bengali, Bulgarian words to phones.

    python benchmarks/papers/curves.py --minutes 9

As `regard train --curve` does it, with the parts for validation and test as given.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from runner import Job, corpora, main

from regard.data.reading import Pair, read_pairs
from regard.predictor import Predictor
from regard.training.choices import FEWEST_UPDATES, size_for
from regard.training.curve import drawing, score, subset
from regard.training.progress import Reporter
from regard.training.run import train

TABLE = "curves"
SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class Corpus:
    """The files of a corpus, how many pairs are trained on (the last: all), and what is scored, first what is drawn."""

    name: str
    train: str
    dev: str
    test: str
    sizes: tuple[int, ...]
    metrics: tuple[str, ...]
    references: bool = False


CORPORA = (
    Corpus(
        "g2p-bul",
        "g2p-sigmorphon2020/bul_train.tsv",
        "g2p-sigmorphon2020/bul_dev.tsv",
        "g2p-sigmorphon2020/bul_test.tsv",
        (100, 300, 1_000, 3_600),
        ("accuracy", "per"),
    ),
    Corpus(
        "tatoeba-ben",
        "tatoeba-ben/train.tsv",
        "tatoeba-ben/dev.tsv",
        "tatoeba-ben/test.refs.tsv",
        (100, 300, 1_000, 2_218),
        ("chrf", "bleu"),
        references=True,
    ),
)


def jobs() -> list[Job]:
    """All sizes of both corpora with the first seed, then with the second, ..."""
    return [job(corpus, corpus.sizes[step], seed) for seed in SEEDS for step in range(4) for corpus in CORPORA]


def job(corpus: Corpus, size: int, seed: int) -> Job:
    def training(folder: Path, report: Reporter) -> Predictor:
        every = pairs_of(corpus.train)
        chosen = subset(every, drawing(every, seed), size)
        return train(_texts(chosen), dev=_texts(pairs_of(corpus.dev)), out=folder, report=report, **_seeded(seed))

    def scored(predictor: Predictor) -> Mapping[str, Any]:
        return score(predictor, pairs_of(corpus.test, corpus.references), corpus.metrics)

    defaults = {**asdict(size_for(size)), "updates": FEWEST_UPDATES}
    about = {"corpus": corpus.name, "pairs": size, "seed": seed, "settings": {}, "defaults": defaults}
    return Job(f"{corpus.name}-{size}-{seed}", about, training, scored)


def _seeded(seed: int) -> dict[str, Any]:
    return {"training": {"seed": seed}}


def _texts(pairs: list[Pair]) -> list[tuple[str, str]]:
    return [(pair.source, pair.target) for pair in pairs]


@cache
def pairs_of(file: str, references: bool = False) -> list[Pair]:
    return read_pairs(corpora() / file, references=references)[0]


if __name__ == "__main__":
    sys.exit(main(TABLE, jobs(), str(__doc__).splitlines()[0]))
