"""`regard demo`: English to Chinese."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from regard.commands.predicting import show_attention
from regard.training.progress import Brief

if TYPE_CHECKING:
    from regard.demonstration.english_chinese import Pocket
    from regard.predictor import Predictor

_TOP = 4


def run(given: argparse.Namespace) -> int:
    """Train on the English-Chinese pocket corpus, translate two sentences, show the attention, and measure."""
    print("Regard's demonstration: English to Chinese, from a corpus made on the spot.", flush=True)
    from regard.demonstration.english_chinese import SENTENCES, english_chinese, learn
    from regard.training.progress import reporter

    begin = time.monotonic()
    pocket = english_chinese()
    print(f"{len(pocket.train):,} pairs to learn from, such as: {pocket.train[0].source}  ->  {pocket.train[0].target}")
    folder = Path(given.out or "regard-demo")
    with reporter() as report:
        model = learn(pocket, folder, Brief(report), restart=given.restart)
    for sentence in SENTENCES:
        _translate(model, sentence)
    print(f"\ntrained and translated in {time.monotonic() - begin:.0f} seconds; now sentences that it has never seen:")
    _measure(model, pocket)
    if given.compare:
        print("\nNow the same model without attention:", flush=True)
        with reporter() as report:
            fixed = learn(
                pocket, folder.with_name(f"{folder.name}-fixed"), Brief(report), context="fixed", restart=given.restart
            )
        _compare(model, fixed, pocket)
    print(f"\n{time.monotonic() - begin:.0f} seconds in all. The model is in {folder}:")
    print(f'  regard predict {folder} --show "Tom was chased by Jerry."')
    return 0


def _translate(model: Predictor, sentence: str) -> None:
    found = model.predict(sentence)
    print(f"\n{sentence}  ->  {found.text}   (log-probability {found.log_prob:.3f})")
    show_attention(found.attention, _TOP)


def _measure(model: Predictor, pocket: Pocket) -> None:
    from regard.demonstration.english_chinese import alignment_of, exact_match

    test, templates = exact_match(model, pocket.test).score(), exact_match(model, pocket.templates).score()
    print(f"  exactly right, of {test.sentences:,} unseen sentences: {test.value:.1f} %")
    print(f"    (a dictionary, word for word: {100 * pocket.substitution:.1f} %)")
    print(f"  exactly right, of {templates.sentences:,} sentences of unseen constructions: {templates.value:.1f} %")
    print(f"  plain attention weights as word alignments: {alignment_of(model, pocket.test)}")


def _compare(model: Predictor, fixed: Predictor, pocket: Pocket) -> None:
    from regard.demonstration.english_chinese import exact_match
    from regard.evaluation import by_length, table

    lengths = [len(pair.source_words) for pair in pocket.test]
    with_attention, without = (exact_match(each, pocket.test) for each in (model, fixed))
    rows = [
        (length, str(score.sentences), f"{score.value:.1f}", f"{other.value:.1f}")
        for (length, score), (_, other) in zip(
            by_length(with_attention, lengths), by_length(without, lengths), strict=True
        )
    ]
    rows.append(("all", str(len(lengths)), f"{with_attention.score().value:.1f}", f"{without.score().value:.1f}"))
    print("\nThe same model with one fixed context C for all words, trained equally long (exactly right, in per cent):")
    print(table(("source words", "sentences", "with attention", "fixed context"), rows))
