"""Who has a turn when, and what becomes of the results in the tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import driver

import contest
import decoding
import training


def record(job: str, result: dict[str, Any]) -> str:
    facts = {
        "job": job, "date": "2026-01-02T03:04:05", "load": 0.5, "cpu": "a processor", "vectors": "avx2", "cores": 2,
        "threads": 2, "omp_wait_policy": "default", "python": "3.11.7", "torch": "2.13.0", "sources": "0",
    }  # fmt: skip
    return json.dumps(facts | {"result": result}) + "\n"


def trained(speed: float, memory: int = 1000) -> dict[str, Any]:
    return {
        "tokens_per_second": speed, "tokens": 4000, "updates": 10, "seconds": 20.0, "cpu_seconds": 40.0,
        "parameters": 12345678, "peak_mb": memory, "threads": 2, "versions": {"torch": "2.13.0"},
    }  # fmt: skip


def test_every_round_has_all_contestants_and_the_next_is_in_reverse_order() -> None:
    named = contest.jobs(contest.DECODED)
    turns = dict.fromkeys(contest.DECODED, 0)
    for job in named:
        _, model, name, _ = job.split("/")
        turns[contest.contestant(model, name)] += 1
    assert len(named) == len(set(named)) == sum(turns.values())
    assert turns == {one: 2 if one.toolkit in contest.ONCE else sum(contest.ROUNDS.values()) for one in turns}
    again = [one for one in contest.DECODED if one.toolkit not in contest.ONCE]
    second = named[len(contest.DECODED) : len(contest.DECODED) + len(again)]
    assert [job.split("/")[1:3] for job in second] == [[one.model, one.name] for one in reversed(again)]


def test_the_table_of_training_holds_medians_shares_and_bars(tmp_path: Path) -> None:
    path = tmp_path / "training.jsonl"
    lines = [record(f"2/B/regard/{round_}", trained(speed, 900)) for round_, speed in enumerate((110, 120, 190), 1)]
    lines += [record("2/B/eole/1", trained(100)), record("2/B/joeynmt/1", trained(50, 800))]
    lines += [record("peak/2/1", {"most": 1.0}), record("work", {"A": 1e6, "A-bilinear": 1e6, "B": 5e6})]
    lines += [record("2/A/regard/1", trained(100)), record("2/A/opennmt-bilinear/1", trained(100))]
    path.write_text("".join(lines), encoding="utf-8")
    training.report(path)
    text = path.with_suffix(".md").read_text(encoding="utf-8")
    assert "| Regard | scaled_dot | 120 | 110, 120, 190 | 60 % | 900 | 400 |" in text
    assert "| 2 | B | OpenNMT-py or Eole or JoeyNMT | 1.20 x (met) | 900 MB against 800 |" in text
    assert "| 2 | A | OpenNMT-py | 1.00 x (not met) |" in text
    assert "| 1 | B | OpenNMT-py or Eole or JoeyNMT | not measured | not measured |" in text


def test_the_table_of_decoding_compares_with_pytorch_peers_only(tmp_path: Path) -> None:
    def decoded(speed: float, single: float) -> dict[str, Any]:
        one = {"sentences_per_second": speed, "milliseconds": single, "milliseconds_p90": 20.0, "mean_length": 16}
        return {"beam 1": one, "beam 5": {**one, "milliseconds": 13.0}, "peak_mb": 400, "versions": {}}

    path = tmp_path / "decoding.jsonl"
    speeds = {"regard": 150.0, "opennmt": 100.0, "ctranslate2": 900.0}
    path.write_text("".join(record(f"2/B/{name}/1", decoded(s, 11.0)) for name, s in speeds.items()), encoding="utf-8")
    decoding.report(path)
    text = path.with_suffix(".md").read_text(encoding="utf-8")
    assert "| 2 | B | greedy | 1.50 x (met) | 11.0 ms (met) |" in text
    assert "| 2 | B | beam 5 | 1.50 x (met) | 13.0 ms (not met) |" in text
    assert text.index("| CTranslate2 | scaled_dot | 900 |") < text.index("| Regard | scaled_dot | 150 |")


def test_blocks_hold_pairs_of_like_length_and_every_pair_once() -> None:
    pairs = [(" ".join("a" * (1 + number % 7)), str(number)) for number in range(23)]
    found = driver.blocks(pairs, 5, seed=1)
    assert sorted(found) == sorted(pairs)
    lengths = [len(source.split()) for source, _ in found]
    assert all(max(lengths[at : at + 5]) - min(lengths[at : at + 5]) <= 2 for at in range(0, 20, 5))
    assert found != driver.blocks(pairs, 5, seed=2)
