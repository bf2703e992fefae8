"""Words to phones: SIGMORPHON 2020 and 2021, task 1, beside the published baselines.

    python benchmarks/papers/g2p.py --minutes 9

One setting for all languages of a year, chosen on the development words of three of them in 2020 and of one in 2021;
five models of each language, which are scored one by one and together (the mean of their probabilities), and of 2020
one model without attention. Of 2021 the four languages of medium size (8,000 words) that are there, of 2020 eight
(3,600 words).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from inflection import mean_of
from runner import Job, Record, corpora, main, place, spread

from regard.data.reading import read_pairs
from regard.evaluation import statistics
from regard.files import make_folder
from regard.predictor import Predictor, load
from regard.training.progress import Reporter
from regard.training.run import train

TABLE = "g2p"
SEEDS = (1, 2, 3, 4, 5)
FOLDERS = {"2020": "g2p-sigmorphon2020/{language}", "2021": "g2p-sigmorphon2021/medium/{language}"}
#: Test WER as published: of 2020 the LSTM baseline, the best of the three on the mean of these languages (Gorman et al.
#: 2020, table 2); of 2021 the one baseline, an ensemble of neural transducers (Ashby et al. 2021).
PUBLISHED: dict[str, dict[str, float]] = {
    "2020": {
        "ady": 28.00,
        "arm": 14.67,
        "bul": 31.11,
        "fre": 6.22,
        "geo": 26.44,
        "hin": 6.67,
        "jpn": 7.56,
        "vie": 4.67,
    },
    "2021": {"bul": 18.30, "fre": 8.50, "jpn_hira": 5.20, "vie_hanoi": 2.50},
}
SETTINGS: dict[str, Any] = {
    "model.context": "monotonic:1",
    "model.dropout": 0.4,
    "training.batch": 400,
    "training.rate": 3e-3,
    "training.schedule": "linear",
    "training.smoothing": 0.1,
    "training.metric": "accuracy",
    "training.threads": 1,
}
#: For 3,600 words the best of ten checkpoints by development words, for 8,000 a wider model, averaged at its end.
OF_YEAR: dict[str, dict[str, Any]] = {
    "2020": {
        "model.encoder.width": 128,
        "model.decoder.width": 128,
        "model.embedding": 64,
        "training.updates": 2500,
        "training.validate_every": 250,
    },
    "2021": {
        "model.encoder.width": 256,
        "model.decoder.width": 256,
        "model.embedding": 128,
        "training.updates": 3500,
        "training.validate_every": 175,
        "training.average": 3,
    },
}
MODELS: dict[str, dict[str, Any]] = {"attention": {}, "no attention": {"model.context": "fixed"}}
METRICS = ("accuracy", "per")
ENSEMBLE = "five together"

Texts = list[tuple[str, str]]


def jobs() -> list[Job]:
    """One model of each language, all others, the ensembles, and then those of 2020 without attention."""
    languages = [(year, language) for year in FOLDERS for language in PUBLISHED[year]]
    singles = [single(*each, "attention", seed) for seed in SEEDS for each in languages]
    return [
        *singles,
        *(together(*each) for each in languages),
        *(single("2020", language, "no attention", 1) for language in PUBLISHED["2020"]),
    ]


def single(year: str, language: str, model: str, seed: int) -> Job:
    """One training."""
    settings = {**SETTINGS, **OF_YEAR[year], **MODELS[model]}

    def training(folder: Path, report: Reporter) -> Predictor:
        train_on, dev = texts(year, language, "train"), texts(year, language, "dev")
        return train(train_on, dev=dev, out=folder, report=report, **settings, training={"seed": seed})

    about = {"corpus": year, "language": language, "model": model, "settings": settings, "seed": seed}
    return Job(
        f"{year}-{language}-{model.replace(' ', '-')}-{seed}", about, training, lambda p: scores(p, year, language)
    )


def together(year: str, language: str) -> Job:
    """The mean of the probabilities of the models of all seeds."""
    members = [single(year, language, "attention", seed) for seed in SEEDS]

    def training(folder: Path, report: Reporter) -> Predictor:
        make_folder(folder)
        for member in members:
            model = member.train(place(TABLE, member, "model"), report)
        # Of the trainings of all, the table is told the last.
        told = place(TABLE, members[-1], "model") / "metrics.jsonl"
        (folder / "metrics.jsonl").write_text(told.read_text(encoding="utf-8"), encoding="utf-8")
        return model

    def scored(_: Predictor) -> Mapping[str, Any]:
        return scores(load(*(place(TABLE, member, "model") for member in members)), year, language)

    about = {**members[0].about, "model": ENSEMBLE, "seed": list(SEEDS)}
    return Job(f"{year}-{language}-together", about, training, scored)


def scores(predictor: Predictor, year: str, language: str) -> dict[str, Any]:
    """Of the development and of the test words: accuracy, WER (wrong words) and PER (wrong phones), in per cent."""
    found: dict[str, Any] = {}
    for part in ("dev", "test"):
        sources, targets = zip(*texts(year, language, part), strict=True)
        outputs = [each.text for each in predictor.predict(list(sources))]
        accuracy, per = (statistics(name, outputs, [[target] for target in targets]).score().value for name in METRICS)
        found[part] = {"wer": round(100 - accuracy, 2), "per": round(per, 2), "words": len(targets)}
    return found


@cache
def texts(year: str, language: str, part: str) -> Texts:
    """Words and their phones."""
    path = corpora() / f"{FOLDERS[year].format(language=language)}_{part}.tsv"
    return [(pair.source, pair.target) for pair in read_pairs(path)[0]]


# What is told --------------------------------------------------------------------------------------------------------

_SECTION = """## Words to phones

Words to phones, {languages} lists, from 3,600 words of a language (SIGMORPHON 2020, task 1) and from 8,000 (2021,
medium): per cent of the test words with any error (WER). One setting for all languages of a year: monotonic attention
of the first order, bidirectional LSTM and LSTM, of width {width[2020]} and with {updates[2020]:,} updates for 2020,
chosen on the development words of Bulgarian, French and Adyghe among nine; of width {width[2021]} and with
{updates[2021]:,} updates for 2021, the last {average} checkpoints averaged, chosen on the French ones after the setting
of 2020 had been tried. One model: the mean of {seeds} and their standard deviation; together: the mean of the
probabilities of all of them. Published are the LSTM baseline of 2020 (one tuned model of each language; Gorman et al.
2020) and the baseline of 2021 (an ensemble; Ashby et al. 2021).

    python benchmarks/papers/g2p.py --minutes 9    # again and again, until all is done"""


def sections(found: Sequence[Record], table: Callable[[Sequence[str], Iterable[Sequence[str]]], str]) -> list[str]:
    """Of the page of results."""
    if not found:
        return []
    text = _SECTION.format(
        languages=sum(map(len, PUBLISHED.values())),
        width={int(year): settings["model.encoder.width"] for year, settings in OF_YEAR.items()},
        updates={int(year): settings["training.updates"] for year, settings in OF_YEAR.items()},
        average=OF_YEAR["2021"]["training.average"],
        seeds=len(SEEDS),
    )
    heads = ("words", "language", "no attention", "one model", "five together", "published", "PER of one", "seeds")
    return [text, table(heads, [row for year in FOLDERS for row in _rows(year, found)])]


def _rows(year: str, found: Sequence[Record]) -> list[list[str]]:
    rows, columns = list[list[str]](), list[list[float | None]]()
    for language, published in PUBLISHED[year].items():
        of = {
            model: [
                r["scores"]["test"]
                for r in found
                if (r["corpus"], r["language"], r["model"]) == (year, language, model)
            ]
            for model in (*MODELS, ENSEMBLE)
        }
        if not of["attention"]:
            continue
        means = [
            fmean(each["wer"] for each in of[name]) if of[name] else None
            for name in ("no attention", "attention", ENSEMBLE)
        ]
        columns.append([*means, published])
        seeds = len(of["attention"])
        per = fmean(each["per"] for each in of["attention"])
        rows.append(
            [
                year,
                language,
                mean_of(means[:1]),
                spread([e["wer"] for e in of["attention"]]),
                mean_of(means[2:]),
                mean_of([published]),
                f"{per:.1f}",
                str(seeds),
            ]
        )
    if rows:
        rows.append([year, "**mean**", *(mean_of(column) for column in zip(*columns, strict=True)), "", ""])
    return rows


if __name__ == "__main__":
    sys.exit(main(TABLE, jobs(), str(__doc__).splitlines()[0]))
