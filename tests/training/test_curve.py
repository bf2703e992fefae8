"""`regard train --curve`: nested parts, all seeds, going on, and what is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny import TINY, backwards

from regard.cli import main
from regard.data.reading import Pair
from regard.errors import RegardError
from regard.training import curve as module
from regard.training.corpus import texts_of
from regard.training.curve import (
    CURVE,
    Point,
    checked_sizes,
    curve,
    drawing,
    load_points,
    spread,
    subset,
    summary,
    usual_metrics,
)
from regard.training.interrupts import TrainingStopped

QUICK: dict[str, Any] = {**TINY, "training": {**TINY["training"], "updates": 4, "validate_every": 4}}
PAIRS = [Pair(source, target) for source, target in backwards(40)]


def test_smaller_parts_lie_in_larger_ones_and_keep_their_order() -> None:
    order = drawing(PAIRS, seed=5)
    parts = [subset(PAIRS, order, size) for size in (3, 10, 40)]
    assert [len(part) for part in parts] == [3, 10, 40]
    assert set(parts[0]) < set(parts[1]) < set(parts[2])
    assert parts[2] == PAIRS
    assert parts[1] == [pair for pair in PAIRS if pair in parts[1]]


def test_a_part_depends_on_the_seed_and_not_on_the_order_of_the_file() -> None:
    one, other = (set(subset(PAIRS, drawing(PAIRS, seed), 10)) for seed in (1, 2))
    assert one != other
    turned = PAIRS[::-1]
    assert set(subset(turned, drawing(turned, 1), 10)) == one


def test_sizes() -> None:
    assert checked_sizes(None, 2_218) == [100, 300, 1_000, 2_218]
    assert checked_sizes(None, 1_000) == [100, 300, 1_000]
    assert checked_sizes(None, 50) == [50]
    assert checked_sizes([300, 10, 10], 300) == [10, 300]
    for wrong in ([301], [1], [-5, 10]):
        with pytest.raises(RegardError, match="300 pairs to train on"):
            checked_sizes(wrong, 300)


@pytest.mark.parametrize(
    ("targets", "metrics"),
    [
        (["t ɑ̃ d i", "s ɛ ʁ", "ɑ̃ f ɛ ʁ"] * 9, ("accuracy", "per")),
        (["chases", "chased", "running"], ("accuracy", "cer")),
        (["Tom chases Jerry.", "The dog chased a cat."], ("chrf", "bleu")),
        (["汤姆追杰瑞。", "狗追猫。"], ("chrf", "bleu")),
    ],
)
def test_metrics_suit_the_targets(targets: list[str], metrics: tuple[str, str]) -> None:
    pairs = [(str(number), target) for number, target in enumerate(targets)]
    texts = texts_of(pairs[1:], pairs[:1])
    assert usual_metrics(texts, {}) == metrics
    assert usual_metrics(texts, {"training.metric": "loss"}) == metrics
    assert usual_metrics(texts, {"training.metric": metrics[1]}) == (metrics[1], metrics[0])


def test_a_curve_from_the_command_line(
    tmp_path: Path, pairs_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = [
        "--data.source_tokens=symbols", "--data.target_tokens=symbols", "--model.encoder.width=16",
        "--model.decoder.width=16", "--model.embedding=12", "--training.updates=4", "--training.batch=60",
        "--training.validate_every=4", "--training.seed=7", "--training.device=cpu", "--training.threads=1",
    ]  # fmt: skip
    command = ["train", str(pairs_file), "--out", str(tmp_path / "curve"), "--curve", "20,60", "--seeds", "2", *flags]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert [line.split()[:2] for line in shown.splitlines()[2:4]] == [["20", "2"], ["60", "2"]]
    assert "±" in shown
    assert (tmp_path / "curve" / "curve.png").stat().st_size > 1000
    points = load_points(tmp_path / "curve")
    assert [(point.pairs, point.seed) for point in points] == [(20, 7), (60, 7), (20, 8), (60, 8)]
    assert all(set(point.scores) == {"accuracy", "per"} and point.updates == 4 for point in points)
    assert (tmp_path / "curve" / "20-pairs-seed-8" / "model.safetensors").exists()
    # Once more: nothing is trained again.
    monkeypatch.setattr(module, "train", lambda *_, **__: pytest.fail("trained again"))
    assert main(command) == 0
    assert capsys.readouterr().out == shown
    assert main([*command, "--model.dropout=0.5"]) == 2
    assert "other pairs or settings" in capsys.readouterr().err


def test_stopped_curves_go_on(tmp_path: Path, pairs_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, trained = module.train, list[Path]()

    def stopping(*arguments: Any, out: Path, **more: Any) -> Any:
        if len(trained) == 2:
            raise TrainingStopped("stopped", 15)
        trained.append(out)
        return original(*arguments, out=out, **more)

    with monkeypatch.context() as patch:
        patch.setattr(module, "train", stopping)
        with pytest.raises(TrainingStopped):
            curve(pairs_file, out=tmp_path / "curve", sizes=[10, 20], seeds=2, **QUICK)
    kept = (tmp_path / "curve" / CURVE).read_text()
    points = curve(pairs_file, out=tmp_path / "curve", sizes=[10, 20], seeds=2, **QUICK)
    assert (tmp_path / "curve" / CURVE).read_text().startswith(kept)
    assert len(points) == 4
    whole = curve(pairs_file, out=tmp_path / "whole", sizes=[10, 20], seeds=2, **QUICK)
    assert [point.scores for point in points] == [point.scores for point in whole]


def test_restart_removes_the_models_of_the_curve_and_nothing_else(tmp_path: Path, pairs_file: Path) -> None:
    curve(pairs_file, out=tmp_path, sizes=[10, 20], seeds=1, **QUICK)
    (tmp_path / "10-pairs-of-shoes").mkdir()
    other = {**QUICK, "model": {**QUICK["model"], "dropout": 0.5}}
    points = curve(pairs_file, out=tmp_path, sizes=[20], seeds=1, restart=True, **other)
    assert [point.pairs for point in points] == [20]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["10-pairs-of-shoes", "20-pairs-seed-3"]


def test_a_test_file_is_scored_instead(tmp_path: Path, pairs_file: Path) -> None:
    test = tmp_path / "test.tsv"
    test.write_text("one two\t2 1\n", encoding="utf-8")
    found = []
    original = module.score

    def listening(predictor: Any, pairs: Any, metrics: Any) -> Any:
        found.append([pair.source for pair in pairs])
        return original(predictor, pairs, metrics)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "score", listening)
        curve(pairs_file, out=tmp_path / "curve", sizes=[10], seeds=1, test=test, **QUICK)
    assert found == [["one two"]]


@pytest.mark.parametrize("names", [("2", "1"), ("digits", "words")])
def test_a_test_file_is_read_as_the_pairs_were(tmp_path: Path, names: tuple[str, str]) -> None:
    head = "words\tdigits\n" * (names[0] == "digits")
    for name, count, seed in (("pairs.tsv", 30, 0), ("test.tsv", 3, 8)):
        lines = [f"{source}\t{target}\n" for source, target in backwards(count, seed)]
        (tmp_path / name).write_text(head + "".join(lines), encoding="utf-8")
    found: list[Pair] = []

    def listening(predictor: Any, pairs: Any, metrics: Any) -> dict[str, float]:
        found.extend(pairs)
        return dict.fromkeys(metrics, 0.0)

    settings = {**QUICK, "data": {**QUICK["data"], "source": names[0], "target": names[1]}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "score", listening)
        test = tmp_path / "test.tsv"
        curve(tmp_path / "pairs.tsv", out=tmp_path / "curve", sizes=[10], seeds=1, test=test, **settings)
    assert [(pair.target, pair.source) for pair in found] == backwards(3, 8)


def test_damaged_points_and_options_without_a_curve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / CURVE).write_text(json.dumps({"pairs": 3}))
    with pytest.raises(RegardError, match="damaged"):
        load_points(tmp_path)
    for flags in (["--seeds", "2"], ["--test", "x"], ["--curve", "ten"], ["--curve", "10", "--dry-run"]):
        assert main(["train", "none.tsv", *flags]) == 2
        assert "curve" in capsys.readouterr().err


def test_the_table() -> None:
    points = [Point(size, seed, {"chrf": size + seed}, 5, 1, 60.0, "") for size in (100, 300) for seed in (1, 2)]
    lines = summary(points).splitlines()
    assert lines[0].split() == ["pairs", "seeds", "chrf", "training", "time"]
    assert lines[2].split() == ["100", "2", "101.50", "±", "0.71", "1:00"]
    assert spread([3.0]) == "3.00"
