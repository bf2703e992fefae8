"""Memory that runs out for one batch: it is done in halves, with the same result, and told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from fuzzing import TINY

import regard
from regard.cli import main
from regard.errors import RegardError
from regard.memory import halves, in_halves, ran_out
from regard.model import EncoderDecoder
from regard.training import loop, preparing, run
from regard.training.progress import Silent
from regard.training.validation import dev_loss

WHOLE: dict[str, Any] = {**TINY, "model": {**TINY["model"], "dropout": 0.0}}


class _Listening(Silent):
    def __init__(self) -> None:
        self.news: list[str] = []

    def say(self, text: str) -> None:
        self.news.append(text)


def _full(*_: Any) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


def fails_above(monkeypatch: pytest.MonkeyPatch, method: str, most: int) -> list[int]:
    """Make a model's method run out of memory for more than `most` examples; the sizes that it was called with."""
    original: Callable[..., Any] = getattr(EncoderDecoder, method)
    sizes: list[int] = []

    def failing(self: Any, first: Any, *more: Any, **named: Any) -> Any:
        sizes.append(len(first))
        return original(self, first, *more, **named) if len(first) <= most else _full()

    monkeypatch.setattr(EncoderDecoder, method, failing)
    return sizes


def test_which_errors_say_so() -> None:
    assert ran_out(MemoryError())
    assert ran_out(torch.OutOfMemoryError("CUDA out of memory."))
    assert ran_out(RuntimeError("[enforce fail at alloc_cpu.cpp:126] DefaultCPUAllocator: can't allocate memory"))
    assert ran_out(RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"))
    assert not ran_out(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not ran_out(ValueError("out of memory"))
    with pytest.raises(RuntimeError) as raised:  # what this machine says itself
        torch.empty(2**62, dtype=torch.uint8)
    assert ran_out(raised.value)


@pytest.mark.parametrize("most", [1, 2, 3, 7, 100])
def test_halves(most: int, caplog: pytest.LogCaptureFixture) -> None:
    def work(items: Sequence[int]) -> list[int]:
        if len(items) > most:
            raise MemoryError
        return [10 * item for item in items]

    assert halves([1, 2, 3]) == ([1, 2], [3])
    with caplog.at_level(logging.WARNING):
        assert in_halves(work, list(range(13)), "texts") == [10 * item for item in range(13)]
    assert ("memory ran out for 13 texts at once" in caplog.text) == (most < 13)


def test_one_alone_is_too_much() -> None:
    with pytest.raises(RegardError, match="does not suffice for one of the texts alone"):
        in_halves(_full, ["a"], "texts")


def _gradients(pairs: Path, folder: Path, batches: list[list[int]], report: Silent) -> tuple[list[Any], float]:
    prepared = preparing.prepare(preparing.read(pairs, None, None, None, {}), preparing.gather(None, WHOLE))
    predictor = preparing.new_predictor(prepared, torch.device("cpu"))
    training = loop.start(predictor, prepared.corpus, prepared.settings, folder, _fabric(prepared), report)
    loop._update(training, batches)
    return [parameter.grad for parameter in predictor.model.parameters()], training.progress.since_loss


def _fabric(prepared: preparing.Prepared) -> Any:
    from regard.training.processes import launch

    return launch(prepared.settings.training)


@pytest.mark.parametrize("most", [1, 3, 5])
def test_gradients_are_those_of_the_whole_batch(
    tmp_path: Path, pairs_file: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    batches = [[0, 1], [2, 3, 4, 5, 6, 7, 8], [9]]
    expected, loss = _gradients(pairs_file, tmp_path, batches, Silent())
    sizes, report = fails_above(monkeypatch, "loss", most), _Listening()
    found, same = _gradients(pairs_file, tmp_path, batches, report)
    assert same == pytest.approx(loss, rel=1e-5)
    for one, two in zip(expected, found, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)
    assert max(sizes) == 7
    assert any("memory ran out for a batch of" in line and "done in halves" in line for line in report.news)


def test_gradients_of_an_attempt_that_failed_midway_do_not_stay(
    tmp_path: Path, pairs_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = [[0, 1], [2, 3, 4, 5]]
    expected, _ = _gradients(pairs_file, tmp_path, batches, Silent())
    original, failures = torch.Tensor.backward, iter([False, True])

    def backward(self: Any, *more: Any, **named: Any) -> None:
        original(self, *more, **named)
        if next(failures, False):
            _full()

    monkeypatch.setattr(torch.Tensor, "backward", backward)
    found, _ = _gradients(pairs_file, tmp_path, batches, Silent())
    assert next(failures, None) is None  # it did fail
    for one, two in zip(expected, found, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)


def test_a_pair_that_is_too_much_alone_is_named(
    tmp_path: Path, pairs_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fails_above(monkeypatch, "loss", 0)
    with pytest.raises(RegardError, match=r"pairs\.tsv, line \d+: the memory does not suffice to learn from this pair"):
        run.train(pairs_file, out=tmp_path / "model", **WHOLE)


def test_validation_and_prediction(
    trained: Path, pairs_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = regard.load(trained, device="cpu")
    texts = ["one two", "three", "", "zero one two three", "two", "one one"]
    said = model.predict(texts, beam=3, n_best=2)
    maps = model.align(texts, ["1 2", "3", "0", "", "2", "1 1"])
    prepared = preparing.prepare(preparing.read(pairs_file, None, None, None, {}), preparing.gather(None, WHOLE))
    again = preparing.new_predictor(prepared, torch.device("cpu"))
    examples = (prepared.corpus.train, prepared.corpus.source, prepared.corpus.target, again.device)
    loss = dev_loss(again.model, *examples)
    with monkeypatch.context() as patch:
        sizes = fails_above(patch, "loss", 2)
        assert dev_loss(again.model, *examples) == pytest.approx(loss, rel=1e-6)
        assert max(sizes) > 2
    with monkeypatch.context() as patch:
        sizes = fails_above(patch, "encode", 2)
        found = model.predict(texts, beam=3, n_best=2)
        assert max(sizes) == 5
        aligned = model.align(texts, ["1 2", "3", "0", "", "2", "1 1"])
    for one, two in zip(said, found, strict=True):
        assert (one.text, one.tokens) == (two.text, two.tokens)
        assert one.log_prob == pytest.approx(two.log_prob, abs=1e-5)
    for first, second in zip(maps, aligned, strict=True):
        assert (first is None) == (second is None)
        if first is not None and second is not None:
            torch.testing.assert_close(torch.tensor(first.weights), torch.tensor(second.weights), atol=1e-5, rtol=0)
    with monkeypatch.context() as patch:
        fails_above(patch, "encode", 0)
        assert main(["predict", str(trained), "one"]) == 2
    assert "the memory does not suffice for one of the texts alone" in capsys.readouterr().err


def test_elsewhere_it_is_one_line_too(
    pairs_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.optim.Adam, "step", _full)
    assert main(["train", str(pairs_file), "--out", str(tmp_path / "model"), "--training.updates=1"]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("regard: the memory does not suffice")
