"""How probable a model finds given pairs: exact, in every form, and the wrong ones first."""

from __future__ import annotations

import io
import json
import math
import random
import sys
from pathlib import Path

import pytest

import regard
from regard.cli import main
from regard.commands import likelihood as command
from regard.data import reading
from regard.predictor import Likelihood


@pytest.fixture(scope="module")
def model(model_folder: Path) -> regard.Predictor:
    return regard.load(model_folder, device="cpu")


def rows(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    head, *lines = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    return [dict(zip(head, line, strict=True)) for line in lines]


def test_a_likelihood_is_the_sum_of_its_tokens(model: regard.Predictor) -> None:
    found = model.predict("three one two", beam=4, n_best=4)
    outputs = [found.text, *(each.text for each in found.alternatives)]
    known = model.likelihood(["three one two"] * 4, outputs)
    for output, each, log_prob in zip(
        outputs, known, (found.log_prob, *(other.log_prob for other in found.alternatives)), strict=True
    ):
        assert each is not None
        assert each.log_prob == pytest.approx(log_prob, abs=1e-4)
        assert each.log_prob == math.fsum(each.log_probs)
        assert each.tokens == (*output.split(), "<eos>")
        assert each.per_token == each.log_prob / len(each.tokens)
        assert each.log_probs[each.least] == min(each.log_probs)


def test_pairs_without_a_likelihood(model: regard.Predictor) -> None:
    found = model.likelihood(["one", "", "one", "one"], ["1", "1", "", "1 " * 6000])
    assert [each is None for each in found] == [False, True, True, True]
    with pytest.raises(regard.RegardError, match="likelihood: 2 sources and 1 targets"):
        model.likelihood(["one", "two"], ["1"])


def test_wrong_entries_come_first(
    model_folder: Path, pairs_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A digit of ten of the corpus' targets is mistyped, and five are those of other pairs."""
    draw = random.Random(3)
    pairs = [line.split("\t") for line in pairs_file.read_text().splitlines()]
    wrong = set(draw.sample([number for number, (_, target) in enumerate(pairs) if len(target) > 3], 15))
    for number in sorted(wrong)[:10]:
        digits = pairs[number][1].split()
        place = draw.randrange(len(digits))
        digits[place] = draw.choice([digit for digit in "012345" if digit != digits[place]])
        pairs[number][1] = " ".join(digits)
    swapped = sorted(wrong)[10:]
    for number, target in zip(swapped, [pairs[other][1] for other in (*swapped[1:], swapped[0])], strict=True):
        pairs[number][1] = target
    (tmp_path / "noisy.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
    line = ["likelihood", str(model_folder), str(tmp_path / "noisy.tsv")]
    for by in ("per_token", "least"):
        assert main([*line, "--sort", by]) == 0
        found = rows(capsys)
        assert len(found) == len(pairs)
        assert [float(each[by]) for each in found] == sorted(float(each[by]) for each in found)
        first = {int(each["line"]) - 1 for each in found[:15]}
        assert len(first & wrong) >= 14, by
    assert main([*line, "--worst", "5"]) == 0
    worst = rows(capsys)
    assert len(worst) == 5
    assert {int(each["line"]) - 1 for each in worst} <= wrong


def test_rows_and_objects_tell_the_same_in_the_order_of_the_pairs(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("three one\t3 1\n\nfive\t4\none\nthree one\t3 1\ntwo\t" + "2 " * 6000 + "\n")
    line = ["likelihood", str(model_folder), str(pairs)]
    assert main(line) == 0
    told = capsys.readouterr()
    head, *lines = (line.split("\t") for line in told.out.splitlines())
    table = [dict(zip(head, line, strict=True)) for line in lines]
    assert [each["line"] for each in table] == ["1", "3", "5"]
    assert "left out, an empty line: 1 (line 2)" in told.err
    assert "left out, fewer than 2 columns: 1 (line 4)" in told.err
    assert "left out, a side that is too long or can't be read: 1 (line 6)" in told.err
    assert table[1]["token"] == "4"
    assert main([*line, "--json"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for row, one in zip(table, objects, strict=True):
        assert row["source"] == one["source"]
        assert [float(each) for each in row["log_probs"].split()] == pytest.approx(one["log_probs"], abs=1e-4)
        assert float(row["log_prob"]) == pytest.approx(one["log_prob"], abs=1e-4)
        assert row["token"] == one["token"] == one["tokens"][one["place"]]
        assert float(row["least"]) == pytest.approx(one["least"], abs=1e-4)


def test_tokens_never_seen_in_training_are_told(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pairs.tsv").write_text("one\t1\ntwo\tq9\n")
    assert main(["likelihood", str(model_folder), str(tmp_path / "pairs.tsv")]) == 0
    assert "kept, a target with tokens never seen in training: 1 (line 2)" in capsys.readouterr().err


def test_features_that_the_model_does_not_know_are_told(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pairs.tsv").write_text("one\tV;PST\t1\ntwo\tV;3;SG\t2\n")
    assert main(["likelihood", str(model_folder), str(tmp_path / "pairs.tsv")]) == 0
    assert "column 2 holds features, such as" in capsys.readouterr().err
    assert main(["predict", str(model_folder), "one\tV;PST"]) == 0
    assert "trained without features" in capsys.readouterr().err
    with pytest.raises(regard.RegardError, match="this model was trained without features"):
        regard.load(model_folder, device="cpu").predict(("one", "V;PST"))


class Slow(io.RawIOBase):
    """Lines that come one at a time; how many were asked for so far is `given`."""

    def __init__(self, lines: list[bytes]) -> None:
        self.lines, self.given = lines, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self.given == len(self.lines):
            return 0
        line = self.lines[self.given]
        self.given += 1
        buffer[: len(line)] = line
        return len(line)


def test_pairs_from_standard_input_are_scored_while_more_come(
    model_folder: Path, pairs_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = pairs_file.read_bytes().splitlines(keepends=True)[:24]
    monkeypatch.setattr(reading, "AHEAD", 4)
    monkeypatch.setattr(command, "_AT_ONCE", {"text": 5})
    slow, seen = Slow(lines), list[int]()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(slow)))
    as_row = command._as_row

    def noticing(found: command._Found) -> str:
        seen.append(slow.given)
        return as_row(found)

    monkeypatch.setattr(command, "_as_row", noticing)
    assert main(["likelihood", str(model_folder), "-"]) == 0
    streamed = capsys.readouterr().out
    assert seen[0] < 10 < seen[-1]
    assert main(["likelihood", str(model_folder), str(pairs_file)]) == 0
    assert streamed.splitlines() == capsys.readouterr().out.splitlines()[:25]


def test_sorted_pairs_are_those_in_their_order(
    model_folder: Path, pairs_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = []
    for flags in ([], ["--sort", "log_prob"], ["--worst", "9", "--sort", "log_prob"]):
        assert main(["likelihood", str(model_folder), str(pairs_file), *flags]) == 0
        outputs.append(capsys.readouterr().out.splitlines()[1:])
    plain, by, worst = outputs
    assert sorted(by) == sorted(plain)
    numbers = [float(row.split("\t")[0]) for row in by]
    assert numbers == sorted(numbers)
    assert worst == by[:9]


def test_the_first_of_equals_is_the_first_in_the_file() -> None:
    found = [command._Found(line, Likelihood("a", "b", 0.0, (), ())) for line in range(9)]
    for worst in (None, 4):
        lines = command._sorted(iter(found), lambda each: each.line % 2, lambda each: str(each.line), worst)
        assert list(lines) == list("024681357")[:worst]


@pytest.mark.parametrize(
    ("flags", "line"),
    [(["--sort", "loudness"], "--sort: came 'loudness'; known: per_token"), (["--worst", "0"], "--worst: came 0")],
)
def test_what_can_not_be_sorted(
    model_folder: Path, pairs_file: Path, flags: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["likelihood", str(model_folder), str(pairs_file), *flags]) == 2
    assert line in capsys.readouterr().err
