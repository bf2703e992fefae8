"""Scores, input feeding and local attention, in the manner of Luong et al. (2015); lengths, of Bahdanau et al. (2015).

    python benchmarks/papers/luong.py --minutes 9

Recurrent models that differ in one setting, on English to Chinese (Tatoeba) and English to German (Multi30k), three
seeds: without attention, with the scores location, dot, general and concat, with and without input feeding, and local
attention around a place that is predicted.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import multi30k
from runner import Job, Record, corpora, main, spread

from regard.data.reading import read_pairs
from regard.data.text import word_spans
from regard.evaluation import by_length, statistics
from regard.predictor import Predictor
from regard.training.progress import Reporter
from regard.training.run import train

TABLE = "luong"
SEEDS = (1, 2, 3)
COMMON: dict[str, Any] = {
    "data.source_case": "fold",
    "data.target_case": "fold",
    "model.encoder.width": 128,
    "model.decoder.width": 128,
    "model.embedding": 64,
    "model.decoder.input_feeding": False,
    "model.dropout": 0.3,
    "training.rate": 3e-3,
    "training.schedule": "linear",
    "training.smoothing": 0.0,
    "training.threads": 1,
}
CORPORA: dict[str, dict[str, Any]] = {
    "tatoeba-cmn": {
        "data.source_tokens": "bpe:2000",
        "data.target_tokens": "character",
        "training.batch": 1200,
        "training.updates": 1200,
        "training.validate_every": 300,
    },
    "multi30k": {
        "data.joint": True,
        "data.source_tokens": "bpe:2000",
        "data.target_tokens": "bpe:2000",
        "training.batch": 1500,
        "training.updates": 1200,
        "training.validate_every": 300,
    },
}
_GENERAL = {"model.cross.score": "bilinear"}
_FED = {"model.decoder.input_feeding": True}
#: As the papers call them; `concat` is what Regard calls additive, `general` bilinear.
MODELS: dict[str, dict[str, Any]] = {
    "no attention": {"model.context": "fixed"},
    "location": {"model.cross.score": "location"},
    "dot": {"model.cross.score": "dot"},
    "general": _GENERAL,
    "concat": {"model.cross.score": "additive"},
    "location, feeding": {"model.cross.score": "location", **_FED},
    "general, feeding": {**_GENERAL, **_FED},
    "local-p general, feeding": {**_GENERAL, **_FED, "model.context": "local_p:5"},
}
#: BLEU of WMT 2014, English to German (Luong et al. 2015, tables 1 and 4); no attention: with dropout and the source
#: reversed. All with attention have input feeding but where the table's first steps are without it.
PUBLISHED = {
    "no attention": "14.0",
    "location": "16.8",
    "location, feeding": "18.1",
    "general, feeding": "17.3",
    "local-p general, feeding": "19.0",
}
#: Words of the source, up to which the ranges of lengths go.
LENGTHS = {"tatoeba-cmn": (4, 6, 8, 11), "multi30k": (8, 11, 14, 18)}
NAMES = {"tatoeba-cmn": "English to Chinese (Tatoeba)", "multi30k": "English to German (Multi30k)"}

Texts = list[tuple[str, str]]


def jobs() -> list[Job]:
    """All models of both corpora with the first seed, then with the second, ..."""
    return [job(corpus, model, seed) for seed in SEEDS for corpus in CORPORA for model in MODELS]


def job(corpus: str, model: str, seed: int) -> Job:
    settings = {**COMMON, **CORPORA[corpus], **MODELS[model]}

    def training(folder: Path, report: Reporter) -> Predictor:
        if corpus == "multi30k":
            given: tuple[Any, Any] = multi30k.texts("train", "de"), multi30k.texts("val", "de")
        else:
            given = corpora() / corpus / "train.tsv.gz", corpora() / corpus / "dev.tsv"
        return train(given[0], dev=given[1], out=folder, report=report, **settings, training={"seed": seed})

    about = {"corpus": corpus, "model": model, "settings": settings, "seed": seed}
    name = f"{corpus}-{model.replace(',', '').replace(' ', '-')}-{seed}"
    return Job(name, about, training, lambda predictor: scored(predictor, corpus))


def scored(predictor: Predictor, corpus: str) -> Mapping[str, Any]:
    """BLEU of the test part, of all of it and by the words of the source, and the perplexity of a token of it."""
    sources, targets = test(corpus)
    counted = statistics("bleu", [each.text for each in predictor.predict(sources, beam=5)], targets, lowercase=True)
    likely = [each for each in predictor.likelihood(sources, [of[0] for of in targets]) if each is not None]
    mean = sum(each.log_prob for each in likely) / sum(len(each.tokens) for each in likely)
    whole = counted.score()
    ranges = by_length(counted, [len(word_spans(source)) for source in sources], LENGTHS[corpus])
    return {
        "bleu": whole.value,
        "signature": whole.signature,
        "perplexity": round(math.exp(-mean), 3),
        "pairs": len(likely),
        "by length": {name: [score.value, score.sentences] for name, score in ranges},
    }


def test(corpus: str) -> tuple[list[str], list[tuple[str, ...]]]:
    """Test sentences, each with its translations."""
    if corpus == "multi30k":
        sources, targets = zip(*multi30k.texts("test_2016_flickr", "de"), strict=True)
        return list(sources), [(target,) for target in targets]
    pairs, _ = read_pairs(corpora() / corpus / "test.refs.tsv", references=True)
    return [pair.source for pair in pairs], [pair.targets for pair in pairs]


# What is told --------------------------------------------------------------------------------------------------------

_SECTION = """## Scores, input feeding, and lengths

The same recurrent model (bidirectional LSTM, LSTM, width {width}; attention after the update) with one thing changed,
in the manner of Luong et al. (2015): {chinese:,} updates on Tatoeba, English to Chinese, {german:,} on Multi30k, into
German (test 2016). BLEU with beam 5, in lower case; perplexity of a target token of the test. Published are figures of
WMT 2014, English to German, for the order: of *general* alone the paper has none. Local attention looks at five places
to either side of one that is predicted.

    python benchmarks/papers/luong.py --minutes 9    # again and again, until all is done"""
_LENGTHS = """BLEU by the length of the source in words, with the number of sentences: the figure of Bahdanau et al.
(2015), where a model without attention fails as sentences grow, and one with attention does not."""


def sections(found: Sequence[Record], table: Callable[[Sequence[str], Iterable[Sequence[str]]], str]) -> list[str]:
    """Of the page of results."""
    if not found:
        return []
    updates = [CORPORA[corpus]["training.updates"] for corpus in CORPORA]
    text = _SECTION.format(width=COMMON["model.decoder.width"], chinese=updates[0], german=updates[1])
    scores, lengths = list[str](), list[str]()
    for corpus, name in NAMES.items():
        of = {
            model: [each["scores"] for each in found if (each["corpus"], each["model"]) == (corpus, model)]
            for model in MODELS
        }
        known = {model: some for model, some in of.items() if some}
        if not known:
            continue
        rows = [
            [
                model,
                spread(each["bleu"] for each in some),
                spread(each["perplexity"] for each in some),
                str(len(some)),
                PUBLISHED.get(model, ""),
            ]
            for model, some in known.items()
        ]
        scores.append(table((name, "BLEU", "perplexity", "seeds", "published BLEU"), rows))
        ranges = next(iter(known.values()))[0]["by length"]
        heads = (f"{name}, words", *(f"{length} ({count})" for length, (_, count) in ranges.items()))
        told = [
            [model, *(spread(each["by length"][length][0] for each in some) for length in ranges)]
            for model, some in known.items()
        ]
        lengths.append(table(heads, told))
    return [text, *scores, _LENGTHS, *lengths]


if __name__ == "__main__":
    sys.exit(main(TABLE, jobs(), str(__doc__).splitlines()[0]))
