"""Settings, output folders, disks and numbers that are not as they should be, through the command line and Python."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fuzzing import BOMBS, TINY

import regard
from regard.cli import main
from regard.folder import load_weights
from regard.training import preparing
from regard.training.state import load_state

Capture = pytest.CaptureFixture[str]
FLAGS = [
    f"--{name}={value}"
    for name, value in {
        "data.source_tokens": "symbols", "data.target_tokens": "symbols", "model.encoder.width": 8,
        "model.decoder.width": 8, "model.embedding": 8, "training.updates": 6, "training.batch": 60,
        "training.validate_every": 2, "training.device": "cpu", "training.threads": 1,
    }.items()
]  # fmt: skip


def refused(capsys: Capture, arguments: list[str], *words: str) -> None:
    assert main(arguments) == 2
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    last = shown.splitlines()[-1]
    assert last.startswith("regard: ")
    assert len(last) < 1000
    for word in words:
        assert word in last, last


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("training: {updats: 3}", ("no setting 'training.updats'; did you mean training.updates?",)),
        ("training: {updates: many}", ("training.updates is 'many'; it should be a whole number",)),
        ("training: {updates: [1, 2]}", ("training.updates is [1, 2]; it should be a whole number",)),
        ("training: {rate: 1e400}", ("training.rate is '1e400'; it should be a number",)),
        ("training: {seed: -1}", ("training.seed is -1; it should be at least 0",)),
        ("training: {seed: 99999999999999999999999}", ("training.seed is 99999999999999999999999",)),
        ("training: {max_skipped: 0}", ("training.max_skipped is 0; it should be at least 1",)),
        ("model: {encoder: {width: 1000000}}", ("model.encoder.width is 1000000; it should be from 1 to 65,536",)),
        ("model: {cross: dot}", ("model.cross is a group of settings, and 'dot' is none",)),
        ("model: {cross: {score: " + "x" * 9000 + "}}", ("model.cross.score is 'xxx",)),
        ("y" * 900 + ": 3", ("no setting 'yyy",)),
        ("version: 2\ntraining: {rates: 3}", ("version 2, and this Regard reads version 1; update Regard",)),
        ("training: {updates: 3}\nmodel: {}\ntraining: {seed: 4}", (", line 3: ", "'training' is there twice")),
        ("training: {updates: 3, updates: 4}", (", line 1: ", "'updates' is there twice")),
        ("training: {updates: 3}\ntraining.updates: 4", ("'training.updates' is given twice",)),
        ("a: &a {b: *a}", (", line 1: ", "an alias, *a")),
        ("training:\n\tupdates: 3", (", line 2: ", "not YAML")),
        ("just text", ("should hold settings by name",)),
        ("data: {source_tokens: nowhere.json}", ("nowhere.json: no such file",)),
        ('data: {source_tokens: "a\\0.json"}', ("can't be read",)),
        ("data: {source_tokens: " + "z" * 5000 + ".json}", ("can't be read",)),
        ("data: {source_tokens: bpee}", ("tokeniser 'bpee' is unknown; did you mean 'bpe'?",)),
        ("data: {source: '" + "9" * 5000 + "'}", ("no column '999",)),
    ],
)
def test_settings(tmp_path: Path, pairs_file: Path, capsys: Capture, text: str, words: tuple[str, ...]) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    out = tmp_path / "model"
    refused(capsys, ["train", str(pairs_file), "--config", str(path), "--out", str(out)], *words)
    assert not out.exists()


@pytest.mark.parametrize("bomb", BOMBS)
def test_files_of_settings_that_unfold(tmp_path: Path, pairs_file: Path, capsys: Capture, bomb: bytes) -> None:
    path = tmp_path / "settings.yaml"
    path.write_bytes(bomb)
    refused(capsys, ["train", str(pairs_file), "--config", str(path)], "settings.yaml")


def test_files_of_settings_that_are_none(tmp_path: Path, pairs_file: Path, capsys: Capture) -> None:
    train = ["train", str(pairs_file), "--config"]
    refused(capsys, [*train, str(tmp_path / "nowhere.yaml")], "nowhere.yaml: can't be read (No such file")
    refused(capsys, [*train, str(tmp_path)], "can't be read (Is a directory)")
    (tmp_path / "large.yaml").write_bytes(b"# \n" * 100_000)
    refused(capsys, [*train, str(tmp_path / "large.yaml")], "larger than 256 KiB")
    (tmp_path / "latin.yaml").write_bytes(b"# caf\xe9\ntraining: {updates: 3}")
    refused(capsys, [*train, str(tmp_path / "latin.yaml")], "not YAML")


def test_a_mark_and_carriage_returns_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_bytes(b"\xef\xbb\xbftraining:\r\n  updates: 3\r\n")
    assert preparing.gather(path, {}) == {"training.updates": 3}


# The folder -----------------------------------------------------------------------------------------------------------


def test_folders_that_are_not_a_models(tmp_path: Path, pairs_file: Path, capsys: Capture) -> None:
    mine = tmp_path / "project"
    mine.mkdir()
    (mine / "config.yaml").write_text("training: {updates: 2}\n")
    (mine / "metrics.jsonl").write_text("mine\n")
    for more in ([], ["--restart"]):
        refused(
            capsys, ["train", str(pairs_file), "--out", str(mine), *FLAGS, *more], "holds other files, and no model"
        )
    assert (mine / "config.yaml").read_text() == "training: {updates: 2}\n"
    assert (mine / "metrics.jsonl").read_text() == "mine\n"
    refused(capsys, ["train", str(pairs_file), "--out", str(pairs_file), *FLAGS], "this is a file; give a folder")


@pytest.mark.parametrize("where", ["/proc/none/model", "/dev/null/model"])
def test_folders_that_can_not_be_made(pairs_file: Path, capsys: Capture, where: str) -> None:
    refused(capsys, ["train", str(pairs_file), "--out", where, *FLAGS], where.split("/")[1])


def test_a_mistake_leaves_the_model_that_is_there(trained: Path, tmp_path: Path, capsys: Capture) -> None:
    """`--restart` throws the old model away only when a new one can begin."""
    import shutil

    folder = Path(shutil.copytree(trained, tmp_path / "model"))
    empty = tmp_path / "empty.tsv"
    empty.write_text("")
    for arguments in (
        ["train", str(empty), "--restart"],
        ["train", str(tmp_path / "nowhere"), "--restart"],
        ["train", str(empty), "--restart", "--training.updates=none at all"],
    ):
        refused(capsys, [*arguments, "--out", str(folder)])
        assert regard.load(folder, device="cpu").predict("one").source == "one"


# The disk -------------------------------------------------------------------------------------------------------------


def _fails_at(monkeypatch: pytest.MonkeyPatch, call: str, number: int) -> list[int]:
    """Make the call `number` of a function of `os`, and all after it, find the disk full."""
    original: Callable[..., Any] = getattr(os, call)
    calls: list[int] = []

    def failing(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) >= number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(*arguments, **named)

    monkeypatch.setattr(os, call, failing)
    return calls


@pytest.mark.parametrize(("call", "number"), [("fsync", 1), ("fsync", 3), ("fsync", 8), ("fsync", 12), ("replace", 9)])
def test_a_full_disk(
    tmp_path: Path, pairs_file: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    """One line; and when there is room again, the same command ends with the same weights as if nothing had been."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train = ["train", str(pairs_file), *FLAGS, "--out"]
    assert main([*train, str(whole)]) == 0
    with monkeypatch.context() as patch:
        calls = _fails_at(patch, call, number)
        refused(capsys, [*train, str(parts)], "can't be written: No space left on device; make room")
        assert len(calls) >= number
    assert main([*train, str(parts)]) == 0
    one, two = (load_weights(folder / "model.safetensors") for folder in (whole, parts))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not list(parts.rglob("*.part"))


def test_a_full_disk_while_predicting(
    trained: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("links.pharaoh", "maps.npz", "maps.jsonl"):
        option = "--alignments" if name.endswith("pharaoh") else "--maps"
        (tmp_path / name).write_text("before")
        with monkeypatch.context() as patch:
            _fails_at(patch, "fsync", 1)
            refused(capsys, ["predict", str(trained), "one", option, str(tmp_path / name)], name, "No space left")
        assert (tmp_path / name).read_text() == "before"
    refused(capsys, ["predict", str(trained), "one", "--maps", "/dev/null/x.npz"], "/dev/null/x.npz")


# Numbers --------------------------------------------------------------------------------------------------------------


def _poison(monkeypatch: pytest.MonkeyPatch, calls: range) -> None:
    """Make the loss of these calls no number."""
    from regard.model import EncoderDecoder

    original, count = EncoderDecoder.loss, iter(range(10**6))

    def loss(self: Any, *arguments: Any) -> Any:
        found = original(self, *arguments)
        return found._replace(nll=found.nll * torch.nan) if self.training and next(count) in calls else found

    monkeypatch.setattr(EncoderDecoder, "loss", loss)


def test_an_update_that_is_no_number_is_left_out_and_counted(
    tmp_path: Path, pairs_file: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    _poison(monkeypatch, range(2, 4))
    assert main(["train", str(pairs_file), "--out", str(tmp_path / "model"), *FLAGS]) == 0
    shown = capsys.readouterr().err
    assert "update 3 left out: its gradient is no number (loss nan)" in shown
    assert "update 4 left out" in shown
    assert "update 5 left out" not in shown
    assert "2 updates were left out, since their gradient was no number" in shown
    state = load_state(tmp_path / "model")
    assert state is not None
    assert (state.progress.skipped, state.progress.left_out) == (0, 2)
    assert all(bool(weight.isfinite().all()) for weight in state.weights.values())


def test_too_many_in_a_row_end_the_training_with_a_diagnosis(
    tmp_path: Path, pairs_file: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    _poison(monkeypatch, range(3, 100))
    out = tmp_path / "model"
    train = ["train", str(pairs_file), "--out", str(out), *FLAGS, "--training.max_skipped=3", "--training.updates=50"]
    refused(
        capsys,
        train,
        "the gradient was no number 3 updates in a row, to update 6 (training.max_skipped)",
        "no numbers are in the gradients of",
        "model.safetensors keeps update 4, the best",
        "a lower training.rate (now 0.001) or training.clip",
    )
    assert all(bool(weight.isfinite().all()) for weight in load_weights(out / "model.safetensors").values())
    assert regard.load(out, device="cpu").predict("one").source == "one"


def test_weights_that_are_no_numbers_are_the_diagnosis(tmp_path: Path, pairs_file: Path, capsys: Capture) -> None:
    """A rate so high that the first update already loses every number."""
    flags = ["--training.rate=1e9", "--training.warmup=0", "--training.clip=0", "--training.optimizer=adamw"]
    flags += ["--training.decay=1e9", "--training.updates=40", "--training.max_skipped=4"]
    assert main(["train", str(pairs_file), "--out", str(tmp_path / "model"), *FLAGS, *flags]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert "no numbers are in the weights of" in last


def test_auxiliary_losses_are_learned_from(tmp_path: Path, pairs_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from regard.model import SoftmaxReadout

    original = SoftmaxReadout.nll

    def nll(self: Any, *arguments: Any, **named: Any) -> Any:
        found, _ = original(self, *arguments, **named)
        return found, {"bias": 1e4 * self.project.bias.square().sum()}

    plain = regard.train(pairs_file, out=tmp_path / "plain", **TINY)
    monkeypatch.setattr(SoftmaxReadout, "nll", nll)
    other = regard.train(pairs_file, out=tmp_path / "other", **TINY)
    biases = [dict(model.model.named_parameters())["readout.project.bias"] for model in (plain, other)]
    assert not torch.equal(*biases)
    losses = [json.loads(line) for line in (tmp_path / "other" / "metrics.jsonl").read_text().splitlines()]
    assert all(record["train_loss"] < 10 for record in losses)  # what is told is that of the tokens alone
