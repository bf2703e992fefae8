"""Pairs turned into numbers, those too long left out and counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regard.data.copying import Copying
from regard.data.media import Item
from regard.data.reading import Pair
from regard.data.report import Tally
from regard.data.shelf import Shelf, reason_of
from regard.data.tokenisers import Tokeniser
from regard.errors import RegardError

Ids = NDArray[np.int32]
Lengths = NDArray[np.int64]


@dataclass(frozen=True)
class Examples:
    """What a model is trained on: example i is `pairs[i]`, its source `sources[i]` and its target `targets[i]`, both
    without begin and end marks. Sources are ids, or images or recordings on a shelf."""

    pairs: tuple[Pair, ...]
    sources: Sequence[Ids] | Sequence[Item]
    targets: tuple[Ids, ...]

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def source_lengths(self) -> Lengths:
        """The number of source tokens of each example, or of the places of an image or a recording."""
        return np.fromiter(map(len, self.sources), np.int64, len(self.sources))

    @property
    def target_lengths(self) -> Lengths:
        """The number of target tokens of each example with its end mark: the columns that it fills in a batch."""
        return np.fromiter(map(len, self.targets), np.int64, len(self.targets)) + 1

    def given(self, index: int) -> str | Item:
        """The source of an example as a predictor takes it: a text, or what was read of its file."""
        source = self.sources[index]
        return source if isinstance(source, Item) else self.pairs[index].source


@dataclass(frozen=True)
class Omitted:
    """How many pairs were left out for a side longer than its limit, or with no token at all, and their lines."""

    overlong_sources: Tally
    overlong_targets: Tally
    without_tokens: Tally
    longest_source: int
    longest_target: int
    max_source_tokens: int | None
    max_target_tokens: int | None
    unusable: Mapping[str, Tally] = field(default_factory=dict)
    """Sources that could not be read, by the reason."""
    noted: Mapping[str, Tally] = field(default_factory=dict)
    """What is worth knowing of sources that were kept."""

    @property
    def count(self) -> int:
        several = sum(tally.count for tally in self.unusable.values())
        return self.overlong_sources.count + self.overlong_targets.count + self.without_tokens.count + several

    @property
    def reasons(self) -> list[str]:
        """Why pairs were left out, without where."""
        known = (
            (self.overlong_sources, f"source longer than {self.max_source_tokens:,} tokens (data.max_source_tokens)"),
            (self.overlong_targets, f"target longer than {self.max_target_tokens:,} tokens (data.max_target_tokens)"),
            (self.without_tokens, "a side without any token"),
        )
        return [*(reason for tally, reason in known if tally.count), *self.unusable]

    def __str__(self) -> str:
        shown = []
        for side, tally, limit, longest in (
            ("source", self.overlong_sources, self.max_source_tokens, self.longest_source),
            ("target", self.overlong_targets, self.max_target_tokens, self.longest_target),
        ):
            if tally.count:
                shown.append(
                    f"left out, {side} longer than {limit:,} tokens: {tally}; the longest has {longest:,}, "
                    f"data.max_{side}_tokens is the limit"
                )
        if self.without_tokens.count:
            shown.append(f"left out, a side without any token: {self.without_tokens}")
        shown += [f"left out, {reason}: {tally}" for reason, tally in self.unusable.items()]
        shown += [f"kept, {reason}: {tally}" for reason, tally in self.noted.items()]
        return "\n".join(shown)


def encode_pairs(
    pairs: Sequence[Pair],
    source_tokeniser: Tokeniser,
    target_tokeniser: Tokeniser,
    *,
    max_source_tokens: int | None = None,
    max_target_tokens: int | None = None,
    copying: Copying | None = None,
) -> tuple[Examples, Omitted]:
    """Tokenise all pairs; a pair with a side longer than its limit (no limit: None) is left out and counted.

    With `copying`, sources are (n, 2) and targets may hold what only their source has.

    Raises RegardError where pairs were given and all of them are left out.
    """
    sources = source_tokeniser.encode_ids([pair.source for pair in pairs])
    targets = target_tokeniser.encode_ids([pair.target for pair in pairs])
    long_sources, long_targets, without_tokens = Tally(), Tally(), Tally()
    several = len({pair.file for pair in pairs}) > 1  # of which a line alone does not say where it is
    kept: list[int] = []
    for index, (source, target) in enumerate(zip(sources, targets, strict=True)):
        where = pairs[index].line, pairs[index].file if several else ""
        if max_source_tokens is not None and len(source) > max_source_tokens:
            long_sources.add(*where)
        elif max_target_tokens is not None and len(target) > max_target_tokens:
            long_targets.add(*where)
        elif not source or not target:
            without_tokens.add(*where)
        else:
            kept.append(index)
    omitted = Omitted(
        long_sources,
        long_targets,
        without_tokens,
        max(map(len, sources), default=0),
        max(map(len, targets), default=0),
        max_source_tokens,
        max_target_tokens,
    )
    if pairs and not kept:
        raise RegardError(f"{pairs[0].file}: no pair is left ({str(omitted).replace(chr(10), '; ')})")
    sides = [(np.array(sources[index], np.int32), np.array(targets[index], np.int32)) for index in kept]
    if copying is not None:
        read = [(source_tokeniser.encode(pairs[n].source), target_tokeniser.encode(pairs[n].target)) for n in kept]
        sides = [(copying.source_rows(one), np.array(copying.target_ids(other, one), np.int32)) for one, other in read]
    chosen = tuple(pairs[index] for index in kept)
    return Examples(chosen, tuple(source for source, _ in sides), tuple(target for _, target in sides)), omitted


class _Lying(Sequence[Item]):
    """The items of some pairs, taken from the shelf when they are asked for."""

    def __init__(self, shelf: Shelf, names: Sequence[str]) -> None:
        self._shelf, self._names = shelf, tuple(names)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._shelf.item(name) for name in self._names[index]]
        return self._shelf.item(self._names[index])


def shelve_pairs(
    pairs: Sequence[Pair],
    shelf: Shelf,
    target_tokeniser: Tokeniser,
    *,
    max_target_tokens: int | None = None,
    seconds: float | None = None,
    knows: Callable[[tuple[int, ...]], bool] = lambda layout: True,
) -> tuple[Examples, Omitted]:
    """The examples of pairs whose sources lie on a shelf.

    Left out and counted are pairs whose source could not be read, is a recording of more than so many `seconds`, or has
    a layout that the model does not know, or whose target is too long or has no token. Raises RegardError where pairs
    were given and all of them are left out.
    """
    targets = target_tokeniser.encode_ids([pair.target for pair in pairs])
    long_sources, long_targets, without_tokens = Tally(), Tally(), Tally()
    unusable, noted = defaultdict[str, Tally](Tally), defaultdict[str, Tally](Tally)
    kept: list[int] = []
    for index, (pair, target) in enumerate(zip(pairs, targets, strict=True)):
        if pair.source in shelf.failed:
            unusable[reason_of(pair.source, shelf.failed[pair.source])].add(pair.line, pair.source)
            continue
        lasts = shelf.seconds_of(pair.source)
        if seconds is not None and lasts > seconds:
            unusable[f"recordings of more than {seconds:g} seconds (data.sound.seconds)"].add(pair.line, pair.source)
        elif not knows(shelf.item(pair.source).layout):
            unusable["more places than model.longest"].add(pair.line, pair.source)
        elif max_target_tokens is not None and len(target) > max_target_tokens:
            long_targets.add(pair.line)
        elif not target:
            without_tokens.add(pair.line)
        else:
            kept.append(index)
            for note in shelf.entries[pair.source].notes:
                noted[note].add(pair.line, pair.source)
    longest = max(map(len, targets), default=0)
    omitted = Omitted(
        long_sources, long_targets, without_tokens, 0, longest, None, max_target_tokens, dict(unusable), dict(noted)
    )
    if pairs and not kept:
        raise RegardError(f"{pairs[0].file}: no pair is left ({str(omitted).replace(chr(10), '; ')})")
    chosen = [pairs[index] for index in kept]
    sources = _Lying(shelf, [pair.source for pair in chosen])
    return Examples(tuple(chosen), sources, tuple(np.array(targets[index], np.int32) for index in kept)), omitted
