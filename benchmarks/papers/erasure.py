"""What becomes of a word's probability without the source words that it looked at most: Tatoeba, three models.

    python benchmarks/papers/erasure.py --minutes 9

A model says its output (beam of 5). Then source words are taken away, the same output is forced, and each of its
tokens has a new log-probability: the fall of it is what the model had from these words. Erasing inputs is the test of
Li et al. (2016); that attention and such tests may disagree, and what follows from that, is the matter of Jain and
Wallace (2019), Serrano and Smith (2019) and Wiegreffe and Pinter (2019).

Words are removed, not replaced: the unknown piece has an embedding that training never touched, so with it one would
measure that embedding too. With one word removed at a time every word of a sentence is tried, so "random" is the mean
over all of them, without any sampling; of two and three words, chance draws.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tatoeba_cmn
import torch
from runner import Job, corpora, main, place

from regard.data.batches import evaluation_batches, restore
from regard.data.collate import collate
from regard.data.reading import read_pairs
from regard.predictor import Prediction, Predictor
from regard.training.progress import Reporter

TABLE = "erasure"
SEED, SENTENCES, FEWEST_WORDS, MOST_ERASED = 1, 500, 5, 3
RESAMPLES, CELLS = 1000, 4_000
#: Tokens are told apart by their greatest weight: below the first, between, and from the last on.
SHARPNESS = (0.5, 0.9)
MODELS: dict[str, dict[str, Any]] = {
    "additive": tatoeba_cmn.MODELS["additive"],
    "additive, words as values": {
        **tatoeba_cmn.MODELS["additive"],
        "model.encoder.memory": "words",
        "training.coverage": 0.2,
    },
    "transformer": tatoeba_cmn.MODELS["transformer"],
}

Numbers = npt.NDArray[np.float64]
Words = frozenset[int]


@dataclass(frozen=True)
class Said:
    """What a model said to one source.

    `pieces` are the source's, `word_of` the word that each belongs to; `tokens` were said. `attention` (T, W) is the
    weight of each source word for each token, the end mark left out.
    """

    pieces: tuple[int, ...]
    word_of: tuple[int, ...]
    tokens: tuple[int, ...]
    attention: Numbers

    @property
    def words(self) -> int:
        return self.attention.shape[1]

    def without(self, erased: Words) -> tuple[int, ...]:
        """The source's pieces without those of some words."""
        return tuple(piece for piece, word in zip(self.pieces, self.word_of, strict=True) if word not in erased)


def jobs() -> list[Job]:
    return [job(model) for model in MODELS]


def job(model: str) -> Job:
    settings = {**tatoeba_cmn.COMMON, **MODELS[model], "training.seed": SEED}

    def training(folder: Path, report: Reporter) -> Predictor:
        from regard.training.run import train

        if model in tatoeba_cmn.MODELS and not folder.exists():
            trained = place(tatoeba_cmn.TABLE, tatoeba_cmn.job(model, SEED), "model")
            if trained.exists():
                shutil.copytree(trained, folder)
        data = corpora() / tatoeba_cmn.CORPUS
        return train(data / "train.tsv.gz", dev=data / "dev.tsv", out=folder, report=report, **settings)

    about = {
        "corpus": tatoeba_cmn.CORPUS,
        "model": model,
        "settings": settings,
        "erasure": {"sentences": SENTENCES, "fewest words": FEWEST_WORDS, "most erased": MOST_ERASED},
    }
    return Job(model.replace(",", "").replace(" ", "-"), about, training, scored)


# Scores ---------------------------------------------------------------------------------------------------------------


def scored(predictor: Predictor) -> Mapping[str, Any]:
    """The mean fall of log p, by which words were erased and how many; and how well the attention foretold it."""
    said = outputs(predictor)
    whole = log_probs(predictor, [(each, frozenset()) for each in said])
    single = _single(predictor, said, whole)
    falls = {1: _of_one(said, single)}
    for erased in range(2, MOST_ERASED + 1):
        falls[erased] = _of_several(predictor, said, whole, erased)
    return {
        "sentences": len(said),
        "target tokens": sum(len(each.tokens) for each in said),
        "source words": sum(each.words for each in said) / len(said),
        "log_prob of a token": float(np.mean(np.concatenate(whole))),
        "fall": {
            str(erased): {name: mean_and_interval(values) for name, values in groups.items()}
            for erased, groups in falls.items()
        },
        **_foretold(said, single),
    }


def outputs(predictor: Predictor) -> list[Said]:
    """What the model says to sentences of the test part, evenly taken from all lengths, with enough words."""
    pairs, _ = read_pairs(corpora() / tatoeba_cmn.CORPUS / "test.tsv")
    long_enough = [pair.source for pair in pairs if _words(predictor, pair.source) >= FEWEST_WORDS]
    chosen = [long_enough[int(place)] for place in np.linspace(0, len(long_enough) - 1, SENTENCES)]
    return [each for found in predictor.predict(chosen) if (each := _said(predictor, found)) is not None]


def _words(predictor: Predictor, text: str) -> int:
    return len(predictor.source.encode(text).word_offsets)


def _said(predictor: Predictor, found: Prediction) -> Said | None:
    tokens = tuple(token for token in found.tokens if token != predictor.target.eos)
    if not tokens or found.attention is None:
        return None
    source = predictor.source.encode(found.source)
    gather = np.zeros((len(source), len(source.word_offsets)))
    gather[np.arange(len(source)), list(source.words)] = 1
    return Said(source.ids, source.words, tokens, found.attention.matrix[: len(tokens)].astype(np.float64) @ gather)


def log_probs(predictor: Predictor, asked: Sequence[tuple[Said, Words]]) -> list[Numbers]:
    """log p of each token (T) of what was said, given its source without those words."""
    sources = [said.without(erased) for said, erased in asked]
    targets = [said.tokens for said, _ in asked]
    lengths = [max(len(source), len(target) + 1) for source, target in zip(sources, targets, strict=True)]
    batches = evaluation_batches(lengths, size=CELLS, unit="tokens")
    found = []
    predictor.model.eval()
    for numbers in batches:
        batch = collate(
            sources, targets, numbers, source_pad=predictor.source.pad, target_pad=predictor.target.pad,
            bos=predictor.target.bos, eos=predictor.target.eos,
        )  # fmt: skip
        with torch.inference_mode():
            rows = predictor.model.forced(batch.to(predictor.device)).log_probs.double().cpu().numpy()
        found.append([row[: len(targets[number])] for row, number in zip(rows, numbers, strict=True)])
    return restore(batches, found)


def _single(predictor: Predictor, said: Sequence[Said], whole: Sequence[Numbers]) -> list[Numbers]:
    """(T, W) for each sentence: the fall of each token's log p without each single word."""
    asked = [(each, frozenset({word})) for each in said for word in range(each.words)]
    found = iter(log_probs(predictor, asked))
    return [
        np.stack([before - next(found) for _ in range(each.words)], axis=1)
        for each, before in zip(said, whole, strict=True)
    ]


def _of_one(said: Sequence[Said], single: Sequence[Numbers]) -> dict[str, list[Numbers]]:
    """The falls (T) of each sentence without one word, by how it was chosen."""
    attention = [each.attention for each in said]
    return {
        "most attended": [_picked(fall, a.argmax(1)) for fall, a in zip(single, attention, strict=True)],
        "random": [fall.mean(1) for fall in single],
        "least attended": [_picked(fall, a.argmin(1)) for fall, a in zip(single, attention, strict=True)],
        "the worst": [fall.max(1) for fall in single],
    }


def _picked(fall: Numbers, words: npt.NDArray[np.int64]) -> Numbers:
    return fall[np.arange(len(fall)), words]


def _of_several(
    predictor: Predictor, said: Sequence[Said], whole: Sequence[Numbers], erased: int
) -> dict[str, list[Numbers]]:
    """The falls (T) of each sentence without several words, by how they were chosen; each set is tried once."""
    draw = np.random.default_rng(erased)
    order = [np.argsort(-each.attention, axis=1, kind="stable") for each in said]
    choices = {
        "most attended": [[frozenset(row[:erased].tolist()) for row in rows] for rows in order],
        "random": [
            [frozenset(draw.choice(each.words, erased, replace=False).tolist()) for _ in each.tokens] for each in said
        ],
        "least attended": [[frozenset(row[-erased:].tolist()) for row in rows] for rows in order],
    }
    asked = sorted(
        {(number, words) for sets in choices.values() for number, rows in enumerate(sets) for words in rows},
        key=lambda each: (each[0], sorted(each[1])),
    )
    without = dict(zip(asked, log_probs(predictor, [(said[number], words) for number, words in asked]), strict=True))
    return {
        name: [
            before - np.array([without[number, words][place] for place, words in enumerate(sets[number])])
            for number, before in enumerate(whole)
        ]
        for name, sets in choices.items()
    }


def _foretold(said: Sequence[Said], single: Sequence[Numbers]) -> dict[str, Any]:
    """How well the weights of a token's words foretell the falls: the rank correlation (Kendall's tau), and how often
    the word with the greatest weight is the word without which most is lost, also by how great that weight is."""
    tau = [
        np.array([kendall(a, f) for a, f in zip(each.attention, fall, strict=True)])
        for each, fall in zip(said, single, strict=True)
    ]
    same = [
        (each.attention.argmax(1) == fall.argmax(1)).astype(np.float64) for each, fall in zip(said, single, strict=True)
    ]
    chance = [np.full(len(each.tokens), 1 / each.words) for each in said]
    greatest = np.concatenate([each.attention.max(1) for each in said])
    flat = np.concatenate(same)
    edges = (0.0, *SHARPNESS, np.inf)
    groups = [(low, (greatest >= low) & (greatest < high)) for low, high in pairwise(edges)]
    return {
        "kendall": mean_and_interval(tau),
        "same word": mean_and_interval(same),
        "same word by chance": float(np.mean(np.concatenate(chance))),
        "same word by greatest weight": {
            str(low): [float(flat[chosen].mean()), int(chosen.sum())] for low, chosen in groups if chosen.any()
        },
    }


def kendall(first: Numbers, second: Numbers) -> float:
    """Kendall's tau-a of two rows: concordant less discordant pairs, among all pairs."""
    upper = np.triu_indices(len(first), 1)
    signs = np.sign(np.subtract.outer(first, first))[upper] * np.sign(np.subtract.outer(second, second))[upper]
    return float(signs.mean())


def mean_and_interval(values: Sequence[Numbers]) -> list[float]:
    """The mean over all tokens, and the interval of 95 % of the means when sentences are drawn anew."""
    sums, counts = np.array([each.sum() for each in values]), np.array([len(each) for each in values])
    drawn = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    return [float(sums.sum() / counts.sum()), *(float(edge) for edge in np.percentile(means, [2.5, 97.5]))]


if __name__ == "__main__":
    sys.exit(main(TABLE, jobs(), str(__doc__).splitlines()[0]))
