"""What links mean for the rows of a batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny import TINY, backwards

from regard.configuration import checked, flatten
from regard.training.corpus import texts_of
from regard.training.guidance import guide_of
from regard.training.preparing import prepare
from regard.training.validation import make_batch


@pytest.mark.parametrize("reading", [False, True])
def test_a_word_teaches_the_step_that_predicts_it_or_the_one_that_has_read_it(reading: bool, tmp_path: Path) -> None:
    pairs = backwards(40)
    links = tmp_path / "links"
    sizes = [len(source.split()) for source, _ in pairs]
    # Backwards; the last target word of each pair is linked with nothing.
    lines = [" ".join(f"{place}-{size - 1 - place}" for place in range(1, size)) for size in sizes]
    links.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    given = checked({**flatten(TINY), "training.guided_reading": reading, "training.guided_weight": 3.0})
    prepared = prepare(texts_of(pairs, pairs[:5], links), given)
    corpus = prepared.corpus
    batch = make_batch(corpus.train, [3, 0, 7], corpus.source, corpus.target)
    guide = guide_of(corpus, prepared.settings, batch)
    assert guide is not None
    assert guide.weight == 3.0
    expected = torch.zeros(*batch.target_out.shape, batch.source.shape[1])
    for row, index in enumerate(batch.indices.tolist()):
        size = sizes[index]
        for place in range(1, size):
            expected[row, size - 1 - place + reading, place] = 1.0
    assert torch.equal(guide.gold, expected)


@pytest.mark.parametrize("reading", [False, True])
def test_words_without_links_look_at_nothing_where_the_pair_has_links(reading: bool, tmp_path: Path) -> None:
    pairs = [("one two", "2 1"), ("three four five", "5 4 3"), ("six", "6")]
    links = tmp_path / "links"
    links.write_text("0-1\n1-0 1-2\n\n", encoding="utf-8")
    given = checked(
        {
            **flatten(TINY),
            "training.guided_unlinked": "nothing",
            "training.guided_reading": reading,
            "model.cross.normalizer": "softmax:sink",
        }
    )
    prepared = prepare(texts_of(pairs, pairs, links), given)
    corpus = prepared.corpus
    batch = make_batch(corpus.train, [0, 1, 2], corpus.source, corpus.target)
    guide = guide_of(corpus, prepared.settings, batch)
    assert guide is not None
    assert guide.nothing is not None
    # The end of a target is no word, and of the last pair nothing is known.
    free = {0: {0}, 1: {1}, 2: set()}
    for row, index in enumerate(batch.indices.tolist()):
        expected = [place - reading in free[index] for place in range(batch.target_out.shape[1])]
        assert guide.nothing[row].tolist() == expected
