"""Training with BPE dropout: resumed is uninterrupted to the bit, and what is counted is what was learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny import TINY, backwards, same_weights

from regard.errors import RegardError
from regard.training import run
from regard.training.corpus import Corpus
from regard.training.feeding import Feeder, cut_of
from regard.training.preparing import gather, prepare, read

DATA = {"source_tokens": "bpe:40", "target_tokens": "bpe:20", "source_dropout": 0.3, "target_dropout": 0.3}
PAIRS, DEV = backwards(60), backwards(10, seed=1)


def settings(**training: Any) -> dict[str, Any]:
    return {**TINY, "data": DATA, "training": {**TINY["training"], "warmup": 4, **training}, "report": False}


def test_resumed_is_uninterrupted_to_the_bit(tmp_path: Path) -> None:
    whole, parts, plain = (tmp_path / name for name in ("whole", "parts", "plain"))
    run.train(PAIRS, dev=DEV, out=whole, **settings(updates=20))
    for updates in (5, 13, 20):  # in the middle of epochs
        run.train(PAIRS, dev=DEV, out=parts, **settings(updates=updates))
    assert same_weights(whole, parts)
    run.train(PAIRS, dev=DEV, out=plain, **{**settings(updates=20), "data": {**DATA, "source_dropout": 0.0}})
    assert not same_weights(whole, plain)


def corpus_of(**changes: Any) -> tuple[Corpus, Any]:
    given = {name: value for name, value in {**settings(), **changes}.items() if name != "report"}
    values = gather(None, given)
    prepared = prepare(read(PAIRS, None, DEV, None, values), values)
    return prepared.corpus, prepared.settings


@pytest.mark.parametrize("copy", [False, True])
def test_batches_are_cut_anew_in_every_epoch_and_counted(copy: bool) -> None:
    corpus, chosen = corpus_of(model={**TINY["model"], "copy": copy})
    batches = [[3, 1, 4], [15, 9]]
    feeder = Feeder(corpus, 7, cut=cut_of(corpus, chosen))
    found = []
    for epoch in (0, 1):
        tokens = feeder.target_tokens(batches, epoch)
        made = [feeder.take(batch, epoch) for batch in batches]
        assert sum(int(batch.target_lengths.sum()) for batch in made) == tokens
        assert [batch.indices.tolist() for batch in made] == batches
        again = Feeder(corpus, 7, cut=cut_of(corpus, chosen)).take(batches[0], epoch)
        assert again.source.tolist() == made[0].source.tolist()
        assert again.source.dim() == 2 + copy
        found.append(made[0].source.tolist())
        for batch in made:
            for row, index in enumerate(batch.indices.tolist()):
                said = batch.target_out[row, : int(batch.target_lengths[row]) - 1].tolist()
                assert corpus.target.decode(said) == PAIRS[index][1]
    assert found[0] != found[1]


def test_what_would_be_too_long_stays_as_it_is() -> None:
    decoder = {"kind": "transformer", "position": "learned", "width": 16}
    corpus, chosen = corpus_of(model={**TINY["model"], "decoder": decoder, "longest": 12})
    cut = cut_of(corpus, chosen)
    assert cut is not None
    for index in range(len(corpus.train)):
        source, target = cut(corpus.train, index, 1, 0)
        assert len(target) <= 11
        assert corpus.source.decode(source.tolist()) == PAIRS[index][0]  # type: ignore[union-attr]


def test_refused_before_anything_is_written(tmp_path: Path) -> None:
    symbols, all_of_them = {**DATA, "source_tokens": "symbols"}, {**DATA, "source_dropout": 1}
    wrong = ((symbols, "data.source_tokens is symbols"), (all_of_them, "it should be from 0 to 0.99"))
    for data, complaint in wrong:
        with pytest.raises(RegardError, match=complaint):
            run.train(PAIRS, dev=DEV, out=tmp_path / "none", **{**settings(), "data": data})
    assert not (tmp_path / "none").exists()
