"""Going on from a model with other texts: its vocabulary stays and is extended, what is new begins sensibly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import TINY, backwards

from regard.data.tables import CharacterTokeniser, SymbolTokeniser
from regard.folder import load_settings
from regard.predictor import Predictor
from regard.training.extending import extended
from regard.training.preparing import gather, new_predictor, prepare, read
from regard.training.progress import Silent
from regard.training.run import train
from regard.training.transfer import take_weights

OTHERS = [("five seven two", "2 7 5"), ("Seven nine", "9 7"), ("two", "2"), ("nine five", "5 9")] * 8
ONCE: dict[str, Any] = {"training": {**TINY["training"], "updates": 1, "rate": 1e-9}}
ROWS = (("encoder.embedding.tokens.weight", "source"), ("decoder.embedding.tokens.weight", "target"),
        ("readout.project.weight", "target"), ("readout.project.bias", "target"))  # fmt: skip


class Heard(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("given") / "model"
    train(backwards(60), dev=backwards(10, seed=1), out=folder, report=False, **TINY)
    return folder


@pytest.mark.parametrize("kind", [CharacterTokeniser, SymbolTokeniser])
def test_a_table_keeps_its_numbers(kind: Any) -> None:
    made = kind.train(["a b c c"])
    more = extended(made, ["b é d d"])
    assert more.vocabulary[: len(made.vocabulary)] == made.vocabulary
    assert set(more.vocabulary) == {*made.vocabulary, "é", "d"}
    assert extended(made, ["c a"]).vocabulary == made.vocabulary
    assert more.encode("a b c").ids == made.encode("a b c").ids
    assert type(more) is kind


def test_new_symbols_extend_the_vocabulary_and_begin_as_relatives_or_the_mean(given: Path) -> None:
    values = gather(None, ONCE, given)
    heard = Heard()
    prepared = prepare(read(OTHERS, None, OTHERS, None, values), values, tell=heard.say, start_from=given)
    fresh, old = new_predictor(prepared, torch.device("cpu")), Predictor.load(given)
    assert [line.partition(": ")[0] for line in heard.lines] == ["source", "target"]
    assert "symbols, 10 tokens of the model to begin with, and 3 new: Seven nine seven" in heard.lines[0]
    assert "and 2 new: 7 9" in heard.lines[1]
    said = take_weights(fresh, given)
    assert "fresh" not in said
    state, before = fresh.model.state_dict(), old.model.state_dict()
    for name, side in ROWS:
        known, now = (getattr(each, side).vocabulary for each in (old, fresh))
        assert now[: len(known)] == known
        assert torch.equal(state[name][: len(known)], before[name])
        for row in range(len(known), len(now)):
            assert torch.allclose(state[name][row], before[name].mean(0))
    assert fresh.predict("five two").text == old.predict("five two").text


def test_a_letter_begins_as_itself_without_marks_or_in_the_other_case(tmp_path: Path) -> None:
    characters = {**TINY, "data": {"source_tokens": "character", "target_tokens": "character"}}
    train(
        [("ab", "ab"), ("ba", "ba"), ("eb", "be")], dev=[("ab", "ab")], out=tmp_path / "one", report=False, **characters
    )
    values = gather(None, ONCE, tmp_path / "one")
    pairs = [("éB", "Ab"), ("àb", "b"), ("ßa", "a")]
    fresh = new_predictor(
        prepare(read(pairs, None, pairs, None, values), values, start_from=tmp_path / "one"), torch.device("cpu")
    )
    take_weights(fresh, tmp_path / "one")
    rows, numbers = fresh.model.encoder.embedding.tokens.weight, fresh.source.vocabulary.index  # type: ignore[union-attr]
    for new, like in (("é", "e"), ("B", "b"), ("à", "a")):
        assert torch.equal(rows[numbers(new)], rows[numbers(like)])
    known = len(Predictor.load(tmp_path / "one").source.vocabulary)  # type: ignore[union-attr]
    assert torch.allclose(rows[numbers("ß")], rows[:known].mean(0))


def test_the_whole_training_tells_it_and_goes_on(given: Path, tmp_path: Path) -> None:
    heard, out = Heard(), tmp_path / "new"
    model = train(OTHERS, dev=OTHERS[:4], out=out, start_from=given, report=heard, **ONCE)
    assert any("3 new: Seven nine seven" in line for line in heard.lines)
    assert any(line.startswith(f"begins with {given}: ") for line in heard.lines)
    assert load_settings(out).data.source_tokens == "symbols"
    assert model.predict("Seven nine").note == ""
    again = train(OTHERS, dev=OTHERS[:4], out=out, start_from=given, report=False,
                  training={**ONCE["training"], "updates": 2})  # fmt: skip
    assert again.source.vocabulary == model.source.vocabulary  # type: ignore[union-attr]


def test_subwords_stay_and_what_they_do_not_know_is_told(tmp_path: Path) -> None:
    data = {"source_tokens": "bpe:40", "target_tokens": "symbols"}
    old = train(
        backwards(60), dev=backwards(10, seed=1), out=tmp_path / "one", report=False, **{**TINY, "data": data, **ONCE}
    )
    heard = Heard()
    pairs = [*OTHERS, ("zero ñ", "0")]
    new = train(pairs, dev=OTHERS[:4], out=tmp_path / "two", start_from=tmp_path / "one", report=heard, **ONCE)
    assert new.source.vocabulary == old.source.vocabulary  # type: ignore[union-attr]
    line = next(line for line in heard.lines if line.startswith("source: bpe:40, "))
    assert "none new; " in line
    assert "'ñ'" in line
    others = train(pairs, dev=OTHERS[:4], out=tmp_path / "three", start_from=tmp_path / "one", report=heard,
                   data={"source_tokens": "bpe:30"}, **ONCE)  # fmt: skip
    assert others.source.vocabulary != old.source.vocabulary  # type: ignore[union-attr]
    assert "source: bpe:30, a vocabulary of its own, and not that of the model to begin with" in heard.lines


def test_features_extend_too(tmp_path: Path) -> None:
    characters = {**TINY, "data": {"source_tokens": "character", "target_tokens": "character"}, **ONCE}
    first: list[Any] = [(("ab", "N;PL"), "abs"), (("ba", "N;SG"), "ba"), (("bb", "N"), "bb")]
    old = train(first, dev=first, out=tmp_path / "one", report=False, **characters)
    second: list[Any] = [(("cd", "N;DU"), "cdz"), (("dc", "V"), "dc"), (("ab", "PL"), "abs")]
    new = train(second, dev=second, out=tmp_path / "two", start_from=tmp_path / "one", report=False, **ONCE)
    assert set(old.source.vocabulary) < set(new.source.vocabulary)  # type: ignore[union-attr]
    assert {"\tDU", "\tV", "c", "d"} <= set(new.source.vocabulary)  # type: ignore[union-attr]
    before, now = (each.model.encoder.embedding.tokens.weight for each in (old, new))  # type: ignore[union-attr]
    for token in old.source.vocabulary:  # type: ignore[union-attr]
        one, other = old.source.vocabulary.index(token), new.source.vocabulary.index(token)  # type: ignore[union-attr]
        assert torch.allclose(before[one], now[other], atol=1e-6), token


def test_features_are_left_out_where_the_new_pairs_have_none(tmp_path: Path) -> None:
    characters = {**TINY, "data": {"source_tokens": "character", "target_tokens": "character"}, **ONCE}
    first: list[Any] = [(("ab", "N;PL"), "abs"), (("ba", "N;SG"), "ba"), (("bb", "N"), "bb")]
    train(first, dev=first, out=tmp_path / "one", report=False, **characters)
    heard, second = Heard(), [("abc", "cba"), ("cab", "bac"), ("b", "b")]
    new = train(second, dev=second, out=tmp_path / "two", start_from=tmp_path / "one", report=heard, **ONCE)
    assert any(
        line.startswith("source: character, 6 tokens of the model to begin with, and 1 new: c") for line in heard.lines
    )
    assert new.predict("cab").note == ""
