"""Word alignments: their files, and their error rate against links that people made."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from regard.errors import RegardError, shown
from regard.evaluation.counts import Counts, Statistics
from regard.maps.links import Link, Links

# A weight may follow a colon; it changes nothing.
_LINK = re.compile(r"(\d{1,9})([-p?])(\d{1,9})(?::\d+(?:\.\d+)?)?", re.ASCII)
T = TypeVar("T")


@dataclass(frozen=True)
class Gold:
    """The links of a sentence pair that people agree on (`sure`), and those that are not wrong (`possible`).

    Every sure link is possible too, whether it was given so or not.
    """

    sure: Links
    possible: Links

    def __post_init__(self) -> None:
        object.__setattr__(self, "possible", self.possible | self.sure)


@dataclass(frozen=True)
class AlignmentScore:
    """How well links match the gold ones; all between 0 and 1 (Och and Ney 2003, section 6)."""

    aer: float
    precision: float
    recall: float
    f1: float
    links: int
    sentences: int

    def __str__(self) -> str:
        return (
            f"AER {100 * self.aer:.1f} %, precision {100 * self.precision:.1f} %, recall {100 * self.recall:.1f} %, "
            f"F1 {100 * self.f1:.1f} % ({self.links} links in {self.sentences} sentences)"
        )


def alignment_statistics(links: Sequence[Links], gold: Sequence[Gold], rate: str = "aer") -> Statistics:
    """The counts behind AER of each sentence: |A & S|, |A & P|, |A|, |S|; the score is one of `RATES` in per cent.

    Raises `RegardError` where links and gold links are not of equally many sentences, or there is none.
    """
    if len(links) != len(gold):
        raise RegardError(f"alignment: links of {len(links)} sentences, but gold links of {len(gold)}")
    if not links:
        raise RegardError("alignment: there is no sentence to score")
    counts = [
        (len(found & true.sure), len(found & true.possible), len(found), len(true.sure))
        for found, true in zip(links, gold, strict=True)
    ]
    rate_of = RATES[rate]
    return Statistics(rate, np.asarray(counts, dtype=np.float64), lambda total: 100 * rate_of(total), rate != "aer")


def alignment_score(links: Sequence[Links], gold: Sequence[Gold]) -> AlignmentScore:
    """Over all sentences AER = 1 - (|A & S| + |A & P|) / (|A| + |S|), precision |A & P| / |A|, recall |A & S| / |S|.

    A share of nothing counts as 1: who makes no link makes no wrong one. Errors as `alignment_statistics`.
    """
    total = alignment_statistics(links, gold).counts.sum(axis=0)
    return AlignmentScore(_aer(total), _precision(total), _recall(total), _f1(total), int(total[2]), len(links))


def _aer(total: Counts) -> float:
    sure, possible, found, wanted = (float(count) for count in total)
    return 1 - (sure + possible) / (found + wanted) if found + wanted else 0.0


def _precision(total: Counts) -> float:
    return float(total[1] / total[2]) if total[2] else 1.0


def _recall(total: Counts) -> float:
    return float(total[0] / total[3]) if total[3] else 1.0


def _f1(total: Counts) -> float:
    precision, recall = _precision(total), _recall(total)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


#: What links are measured by: each a share of summed counts.
RATES: dict[str, Callable[[Counts], float]] = {"aer": _aer, "precision": _precision, "recall": _recall, "f1": _f1}


# Files ----------------------------------------------------------------------------------------------------------------


def read_links(path: str | Path, sizes: Sequence[tuple[int, int] | None] | None = None, first: int = 0) -> list[Links]:
    """Links in Pharaoh format, a line `0-0 1-2` for each sentence pair, source before target; `.gz` too.

    `first` is the number of the first token, 0 or 1; links are returned counted from 0. `sizes` are the numbers of
    source and target tokens of each pair, None where any will do. A weight after a link (`0-0:0.97`) is read over.
    Raises `RegardError`, with file and line, for what is no link, points outside its sentence, or where there are not
    as many lines as sizes.
    """
    return list(_read(path, sizes, lambda line, where, size: parse_links(line, where, size, first)))


def read_gold(path: str | Path, sizes: Sequence[tuple[int, int] | None] | None = None, first: int = 0) -> list[Gold]:
    """Gold links, a line for each sentence pair: `i-j` sure, `ipj` or `i?j` possible; all else as `read_links`."""
    return list(_read(path, sizes, lambda line, where, size: parse_gold(line, where, size, first)))


def parse_links(line: str, where: str = "links", size: tuple[int, int] | None = None, first: int = 0) -> Links:
    """The links of one line; `where` begins the message of an error."""
    gold = parse_gold(line, where, size, first)
    if gold.possible != gold.sure:
        raise RegardError(f"{where}: a possible link (p or ?) stands among links that are not gold ones")
    return gold.sure


def parse_gold(line: str, where: str = "gold links", size: tuple[int, int] | None = None, first: int = 0) -> Gold:
    """The sure and possible links of one line; `where` begins the message of an error."""
    sure: set[Link] = set()
    possible: set[Link] = set()
    for item in line.split():
        match = _LINK.fullmatch(item)
        if not match:
            raise RegardError(f"{where}: {shown(item)} is no link; links are written 0-1 (sure), 0p1 or 0?1 (possible)")
        source, target = int(match[1]) - first, int(match[3]) - first
        if source < 0 or target < 0:
            raise RegardError(f"{where}: link {item} counts from 0, but tokens are counted from {first} here")
        if size is not None and (source >= size[0] or target >= size[1]):
            raise RegardError(
                f"{where}: link {item} points outside the sentences of {size[0]} and {size[1]} tokens"
                + (", is it counted from 1?" if not first and source <= size[0] and target <= size[1] else "")
            )
        (sure if match[2] == "-" else possible).add((source, target))
    return Gold(frozenset(sure), frozenset(possible))


def _read(
    path: str | Path,
    sizes: Sequence[tuple[int, int] | None] | None,
    parse: Callable[[str, str, tuple[int, int] | None], T],
) -> Iterator[T]:
    path = Path(path)
    number = 0
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if sizes is not None and number > len(sizes):
                    raise RegardError(f"{path}: has more lines than there are sentence pairs ({len(sizes)})")
                yield parse(line, f"{path}, line {number}", None if sizes is None else sizes[number - 1])
    except (OSError, EOFError) as error:
        raise RegardError(f"{path}: can't be read: {getattr(error, 'strerror', None) or error}") from error
    except UnicodeDecodeError as error:
        raise RegardError(f"{path}, line {number + 1}: is not UTF-8 text") from error
    if sizes is not None and number < len(sizes):
        raise RegardError(f"{path}: has {number} lines for {len(sizes)} sentence pairs")
