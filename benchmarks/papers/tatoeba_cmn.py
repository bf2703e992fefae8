"""English to Chinese with and without attention: Tatoeba, splits as given, several right answers to a test sentence.

    python benchmarks/papers/tatoeba_cmn.py --minutes 9

Four models, three seeds: one fixed context, additive (Bahdanau et al. 2015) and bilinear (Luong et al. 2015) attention
in the same recurrent model with the same batches and updates, and a Transformer of about the same size.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from runner import Job, corpora, main

from regard.data.reading import read_pairs
from regard.data.text import word_spans
from regard.evaluation import by_length, statistics
from regard.predictor import Predictor
from regard.training.progress import Reporter
from regard.training.run import train

TABLE, CORPUS = "tatoeba_cmn", "tatoeba-cmn"
SEEDS = (1, 2, 3)
LENGTHS = (4, 6, 8, 11)
METRICS = ("bleu", "chrf")
#: The first is that of the paper's figure; Jerry is not in the training part, cats that are chased are.
SENTENCES = ("Tom chases Jerry.", "Tom chases the cat.", "The dog chased the rabbit.", "I see a cat chasing a dog.")

COMMON: dict[str, Any] = {
    "data.source_tokens": "bpe:4000",
    "data.target_tokens": "character",
    "model.encoder.width": 256,
    "model.decoder.width": 256,
    "model.embedding": 256,
    "model.decoder.input_feeding": False,
    "model.dropout": 0.3,
    "training.batch": 900,
    "training.updates": 2000,
    "training.rate": 2e-3,
    "training.schedule": "linear",
    "training.warmup": 200,
    "training.validate_every": 200,
}
MODELS: dict[str, dict[str, Any]] = {
    "no attention": {"model.context": "fixed"},
    "additive": {"model.cross.score": "additive"},
    "bilinear": {"model.cross.score": "bilinear"},
    "transformer": {
        "model.encoder.kind": "transformer",
        "model.decoder.kind": "transformer",
        "model.encoder.layers": 2,
        "model.decoder.layers": 2,
        "model.encoder.feedforward": 512,
        "model.decoder.feedforward": 512,
        "model.cross.score": "scaled_dot",
        "model.cross.heads": 4,
        "training.rate": 1e-3,
    },
}


def jobs() -> list[Job]:
    """All models of the first seed, then of the second, ..."""
    return [job(model, seed) for seed in SEEDS for model in MODELS]


def job(model: str, seed: int) -> Job:
    settings = {**COMMON, **MODELS[model], "training.seed": seed}

    def training(folder: Path, report: Reporter) -> Predictor:
        data = corpora() / CORPUS
        return train(data / "train.tsv.gz", dev=data / "dev.tsv", out=folder, report=report, **settings)

    about = {"corpus": CORPUS, "model": model, "seed": seed, "settings": settings}
    return Job(f"{model.replace(' ', '-')}-{seed}", about, training, scored)


def scored(predictor: Predictor) -> Mapping[str, Any]:
    """BLEU and chrF of the test part, of all of it and by the words of the source; and what becomes of SENTENCES."""
    pairs, _ = read_pairs(corpora() / CORPUS / "test.refs.tsv", references=True)
    lengths = [len(word_spans(pair.source)) for pair in pairs]
    found = predictor.predict([pair.source for pair in pairs], beam=5)
    scores: dict[str, Any] = {"sentences": len(pairs), "mean lengths": _mean_lengths(lengths)}
    for metric in METRICS:
        counted = statistics(metric, [each.text for each in found], [pair.targets for pair in pairs])
        whole = counted.score()
        scores[metric] = {"all": whole.value, "signature": whole.signature}
        scores[metric]["by length"] = {
            name: [score.value, score.sentences] for name, score in by_length(counted, lengths, LENGTHS)
        }
    said = predictor.predict(list(SENTENCES), beam=5)
    scores["said"] = {each.source: {"text": each.text, "log_prob": each.log_prob} for each in said}
    scores["unknown"] = {each.source: list(each.unknown) for each in said if each.unknown}
    return scores


def _mean_lengths(lengths: list[int]) -> list[float]:
    """The mean of each range of lengths, from short to long."""
    ranges: dict[int, list[int]] = {}
    for length in sorted(lengths):
        ranges.setdefault(bisect_left(LENGTHS, length), []).append(length)
    return [fmean(each) for each in ranges.values()]


if __name__ == "__main__":
    sys.exit(main(TABLE, jobs(), str(__doc__).splitlines()[0]))
