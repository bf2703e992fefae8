"""Metrics of text against references, all in per cent.

BLEU (Papineni et al. 2002), chrF (Popović 2015) and TER (Snover et al. 2006) are sacreBLEU's (Post 2018), with its
signature. Accuracy and the error rates of characters and tokens are computed here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from regard.errors import RegardError, did_you_mean
from regard.evaluation.counts import Counts, Statistics
from regard.evaluation.distance import edit_distance
from regard.evaluation.report import Score

#: For each sentence its reference, or several of them.
References: TypeAlias = Sequence[str] | Sequence[Sequence[str]]
Compute: TypeAlias = Callable[[Sequence[str], Sequence[tuple[str, ...]], bool], Statistics]

_LONGEST_SHIFTED = 200

#: Scripts that put no space between words, by the first word of the names of their characters.
_UNSPACED = ("HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")


@dataclass(frozen=True)
class Metric:
    """A metric: how it counts, which direction is the good one, and what it is."""

    compute: Compute
    higher_is_better: bool
    meaning: str


def statistics(name: str, hypotheses: Sequence[str], references: References, lowercase: bool = False) -> Statistics:
    """What the metric `name` counts in each sentence: for scores of parts, intervals and comparisons.

    Raises `RegardError` for an unknown metric, no sentence at all, not one reference or more for each sentence.
    """
    if name not in METRICS:
        raise RegardError(f"metric: there is no {name!r}{did_you_mean(name, METRICS)}")
    return METRICS[name].compute(hypotheses, _checked(name, hypotheses, references), lowercase)


def score(name: str, hypotheses: Sequence[str], references: References, lowercase: bool = False) -> Score:
    """The score of all `hypotheses`, each against its reference or references; errors as `statistics`."""
    return statistics(name, hypotheses, references, lowercase).score()


def length_ratio(bleu: Statistics) -> float:
    """r, tokens of the outputs to those of the references, for which BLEU has the factor min(1, e^(1 - 1/r)).

    Of several references of a sentence the one nearest in length counts (Papineni et al. 2002, section 2.2.2). Raises
    ValueError for what another metric counted.
    """
    if bleu.name != "bleu":
        raise ValueError(f"length_ratio: of what BLEU counted, not {bleu.name}")
    said, wanted = bleu.counts[:, :2].sum(0)
    return float(said / wanted) if wanted else 1.0


def bleu_tokenizer(references: Iterable[str]) -> tuple[str, str]:
    """sacreBLEU's tokenizer for the script of `references`, with the reason: `("zh", "tokenizer zh, since ...")`.

    `zh` where Han characters are the most of the letters (each becomes a token, other words stay whole); `char` for
    other scripts that put no space between words, Japanese among them; else `13a`, the default of published scores.
    """
    letters = han = unspaced = 0
    for text in references:
        for character in text:
            if not character.isascii() and unicodedata.category(character)[0] in "LM":
                script = unicodedata.name(character, "").partition(" ")[0]
                han += script == "CJK"
                unspaced += script in _UNSPACED
            letters += character.isalpha()
    # Japanese is known by its syllabaries, which every sentence has some of.
    if unspaced > letters / 10:
        return "char", "tokenizer char, since the references are in a script without spaces between words"
    if han > letters / 2:
        return "zh", "tokenizer zh, since most letters of the references are Chinese"
    return "13a", "tokenizer 13a, since the references are in a script with spaces between words"


# sacreBLEU's metrics --------------------------------------------------------------------------------------------------


def _bleu(hypotheses: Sequence[str], references: Sequence[tuple[str, ...]], lowercase: bool) -> Statistics:
    from sacrebleu.metrics.bleu import BLEU

    tokenizer, reason = bleu_tokenizer(text for texts in references for text in texts)
    # `force` silences a warning on text that looks tokenised; whether it is, is for its owner to know.
    metric = BLEU(tokenize=tokenizer, lowercase=lowercase, force=True)
    return _from_sacrebleu("bleu", metric, hypotheses, references, True, reason)


def _chrf(hypotheses: Sequence[str], references: Sequence[tuple[str, ...]], lowercase: bool) -> Statistics:
    from sacrebleu.metrics.chrf import CHRF

    return _from_sacrebleu("chrf", CHRF(lowercase=lowercase), hypotheses, references, True)


def _ter(hypotheses: Sequence[str], references: Sequence[tuple[str, ...]], lowercase: bool) -> Statistics:
    from sacrebleu.metrics.ter import TER

    tokenizer, _ = bleu_tokenizer(text for texts in references for text in texts)
    asian = tokenizer != "13a"
    reason = "every Chinese character is a word, since the references have no spaces between words" if asian else ""
    metric = TER(normalized=asian, asian_support=asian, case_sensitive=not lowercase)

    def words(text: str) -> list[str]:
        found: str = metric._preprocess_segment(text)
        return found.split()

    # The time that shifts take grows with the cube of the length, to minutes for one sentence of 1,000 words.
    long = {
        place
        for place, texts in enumerate(zip(hypotheses, references, strict=True))
        if max(len(words(text)) for text in (texts[0], *texts[1])) > _LONGEST_SHIFTED
    }
    if not long:
        return _from_sacrebleu("ter", metric, hypotheses, references, False, reason)
    shifted = [
        ("", ("",)) if place in long else (hypotheses[place], references[place]) for place in range(len(references))
    ]
    found = _from_sacrebleu("ter", metric, [text for text, _ in shifted], [texts for _, texts in shifted], False)
    for place in long:
        said, wanted = words(hypotheses[place]), [words(text) for text in references[place]]
        found.counts[place] = (
            min(edit_distance(said, units) for units in wanted),
            sum(map(len, wanted)) / len(wanted),
        )
    note = f"without shifts in {len(long):,} sentences of more than {_LONGEST_SHIFTED} words"
    return replace(found, note="; ".join(filter(None, (reason, note))))


def _from_sacrebleu(
    name: str,
    metric: Any,
    hypotheses: Sequence[str],
    references: Sequence[tuple[str, ...]],
    higher_is_better: bool,
    note: str = "",
) -> Statistics:
    # sacreBLEU wants streams: the first references of all sentences, the second ones, and None where there is none.
    most = max(map(len, references))
    streams = [[texts[i] if i < len(texts) else None for texts in references] for i in range(most)]
    counts = np.asarray(metric._extract_corpus_statistics(list(hypotheses), streams), dtype=np.float64)

    def score_of(total: Counts) -> float:
        return float(metric._compute_score_from_stats(total.tolist()).score)

    return Statistics(name, counts, score_of, higher_is_better, metric.get_signature().format(), note)


# Regard's own ---------------------------------------------------------------------------------------------------------


def _accuracy(hypotheses: Sequence[str], references: Sequence[tuple[str, ...]], lowercase: bool) -> Statistics:
    units = _normalised(lowercase)
    right = [
        (float(units(hypothesis) in map(units, texts)), 1.0)
        for hypothesis, texts in zip(hypotheses, references, strict=True)
    ]
    return Statistics(
        "accuracy", np.asarray(right), _share, True, _signature(references, lowercase, "whole outputs, spaces joined")
    )


def _error_rate(name: str, split: Callable[[str], Sequence[str]], unit: str) -> Compute:
    """A metric: edits to the nearest reference (the first of equals), per unit of that reference."""

    def compute(hypotheses: Sequence[str], references: Sequence[tuple[str, ...]], lowercase: bool) -> Statistics:
        normalised = _normalised(lowercase)
        counts = []
        for hypothesis, texts in zip(hypotheses, references, strict=True):
            found = split(normalised(hypothesis))
            wanted = [split(normalised(text)) for text in texts]
            counts.append(
                min(((edit_distance(found, units), len(units)) for units in wanted), key=lambda pair: pair[0])
            )
        signature = _signature(references, lowercase, unit)
        return Statistics(name, np.asarray(counts, dtype=np.float64), _rate, False, signature)

    return compute


def _share(total: Counts) -> float:
    return float(100 * total[0] / total[1]) if total[1] else 0.0


def _rate(total: Counts) -> float:
    """Edits per unit; where the references are empty, nothing said is right and anything else is wholly wrong."""
    if total[1]:
        return float(100 * total[0] / total[1])
    return 100.0 if total[0] else 0.0


def _normalised(lowercase: bool) -> Callable[[str], str]:
    """NFC, one space for each stretch of white space, none at the ends; lower case on request."""

    def normalise(text: str) -> str:
        text = " ".join(unicodedata.normalize("NFC", text).split())
        return text.lower() if lowercase else text

    return normalise


def _signature(references: Sequence[tuple[str, ...]], lowercase: bool, unit: str) -> str:
    numbers = {len(texts) for texts in references}
    nrefs = str(numbers.pop()) if len(numbers) == 1 else "var"
    return f"nrefs:{nrefs}|case:{'lc' if lowercase else 'mixed'}|unit:{unit}"


def _checked(name: str, hypotheses: Sequence[str], references: References) -> list[tuple[str, ...]]:
    if len(hypotheses) != len(references):
        raise RegardError(f"{name}: {len(hypotheses)} outputs but {len(references)} references")
    if not len(hypotheses):
        raise RegardError(f"{name}: there is no sentence to score")
    texts = [(item,) if isinstance(item, str) else tuple(item) for item in references]
    for number, item in enumerate(texts, start=1):
        if not item:
            raise RegardError(f"{name}: sentence {number} has no reference")
    return texts


_TOKEN_ERRORS = "tokens between spaces"

#: Every metric by name.
METRICS: dict[str, Metric] = {
    "bleu": Metric(_bleu, True, "BLEU: n-grams of words shared with the references"),
    "chrf": Metric(_chrf, True, "chrF: n-grams of characters shared with the reference"),
    "ter": Metric(_ter, False, "translation edit rate: edits and shifts of words per word of the references"),
    "accuracy": Metric(_accuracy, True, "outputs that are wholly right"),
    "cer": Metric(
        _error_rate("cer", lambda text: text, "code points, spaces among them"), False, "character error rate"
    ),
    "wer": Metric(_error_rate("wer", str.split, _TOKEN_ERRORS), False, "word error rate (words between spaces)"),
    "per": Metric(_error_rate("per", str.split, _TOKEN_ERRORS), False, "phone error rate (phones between spaces)"),
    "token_error_rate": Metric(
        _error_rate("token_error_rate", str.split, _TOKEN_ERRORS), False, "edits of tokens per token of the reference"
    ),
}
