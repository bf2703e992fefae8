"""A model's folder from anyone: nothing in it is executed, and reading it takes no more than its files are large."""

from __future__ import annotations

import base64
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fuzzing import BOMBS, TINY
from safetensors.torch import load_file, save_file

import regard
from regard.cli import main
from regard.data.vetting import vetted
from regard.folder import metadata_of

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, trained: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "model"))


def refused(folder: Path, *words: str) -> None:
    """Python and every command refuse it in one line that has these words."""
    with pytest.raises(regard.RegardError) as raised:
        regard.load(folder, device="cpu")
    line = str(raised.value)
    assert "\n" not in line
    assert len(line) < 700
    for word in words:
        assert word in line, line
    assert main(["predict", str(folder), "one"]) == 2


def change_json(path: Path, change: Callable[[Any], Any]) -> None:
    content = json.loads(path.read_bytes())
    changed = change(content)
    path.write_text(json.dumps(content if changed is None else changed))


FILES = ["config.yaml", "facts.json", "source.json", "target.json", "model.safetensors"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"[1, 2]", b"nonsense"])
def test_foreign_files(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    refused(folder, name)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_truncated_files(folder: Path, name: str, share: float) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(regard.RegardError) as raised:
        regard.load(folder, device="cpu")
    assert name in str(raised.value)


def test_settings_that_end_after_any_line(folder: Path) -> None:
    lines = (folder / "config.yaml").read_text().splitlines(keepends=True)
    for count in (1, len(lines) // 2, len(lines) - 1):
        (folder / "config.yaml").write_text("".join(lines[:count]))
        refused(folder, "config.yaml")


@pytest.mark.parametrize("name", FILES)
def test_missing_files(folder: Path, name: str) -> None:
    (folder / name).unlink()
    refused(folder, name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in this system's folders")
@pytest.mark.parametrize("name", FILES)
def test_pipes_devices_and_folders_under_a_files_name(folder: Path, name: str) -> None:
    """A pipe would be waited for, and a device never ends."""
    for make in (os.mkfifo, lambda path: os.symlink("/dev/zero", path), os.mkdir):
        (folder / name).unlink(missing_ok=True)
        make(folder / name)
        refused(folder, name)
        if (folder / name).is_dir():
            (folder / name).rmdir()


def test_links_to_files_are_followed(folder: Path, tmp_path: Path) -> None:
    """Caches of downloaded models are made of them."""
    for name in FILES:
        (folder / name).rename(tmp_path / name)
        (folder / name).symlink_to(tmp_path / name)
    assert regard.load(folder, device="cpu").predict("one").source == "one"


@pytest.mark.parametrize("bomb", BOMBS)
def test_settings_that_unfold(folder: Path, bomb: bytes) -> None:
    (folder / "config.yaml").write_bytes(bomb)
    refused(folder, "config.yaml")


def test_settings_of_a_newer_version(folder: Path, capsys: Capture) -> None:
    path = folder / "config.yaml"
    path.write_text(path.read_text().replace("version: 1", "version: 2"))
    refused(folder, "config.yaml: version 2, and this Regard reads version 1; update Regard")
    change_json(folder / "source.json", lambda content: {**content, "version": 2})
    path.write_text(path.read_text().replace("version: 2", "version: 1"))
    refused(folder, "source.json: written by a newer Regard (format 2); update Regard")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("width: 8", "width: 65536", "does not fit config.yaml"),
        ("width: 8", "width: 99999999999", "width is 99999999999; it should be from 1 to"),
        ("layers: 1", "layers: 1000", "does not fit config.yaml"),
        ("longest: 16", "longest: 1" + "0" * 5000, "longest is a number of about 5,"),
        ("embedding: 8", "embedding: 0x" + "f" * 5000, "embedding is a number of about"),
    ],
)
def test_giant_numbers_in_settings(folder: Path, old: str, new: str, words: str) -> None:
    path = folder / "config.yaml"
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new))
    with pytest.raises(regard.RegardError) as raised:
        regard.load(folder, device="cpu")
    assert words in str(raised.value) or "not YAML (Exceeds the limit" in str(raised.value)


def test_a_model_larger_than_the_machine(pairs_file: Path, tmp_path: Path, capsys: Capture) -> None:
    large = [f"--model.{side}.width=65536" for side in ("encoder", "decoder")] + ["--model.decoder.layers=1000"]
    assert main(["train", str(pairs_file), "--out", str(tmp_path / "model"), *large]) == 2
    assert "GiB, and this machine's memory is" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda weights: weights.pop("readout.project.bias"), "'readout.project.bias' is missing"),
        (lambda weights: weights.update({"../../evil": torch.ones(2)}), "'../../evil' is too many"),
        (lambda weights: weights.update({"readout.project.bias": torch.ones(3)}), "'readout.project.bias' differs"),
        (
            lambda weights: weights.update({"readout.project.bias": weights["readout.project.bias"].double()}),
            "'readout.project.bias' differs",
        ),
        (
            lambda weights: weights.update({"readout.project.bias": weights["readout.project.bias"].long()}),
            "'readout.project.bias' differs",
        ),
        (lambda weights: weights.clear(), "other tensors differ"),
    ],
)
def test_weights_of_another_form(folder: Path, change: Callable[[Any], Any], words: str) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path)
    refused(folder, "model.safetensors: does not fit config.yaml", words)


@pytest.mark.parametrize(
    ("dtype", "shape", "offsets"),
    [("F32", [2**40, 2**40], [0, 4]), ("F32", [10**12], [0, 4 * 10**12]), ("F32", [1], [2**60, 2**60 + 4])],
)
def test_weights_that_declare_more_than_there_is(folder: Path, dtype: str, shape: list[int], offsets: Any) -> None:
    header = json.dumps({"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}).encode()
    path = folder / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 4)
    refused(folder, "model.safetensors: damaged")
    path.write_bytes((2**62).to_bytes(8, "little") + header)
    refused(folder, "model.safetensors: damaged")


def test_weights_that_are_no_numbers(folder: Path, capsys: Capture) -> None:
    path = folder / "model.safetensors"
    save_file({name: torch.full_like(weight, torch.nan) for name, weight in load_file(path).items()}, path)
    assert main(["predict", str(folder), "one"]) == 2
    assert "may not be numbers" in capsys.readouterr().err


class _Harm:
    """What pickle would run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", [*FILES, "training/state.safetensors"])
def test_nothing_is_unpickled(folder: Path, tmp_path: Path, pairs_file: Path, name: str) -> None:
    for write in (
        lambda path: path.write_bytes(pickle.dumps(_Harm(tmp_path / "harmed"), protocol=2)),
        lambda path: torch.save(_Harm(tmp_path / "harmed"), path),
    ):
        (folder / "training").mkdir(exist_ok=True)
        write(folder / name)
        settings: Any = {**TINY, "data": {"source_tokens": "bpe:30", "target_tokens": "character"}}
        if name in FILES:
            refused(folder, name)
        else:
            with pytest.raises(regard.RegardError):
                regard.train(pairs_file, out=folder, **settings)
        assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("length_slope", 1e300), ("length_slope", float("nan")), ("length_slope", -1), ("length_slope", "2"),
        ("length_room", 10**30), ("length_room", 2.5), ("length_room", None), ("shown", [10**400, 0]), ("shown", 3),
        ("shown", [0]), ("shown", [5, 0]), ("shown", [0, 7]), ("pairs", "many"), ("score", "good"), ("score", [1]),
        ("chosen", [1]), ("chosen", {"a": 1}), ("metric", 7), ("update", True), ("shown_reason", None),
    ],
)  # fmt: skip
def test_facts_that_can_not_be(folder: Path, key: str, value: Any) -> None:
    change_json(folder / "facts.json", lambda facts: {**facts, key: value})
    refused(folder, "facts.json")
    if key not in ("shown",):
        assert main(["info", str(folder)]) == 2


@pytest.mark.parametrize("name", ["source", "target"])
@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts.update(kind="pickle"),
        lambda facts: facts.update(kind="../../x"),
        lambda facts: facts.update(kind="bpe" * 10_000),
        lambda facts: facts.update(casing="upper"),
        lambda facts: facts.update(version=10**400),
        lambda facts: {key: facts[key] for key in ("version", "kind", "casing")},
        lambda facts: facts.update(
            vocabulary=["\ud800"] * 9, library={"model": {"vocab": {"\ud800": 4}, "merges": []}}
        ),
        lambda facts: facts.update(vocabulary=["a"], library=[]),
        lambda facts: facts.update(vocabulary={"a": 1}, library={"model": 1}),
        lambda facts: [1],
        lambda facts: {},
    ],
)
def test_tokenisers_that_are_none(folder: Path, name: str, change: Callable[[Any], Any]) -> None:
    change_json(folder / f"{name}.json", change)
    refused(folder, f"{name}.json")


LIBRARY = {
    "version": "1.0", "added_tokens": [], "pre_tokenizer": None, "post_processor": None, "decoder": None,
    "normalizer": None, "truncation": None, "padding": None,
    "model": {"type": "WordLevel", "vocab": {"<unk>": 0, "one": 1, "a": 2}, "unk_token": "<unk>"},
}  # fmt: skip
_TENFOLD = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 10}


def _charsmap(size: int) -> str:
    return base64.b64encode(size.to_bytes(4, "little") + b"\0" * 8).decode()


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": _charsmap(2**32 - 4)}}, "can't be right"),
        ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": _charsmap(2)}}, "can't be right"),
        ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "?"}}, "not a tokenizer.json"),
        ({"normalizer": {"type": "Sequence", "normalizers": [_TENFOLD] * 12}}, "times longer"),
        ({"decoder": {"type": "Sequence", "decoders": [_TENFOLD] * 12}}, "times longer"),
        ({"normalizer": {"type": "Prepend", "prepend": "x" * 20_000}}, "times longer"),
        ({"model": {**LIBRARY["model"], "unk_token": "nowhere"}}, "unknown"),
        ({"model": {"type": "BPE", "vocab": {"<unk>": 0, "a": 1, "aa": 2}, "merges": [["a", "b"]]}}, "tokenizer.json"),
        (
            {
                "model": {
                    "type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]],
                    "continuing_subword_prefix": "##",
                }
            },
            "not a tokenizer.json",
        ),
        ({"model": {"type": "WordPiece", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]",
                    "continuing_subword_prefix": "##", "max_input_chars_per_word": 10**9}}, "at most 10,000"),
        ({"model": {"type": "WordLevel", "vocab": {"<unk>": 2**32 - 1}, "unk_token": "<unk>"}}, "large gaps"),
        ({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(("}, "behavior": "Isolated", "invert": False}},
         "not a tokenizer.json"),
    ],
)  # fmt: skip
def test_hostile_library_files(folder: Path, parts: dict[str, Any], words: str) -> None:
    facts = {"version": 1, "kind": "tokenizer.json", "casing": "keep", "library": {**LIBRARY, **parts}}
    (folder / "source.json").write_text(json.dumps(facts))
    refused(folder, "source.json", words)


def test_padding_and_truncation_of_a_library_file_are_not_obeyed(folder: Path) -> None:
    padding = {
        "strategy": {"Fixed": 10**12}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0,
        "pad_token": "x",
    }  # fmt: skip
    cut = {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 5}
    text = vetted(json.dumps({**LIBRARY, "padding": padding, "truncation": cut}), Path("x"))
    from regard.data.given import given_library

    assert len(given_library(text, Path("x"), "keep").encode("one")) == 1


def test_a_pattern_that_never_ends_is_given_up(tmp_path: Path) -> None:
    from regard.data.given import given_from_file

    slow = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}
    (tmp_path / "tokenizer.json").write_text(json.dumps({**LIBRARY, "pre_tokenizer": slow}))
    made = given_from_file(tmp_path / "tokenizer.json", "keep")
    for call in (made.encode, lambda text: made.encode_ids([text])):
        with pytest.raises(regard.RegardError, match=r"tokenizer\.json fails at this text"):
            call("a" * 40 + "b")


def _foreign_state(how: str, tensors: dict[str, torch.Tensor], facts: dict[str, Any], outside: Path) -> None:
    if how == "traversal":
        facts["progress"]["averaged"] = [f"/../../../{outside.name}"]
    elif how == "shapes":
        for name in tensors:
            tensors[name] = torch.ones(3, 3, 3)
    elif how == "names":
        tensors["weights"] = torch.ones(1)
    elif how == "optimizer":
        facts["optimizer"] = {"remembered": {}, "groups": [{"params": [0]}]}
    else:
        facts["progress"] = {"evil": 1}


@pytest.mark.parametrize("how", ["traversal", "shapes", "names", "optimizer", "progress"])
def test_states_of_another_training(folder: Path, pairs_file: Path, tmp_path: Path, how: str) -> None:
    """What a training would go on from is looked at as closely; it names no file outside of its folder."""
    outside = tmp_path / "mine.safetensors"
    outside.write_text("precious")
    (folder / "training" / "weights-").mkdir()
    path = folder / "training" / "state.safetensors"
    tensors, facts = load_file(path), json.loads(metadata_of(path)["training"])
    _foreign_state(how, tensors, facts, outside)
    save_file(tensors, path, {"training": json.dumps(facts)})
    settings: dict[str, Any] = {**TINY, "data": {"source_tokens": "bpe:30", "target_tokens": "character"}}
    settings["training"] = {**TINY["training"], "updates": 4}
    with pytest.raises(regard.RegardError, match=r"state\.safetensors: (damaged|is of another model)"):
        regard.train(pairs_file, out=folder, **settings)
    assert outside.read_text() == "precious"
