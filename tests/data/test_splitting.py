"""The development part: deterministic, grouped by source, saved."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.data.reading import Pair, read_pairs
from regard.data.splitting import dev_size, hold_out, save_tsv, shared_sources, source_key
from regard.errors import RegardError

PAIRS = [Pair(f"source {number}", f"target {number}", "f", number) for number in range(1, 401)]


def test_size_and_order() -> None:
    train, dev = hold_out(PAIRS, seed=1)
    assert len(dev) == dev_size(400) == 50
    assert sorted(train + dev, key=lambda pair: pair.line) == PAIRS
    assert [pair.line for pair in dev] == sorted(pair.line for pair in dev)
    assert shared_sources(train, dev) == 0
    assert shared_sources(PAIRS, dev) == 50


@pytest.mark.parametrize(("pairs", "size"), [(2, 1), (10, 2), (100, 20), (1_000, 50), (10_000, 500), (29_000, 1_000)])
def test_default_sizes(pairs: int, size: int) -> None:
    assert dev_size(pairs) == size


def test_seed_decides() -> None:
    assert hold_out(PAIRS, seed=1) == hold_out(PAIRS, seed=1)
    assert hold_out(PAIRS, seed=1) != hold_out(PAIRS, seed=2)


def test_golden_choice() -> None:
    assert [pair.line for pair in hold_out(PAIRS[:20], seed=7, size=3).dev] == GOLDEN


GOLDEN = [8, 12, 17]


def test_neither_order_nor_length_of_the_file_changes_the_draw() -> None:
    first = {pair.source for pair in hold_out(PAIRS, seed=3, size=20).dev}
    assert {pair.source for pair in hold_out(PAIRS[::-1], seed=3, size=20).dev} == first
    kept = {pair.source for pair in hold_out(PAIRS[:200], seed=3, size=20).dev}
    assert first & {pair.source for pair in PAIRS[:200]} <= kept


@pytest.mark.parametrize(
    ("one", "other"), [("Tom runs.", "tom  RUNS."), ("caf\u00e9", "cafe\u0301"), ("Straße", "STRASSE")]
)
def test_same_source(one: str, other: str) -> None:
    assert source_key(one) == source_key(other)


@given(keys=st.lists(st.integers(0, 6), min_size=2, max_size=40), seed=st.integers(0, 99), size=st.integers(1, 30))
def test_no_source_on_both_sides(keys: list[int], seed: int, size: int) -> None:
    pairs = [Pair("sS"[number % 2] * (key + 1), str(number)) for number, key in enumerate(keys)]
    if len(set(keys)) < 2:
        with pytest.raises(RegardError, match="1 different source"):
            hold_out(pairs, seed=seed, size=size)
        return
    train, dev = hold_out(pairs, seed=seed, size=size)
    assert train
    assert dev
    assert shared_sources(train, dev) == 0
    assert sorted(train + dev, key=lambda pair: int(pair.target)) == pairs


def test_saved_and_read_again(tmp_path: Path) -> None:
    pairs = [Pair("a", "b"), Pair("c", "d", references=("d", "e"))]
    save_tsv(pairs, tmp_path / "dev.tsv")
    found, _ = read_pairs(tmp_path / "dev.tsv", references=True)
    assert [(pair.source, pair.targets) for pair in found] == [("a", ("b",)), ("c", ("d", "e"))]
    assert [file.name for file in tmp_path.iterdir()] == ["dev.tsv"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RegardError, match="can't be written"):
        save_tsv(PAIRS, tmp_path / "none" / "dev.tsv")
