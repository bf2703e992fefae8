"""Several files of pairs in one training: how much of each an epoch has."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from regard.data.examples import Examples
from regard.data.lines import STANDARD_INPUT, shown_name
from regard.errors import RegardError, shown

if TYPE_CHECKING:
    from regard.training.corpus import Corpus

Numbers = NDArray[np.int64]


def parsed_weights(text: str | None, files: int) -> tuple[float, ...] | None:
    """The weight of each file from `3,1`; None: each pair counts once.

    Raises RegardError for other than one number of 0 or more for each of several files, and for nothing but zeros.
    """
    if text is None:
        return None
    if files < 2:
        given = "one was given" if files else "no file was given"
        raise RegardError(f"data.weights: {shown(text)} weighs several files of pairs, and {given}; leave it out")
    parts = text.split(",")
    try:
        found = tuple(float(part) for part in parts)
    except ValueError:
        raise RegardError(f"data.weights: {shown(text)} should be numbers separated by commas, as in 3,1") from None
    if len(found) != files:
        raise RegardError(f"data.weights: {shown(text)} are {len(found)} weights for {files} files; give one for each")
    if not all(math.isfinite(one) and one >= 0 for one in found) or not 0 < sum(found) < math.inf:
        raise RegardError(f"data.weights: {shown(text)} should be numbers of 0 or more, and not all of them 0")
    return found


def check_files(files: Sequence[str | Path]) -> None:
    """Raises RegardError where a file is given twice."""
    places = [str(each) if str(each) == STANDARD_INPUT else os.path.realpath(each) for each in files]
    twice = next((number for number, place in enumerate(places) if place in places[:number]), None)
    if twice is not None:
        name, first = shown_name(files[twice]), shown_name(files[places.index(places[twice])])
        also = "" if name == first else f", the first time as {first}"
        raise RegardError(f"{name}: was given twice{also}; give it once, and more weight by data.weights")


def counts(sizes: Sequence[int], weights: Sequence[float]) -> list[int]:
    """How many pairs of each file an epoch has: of as many as there are in all, as near to the weights as can be.

    What rounding leaves over goes to those that lack most.
    """
    total, whole = sum(sizes), sum(weights)
    exact = [total * weight / whole for weight in weights]
    found = [int(each) for each in exact]
    lacking = sorted(range(len(found)), key=lambda number: (found[number] - exact[number], number))
    for number in lacking[: total - sum(found)]:
        found[number] += 1
    return found


def mixed(parts: Numbers, weights: Sequence[float], seed: int, epoch: int) -> Numbers:
    """The examples of an epoch, by number, some of them more than once; example i is of file `parts[i]`.

    Each file's pairs come as often as they fit whole into its count, and then some of them, drawn by seed and epoch.
    """
    sizes = np.bincount(parts, minlength=len(weights))
    found = []
    for number, count in enumerate(counts(sizes.tolist(), weights)):
        own = np.flatnonzero(parts == number)
        if not count:
            continue
        times, rest = divmod(count, len(own))
        some = np.random.default_rng((seed, epoch, number)).permutation(len(own))[:rest]
        found += [np.tile(own, times), own[np.sort(some)]]
    return np.concatenate(found)


def parts_of(examples: Examples, files: Sequence[str]) -> Numbers:
    """The number of each example's file."""
    numbers = {name: number for number, name in enumerate(files)}
    return np.fromiter((numbers[pair.file] for pair in examples.pairs), np.int64, len(examples))


def told(corpus: Corpus, weights: Sequence[float] | None) -> list[str]:
    """How many pairs of each file there are, and their share of an epoch; nothing for a single file.

    Raises RegardError where a file with weight has no pair.
    """
    files = corpus.texts.files
    if len(files) < 2:
        return []
    sizes = np.bincount(parts_of(corpus.train, files), minlength=len(files)).tolist()
    for name, size, weight in zip(files, sizes, weights or (0,) * len(files), strict=True):
        if weight and not size:
            known = any(pair.file == name for pair in corpus.texts.train)
            why = "left out, " + " or ".join(corpus.omitted.reasons) if known else "held out for validation"
            raise RegardError(f"{name}: data.weights gives it {weight:g}, and all its pairs are {why}; give it 0")
    shares = counts(sizes, weights) if weights else sizes
    return [
        f"{name}: {size:,} pairs to learn from, {share / sum(sizes):.1%} of an epoch"
        + (f" (each {share / size:.2f} times)" if weights and size else "")
        for name, size, share in zip(files, sizes, shares, strict=True)
    ]
