"""Inflected forms of lemmas: SIGMORPHON-UniMorph 2023 and 2022, task 0.

    python benchmarks/papers/inflection.py --minutes 9

Tables of lemma, features and form as they are published, in either order of columns. One setting for all languages,
chosen on development forms; 2023 by lemma (no test lemma is in training), 2022 with lemmas and features seen or not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from runner import Job, Record, corpora, main, spread

from regard.data.reading import read_pairs
from regard.evaluation import statistics
from regard.predictor import Predictor
from regard.training.progress import Reporter
from regard.training.run import train

TABLE = "inflection"
FILES = {
    "2023": "inflection-sigmorphon2023/{language}.{part}.tsv",
    "2022": "inflection-sigmorphon2022/{language}.{part}.tsv",
}
PARTS = {"2023": ("train", "dev", "test"), "2022": ("train-large", "dev", "test")}
#: Right test forms in per cent; of 2022 the published neural baseline, a character Transformer (Kodner et al. 2022). Of
#: 2023 no table by language was found.
PUBLISHED: dict[str, dict[str, float | None]] = {
    "2023": dict.fromkeys(("deu", "eng", "fin", "heb", "spa", "tur")),
    "2022": {"ara": 78.5, "hun": 77.2, "kat": 87.3, "pol": 69.5, "tur": 39.7},
}
SETTINGS: dict[str, Any] = {
    "model.encoder.width": 256,
    "model.decoder.width": 256,
    "model.embedding": 128,
    "model.decoder.input_feeding": False,
    "model.dropout": 0.4,
    "training.batch": 1000,
    "training.updates": 3000,
    "training.rate": 2e-3,
    "training.schedule": "linear",
    "training.smoothing": 0.1,
    "training.validate_every": 500,
    "training.metric": "accuracy",
    "training.threads": 1,
    "model.copy": True,
}
MODEL = "copying"
SEEDS = (1,)


def jobs() -> list[Job]:
    """All languages with the first seed, then with the second, ..."""
    return [job(year, language, seed) for seed in SEEDS for year in FILES for language in PUBLISHED[year]]


def job(year: str, language: str, seed: int) -> Job:
    def training(folder: Path, report: Reporter) -> Predictor:
        parts = [table_of(year, language, part) for part in PARTS[year][:2]]
        return train(parts[0], dev=parts[1], out=folder, report=report, **SETTINGS, training={"seed": seed})

    def scored(predictor: Predictor) -> Mapping[str, Any]:
        return {part: accuracy(predictor, year, language, part) for part in PARTS[year][1:]}

    about = {"corpus": year, "language": language, "model": MODEL, "settings": SETTINGS, "seed": seed}
    return Job(f"{year}-{language}-{MODEL}-{seed}", about, training, scored)


def accuracy(predictor: Predictor, year: str, language: str, part: str) -> float:
    """Right forms, in per cent."""
    pairs, _ = read_pairs(table_of(year, language, part), features=None)
    outputs = [each.text for each in predictor.predict([pair.source for pair in pairs])]
    return round(statistics("accuracy", outputs, [pair.targets for pair in pairs]).score().value, 2)


def table_of(year: str, language: str, part: str) -> Path:
    return corpora() / FILES[year].format(language=language, part=part)


# What is told --------------------------------------------------------------------------------------------------------

_SECTION = """## Inflected forms

Forms of lemmas, of which the features are given beside the lemma (SIGMORPHON-UniMorph, task 0): right forms of the
test, in per cent. 2023: 10,000 forms to learn from, none of the test's lemmas among them; 2022: 7,000. One setting
for all languages: bidirectional LSTM and LSTM of width {width} that may copy letters, {updates:,} updates of {batch:,}
tokens. It was chosen on development forms of German, Turkish and Hebrew of 2023 (83.4 % on an average; monotonic
attention of the first order, with half the width, 74.5). Published is the neural baseline of 2022 (Kodner et al. 2022),
a character Transformer; for 2023 no table by language was found.

    python benchmarks/papers/inflection.py --minutes 9    # again and again, until all is done"""


def sections(found: Sequence[Record], table: Callable[[Sequence[str], Iterable[Sequence[str]]], str]) -> list[str]:
    """Of the page of results."""
    if not found:
        return []
    sizes = {name: SETTINGS[f"training.{name}"] for name in ("updates", "batch")}
    text = _SECTION.format(width=SETTINGS["model.encoder.width"], **sizes)
    heads = ("forms", "language", "right", "published", "seeds")
    return [text, table(heads, [row for year in FILES for row in _rows(year, found)])]


def _rows(year: str, found: Sequence[Record]) -> list[list[str]]:
    rows, columns = list[list[str]](), list[list[float | None]]()
    for language, published in PUBLISHED[year].items():
        of = [r["scores"]["test"] for r in found if (r["corpus"], r["language"]) == (year, language)]
        if of:
            columns.append([fmean(of), published])
            rows.append([year, language, spread(of), mean_of([published]), str(len(of))])
    if rows:
        rows.append([year, "**mean**", *map(mean_of, zip(*columns, strict=True)), ""])
    return rows


def mean_of(values: Sequence[float | None]) -> str:
    """Nothing where a value is missing."""
    known = [value for value in values if value is not None]
    return f"{fmean(known):.1f}" if known and len(known) == len(values) else ""


if __name__ == "__main__":
    sys.exit(main(TABLE, jobs(), str(__doc__).splitlines()[0]))
