"""Pairs turned into numbers, those too long left out and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from regard.data.reading import Pair
from regard.data.report import Tally
from regard.data.tokenisers import Tokeniser
from regard.errors import RegardError

Ids = NDArray[np.int32]
Lengths = NDArray[np.int64]


@dataclass(frozen=True)
class Examples:
    """What a model is trained on: example i is `pairs[i]`, its source `sources[i]` and its target `targets[i]`, both
    without begin and end marks."""

    pairs: tuple[Pair, ...]
    sources: tuple[Ids, ...]
    targets: tuple[Ids, ...]

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def source_lengths(self) -> Lengths:
        """The number of source tokens of each example."""
        return np.fromiter(map(len, self.sources), np.int64, len(self.sources))

    @property
    def target_lengths(self) -> Lengths:
        """The number of target tokens of each example with its end mark: the columns that it fills in a batch."""
        return np.fromiter(map(len, self.targets), np.int64, len(self.targets)) + 1


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

    @property
    def count(self) -> int:
        return self.overlong_sources.count + self.overlong_targets.count + self.without_tokens.count

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
        return "\n".join(shown)


def encode_pairs(
    pairs: Sequence[Pair],
    source_tokeniser: Tokeniser,
    target_tokeniser: Tokeniser,
    *,
    max_source_tokens: int | None = None,
    max_target_tokens: int | None = None,
) -> tuple[Examples, Omitted]:
    """Tokenise all pairs; a pair with a side longer than its limit (no limit: None) is left out and counted.

    Raises RegardError where pairs were given and all of them are left out.
    """
    sources = source_tokeniser.encode_ids([pair.source for pair in pairs])
    targets = target_tokeniser.encode_ids([pair.target for pair in pairs])
    long_sources, long_targets, without_tokens = Tally(), Tally(), Tally()
    kept: list[int] = []
    for index, (source, target) in enumerate(zip(sources, targets, strict=True)):
        if max_source_tokens is not None and len(source) > max_source_tokens:
            long_sources.add(pairs[index].line)
        elif max_target_tokens is not None and len(target) > max_target_tokens:
            long_targets.add(pairs[index].line)
        elif not source or not target:
            without_tokens.add(pairs[index].line)
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
    return (
        Examples(
            tuple(pairs[index] for index in kept),
            tuple(np.array(sources[index], np.int32) for index in kept),
            tuple(np.array(targets[index], np.int32) for index in kept),
        ),
        omitted,
    )
