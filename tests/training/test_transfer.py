"""Beginning with another model's weights: what fits is taken, tokens go by their names, and the rest is fresh."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tiny import TINY, backwards, same_weights

from regard.errors import RegardError
from regard.folder import load_settings
from regard.predictor import Predictor
from regard.settings import DataSettings
from regard.training.extending import Known, told
from regard.training.preparing import gather, new_predictor, prepare, read
from regard.training.progress import Silent
from regard.training.run import train
from regard.training.transfer import _begun, take_weights

Pairs = list[tuple[str, str]]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("given") / "model"
    train(backwards(60), dev=backwards(10, seed=1), out=folder, **TINY)
    return folder


def _fresh(pairs: Pairs, settings: dict[str, Any], start_from: Path | None = None) -> Predictor:
    values = gather(None, settings, start_from)
    return new_predictor(prepare(read(pairs, None, pairs, None, values), values), torch.device("cpu"))


def test_a_model_of_the_same_kind_takes_all(given: Path) -> None:
    fresh = _fresh(backwards(60), TINY)
    said = take_weights(fresh, given)
    wanted = Predictor.load(given).model.state_dict()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in fresh.model.state_dict().items())
    assert f"{len(wanted)} of {len(wanted)} tensors" in said
    assert "fresh" not in said


def test_rows_go_by_their_tokens(given: Path) -> None:
    """A corpus that lacks some words and has others: what is known is taken, the rest is as it was drawn."""
    pairs = [("five seven two", "2 7 5"), ("seven nine", "9 7"), ("two", "2")] * 30
    fresh = _fresh(pairs, TINY)
    drawn = {name: tensor.clone() for name, tensor in fresh.model.state_dict().items()}
    said = take_weights(fresh, given)
    old, new = Predictor.load(given), fresh.model.state_dict()
    for name, side in (("encoder.embedding.tokens.weight", "source"), ("decoder.embedding.tokens.weight", "target"),
                       ("readout.project.weight", "target"), ("readout.project.bias", "target")):  # fmt: skip
        before, after = (getattr(each, side).vocabulary for each in (old, fresh))
        for row, token in enumerate(after):
            wanted = old.model.state_dict()[name][before.index(token)] if token in before else drawn[name][row]
            assert torch.equal(new[name][row], wanted), (name, token)
    known = len(set(old.target.vocabulary) & set(fresh.target.vocabulary))
    assert f"{known} of {len(fresh.target.vocabulary)} target tokens known" in said


def test_what_does_not_fit_is_fresh(given: Path) -> None:
    settings = {**TINY, "model": {**TINY["model"], "decoder": {"width": 18}}}
    fresh = _fresh(backwards(60), settings)
    drawn = fresh.model.state_dict()["decoder.first.weight"].clone()
    said = take_weights(fresh, given)
    assert torch.equal(fresh.model.state_dict()["decoder.first.weight"], drawn)
    wanted = Predictor.load(given).model.state_dict()
    taken = fresh.model.state_dict()["encoder.layers.weight_hh_l0"]
    assert torch.equal(taken, wanted["encoder.layers.weight_hh_l0"])
    assert "fresh: decoder." in said


class Heard(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def test_its_settings_are_those_of_the_new_one(given: Path, tmp_path: Path) -> None:
    heard = Heard()
    out, training = tmp_path / "new", {**TINY["training"], "updates": 1, "rate": 1e-9}
    train(backwards(60), dev=backwards(10, seed=1), out=out, start_from=given, training=training, report=heard)
    assert load_settings(out).model == load_settings(given).model
    assert any(line.startswith(f"begins with {given}: ") for line in heard.lines)
    near = zip(Predictor.load(given).model.parameters(), Predictor.load(out).model.parameters(), strict=True)
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in near)


def test_a_stopped_training_goes_on_with_its_own_weights(given: Path, tmp_path: Path) -> None:
    def learned(name: str, updates: int) -> Path:
        heard, training = Heard(), {**TINY["training"], "updates": updates, "warmup": 4}
        settings: dict[str, Any] = {**TINY, "training": training, "report": heard}
        train(backwards(60), dev=backwards(10, seed=1), out=tmp_path / name, start_from=first, **settings)
        begun.append(any(line.startswith(f"begins with {first}: ") for line in heard.lines))
        return tmp_path / name

    begun: list[bool] = []
    first = tmp_path / "first"
    shutil.copytree(given, first)
    whole, parts = learned("whole", 16), learned("parts", 8)
    shutil.rmtree(first)
    other = {**TINY, "training": {**TINY["training"], "seed": 4}}
    train(backwards(60), dev=backwards(10, seed=1), out=first, report=False, **other)
    assert not same_weights(first, given)
    learned("parts", 16)
    assert begun == [True, True, False]
    assert same_weights(whole, parts)
    assert not same_weights(whole, learned("others", 16))


def test_vocabularies_are_looked_through_once_and_not_for_every_token() -> None:
    looks: list[str] = []

    class Watched(tuple[str, ...]):
        def __iter__(self) -> Iterator[str]:
            looks.append("iter")
            return super().__iter__()

        def __contains__(self, token: object) -> bool:
            looks.append("contains")
            return super().__contains__(token)

    def counted(size: int) -> int:
        looks.clear()
        old, new = (SimpleNamespace(kind="symbols", vocabulary=Watched(map(str, range(end)))) for end in (9, size))
        assert len(_begun(old, new)) == size - 9  # type: ignore[arg-type]
        lines = told(Known(DataSettings(), old, old), new, new, [], [])  # type: ignore[arg-type]
        assert f"9 tokens of the model to begin with, and {size - 9} new: 9" in lines[0]
        return len(looks)

    assert counted(20) == counted(40)


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(RegardError, match="no such folder"):
        train(backwards(60), out=tmp_path / "new", start_from=tmp_path / "none", **TINY)
    assert not (tmp_path / "new").exists()
