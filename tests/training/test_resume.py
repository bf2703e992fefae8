"""Stopped and gone on is the same as never stopped, to the bit."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import TINY, same_weights

from regard.errors import RegardError
from regard.folder import METRICS
from regard.training import loop, preparing, run
from regard.training.interrupts import TrainingStopped
from regard.training.processes import launch
from regard.training.progress import Silent
from regard.training.state import load_state


def train(path: Path, out: Path, **more: Any) -> Any:
    return run.train(path, out=out, **TINY, **more)


class _Killed(Exception):
    pass


def _stop_at(monkeypatch: pytest.MonkeyPatch, update: int, how: Any) -> None:
    original = loop._update

    def stopping(training: loop.Training, batches: Any) -> None:
        original(training, batches)
        if training.progress.update == update:
            how()

    monkeypatch.setattr(loop, "_update", stopping)


def _raise() -> None:
    raise _Killed


def _last_state(folder: Path) -> Any:
    state = load_state(folder)
    assert state is not None
    return state


@pytest.mark.parametrize("update", [1, 8, 11, 23])
def test_killed_and_gone_on(tmp_path: Path, pairs_file: Path, monkeypatch: pytest.MonkeyPatch, update: int) -> None:
    train(pairs_file, tmp_path / "whole")
    with monkeypatch.context() as patch:
        _stop_at(patch, update, _raise)
        with pytest.raises(_Killed):
            train(pairs_file, tmp_path / "parts")
    train(pairs_file, tmp_path / "parts")
    assert same_weights(tmp_path / "whole", tmp_path / "parts")
    whole, parts = _last_state(tmp_path / "whole"), _last_state(tmp_path / "parts")
    assert all(torch.equal(whole.weights[name], parts.weights[name]) for name in whole.weights)
    for one, two in zip(whole.progress.records, parts.progress.records, strict=True):
        assert {**one, "seconds": 0} == {**two, "seconds": 0}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_in_the_middle_of_an_epoch(
    tmp_path: Path, pairs_file: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    train(pairs_file, tmp_path / "whole")
    with monkeypatch.context() as patch:
        _stop_at(patch, 10, lambda: os.kill(os.getpid(), number))
        with pytest.raises(TrainingStopped, match="same command again goes on") as stopped:
            train(pairs_file, tmp_path / "parts")
    assert stopped.value.signal == number
    progress = _last_state(tmp_path / "parts").progress
    assert progress.update == 10
    assert progress.step > 0
    train(pairs_file, tmp_path / "parts")
    assert same_weights(tmp_path / "whole", tmp_path / "parts")


def test_accumulation_and_average_go_on_too(tmp_path: Path, pairs_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = {**TINY["training"], "accumulate": 2, "average": 2, "validate_every": 4, "schedule": "plateau"}
    settings = {**TINY, "training": training}
    run.train(pairs_file, out=tmp_path / "whole", **settings)
    with monkeypatch.context() as patch:
        _stop_at(patch, 10, _raise)
        with pytest.raises(_Killed):
            run.train(pairs_file, out=tmp_path / "parts", **settings)
    run.train(pairs_file, out=tmp_path / "parts", **settings)
    assert same_weights(tmp_path / "whole", tmp_path / "parts")


def test_accumulated_batches_are_one_batch(tmp_path: Path, pairs_file: Path) -> None:
    """The gradient of an update is that of all its tokens, however they are parted."""
    texts = preparing.read(pairs_file, None, None, None, {})
    given = preparing.gather(None, {**TINY, "model": {**TINY["model"], "dropout": 0.0}})
    prepared = preparing.prepare(texts, given)
    gradients = []
    for parts in ([[0, 1, 2, 3, 4, 5]], [[0, 1], [2, 3, 4], [5]], [[5], [], [0, 1, 2, 3, 4]]):
        predictor = preparing.new_predictor(prepared, torch.device("cpu"))
        fabric = launch(prepared.settings.training)
        training = loop.start(predictor, prepared.corpus, prepared.settings, tmp_path / "none", fabric, Silent())
        loop._update(training, parts)
        gradients.append([parameter.grad for parameter in predictor.model.parameters()])
    for other in gradients[1:]:
        for one, two in zip(gradients[0], other, strict=True):
            torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)


def test_finished_trainings_stay_and_can_be_lengthened(tmp_path: Path, pairs_file: Path) -> None:
    news: list[str] = []

    class Listening(Silent):
        def say(self, text: str) -> None:
            news.append(text)

    first = train(pairs_file, tmp_path / "model")
    again = train(pairs_file, tmp_path / "model", report=Listening())
    assert any("this training is finished" in line for line in news)
    assert (
        first.predict("one two") == again.predict("one two")
        or first.predict("one two").text == again.predict("one two").text
    )
    longer = {**TINY, "training": {**TINY["training"], "updates": 32}}
    run.train(pairs_file, out=tmp_path / "model", **longer)
    assert _last_state(tmp_path / "model").progress.update == 32
    assert len((tmp_path / "model" / METRICS).read_text().splitlines()) == 4


def test_other_settings_and_other_pairs_are_refused(tmp_path: Path, pairs_file: Path) -> None:
    train(pairs_file, tmp_path / "model")
    other = {**TINY, "training": {**TINY["training"], "rate": 0.5}}
    with pytest.raises(RegardError, match=r"training\.rate 0\.01, and now 0\.5"):
        run.train(pairs_file, out=tmp_path / "model", **other)
    pairs_file.write_text(pairs_file.read_text() + "one one one one one one one\t1 1 1 1 1 1 1\n")
    with pytest.raises(RegardError, match="learned from other pairs"):
        train(pairs_file, tmp_path / "model")
    train(pairs_file, tmp_path / "model", restart=True)


def test_early_stopping_in_the_metrics_direction(tmp_path: Path, pairs_file: Path, monkeypatch: Any) -> None:
    from regard.training.validation import Validation

    scores = iter([10.0, 30.0, 20.0, 25.0, 5.0, 1.0, 0.0])
    monkeypatch.setattr(loop, "validate", lambda *_: Validation(1.0, "accuracy", next(scores)))
    settings = {**TINY, "training": {**TINY["training"], "metric": "accuracy", "patience": 2, "validate_every": 2}}
    found = run.train(pairs_file, out=tmp_path / "model", **settings)
    assert found.facts.update == 4  # the second validation
    assert found.facts.score == 30.0
    assert _last_state(tmp_path / "model").progress.update == 8


def test_a_loss_that_is_no_number_is_left_out_and_then_an_error(
    tmp_path: Path, pairs_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = loop._update

    def poisoned(training: loop.Training, batches: Any) -> None:
        if training.progress.update == 5:
            with torch.no_grad():
                next(iter(training.model.parameters())).fill_(float("nan"))
        original(training, batches)

    monkeypatch.setattr(loop, "_update", poisoned)
    settings = {**TINY, "training": {**TINY["training"], "max_skipped": 3}}
    with pytest.raises(RegardError, match=r"no number 3 updates in a row.*in the weights of.*lower training\.rate"):
        run.train(pairs_file, out=tmp_path / "model", **settings)


def test_drawn_places_and_their_baseline_go_on_too(
    tmp_path: Path, pairs_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**TINY, "model": {**TINY["model"], "context": "reinforce"}}
    run.train(pairs_file, out=tmp_path / "whole", **settings)
    with monkeypatch.context() as patch:
        _stop_at(patch, 10, _raise)
        with pytest.raises(_Killed):
            run.train(pairs_file, out=tmp_path / "parts", **settings)
    run.train(pairs_file, out=tmp_path / "parts", **settings)
    assert same_weights(tmp_path / "whole", tmp_path / "parts")
    progress = _last_state(tmp_path / "whole").progress
    assert progress.baseline == _last_state(tmp_path / "parts").progress.baseline
    assert progress.baseline < 0
    assert 0.5 < progress.records[-1]["zeros"] < 1
