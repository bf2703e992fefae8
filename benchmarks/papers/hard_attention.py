"""Hard attention: kinds of `model.context` and normalizers with the same encoder, sizes and updates, on words.

    python benchmarks/papers/hard_attention.py --minutes 9

Words to phones (SIGMORPHON 2020, task 1) and lemmas to inflected forms (SIGMORPHON-UniMorph 2023, task 0, by lemma:
no lemma of the test was trained on), whose features stand as symbols before the lemma's letters. Nothing is tuned for
any kind: all differ in the one setting that names them. Last, English to French words of the Hansards: whether the
posterior of a marginal model aligns better than its prior, and than soft weights.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import alignment
import hansards
import numpy as np
from runner import Job, Record, corpora, main

from regard.aligner import Way, word_weights
from regard.data.examples import encode_pairs
from regard.data.reading import listed_pairs, read_pairs
from regard.evaluation import Statistics, paired_bootstrap, statistics
from regard.maps import links_from
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
HANSARDS = "hansards"
WORDS: dict[str, Any] = {
    **COMMON,
    "data.joint": True,
    "data.source_tokens": "bpe:4000",
    "data.target_tokens": "bpe:4000",
    "model.share_embeddings": "all",
    "model.embedding": 128,
    "training.smoothing": 0.1,
    "training.updates": 1500,
    "training.validate_every": 500,
}

Texts = list[tuple[str, str]]


def jobs() -> list[Job]:
    """All kinds on all corpora with the first seed, the aligners, then all kinds with the second seed, ..."""
    words = [[job(corpus, kind, seed) for corpus in CORPORA for kind in KINDS] for seed in SEEDS]
    return [*words[0], aligner("soft"), aligner("marginal"), *(each for some in words[1:] for each in some)]


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


def aligner(kind: str, seed: int = 1) -> Job:
    """Of both kinds every set of weights that it has, as links of each French word to its heaviest English one."""
    settings = {**WORDS, **KINDS[kind]}
    ways = {"prior": ("prior", False), "after reading (Shift-Att)": ("prior", True), "posterior": ("posterior", False)}

    def training(folder: Path, report: Reporter) -> Predictor:
        every = hansards.pairs()
        held = slice(hansards.PAIRS, hansards.PAIRS + 200)
        dev = every[held]
        seeded = {"training": {"seed": seed}}
        return train(every[: held.start] + every[held.stop :], dev=dev, out=folder, report=report, **settings, **seeded)

    def scored(predictor: Predictor) -> Mapping[str, Any]:
        return {
            name: _aer(predictor, weights, reading)
            for name, (weights, reading) in ways.items()
            if weights == "prior" or predictor.settings.model.mixes
        }

    about = {"corpus": HANSARDS, "pairs": hansards.PAIRS, "model": kind, "settings": settings, "seed": seed}
    return Job(f"{HANSARDS}-{kind}-{seed}", about, training, scored)


def _aer(predictor: Predictor, weights: str, reading: bool) -> dict[str, Any]:
    sources, targets = zip(*hansards.test().pairs, strict=True)
    maps = predictor.align(sources, targets, weights)
    way = Way(reading=reading, weights=weights)
    assert all(each is not None for each in maps)
    links = [links_from(word_weights(predictor, each, way)) for each in maps if each is not None]
    return alignment.rates(links, hansards.test().gold)


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

_NAMES = {"g2p-bul": "Bulgarian to phones", "g2p-fre": "French to phones", "forms-deu": "German forms",
          "forms-tur": "Turkish forms"}  # fmt: skip
_OPENING = """## Hard attention

Kinds of attention that differ in one setting, with the same encoder and decoder (bidirectional LSTM, width 128; no
input feeding) and the same updates: {phones:,} of {batch} tokens on the 3,600 words of SIGMORPHON 2020, task 1,
{forms:,} on the 10,000 forms of SIGMORPHON-UniMorph 2023, task 0, whose features stand before the lemma's letters,
and of whose test lemmas none was trained on. Nothing was tuned for any of them, but that drawn places (REINFORCE,
Gumbel) end what they begin with at the last update, not in the middle, and REINFORCE's entropy counts half as much,
since Turkish development forms said so. Zeros: the share of weights that are exactly 0. The last column is the accuracy
of soft attention less this one, with the interval of 95 % on resampled test words, over the seeds that both have: below
0 is better than soft.

    python benchmarks/papers/hard_attention.py --minutes 9"""
_ALIGNED = """### Where words come from: prior and posterior

English to French, Hansards: the first 5,000 pairs of the training text, and the 200 with links by people, of which the
models saw the text alone. Each French word is linked to its heaviest English one, in one direction. Nothing teaches the
models to align."""


def sections(found: Sequence[Record], table: Callable[[Sequence[str], Iterable[Sequence[str]]], str]) -> list[str]:
    """What the page of results says of the jobs that are done, in Markdown."""
    if not found:
        return []
    sizes = {
        "phones": PHONES["training.updates"],
        "forms": FORMS["training.updates"],
        "batch": COMMON["training.batch"],
    }
    parts = [_OPENING.format(**sizes)]
    for corpus, name in _NAMES.items():
        of = {kind: [each for each in found if (each["corpus"], each["model"]) == (corpus, kind)] for kind in KINDS}
        rows = [_row(kind, some, of["soft"]) for kind, some in of.items() if some]
        if rows:
            heads = (name, "accuracy", "PER", "zeros", "seeds", "time of one core", "soft less this")
            parts.append(table(heads, rows))
    if together := _means(found):
        parts.append(table(("all four", "mean accuracy", "soft less this"), together))
    aligned = [
        (f"{record['model']}, {name}", *(f"{rates[rate]:.1f}" for rate in ("aer", "precision", "recall")), interval)
        for record in found
        if record["corpus"] == HANSARDS
        for name, rates in record["scores"].items()
        for interval in ["{:.1f} to {:.1f}".format(*rates["interval"])]
    ]
    return [*parts, _ALIGNED, table(("weights", "AER", "precision", "recall", "95 %"), aligned)] if aligned else parts


def _row(kind: str, found: Sequence[Record], soft: Sequence[Record]) -> tuple[str, ...]:
    scores = [each["scores"] for each in found]
    zeros = [each["zeros"] for each in scores if each["zeros"] is not None]
    seconds = fmean(each["training"]["cpu_seconds"] for each in found)
    return (
        kind,
        *(_mean([each[name] for each in scores]) for name in METRICS),
        f"{fmean(zeros):.0f} %" if zeros else "",
        str(len(found)),
        f"{seconds / 60:.1f} min",
        "" if kind == "soft" else compared(found, soft),
    )


def _mean(values: list[float]) -> str:
    return f"{fmean(values):.1f}" + (f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else "")


def compared(found: Sequence[Record], soft: Sequence[Record]) -> str:
    """Accuracy of the soft model less that of this one, over the seeds that both have, with its interval of 95 %."""
    seeds = sorted({each["seed"] for each in found} & {each["seed"] for each in soft})
    if not seeds:
        return ""
    ours, theirs = (_right(some, seeds) for some in (found, soft))
    result = paired_bootstrap(ours, theirs)
    return f"{result.difference:+.1f} [{result.low:+.1f}, {result.high:+.1f}]"


def _means(found: Sequence[Record]) -> list[tuple[str, ...]]:
    """Each kind on all corpora that it and soft attention have results of with all seeds, of equal weight."""
    rows = []
    soft: list[Statistics] = []
    for kind in ["soft", *(kind for kind in KINDS if kind != "soft")]:
        of = [[each for each in found if (each["corpus"], each["model"]) == (corpus, kind)] for corpus in CORPORA]
        if min(map(len, of)) < len(SEEDS):
            continue
        parts = [_right(some, list(SEEDS)) for some in of]
        soft = soft or parts
        result = paired_bootstrap(*(_of_equal_weight(some) for some in (parts, soft)))
        mean = fmean(part.score().value for part in parts)
        compared = "" if kind == "soft" else f"{result.difference:+.1f} [{result.low:+.1f}, {result.high:+.1f}]"
        rows.append((kind, f"{mean:.1f}", compared))
    return rows


def _of_equal_weight(parts: Sequence[Statistics]) -> Statistics:
    """The words of several corpora, those of each counting as much in all as those of another."""
    whole = np.concatenate([part.counts / len(part) for part in parts])
    return replace(parts[0], counts=whole)


def _right(found: Sequence[Record], seeds: list[int]) -> Statistics:
    """For each test word, by how many of the seeds it was said rightly."""
    rights = [each["scores"]["right"] for seed in seeds for each in found if each["seed"] == seed]
    counts = np.array([[int(right) for right in one] for one in rights], float)
    both = np.stack([counts.mean(0), np.ones(counts.shape[1])], 1)
    return Statistics("accuracy", both, lambda sums: float(100 * sums[0] / sums[1]), higher_is_better=True)


if __name__ == "__main__":
    sys.exit(main(TABLE, jobs(), str(__doc__).splitlines()[0]))
