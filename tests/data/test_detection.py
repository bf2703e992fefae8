"""Which tokeniser is chosen for which texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from regard.data.detection import detect_kind, subword_size
from regard.data.reading import read_pairs, read_parallel

TEXT = "the cat of Mary chases a small grey mouse through every garden behind our white wooden house"
WORDS = TEXT.split()
G2P = ("ady", "arm", "bul", "fre", "geo", "hin", "jpn", "vie")


#: Six consonants of Hindi, each with seven vowel signs.
SYLLABLES = [consonant + vowel for consonant in "कगतदपम" for vowel in "ािीुूेो"]


def sentences(count: int, length: int = 8) -> list[str]:
    return [
        " ".join(WORDS[(line * 7 + place * place) % len(WORDS)] for place in range(length)) + "."
        for line in range(count)
    ]


@pytest.mark.parametrize(
    ("texts", "kind", "reason"),
    [
        (["b ɔ̃ ʒ u ʁ", "p a ʁ i", "t͡ʃ aː pʰ ˧˥"] * 50, "symbols", "12 different ones, 4.3 a line"),
        (["我 爱 你", "他 在 家 里"] * 50, "symbols", "short symbols"),
        (["jump twice", "walk left and run right"] * 100, "symbols", "only 7 different symbols"),
        (["bonjour", "Paris", "ice cream"] * 1000, "character", "single word"),
        (["汤姆在追杰瑞。", "他在家。"] * 1000, "character", "no spaces, and 2,000 lines are few"),
        (["汤姆在追杰瑞。"] * 200_000, "bpe:16000", "200,000 lines suffice"),
        (["ไปไหนมา", "กินข้าว"] * 100, "character", "no spaces"),
        (sentences(300), "character", "300 lines are few"),
        (sentences(2000), "bpe:500", "2,000 lines with 16,000 words suffice for 500 subwords"),
        (
            [first + second for first in SYLLABLES for second in SYLLABLES],
            "code_point",
            "42 letters with marks are made of 13",
        ),
        ([], "character", "no text"),
        (["", " "], "character", "no text"),
    ],
)
def test_choices(texts: list[str], kind: str, reason: str) -> None:
    choice = detect_kind(texts)
    assert choice.kind == kind
    assert reason in choice.reason


@pytest.mark.parametrize(
    ("words", "size"), [(1, 500), (20_000, 500), (100_000, 2_000), (345_020, 8_000), (3_000_000, 32_000)]
)
def test_sizes(words: int, size: int) -> None:
    assert subword_size(["w " * (words // 10)] * 10) == size


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("corpus", "source", "target"),
    [
        ("tatoeba-cmn/train.tsv.gz", "bpe:4000", "character"),
        ("tatoeba-ben/train.tsv", "bpe:500", "bpe:500"),
        *((f"g2p-sigmorphon2020/{code}_train.tsv", "character", "symbols") for code in G2P if code != "hin"),
        ("g2p-sigmorphon2020/hin_train.tsv", "code_point", "symbols"),
    ],
)
def test_public_corpora(corpora: Path, corpus: str, source: str, target: str) -> None:
    pairs, _ = read_pairs(corpora / corpus)
    assert detect_kind([pair.source for pair in pairs]).kind == source
    assert detect_kind([pair.target for pair in pairs]).kind == target


@pytest.mark.realdata
def test_multi30k(corpora: Path) -> None:
    pairs, _ = read_parallel(corpora / "multi30k" / "train.en.gz", corpora / "multi30k" / "train.de.gz")
    assert detect_kind([pair.source for pair in pairs]).kind == "bpe:8000"
    assert detect_kind([pair.target for pair in pairs]).kind == "bpe:8000"
