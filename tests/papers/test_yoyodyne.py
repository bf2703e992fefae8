"""The table beside Yoyodyne: equal chances, a choice by the development list alone, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yoyodyne
import yoyodyne_peer
from yoyodyne_tasks import OURS, TASKS, THEIRS, settings

from regard.configuration import checked
from regard.training.interrupts import TrainingStopped


@pytest.mark.parametrize("task", TASKS)
def test_both_sides_try_as_many_settings_of_the_same_size(task: str) -> None:
    ours, theirs = settings(task, OURS), settings(task, THEIRS)
    assert len(ours) == len(theirs) == len(dict(ours)) == len(dict(theirs))
    for (_, our), (_, their) in zip(ours, theirs, strict=True):
        assert checked(our)
        assert our["training.rate"] == their["lr"]
        assert our["model.encoder.width"] == our["model.decoder.width"] == their["width"]
        assert our["model.embedding"] == their["embedding"]
        assert our["training.clip"] == their["clip"]
        assert our["model.dropout"] == their["dropout"]
        epochs = TASKS[task].epochs[OURS]
        assert epochs in (2 * their["epochs"], 3 * their["epochs"])
        assert our["training.updates"] == epochs * -(-TASKS[task].pairs // their["batch_size"])


def test_the_configuration_of_yoyodyne(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yoyodyne_peer, "rows", lambda task, part: [("walk", "V;PST", "walked")])
    _, model = settings("hard", THEIRS)[-1]
    found = yoyodyne_peer.configuration("forms", tmp_path / "model", model, 3)
    assert Path(found["data"]["test"]).read_text() == "walk\twalked\tV;PST\n"
    assert (found["seed_everything"], found["data"]["features_col"], found["data"]["target_sep"]) == (3, 3, "")
    made = found["model"]["init_args"]
    assert (made["enforce_monotonic"], made["attention_context"]) == (True, 1)
    assert "label_smoothing" not in made
    assert (
        made["scheduler"]["init_args"]["total_iters"] == found["trainer"]["max_epochs"] == TASKS["hard"].epochs[THEIRS]
    )
    assert made["source_encoder"]["init_args"]["hidden_size"] * 2 == made["decoder_hidden_size"] == model["width"]
    monkeypatch.setattr(yoyodyne_peer, "rows", lambda task, part: [("chat", "", "ʃ a")])
    found = yoyodyne_peer.configuration("hard", tmp_path / "model", model, 3)
    assert (found["data"]["features_col"], found["data"]["target_sep"]) == (0, " ")
    assert found["model"]["init_args"]["features_encoder"] is False
    timed = yoyodyne_peer.unvalidated(found, 6)
    assert (timed["trainer"]["max_epochs"], timed["trainer"]["limit_val_batches"]) == (6, 0)
    assert "checkpoint" not in timed


def results(task: str, best: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Of all settings, with these accuracies on the development list, of the best with more seeds, and the times."""
    scores = {"accuracy": 75.0, "per": 5.0, "right": "1101", "beam 5": {"accuracy": 80.0}}
    found = []
    for job in yoyodyne.jobs():
        if not job.name.startswith(f"{task}-"):
            continue
        side = job.about["side"]
        if side == "both":
            times = {name: {"cpu seconds": 1.0, "wall seconds": 2.0, "updates": 25} for name in (OURS, THEIRS)}
            times[THEIRS]["cpu seconds"] = 1.5
            found.append({**job.about, "digest": job.digest, "scores": times})
            continue
        number = job.name.split("-")[1]
        dev = 50.0 if number == "best" else best[side][int(number) - 1]
        training = {"best": dev, "cpu_seconds": 60, "parameters": 250_000, "epochs": 20}
        found.append({**job.about, "digest": job.digest, "scores": dict(scores), "training": training})
    return found


BEST = {OURS: [60.0, 62.0, 62.0, 61.0], THEIRS: [63.0, 1.0, 2.0, 3.0]}


def test_what_is_best_on_the_development_list_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    found = results("hard", BEST)
    monkeypatch.setattr(yoyodyne, "records", lambda table: {each["digest"]: each for each in found})
    assert yoyodyne.best("hard", OURS) == settings("hard", OURS)[1]
    assert yoyodyne.best("hard", THEIRS) == settings("hard", THEIRS)[0]
    del found[0]
    with pytest.raises(TrainingStopped, match="not every setting of Regard has been tried"):
        yoyodyne.best("hard", OURS)


def test_what_is_told_of_it() -> None:
    def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
        listed = list(rows)
        assert {len(row) for row in listed} == {len(head)}
        return "\n".join("|".join(row) for row in (head, *listed))

    found = results("hard", BEST)
    text = "\n".join(yoyodyne.sections(found, table))
    chosen = settings("hard", OURS)[1][0]
    assert f"{OURS}|{chosen}|54.0 ± 6.9|25.0 ± 0.0|5.0 ± 0.0|3|250 k|20|25|1.00 s|2.00 s|0.3 min" in text
    assert "takes 1.50 times Regard's seconds of a core, 1.00 times in all" in text
    assert "over the seeds of both: +0.0 [+0.0, +0.0]" in text
    assert "with beam 5: 20.0" in text
    assert yoyodyne.sections(found[1:], table) == []
