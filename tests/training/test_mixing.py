"""Several files of pairs: how much of each an epoch has, in numbers and in whole trainings."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import TINY, backwards, same_weights

from regard.cli import main
from regard.errors import RegardError
from regard.training import preparing, run
from regard.training.corpus import Texts
from regard.training.mixing import counts, mixed, parsed_weights
from regard.training.progress import Silent

SETTINGS: dict[str, Any] = {**TINY, "report": False}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("files")
    for name, count, seed in (("large.tsv", 60, 0), ("small.tsv", 12, 5), ("dev.tsv", 10, 9)):
        lines = [f"{source}\t{target}\n" for source, target in backwards(count, seed)]
        (folder / name).write_text("".join(lines), encoding="utf-8")
    return [folder / name for name in ("large.tsv", "small.tsv", "dev.tsv")]


@given(
    st.lists(st.tuples(st.integers(1, 40), st.floats(0, 10)), min_size=2, max_size=4).filter(
        lambda parts: sum(weight for _, weight in parts) > 1e-3
    ),
    st.integers(0, 5),
)
def test_an_epoch_has_of_each_what_its_weight_says(parts: list[tuple[int, float]], epoch: int) -> None:
    sizes, weights = [size for size, _ in parts], [weight for _, weight in parts]
    numbers = np.repeat(np.arange(len(sizes)), sizes)
    wanted = counts(sizes, weights)
    assert sum(wanted) == sum(sizes)
    for count, weight in zip(wanted, weights, strict=True):
        assert abs(count - sum(sizes) * weight / sum(weights)) < 1
    found = mixed(numbers, weights, 3, epoch)
    assert np.array_equal(found, mixed(numbers, weights, 3, epoch))
    met = Counter(found.tolist())
    for number, (size, count) in enumerate(zip(sizes, wanted, strict=True)):
        own = [met[index] for index in np.flatnonzero(numbers == number)]
        assert sum(own) == count
        assert {*own} <= {count // size, -(-count // size)}, "none twice as often as another"


def test_what_is_left_over_changes_from_epoch_to_epoch_and_with_the_seed() -> None:
    numbers = np.repeat([0, 1], [40, 40])
    epochs = [tuple(sorted(mixed(numbers, (1, 3), seed, epoch).tolist())) for seed in (1, 2) for epoch in (0, 1)]
    assert len(set(epochs)) == 4


@pytest.mark.parametrize(
    ("text", "count", "complaint"),
    [
        ("3,1", 3, "are 2 weights for 3 files; give one for each"),
        ("3,-1", 2, "numbers of 0 or more, and not all of them 0"),
        ("0,0", 2, "numbers of 0 or more, and not all of them 0"),
        ("nan,1", 2, "numbers of 0 or more"),
        ("inf,1", 2, "numbers of 0 or more"),
        ("3;1", 2, "numbers separated by commas, as in 3,1"),
        ("3,1", 1, "one was given; leave it out"),
        ("", 2, "numbers separated by commas"),
    ],
)
def test_weights_that_do_not_add_up(text: str, count: int, complaint: str) -> None:
    with pytest.raises(RegardError, match=complaint) as caught:
        parsed_weights(text, count)
    assert "\n" not in str(caught.value)
    assert parsed_weights(None, count) is None
    assert parsed_weights("3, 0", 2) == (3.0, 0.0)


def test_a_training_on_several_files_resumed_is_uninterrupted(files: list[Path], tmp_path: Path) -> None:
    lines: list[str] = []

    class Heard(Silent):
        def say(self, text: str) -> None:
            lines.append(text)

    large, small, dev = files
    settings = {**SETTINGS, "data": {**TINY["data"], "weights": "1,3"}, "report": Heard()}
    more = {**TINY["training"], "warmup": 4}
    run.train([large, small], dev=dev, out=tmp_path / "whole", **{**settings, "training": {**more, "updates": 20}})
    assert f"{large}: 60 pairs to learn from, 25.0% of an epoch (each 0.30 times)" in lines
    assert f"{small}: 12 pairs to learn from, 75.0% of an epoch (each 4.50 times)" in lines
    for updates in (7, 20):
        run.train(
            [large, small], dev=dev, out=tmp_path / "parts", **{**settings, "training": {**more, "updates": updates}}
        )
    assert same_weights(tmp_path / "whole", tmp_path / "parts")
    plain = {**SETTINGS, "training": {**more, "updates": 20}}
    run.train([large, small], dev=dev, out=tmp_path / "plain", **plain)
    assert not same_weights(tmp_path / "whole", tmp_path / "plain")


def test_without_weights_each_pair_counts_once(files: list[Path]) -> None:
    values = preparing.gather(None, {"data": TINY["data"]})
    texts: Texts = preparing.read(files[:2], None, files[2], None, values)
    assert texts.files == tuple(map(str, files[:2]))
    prepared = preparing.prepare(texts, values)
    assert preparing.told_shares(prepared) == [
        f"{files[0]}: 60 pairs to learn from, 83.3% of an epoch",
        f"{files[1]}: 12 pairs to learn from, 16.7% of an epoch",
    ]


def test_refused_in_one_line(files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    large, small, _ = map(str, files)
    out = ["--out", str(tmp_path / "none")]
    for arguments, complaint in (
        ([large, large], "was given twice; give it once"),
        ([large, str(files[0].parent / "." / ".." / files[0].parent.name / "large.tsv")], "was given twice, the first"),
        ([large, small, "--data.weights", "1,2,3"], "are 3 weights for 2 files"),
        ([large, "--data.weights", "1,2"], "one was given; leave it out"),
        ([large, small, "--target", large], "goes line by line beside one file"),
        ([large, small, "--guided", large], "goes line by line beside one file"),
        ([large, small, "--curve"], "--curve is for one file of pairs"),
        ([large, str(tmp_path / "missing.tsv")], "no such file"),
    ):
        assert main(["train", *arguments, *out]) == 2
        said = capsys.readouterr().err
        assert complaint in said
        assert "Traceback" not in said
    assert not (tmp_path / "none").exists()


def test_a_file_with_weight_and_no_pair_is_refused_before_the_old_model_is_touched(
    files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large, _, dev = files
    out, long = tmp_path / "model", tmp_path / "long.tsv"
    run.train(large, dev=dev, out=out, **SETTINGS)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    long.write_text("".join(f"{'one ' * (300 + number)}\t{number}\n" for number in range(3)))
    given = ["train", str(large), str(long), "--dev", str(dev), "--training.device=cpu", "--data.source_tokens=symbols"]
    why = f"{long}: data.weights gives it 1, and all its pairs are left out, source longer than 256 tokens"
    for folder, more in ((out, ["--restart"]), (tmp_path / "none", [])):
        assert main([*given, "--data.weights", "1,1", "--out", str(folder), *more]) == 2
        assert why in capsys.readouterr().err
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert not (tmp_path / "none").exists()
    assert main([*given, "--data.weights", "1,0", "--dry-run"]) == 0
    short = tmp_path / "short.tsv"
    short.write_text("one two\t2 1\n")
    values = preparing.gather(None, {"data": {**TINY["data"], "weights": "1,1"}})
    texts: Texts = preparing.read([large, short], None, dev, None, values)
    held = replace(texts, train=tuple(pair for pair in texts.train if pair.file != str(short)))
    with pytest.raises(RegardError, match=r"short.tsv: .* all its pairs are held out for validation; give it 0"):
        preparing.told_shares(preparing.prepare(held, values))
