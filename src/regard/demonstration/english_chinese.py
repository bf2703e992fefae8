"""English to Chinese: the pocket corpus, the model that learns it in about a minute, and how well it did."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regard.data.pocket import PocketPair, corpus, word_for_word_accuracy
from regard.evaluation import AlignmentScore, Gold, Statistics, alignment_score, statistics
from regard.files import make_folder, write_bytes
from regard.maps import AttentionMap, Links, Tokens, links_from, word_matrix

if TYPE_CHECKING:
    from regard.predictor import Predictor
    from regard.training.progress import Reporter

SENTENCES = ("Tom chases Jerry.", "Tom chase Jerry")
"""Both are held out: no sentence of the training means the same."""

WORDS = "words.json"
SETTINGS: dict[str, Any] = {
    "model": {
        "encoder": {"width": 192, "memory": "words"},
        "decoder": {"width": 192, "input_feeding": False, "word_dropout": 0.3},
        "embedding": 128,
        "dropout": 0.2,
    },
    "training": {
        "updates": 1000,
        "batch": 700,
        "rate": 3e-3,
        "schedule": "linear",
        "validate_every": 500,
        "coverage": 0.4,
    },
    "search": {"beam": 1},
}


@dataclass(frozen=True)
class Pocket:
    """The parts of the corpus."""

    train: tuple[PocketPair, ...]
    dev: tuple[PocketPair, ...]
    test: tuple[PocketPair, ...]
    templates: tuple[PocketPair, ...]
    substitution: float


def english_chinese() -> Pocket:
    """The English-Chinese pocket corpus, and the share of test pairs that word-for-word substitution gets right."""
    pairs = corpus("english-chinese")
    train, dev, test, templates = (
        tuple(pair for pair in pairs if pair.part == part) for part in ("train", "dev", "test", "templates")
    )
    return Pocket(train, dev, test, templates, word_for_word_accuracy(pairs))


def learn(pocket: Pocket, folder: Path, report: Reporter, *, context: str = "attention", **more: Any) -> Predictor:
    """Train the demonstration's model; `context` "fixed" leaves the attention out, and nothing else."""
    from regard.training.run import train

    words = folder / WORDS
    make_folder(folder)
    write_words(pocket, words)
    settings = {
        **SETTINGS,
        "data": {"target_tokens": str(words)},
        "model": {**SETTINGS["model"], "context": context},
    }
    if context == "fixed":  # which looks at no word, so none can be covered
        settings["training"] = {**SETTINGS["training"], "coverage": 0.0}
    return train(
        [(pair.source, pair.target) for pair in pocket.train],
        dev=[(pair.source, pair.target) for pair in pocket.dev],
        out=folder,
        report=report,
        **settings,
        **more,
    )


def write_words(pocket: Pocket, path: Path) -> None:
    """A `tokenizer.json` that cuts Chinese into the words of the training part: the likeliest ones, by their counts.

    Chinese has no spaces, and a distribution for each word says more than one for each character.
    """
    from tokenizers import Tokenizer, decoders
    from tokenizers.models import Unigram

    counts = Counter(word for pair in pocket.train for word in pair.target_words)
    total = counts.total()
    pieces = [(word, math.log(count / total)) for word, count in sorted(counts.items())]
    # A character that is no word by itself is the last resort.
    rare = math.log(1 / total) - 10
    pieces += [(character, rare) for character in sorted(set("".join(counts)) - set(counts))]
    library = Tokenizer(Unigram([("<unk>", 0.0), *pieces], unk_id=0))
    library.decoder = decoders.Fuse()
    write_bytes(path, library.to_str().encode("utf-8"))


def exact_match(predictor: Predictor, pairs: Sequence[PocketPair]) -> Statistics:
    """Which outputs are right from their first to their last character."""
    found = predictor.predict([pair.source for pair in pairs])
    return statistics("accuracy", [each.text for each in found], [pair.target for pair in pairs])


def alignment_of(predictor: Predictor, pairs: Sequence[PocketPair]) -> AlignmentScore:
    """How well the plain weights of forced decoding, merged to words, say which word came from which."""
    maps = predictor.align([pair.source for pair in pairs], [pair.target for pair in pairs])
    links = [_links(predictor.shown(map), pair) for map, pair in zip(maps, pairs, strict=True) if map is not None]
    return alignment_score(links, [Gold(pair.links, pair.possible) for pair in pairs])


def _links(map: AttentionMap, pair: PocketPair) -> Links:
    """Each target word with the source word that weighs most, in the numbers of the gold words."""
    spans = (_spans(map.source, pair.source_words), _spans(map.target, pair.target_words))
    return links_from(word_matrix(map, *spans))


def _spans(tokens: Tokens, words: Sequence[str]) -> list[tuple[int, int]]:
    """Start and end of each of the words given, in the tokens' text."""
    assert tokens.text is not None
    spans, at = list[tuple[int, int]](), 0
    for word in words:
        begin = tokens.text.index(word, at)
        at = begin + len(word)
        spans.append((begin, at))
    return spans
