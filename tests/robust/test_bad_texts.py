"""Pairs and texts that are not as they should be, through the command line: one line and exit code 2, or counted."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path
from typing import Any

import pytest
from fuzzing import TINY, small_pairs

import regard
from regard.cli import main

FLAGS = [
    "--data.source_tokens=symbols", "--data.target_tokens=symbols", "--model.encoder.width=8",
    "--model.decoder.width=8", "--model.embedding=8", "--training.updates=2", "--training.batch=60",
    "--training.validate_every=2", "--training.device=cpu", "--training.threads=1",
]  # fmt: skip
GOOD = [f"{source}\t{target}".encode() for source, target in small_pairs(30)]
Capture = pytest.CaptureFixture[str]


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def refused(capsys: Capture, arguments: list[str], *words: str) -> None:
    """The command ends with 2, and its last line on standard error says so; nothing looks like a traceback."""
    assert main(arguments) == 2
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    last = shown.splitlines()[-1]
    assert last.startswith("regard: ")
    for word in words:
        assert word in last, last


def told(capsys: Capture, arguments: list[str], *lines: str) -> None:
    """The command does its work, and these are told on standard error."""
    assert main(arguments) == 0
    shown = capsys.readouterr().err
    for line in lines:
        assert line in shown, shown


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ("the file is empty", "one pair a line")),
        (b"\n \n\t\n", ("no pair could be read", "an empty line: 3 (lines 1, 2, 3)")),
        (b"a\t\nb\t\n", ("an empty target: 2 (lines 1, 2)",)),
        (b"one column\nonly\n", ("column 2 is asked for", "separated by tabs")),
        ("caf\xe9\tx\n".encode("latin-1") * 3, ("3 of 3 lines are not UTF-8 (first line 1)", "iconv")),
        ("a\tb\n".encode("utf-16"), ("UTF-16", "iconv")),
        ("a\tb\nc\td\n".encode("utf-16-le"), ("no pair could be read", "zero byte")),
        (b"a\tb\rc\td\re\tf\r", ("carriage returns", "line feeds")),
        (b"a\tb\na\tc\n", ("1 different source", "--dev")),
        (gzip.compress(b"a\tb\n" * 99, mtime=0)[:20], ("gzip data is broken",)),
        (b"\x1f\x8bnothing", ("gzip data is broken",)),
        (b'{"source": "a"}\n', ("no line has a field 'target'",)),
    ],
)
def test_files_without_pairs(tmp_path: Path, capsys: Capture, content: bytes, words: tuple[str, ...]) -> None:
    path = written(tmp_path / "pairs", content)
    refused(capsys, ["train", str(path), "--out", str(tmp_path / "model"), *FLAGS], str(path), *words)
    refused(capsys, ["train", str(path), "--dry-run", *FLAGS], str(path), *words)
    assert not (tmp_path / "model").exists()


def test_what_is_wrong_in_some_lines_is_counted(tmp_path: Path, capsys: Capture) -> None:
    bad = [b"only", b"a\tb\tc\td", b"\tx", b"x\t", b"", b"caf\xe9\tx", b"nul\0\tx", b"one " * 100_000 + b"\t1"]
    path = written(tmp_path / "pairs.tsv", b"\xef\xbb\xbf" + b"\r\n".join(GOOD + bad) + b"\r\n")
    count = len(GOOD)
    told(
        capsys,
        ["train", str(path), "--out", str(tmp_path / "model"), *FLAGS],
        f"left out, fewer than 2 columns: 1 (line {count + 1})",
        f"left out, more columns than the usual 2: 1 (line {count + 2})",
        f"left out, an empty source: 1 (line {count + 3})",
        f"left out, an empty target: 1 (line {count + 4})",
        f"left out, an empty line: 1 (line {count + 5})",
        f"left out, not UTF-8: 1 (line {count + 6})",
        f"left out, a zero byte in it (is it UTF-16?): 1 (line {count + 7})",
        "source longer than 256 tokens: 1 (line 38); the longest has 100,000",
    )
    vocabulary = regard.load(tmp_path / "model").source.vocabulary
    assert set(vocabulary[4:]) == {"zero", "one", "two", "three"}  # no mark, no carriage return has become a word


def test_odd_separators_stay_inside_their_line(tmp_path: Path, capsys: Capture) -> None:
    odd = [f"one{separator}two\t1{separator}2".encode() for separator in ("\u2028", "\u2029", "\x85", "\x1c", "\x1e")]
    path = written(tmp_path / "pairs.tsv", b"\n".join(GOOD + odd))
    assert main(["train", str(path), "--dry-run", *FLAGS]) == 0
    assert f"{len(GOOD) + 5} lines, {len(GOOD) + 5} pairs" in capsys.readouterr().out


def test_a_long_line_for_validation_is_left_out_and_told(tmp_path: Path, capsys: Capture, pairs_file: Path) -> None:
    dev = written(tmp_path / "dev.tsv", b"\n".join([*GOOD, b"one\t" + b"1 " * 5000]))
    told(
        capsys,
        ["train", str(pairs_file), "--dev", str(dev), "--out", str(tmp_path / "model"), *FLAGS],
        f"of the pairs for validation: left out, target longer than 1,000 tokens: 1 (line {len(GOOD) + 1})",
    )


def test_texts_longer_than_a_model_has_places_for(tmp_path: Path, capsys: Capture) -> None:
    long = b" ".join([b"one"] * 20) + b"\t" + b" ".join([b"1"] * 20)
    path = written(tmp_path / "pairs.tsv", b"\n".join([*GOOD, long]))
    dev = written(tmp_path / "dev.tsv", b"\n".join([*GOOD[:4], long]))
    places = [f"--model.{side}.kind=transformer" for side in ("encoder", "decoder")]
    places += [f"--model.{side}.position=learned" for side in ("encoder", "decoder")]
    places += ["--model.longest=10", "--model.self_attention.heads=2"]
    out = str(tmp_path / "model")
    told(
        capsys,
        ["train", str(path), "--dev", str(dev), "--out", out, *FLAGS, *places],
        "left out, source longer than 10 tokens: 1 (line 31)",
        "of the pairs for validation: left out, source longer than 10 tokens: 1 (line 5)",
    )
    told(capsys, ["predict", out, "one " * 20, "one"], "text 1: 20 tokens, more than the 10")


def test_texts_to_predict_from(tmp_path: Path, capsys: Capture, trained: Path) -> None:
    texts = written(
        tmp_path / "texts", b"\xef\xbb\xbfone\r\n\r\ncaf\xe9\r\n" + b"one " * 100_000 + "\r\ntwo\u2028one\r\n".encode()
    )
    assert main(["predict", str(trained), "--input", str(texts), "--beam=1"]) == 0
    shown = capsys.readouterr()
    lines = shown.out.split("\n")[:-1]
    assert len(lines) == 5  # line i answers line i
    assert lines[1:4] == ["", "", ""]
    assert "an empty line: 1 (line 2)" in shown.err
    assert "not UTF-8: 1 (line 3)" in shown.err
    assert "text 4: " in shown.err
    assert "more than the 5,120 of search.max_source: nothing predicted" in shown.err


@pytest.mark.parametrize("text", ["", "  ", "\n", "\ufeff", "\t\r\n"])
def test_an_empty_text(capsys: Capture, trained: Path, text: str) -> None:
    assert main(["predict", str(trained), text]) == 0
    shown = capsys.readouterr()
    assert shown.out == "\n"
    assert shown.err == "regard: an empty text: nothing to predict from\n"
    refused(capsys, ["explain", str(trained), text], "nothing to explain: an empty text")


def test_no_texts_at_all(tmp_path: Path, capsys: Capture, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["predict", str(trained), "--input", str(written(tmp_path / "none", b""))]) == 0
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(sys, "stdin", None)  # as after `<&-`
    refused(capsys, ["predict", str(trained)], "standard input is closed")


@pytest.mark.parametrize("texts", [None, 3, b"bytes", ["a", None], [["a"]], {"a": "b"}])
def test_what_is_no_text(trained: Path, texts: Any) -> None:
    with pytest.raises(
        regard.RegardError, match=r"give a text, a pair \(text, features\), or several of them in a list"
    ):
        regard.load(trained).predict(texts)


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([], "there are none"),
        (3, "should be pairs of texts"),
        ([("a", "b"), ("c",)], r"number 2 is \('c',\), no pair of texts"),
        ([("a", None)], "no pair of texts"),
        (["ab"], "number 1 is 'ab'"),
        ([("", "x"), (" ", "\n")], r"no pair could be read \(an empty source: 2 \(lines 1, 2\)\)"),
    ],
)
def test_pairs_at_hand_that_are_none(tmp_path: Path, pairs: Any, words: str) -> None:
    good = small_pairs(4)
    for given in ({"pairs": pairs, "dev": good}, {"pairs": good, "dev": pairs}):
        with pytest.raises(regard.RegardError, match=words):
            regard.train(out=tmp_path / "model", **given, **TINY)
    assert not (tmp_path / "model").exists()


def test_pairs_at_hand_are_cleaned_as_files_are(tmp_path: Path) -> None:
    pairs = [*small_pairs(10), ("one\ttwo\n", "1\r\n2")]
    model = regard.train(pairs, dev=pairs, out=tmp_path / "model", **TINY)
    assert set(model.source.vocabulary[4:]) == {"zero", "one", "two", "three"}


def test_output_that_can_not_be_written(
    capsys: Capture, trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pairs = [("one", "猫"), ("two", "狗")] * 3
    model = regard.train(pairs, dev=pairs, out=tmp_path / "model", **TINY)
    assert model.predict("one", min_length=1).text
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    refused(capsys, ["predict", str(tmp_path / "model"), "one", "--min_length=1"], "ascii", "PYTHONUTF8=1")
    if Path("/dev/full").exists():
        with open("/dev/full", "w", encoding="utf-8") as full:
            monkeypatch.setattr(sys, "stdout", full)
            refused(capsys, ["predict", str(trained), "one"], "No space left")
            monkeypatch.undo()
