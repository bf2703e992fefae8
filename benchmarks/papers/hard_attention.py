"""Hard attention: kinds of `model.context` and normalizers with the same encoder, sizes and updates, on words.

    python benchmarks/papers/hard_attention.py --minutes 9
    python benchmarks/papers/hard_attention.py --report

Words to phones (SIGMORPHON 2020, task 1) and lemmas to inflected forms (SIGMORPHON-UniMorph 2023, task 0, by lemma:
no lemma of the test was trained on), whose features stand as symbols before the lemma's letters. Nothing is tuned for
any kind: all differ in the one setting that names them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from runner import Job, corpora, main, records

from regard.data.examples import encode_pairs
from regard.data.reading import listed_pairs, read_pairs
from regard.evaluation import Statistics, paired_bootstrap, statistics, table
from regard.predictor import Predictor
from regard.training.progress import Reporter
from regard.training.run import train
from regard.training.validation import share_of_zeros

TABLE = "hard_attention"
SEEDS = (1, 2, 3)
KINDS: dict[str, dict[str, Any]] = {
    "no attention": {"model.context": "fixed"},
    "soft": {},
    "sparsemax": {"model.cross.normalizer": "sparsemax"},
    "entmax15": {"model.cross.normalizer": "entmax15"},
    "REINFORCE": {"model.context": "reinforce"},
    "Gumbel": {"model.context": "gumbel"},
    "marginal": {"model.context": "marginal"},
    "monotonic:0": {"model.context": "monotonic:0"},
    "monotonic:1": {"model.context": "monotonic:1"},
}
COMMON: dict[str, Any] = {
    "model.encoder.width": 128,
    "model.decoder.width": 128,
    "model.decoder.input_feeding": False,
    "model.embedding": 64,
    "model.dropout": 0.3,
    "training.batch": 800,
    "training.rate": 3e-3,
    "training.schedule": "linear",
    "training.smoothing": 0.0,
    "training.threads": 1,
}
PHONES: dict[str, Any] = {**COMMON, "training.updates": 1000, "training.validate_every": 250}
FORMS: dict[str, Any] = {
    **COMMON,
    "data.source_tokens": "symbols",
    "data.target_tokens": "character",
    "training.updates": 1500,
    "training.validate_every": 500,
}
CORPORA: dict[str, dict[str, Any]] = {"g2p-bul": PHONES, "g2p-fre": PHONES, "forms-deu": FORMS, "forms-tur": FORMS}
METRICS = ("accuracy", "per")

Texts = list[tuple[str, str]]


def jobs() -> list[Job]:
    """All kinds on all corpora with the first seed, then with the second, ..."""
    return [job(corpus, kind, seed) for seed in SEEDS for corpus in CORPORA for kind in KINDS]


def job(corpus: str, kind: str, seed: int) -> Job:
    settings = {**CORPORA[corpus], **KINDS[kind]}

    def training(folder: Path, report: Reporter) -> Predictor:
        parts = {part: texts(corpus, part) for part in ("train", "dev")}
        seeded = {"training": {"seed": seed}}
        return train(parts["train"], dev=parts["dev"], out=folder, report=report, **settings, **seeded)

    def scored(predictor: Predictor) -> Mapping[str, Any]:
        sources, targets = zip(*texts(corpus, "test"), strict=True)
        outputs = [found.text for found in predictor.predict(list(sources))]
        found = {name: statistics(name, outputs, [[target] for target in targets]) for name in METRICS}
        scores: dict[str, Any] = {name: round(each.score().value, 2) for name, each in found.items()}
        scores["right"] = "".join(str(int(output == target)) for output, target in zip(outputs, targets, strict=True))
        return scores | {"zeros": _zeros(predictor, texts(corpus, "test"))}

    about = {"corpus": corpus, "model": kind, "settings": settings, "seed": seed}
    return Job(f"{corpus}-{kind.replace(' ', '-').replace(':', '')}-{seed}", about, training, scored)


def _zeros(predictor: Predictor, pairs: Texts) -> float | None:
    """The share of exact zeros among the weights, in per cent, when the right targets are forced."""
    if not predictor.settings.model.may_weigh_0:
        return None
    examples, _ = encode_pairs(
        listed_pairs(pairs, "test")[0],
        predictor.source,
        predictor.target,
        max_source_tokens=1000,
        max_target_tokens=1000,
    )
    return round(100 * share_of_zeros(predictor, examples, range(len(examples))), 1)


@cache
def texts(corpus: str, part: str) -> Texts:
    """Pairs of a part. Features of a form are symbols of their own before the lemma's letters."""
    kind, language = corpus.split("-")
    if kind == "g2p":
        path = corpora() / "g2p-sigmorphon2020" / f"{language}_{part}.tsv"
        return [(pair.source, pair.target) for pair in read_pairs(path)[0]]
    path = corpora() / "inflection-sigmorphon2023" / f"{language}.{part}.tsv"
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        (" ".join([*features.replace(" ", "").split(";"), *lemma.replace(" ", "␣")]), form)
        for lemma, features, form in rows
    ]


# What is told --------------------------------------------------------------------------------------------------------


def report() -> str:
    """The tables of all jobs that are done, in Markdown's neighbourhood: one of each corpus, and the comparisons."""
    done = [record for record in records(TABLE).values() if record["corpus"] in CORPORA]
    parts = []
    for corpus in CORPORA:
        found = {kind: [each for each in done if each["corpus"] == corpus and each["model"] == kind] for kind in KINDS}
        rows = [_row(kind, some, found["soft"]) for kind, some in found.items() if some]
        heads = ("model", "accuracy", "PER", "zeros", "time of one core", "seeds", "soft less this, accuracy")
        parts.append(f"{corpus}\n{table(heads, rows)}")
    return "\n\n".join(parts)


def _row(kind: str, found: list[dict[str, Any]], soft: list[dict[str, Any]]) -> tuple[str, ...]:
    scores = [each["scores"] for each in found]
    zeros = [each["zeros"] for each in scores if each["zeros"] is not None]
    seconds = fmean(each["training"]["cpu_seconds"] for each in found)
    return (
        kind,
        *(_mean([each[name] for each in scores]) for name in METRICS),
        f"{fmean(zeros):.0f} %" if zeros else "",
        f"{seconds / 60:.1f} min",
        str(len(found)),
        "" if kind == "soft" or not soft else _compared(found, soft),
    )


def _mean(values: list[float]) -> str:
    return f"{fmean(values):.1f}" + (f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else "")


def _compared(found: list[dict[str, Any]], soft: list[dict[str, Any]]) -> str:
    """Accuracy of the soft model less that of this one, over the seeds that both have, with its interval of 95 %."""
    seeds = sorted({each["seed"] for each in found} & {each["seed"] for each in soft})
    if not seeds:
        return ""
    ours, theirs = (_right(some, seeds) for some in (found, soft))
    result = paired_bootstrap(ours, theirs)
    return f"{result.difference:+.1f} [{result.low:+.1f}, {result.high:+.1f}]"


def _right(found: list[dict[str, Any]], seeds: list[int]) -> Statistics:
    """For each test word, by how many of the seeds it was said rightly."""
    rights = [each["scores"]["right"] for seed in seeds for each in found if each["seed"] == seed]
    counts = np.array([[int(right) for right in one] for one in rights], float)
    both = np.stack([counts.mean(0), np.ones(counts.shape[1])], 1)
    return Statistics("accuracy", both, lambda sums: float(100 * sums[0] / sums[1]), higher_is_better=True)


if __name__ == "__main__":
    if "--report" in sys.argv:
        print(report())
        sys.exit(0)
    sys.exit(main(TABLE, jobs(), str(__doc__).splitlines()[0]))
