"""Scores as functions of sums: what makes corpora, parts of corpora and resamples of corpora one computation.

Every metric here counts something in each sentence (matches, edits, links) and makes a score of the sums of these
counts. So the score of the sentences of some length, and of a bootstrap sample, need no second look at the sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from regard.errors import RegardError
from regard.evaluation.report import Score

Counts: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Statistics:
    """What a metric counted: `counts` (sentences, numbers), and the score, in per cent, of sums of its rows."""

    name: str
    counts: Counts
    score_of: Callable[[Counts], float]
    higher_is_better: bool
    signature: str = ""
    note: str = ""

    def __len__(self) -> int:
        return len(self.counts)

    def score(self, chosen: npt.NDArray[Any] | slice = slice(None)) -> Score:
        """The score of all sentences, or of those chosen (by a mask or by positions)."""
        counts = self.counts[chosen]
        value = float(self.score_of(counts.sum(axis=0)))
        return Score(self.name, value, self.higher_is_better, len(counts), self.signature, self.note)


@dataclass(frozen=True)
class Interval:
    """A score and the interval that holds 95 % of the scores of resampled test sets."""

    score: Score
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.score.name} {self.score.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class Comparison:
    """Two systems on the same sentences.

    `difference` is that of `second` less `first`, with the interval that holds 95 % of the differences on resampled
    test sets. `p` is the chance of a difference at least as large, in either direction, if there were none.
    """

    first: Score
    second: Score
    low: float
    high: float
    p: float
    samples: int

    @property
    def difference(self) -> float:
        return self.second.value - self.first.value

    def __str__(self) -> str:
        better = (self.difference > 0) == self.first.higher_is_better
        verdict = (
            "no difference" if not self.difference else "the second is better" if better else "the first is better"
        )
        return (
            f"{self.first.name}: {self.first.value:.2f} against {self.second.value:.2f}, difference "
            f"{self.difference:+.2f} [{self.low:+.2f}, {self.high:+.2f}], p = {self.p:.3f} "
            f"({self.samples} resamples): {verdict}"
        )


def bootstrap(statistics: Statistics, samples: int = 1000, seed: int = 0) -> Interval:
    """How sure a score is, given which sentences happened to be in the test set (Koehn 2004)."""
    values = _resampled([statistics], samples, seed)[0]
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(statistics.score(), float(low), float(high))


def paired_bootstrap(first: Statistics, second: Statistics, samples: int = 1000, seed: int = 0) -> Comparison:
    """Whether two systems differ by more than the choice of test sentences explains (Koehn 2004).

    Both are scored on the same resampled sentences. p counts the samples whose difference lies at least as far from
    the difference found as that lies from 0; one is added to both counts, so that p is never 0.
    Raises `RegardError` where the two are not of one metric, or not on equally many sentences.
    """
    if first.name != second.name or first.signature != second.signature:
        raise RegardError(
            f"comparison: {first.name} ({first.signature}) can't be compared with {second.name} ({second.signature})"
        )
    if len(first) != len(second):
        raise RegardError(f"comparison: one system has {len(first)} sentences, the other {len(second)}")
    first_values, second_values = _resampled([first, second], samples, seed)
    differences = second_values - first_values
    before, after = first.score(), second.score()
    found = after.value - before.value
    # A hair of tolerance, since equal scores of different sums may differ in their last bits.
    as_far = int(np.count_nonzero(np.abs(differences - found) >= abs(found) - 1e-9))
    low, high = np.percentile(differences, [2.5, 97.5])
    return Comparison(before, after, float(low), float(high), (as_far + 1) / (samples + 1), samples)


def by_length(
    statistics: Statistics, lengths: Sequence[int], edges: Sequence[int] | None = None
) -> list[tuple[str, Score]]:
    """The score of the sentences of each range of source lengths, as (`"11-20"`, score), from short to long.

    `edges` are the largest lengths of all ranges but the last, which has none; by default they part the sentences into
    four ranges of about equally many. Ranges without a sentence are left out.
    Raises `RegardError` where there is not one length for each sentence, or where edges do not rise.
    """
    if len(lengths) != len(statistics):
        raise RegardError(f"scores by length: {len(lengths)} lengths for {len(statistics)} sentences")
    sizes = np.asarray(lengths, dtype=np.int64)
    if edges is None:
        edges = sorted({int(edge) for edge in np.quantile(sizes, [0.25, 0.5, 0.75], method="lower")})
    if not edges or any(low >= high for low, high in pairwise(edges)):
        raise RegardError(f"scores by length: the edges must rise, and there must be one at least: {list(edges)}")
    # Which range each sentence is in: the first whose edge is not below its length.
    ranges = np.searchsorted(np.asarray(edges), sizes, side="left")
    between = [str(high) if low + 1 == high else f"{low + 1}-{high}" for low, high in pairwise(edges)]
    names = [f"up to {edges[0]}", *between, f"over {edges[-1]}"]
    return [(names[i], statistics.score(ranges == i)) for i in np.unique(ranges)]


def _resampled(systems: Sequence[Statistics], samples: int, seed: int) -> list[npt.NDArray[np.float64]]:
    """For each system its scores on `samples` test sets drawn with replacement, the same ones for all."""
    size = len(systems[0])
    if not size:
        raise RegardError("bootstrap: there are no sentences to draw from")
    if samples < 1:
        raise RegardError(f"bootstrap: the number of samples must be at least 1, not {samples}")
    generator = np.random.default_rng(seed)
    values = [np.empty(samples) for _ in systems]
    for sample in range(samples):
        times = np.bincount(generator.integers(size, size=size), minlength=size).astype(np.float64)
        for system, scores in zip(systems, values, strict=True):
            scores[sample] = system.score_of(times @ system.counts)
    return values
