"""Phrases in two languages at once, and how small ones are woven into bigger ones with their word alignments.

A pattern is a line of words and `{slots}`. Words of the two sides are linked by the one-letter marks they share:

    weave("{patient} was~b caught=v by~b {agent}", "{patient} 被~b {agent} 抓住=v 了=v", ...)

`=` marks a sure counterpart, `~` a possible one: a link is sure when both ends say `=`, possible when one says `~`.
A mark on a slot belongs to the slot's first word.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

Link = tuple[int, int]  # (index of the source word, index of the target word)

_ITEM = re.compile(r"(?:\{(?P<slot>\w+)\}|(?P<word>[^=~{}]+))(?:=(?P<sure>\w+))?(?:~(?P<possible>\w+))?")


@dataclass(frozen=True)
class Phrase:
    """Words of both languages, the links that are sure, and those that are only possible (disjoint from the sure)."""

    source: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    sure: frozenset[Link] = frozenset()
    possible: frozenset[Link] = frozenset()


EMPTY = Phrase()


class _Item(NamedTuple):
    text: str
    is_slot: bool
    sure: str
    possible: str


class _Side(NamedTuple):
    """One language of a woven phrase: words, where each slot begins, and who bears which mark."""

    words: tuple[str, ...]
    starts: dict[str, int]
    sure: dict[str, list[int]]
    marked: dict[str, list[int]]  # by `=` or by `~`


@cache
def _parse(pattern: str) -> tuple[_Item, ...]:
    items = []
    for text in pattern.split():
        match = _ITEM.fullmatch(text)
        if match is None:
            raise ValueError(
                f"pattern {pattern!r}: can't read {text!r}; write word=marks~marks or {{slot}}=marks~marks"
            )
        slot, word = match["slot"], match["word"]
        items.append(_Item(slot or word, slot is not None, match["sure"] or "", match["possible"] or ""))
    return tuple(items)


def _fill(pattern: str, slots: dict[str, Phrase], side: Literal["source", "target"]) -> _Side:
    words: list[str] = []
    starts: dict[str, int] = {}
    sure: dict[str, list[int]] = defaultdict(list)
    marked: dict[str, list[int]] = defaultdict(list)
    for item in _parse(pattern):
        here = len(words)
        if item.is_slot:
            starts[item.text] = here
            words += getattr(slots[item.text], side)
            if len(words) == here:
                continue
        else:
            words.append(item.text)
        for mark in item.sure:
            sure[mark].append(here)
            marked[mark].append(here)
        for mark in item.possible:
            marked[mark].append(here)
    return _Side(tuple(words), starts, sure, marked)


def weave(source: str, target: str, **slots: Phrase) -> Phrase:
    """The phrase of two patterns whose slots are filled; a slot stands once on either side and keeps its own links."""
    left, right = _fill(source, slots, "source"), _fill(target, slots, "target")
    if left.starts.keys() != right.starts.keys():
        one_sided = sorted(left.starts.keys() ^ right.starts.keys())
        raise ValueError(f"slots {one_sided} stand on one side alone of {source!r} / {target!r}; put them on both")
    sure = {(i, j) for mark, heads in left.sure.items() for i in heads for j in right.sure.get(mark, ())}
    possible = {(i, j) for mark, heads in left.marked.items() for i in heads for j in right.marked.get(mark, ())}
    for name, start in left.starts.items():
        if not slots[name].source:
            continue
        other = right.starts[name]
        sure |= {(start + i, other + j) for i, j in slots[name].sure}
        possible |= {(start + i, other + j) for i, j in slots[name].possible}
    return Phrase(left.words, right.words, frozenset(sure), frozenset(possible - sure))
