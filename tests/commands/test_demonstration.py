"""The parts of `regard demo` that are no training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from regard.data.pocket import PocketPair
from regard.data.pocket.tones import tones
from regard.data.tokenisers import make_tokeniser
from regard.demonstration.english_chinese import _links, english_chinese, write_words
from regard.demonstration.tones import within
from regard.maps import NO_WORD, AttentionMap, Sound, Tokens, whole_words

PAIR = PocketPair(
    source="Tom doesn't sing.",
    target="汤姆不唱歌。",
    template="",
    source_words=("Tom", "doesn't", "sing", "."),
    target_words=("汤姆", "不", "唱歌", "。"),
    links=frozenset({(0, 0), (1, 1), (2, 2), (3, 3)}),
    possible=frozenset(),
    part="test",
)


def _map(looks_at: list[int]) -> AttentionMap:
    """Pieces Tom, does, n't, sing, . and one row for each character and the end mark."""
    source = Tokens(
        ("Tom", " does", "n't", " sing", "."),
        (0, 1, 1, 2, 3),
        PAIR.source,
        ((0, 3), (3, 8), (8, 11), (11, 16), (16, 17)),
    )
    size = len(PAIR.target)
    target = Tokens(
        (*PAIR.target, "<eos>"),
        (*range(size), NO_WORD),
        PAIR.target,
        (*((i, i + 1) for i in range(size)), (size, size)),
    )
    return AttentionMap(np.eye(5)[looks_at], source, target, axes=())


def test_links_count_in_gold_words() -> None:
    assert _links(_map([0, 0, 2, 3, 3, 4, 4]), PAIR) == PAIR.links
    assert _links(_map([0, 0, 1, 4, 4, 4, 4]), PAIR) == {(0, 0), (1, 1), (3, 2), (3, 3)}


def test_chinese_is_cut_into_words_and_put_together_again(tmp_path: Path) -> None:
    pocket = english_chinese()
    write_words(pocket, tmp_path / "words.json")
    tokeniser = make_tokeniser(str(tmp_path / "words.json"), [])
    right = sum(tokeniser.encode(pair.target).pieces == pair.target_words for pair in pocket.test)
    assert right > 0.9 * len(pocket.test)
    for pair in pocket.test[:200]:
        assert tokeniser.decode(tokeniser.encode(pair.target).ids) == pair.target


def test_a_key_is_looked_at_while_it_sounds() -> None:
    dialled = next(each for each in tones() if len(each.keys) == 4)
    step = 0.04
    places = int(dialled.seconds / step)
    weights = np.full((5, places), 0.01)
    for row, (start, end) in enumerate(dialled.spans):
        weights[row, int((start + end) / 2 / step)] = 0.5
    weights[2] = 0.01
    weights[2, 0] = 0.5  # before anything sounds
    sound = Sound(dialled.samples(), 8000, places, step)
    target = whole_words([*dialled.keys, "<eos>"], special=["<eos>"])
    map = AttentionMap(weights, sound.tokens("a.wav"), target, axes=(), medium=sound)
    assert within(map, dialled) == [True, True, False, True]
