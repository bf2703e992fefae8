"""The batch plan: which examples stand together in which step, as a pure function of lengths, seed and epoch.

Examples of like length stand together, so that little is padded: they are ordered by source length, those of one
source length by target length, and cut into batches; the batches with most padding are then split, until less than 3 %
of the cells are padding. Chance decides among equals, where the first batch ends, and in which order the batches come.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from regard.errors import RegardError

Unit = Literal["tokens", "sentences"]
Plan = list[list[int]]
_Ints = NDArray[np.int64]
_T = TypeVar("_T")

_PADDING = 0.029
# Small batches cost steps and steady gradients: splitting makes a third more of them at most, and none of less than
# an eighth of the usual number of examples.
_MORE_BATCHES = 1 / 3
_SMALLEST = 8


def plan(
    source_lengths: ArrayLike,
    target_lengths: ArrayLike,
    *,
    size: int,
    unit: Unit = "tokens",
    seed: int,
    epoch: int,
    rank: int = 0,
    world: int = 1,
    shuffle: bool = True,
) -> Plan:
    """The batches of one epoch for process `rank` of `world`: lists of example indices.

    `size` is the most that a batch holds, counted by `unit`: `sentences`, or `tokens`, the cells of the batch's wider
    side, padding included (examples x max(longest source, longest target)). An example with more tokens than `size`
    is a batch by itself.

    Each example is in exactly one batch of exactly one rank, and all ranks have equally many batches: where the number
    of batches is no multiple of `world`, the last batch of the last ranks is empty (a rank then takes part in the step
    with a loss of zero). Step k of all ranks together is batches k * world ... k * world + world - 1 of the plan for
    one process, so several processes see what one process sees that accumulates over `world` batches.

    `shuffle=False` is the same in every epoch, longest first, so that memory runs out at the start or not at all.

    Raises RegardError for a size below 1, a rank outside of the world, and sides of different number.
    """
    sources, targets = np.asarray(source_lengths, np.int64), np.asarray(target_lengths, np.int64)
    if sources.shape != targets.shape or sources.ndim != 1:
        raise RegardError(f"{sources.size} source lengths and {targets.size} target lengths; give one of each a pair")
    if size < 1:
        raise RegardError(f"a batch of {size} {unit} can hold nothing; give a size of 1 or more")
    if not 0 <= rank < world:
        raise RegardError(f"rank {rank} is outside of a world of {world} processes (from 0 to {world - 1})")
    generator = np.random.default_rng((seed, epoch)) if shuffle else None
    # The first batch is filled to a random share, so that batches end elsewhere in every epoch.
    first = size if generator is None else int(generator.integers(1, size + 1))
    widths = np.maximum(np.maximum(sources, targets), 1) if unit == "tokens" else np.ones_like(sources)
    batches = _split(_cut(_order(sources, targets, generator), widths, size, first), sources, targets)
    if generator is None:
        batches.sort(key=lambda batch: int(sources[batch].max() + targets[batch].max()), reverse=True)
    else:
        batches = [batches[index] for index in generator.permutation(len(batches))]
    batches += [[] for _ in range(-len(batches) % world)]
    return batches[rank::world]


def padding_share(batches: Iterable[Sequence[int]], source_lengths: ArrayLike, target_lengths: ArrayLike) -> float:
    """The share of cells of all batches, both sides, that hold padding: 1 - tokens / cells."""
    sources, targets = np.asarray(source_lengths, np.int64), np.asarray(target_lengths, np.int64)
    cells = tokens = 0
    for batch in batches:
        cells += _cells(batch, sources, targets)
        tokens += int(sources[list(batch)].sum() + targets[list(batch)].sum()) if len(batch) else 0
    return 1 - tokens / cells if cells else 0.0


def evaluation_batches(lengths: ArrayLike, *, size: int, unit: Unit = "sentences") -> Plan:
    """Batches for predicting: every example once, those of like length together, longest first. See `restore`."""
    return plan(lengths, lengths, size=size, unit=unit, seed=0, epoch=0, shuffle=False)


def restore(batches: Sequence[Sequence[int]], results: Sequence[Sequence[_T]]) -> list[_T]:
    """The results of all batches, put back in the order of the examples: `results[i][j]` is of `batches[i][j]`."""
    ordered: dict[int, _T] = {}
    for batch, found in zip(batches, results, strict=True):
        ordered.update(zip(batch, found, strict=True))
    return [ordered[index] for index in range(len(ordered))]


def _order(sources: _Ints, targets: _Ints, generator: np.random.Generator | None) -> _Ints:
    """By source length, then by target length: up in one source length and down in the next, so that the batch that
    spans two of them holds like targets too."""
    rank_of_length = np.unique(sources, return_inverse=True)[1]
    snaking = np.where(rank_of_length % 2 == 0, targets, -targets)
    chance = np.arange(len(sources)) if generator is None else generator.permutation(len(sources))
    return np.lexsort((chance, snaking, sources))


def _cut(order: _Ints, widths: _Ints, size: int, first: int) -> Plan:
    """Fill batches in order, the first up to `first` cells, the others up to `size`."""
    room = first
    batches: Plan = []
    batch: list[int] = []
    widest = 0
    for index, width in zip(order.tolist(), widths[order].tolist(), strict=True):
        widest = max(widest, width)
        if batch and (len(batch) + 1) * widest > room:
            batches.append(batch)
            batch, widest, room = [], width, size
        batch.append(index)
    if batch:
        batches.append(batch)
    return batches


def _split(batches: Plan, sources: _Ints, targets: _Ints) -> Plan:
    """Split batches in two, always the one where that saves most cells, until little enough is padding."""
    cells = sum(_cells(batch, sources, targets) for batch in batches)
    enough = int(sources.sum() + targets.sum()) / (1 - _PADDING)
    more = int(_MORE_BATCHES * len(batches))
    if cells <= enough or not more:
        return batches
    smallest = max(1, int(np.median([len(batch) for batch in batches])) // _SMALLEST)
    parts = [[batch] for batch in batches]  # parts[place]: what the batch of that place has become
    heap: list[tuple[int, int, int, Plan]] = []  # cells saved (negative), place, tie break, the batch and its halves

    def offer(place: int, batch: list[int]) -> None:
        halves = _best_halves(batch, sources, targets, smallest)
        if halves:
            saved = _cells(batch, sources, targets) - sum(_cells(half, sources, targets) for half in halves)
            heapq.heappush(heap, (-saved, place, batch[0], [batch, *halves]))

    for place, batch in enumerate(batches):
        offer(place, batch)
    while heap and more and cells > enough:
        saved, place, _, (whole, left, right) = heapq.heappop(heap)
        cells, more = cells + saved, more - 1
        at = parts[place].index(whole)
        parts[place][at : at + 1] = [left, right]
        offer(place, left)
        offer(place, right)
    return [batch for place in parts for batch in place]


def _best_halves(batch: list[int], sources: _Ints, targets: _Ints, smallest: int) -> Plan:
    """The two parts, along the source or the target length, that need the fewest cells; none where nothing is saved."""
    if len(batch) < 2 * smallest:
        return []
    members = np.asarray(batch)
    fewest, halves = _cells(batch, sources, targets), Plan()
    sizes = np.arange(1, len(batch))
    for lengths, others in ((sources, targets), (targets, sources)):
        row = members[np.lexsort((others[members], lengths[members]))]
        upward = np.maximum.accumulate(sources[row]) + np.maximum.accumulate(targets[row])
        downward = np.maximum.accumulate(sources[row][::-1])[::-1] + np.maximum.accumulate(targets[row][::-1])[::-1]
        cells = sizes * upward[:-1] + (len(batch) - sizes) * downward[1:]
        at = smallest - 1 + int(np.argmin(cells[smallest - 1 : len(batch) - smallest]))
        if cells[at] < fewest:
            fewest, halves = int(cells[at]), [row[: at + 1].tolist(), row[at + 1 :].tolist()]
    return halves


def _cells(batch: Sequence[int], sources: _Ints, targets: _Ints) -> int:
    return len(batch) * int(sources[list(batch)].max() + targets[list(batch)].max()) if len(batch) else 0
