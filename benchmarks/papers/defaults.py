"""What `regard train` picks by itself, beside the best setting that any table of this folder has for the same pairs.

    python benchmarks/papers/defaults.py --minutes 9

Nothing is given but the pairs and the development part: tiny corpora (under 2,000 pairs), small and large ones.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import g2p
import inflection
import tatoeba_cmn
import yoyodyne
import yoyodyne_tasks
from runner import Job, Record, corpora, main, records, spread

from regard.data.reading import read_pairs
from regard.evaluation import statistics
from regard.predictor import Predictor
from regard.training.choices import FEWEST_UPDATES, size_for
from regard.training.progress import Reporter
from regard.training.run import train

TABLE = "defaults"
#: Of the tiny ones, whose scores differ most, three.
SEEDS = {"tiny": (1, 2, 3), "small": (1,), "large": (1,)}
Rows = tuple[list[Any], list[tuple[str, ...]]]
"""Sources, and the right targets of each."""


@dataclass(frozen=True)
class Corpus:
    """Pairs by part, what of the test counts, and the scores of the models that other tables have for them."""

    title: str
    size: str
    pairs: int
    metric: str
    train: Callable[[], tuple[Any, Any]]
    test: Callable[[], Rows]
    others: Callable[[], dict[str, list[float]]]


def _g2p(language: str) -> Corpus:
    return Corpus(
        f"{language}, words to phones",
        "small",
        3_600,
        "accuracy",
        lambda: (g2p.texts("2020", language, "train"), g2p.texts("2020", language, "dev")),
        lambda: _parted(g2p.texts("2020", language, "test")),
        lambda: _by_model(
            g2p.TABLE, "2020", lambda each: 100 - each["scores"]["test"]["wer"], language=language, model="attention"
        ),
    )


def _hard() -> dict[str, list[float]]:
    found = [r for r in records(yoyodyne.TABLE).values() if (r.get("task"), r["side"]) == ("hard", yoyodyne_tasks.OURS)]
    by = dict[str, list[float]]()
    for each in found:
        by.setdefault(each["scores"]["setting"], []).append(each["scores"]["beam 5"]["accuracy"])
    return by


def _by_model(table: str, corpus: str, score: Callable[[Record], float], **more: str) -> dict[str, list[float]]:
    by = dict[str, list[float]]()
    for each in records(table).values():
        if each["corpus"] == corpus and all(each[name] == value for name, value in more.items()):
            by.setdefault(each["model"], []).append(score(each))
    return by


CORPORA: dict[str, Corpus] = {
    "g2p-fre-800": Corpus(
        "French, 800 words to phones",
        "tiny",
        800,
        "accuracy",
        lambda: (yoyodyne_tasks.texts("hard", "train"), yoyodyne_tasks.texts("hard", "dev")),
        lambda: _parted(yoyodyne_tasks.texts("hard", "test")),
        _hard,
    ),
    "g2p-fre": _g2p("fre"),
    "g2p-bul": _g2p("bul"),
    "forms-tur": Corpus(
        "Turkish forms",
        "small",
        10_000,
        "accuracy",
        lambda: (inflection.table_of("2023", "tur", "train"), inflection.table_of("2023", "tur", "dev")),
        lambda: _read(inflection.table_of("2023", "tur", "test"), features=None),
        lambda: _by_model(inflection.TABLE, "2023", lambda each: each["scores"]["test"], language="tur"),
    ),
    "tatoeba-cmn": Corpus(
        "English to Chinese",
        "large",
        24_404,
        "bleu",
        lambda: (corpora() / "tatoeba-cmn" / "train.tsv.gz", corpora() / "tatoeba-cmn" / "dev.tsv"),
        lambda: _read(corpora() / "tatoeba-cmn" / "test.refs.tsv", references=True),
        lambda: _by_model(tatoeba_cmn.TABLE, "tatoeba-cmn", lambda each: each["scores"]["bleu"]["all"]),
    ),
}


def jobs() -> list[Job]:
    """The smaller corpora first."""
    return [job(name, seed) for name, corpus in CORPORA.items() for seed in SEEDS[corpus.size]]


def job(name: str, seed: int) -> Job:
    corpus = CORPORA[name]

    def training(folder: Path, report: Reporter) -> Predictor:
        pairs, dev = corpus.train()
        return train(pairs, dev=dev, out=folder, report=report, training={"seed": seed, "threads": 1})

    def scored(predictor: Predictor) -> Mapping[str, Any]:
        sources, targets = corpus.test()
        outputs = [each.text for each in predictor.predict(sources)]
        return {corpus.metric: statistics(corpus.metric, outputs, targets, lowercase=True).score().value}

    defaults = {**asdict(size_for(corpus.pairs)), "fewest": FEWEST_UPDATES}
    defaults.pop("pairs")  # Infinity of the largest is no JSON.
    about = {"corpus": name, "pairs": corpus.pairs, "seed": seed, "settings": {}, "defaults": defaults}
    return Job(f"{name}-{seed}", about, training, scored)


def _parted(pairs: Sequence[tuple[Any, str]]) -> Rows:
    return [source for source, _ in pairs], [(target,) for _, target in pairs]


def _read(path: Path, **how: Any) -> Rows:
    pairs, _ = read_pairs(path, **how)
    return [pair.source for pair in pairs], [pair.targets for pair in pairs]


# What is told --------------------------------------------------------------------------------------------------------

_SECTION = """## What `regard train` picks by itself

Trainings with nothing given but pairs for training and for development, beside the best model that this page has for
the same pairs (the tables above; some of these were chosen on development data, some see the texts in lower case):
right words or forms in per cent, BLEU in lower case for sentences. Chosen by the number of pairs are width, dropout,
the batch and the number of epochs. More is to be had for the tiny corpus by settings that are not chosen so far: one
training each, right development words with 2,000 updates 67.8 %, with these and `training.schedule linear` from a rate
of 0.003 73.1 %, with `model.context monotonic:1` alone 71.1 %.

    python benchmarks/papers/defaults.py --minutes 9    # again and again, until all is done"""


def sections(found: Sequence[Record], table: Callable[[Sequence[str], Iterable[Sequence[str]]], str]) -> list[str]:
    """Of the page of results."""
    if not found:
        return []
    rows = []
    for name, corpus in CORPORA.items():
        own = [each for each in found if each["corpus"] == name]
        if not own:
            continue
        chosen, training = own[0]["training"]["chosen"], own[0]["training"]
        scores = [each["scores"][corpus.metric] for each in own]
        others = {model: sum(values) / len(values) for model, values in corpus.others().items() if values}
        best = max(others, key=others.__getitem__, default=None)
        ahead = sum(scores) / len(scores) - others[best] if best is not None else None
        rows.append(
            [
                corpus.title,
                f"{corpus.pairs:,} ({corpus.size})",
                f"width {chosen['model.encoder.width']}, dropout {chosen['model.dropout']}, {training['updates']:,} of "
                f"{chosen['training.batch']:,} tokens",
                spread(scores),
                str(len(scores)),
                "" if best is None else f"{others[best]:.1f} ({best})",
                "" if ahead is None else f"{ahead:+.1f}",
                f"{sum(each['training']['cpu_seconds'] for each in own) / len(own) / 60:.0f} min",
            ]
        )
    heads = ("corpus", "pairs", "chosen", "score", "seeds", "best of the tables", "less", "time of one core")
    return [_SECTION, table(heads, rows)]


if __name__ == "__main__":
    sys.exit(main(TABLE, jobs(), str(__doc__).splitlines()[0]))
