"""The batch plan: every example once, equal ranks, little padding, and the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.data.batches import Unit, evaluation_batches, padding_share, plan, restore
from regard.data.examples import encode_pairs
from regard.data.reading import read_parallel
from regard.data.tokenisers import make_tokenisers
from regard.errors import RegardError

LENGTHS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=120)


def corpus(count: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    source = generator.gamma(8, 2, count).astype(int) + 3
    return source, np.maximum(2, source + generator.normal(0, 3, count).astype(int))


@given(
    lengths=LENGTHS,
    size=st.integers(1, 300),
    unit=st.sampled_from(["tokens", "sentences"]),
    seed=st.integers(0, 2**32),
    epoch=st.integers(0, 1000),
    world=st.integers(1, 5),
    shuffle=st.booleans(),
)
def test_every_example_once_and_ranks_equal(
    lengths: list[tuple[int, int]], size: int, unit: Unit, seed: int, epoch: int, world: int, shuffle: bool
) -> None:
    source, target = [pair[0] for pair in lengths], [pair[1] for pair in lengths]

    def ranks(processes: int) -> list[list[list[int]]]:
        return [
            plan(
                source,
                target,
                size=size,
                unit=unit,
                seed=seed,
                epoch=epoch,
                rank=rank,
                world=processes,
                shuffle=shuffle,
            )
            for rank in range(processes)
        ]

    plans = ranks(world)
    assert sorted(index for one in plans for batch in one for index in batch) == list(range(len(lengths)))
    assert len({len(one) for one in plans}) == 1
    for batch in (batch for one in plans for batch in one):
        width = max((max(lengths[index]) for index in batch), default=0)
        assert len(batch) * (width if unit == "tokens" else 1) <= size or len(batch) == 1
    # Several processes see what one sees, and only the last step may have empty batches.
    (alone,) = ranks(1)
    together = [batch for step in zip(*plans, strict=True) for batch in step]
    assert together[: len(alone)] == alone
    assert all(batch == [] for batch in together[len(alone) :])
    assert len(together) - len(alone) < world
    assert all(alone)


def test_same_seed_and_epoch_same_plan() -> None:
    source, target = corpus(2000)

    def made(seed: int, epoch: int) -> list[list[int]]:
        return plan(source, target, size=32, unit="sentences", seed=seed, epoch=epoch)

    assert made(1, 0) == made(1, 0)
    plans = [made(1, 0), made(1, 1), made(2, 0)]
    together = [{(batch[0], index) for batch in one for index in batch} for one in plans]
    assert all(
        len(one & other) < 0.2 * len(one) for one, other in zip(together, together[1:] + together[:1], strict=True)
    )


def test_golden_plan() -> None:
    found = plan([3, 9, 3, 8, 4, 9], [3, 9, 4, 8, 3, 7], size=2, unit="sentences", seed=5, epoch=2)
    assert found == [[0, 2], [3], [4], [1, 5]]


@pytest.mark.parametrize(
    ("size", "unit", "share"), [(256, "sentences", 0.04), (80, "sentences", 0.03), (2048, "tokens", 0.03)]
)
def test_padding_is_little(size: int, unit: Unit, share: float) -> None:
    source, target = corpus(20_000)
    for epoch in range(3):
        batches = plan(source, target, size=size, unit=unit, seed=1, epoch=epoch)
        assert padding_share(batches, source, target) < share
        # Splitting has its price, which stays bounded.
        assert len(batches) <= 4 / 3 * (20_000 / size if unit == "sentences" else 1.15 * target.sum() / size) + 2


def test_batches_come_in_mixed_order() -> None:
    source, target = corpus(20_000)
    widths = [source[batch].max() for batch in plan(source, target, size=64, unit="sentences", seed=1, epoch=0)]
    assert abs(np.corrcoef(widths, np.arange(len(widths)))[0, 1]) < 0.2


def test_unshuffled_is_longest_first_and_the_same_in_every_epoch() -> None:
    source, target = corpus(500)
    first = plan(source, target, size=16, unit="sentences", seed=1, epoch=0, shuffle=False)
    assert first == plan(source, target, size=16, unit="sentences", seed=2, epoch=9, shuffle=False)
    widths = [int(source[batch].max() + target[batch].max()) for batch in first]
    assert widths == sorted(widths, reverse=True)


def test_padding_share_by_hand() -> None:
    assert padding_share([[0, 1], [2], []], [2, 4, 3], [1, 1, 5]) == pytest.approx(1 - 16 / 18)
    assert padding_share([], [], []) == 0


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"size": 0}, "size of 1 or more"),
        ({"size": 4, "rank": 2, "world": 2}, "rank 2 is outside of a world of 2"),
        ({"size": 4, "rank": -1}, "rank -1"),
    ],
)
def test_wrong_settings(options: dict[str, int], match: str) -> None:
    with pytest.raises(RegardError, match=match):
        plan([1, 2], [1, 2], seed=0, epoch=0, **options)  # type: ignore[arg-type]


def test_sides_of_different_number() -> None:
    with pytest.raises(RegardError, match="2 source lengths and 1 target"):
        plan([1, 2], [1], size=4, seed=0, epoch=0)


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 20))
def test_evaluation_order_is_restored(lengths: list[int], size: int) -> None:
    batches = evaluation_batches(lengths, size=size)
    assert restore(batches, [[f"result {index}" for index in batch] for batch in batches]) == [
        f"result {index}" for index in range(len(lengths))
    ]
    assert all(len(batch) <= size for batch in batches)


@pytest.mark.realdata
def test_padding_on_multi30k(corpora: Path) -> None:
    pairs, _ = read_parallel(corpora / "multi30k" / "train.en.gz", corpora / "multi30k" / "train.de.gz")
    sides = [pair.source for pair in pairs], [pair.target for pair in pairs]
    examples, _ = encode_pairs(pairs, *make_tokenisers("bpe:8000", "bpe:8000", *sides))
    lengths = examples.source_lengths, examples.target_lengths
    kinds: list[tuple[int, Unit]] = [(256, "sentences"), (80, "sentences"), (4096, "tokens")]
    for size, unit in kinds:
        batches = plan(*lengths, size=size, unit=unit, seed=1, epoch=0)
        assert padding_share(batches, *lengths) < 0.03
