"""A pair of a pocket corpus with its gold alignment, and what can be said and done with many of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

from regard.data.pocket.phrase import Link

Part = Literal["train", "dev", "test", "templates"]
PARTS: tuple[Part, ...] = ("train", "dev", "test", "templates")


@dataclass(frozen=True)
class PocketPair:
    """A source text, its one right target text, and which word of one is which word of the other.

    Links are pairs (index of the source word, index of the target word), as in Och and Ney (2003): `links` are sure;
    `possible` (disjoint from them) lead from a target word to each of several source words that bring it about together
    or could. Source words without a counterpart stay unlinked. `part` "templates" holds constructions that are no part
    of training; "dev" and "test" hold unseen sentences of seen constructions.
    """

    source: str
    target: str
    template: str
    source_words: tuple[str, ...]
    target_words: tuple[str, ...]
    links: frozenset[Link]
    possible: frozenset[Link]
    part: Part


def by_character(pair: PocketPair) -> PocketPair:
    """The same pair with characters for target words: a word's link leads to every one of its characters."""
    starts = [0]
    for word in pair.target_words:
        starts.append(starts[-1] + len(word))

    def spread(links: frozenset[Link]) -> frozenset[Link]:
        return frozenset((i, character) for i, j in links for character in range(starts[j], starts[j + 1]))

    return replace(
        pair,
        target_words=tuple("".join(pair.target_words)),
        links=spread(pair.links),
        possible=spread(pair.possible),
    )


def character_links(pair: PocketPair) -> frozenset[Link]:
    """The sure links as (index of the source word, index of the target character)."""
    return by_character(pair).links


def word_for_word(pairs: Sequence[PocketPair]) -> dict[PocketPair, str]:
    """What a dictionary alone makes of each pair outside training: its words replaced one by one, in source order.

    The dictionary is learned from the sure gold links of the training part. It gives each source word the target words
    (none, one or several) that it is linked to most often, which is the best that substitution without context can do.
    """
    senses: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for pair in pairs:
        if pair.part == "train":
            for i, word in enumerate(pair.source_words):
                linked = sorted(j for source, j in pair.links if source == i)
                senses[word][tuple(pair.target_words[j] for j in linked)] += 1
    dictionary = {word: "".join(counts.most_common(1)[0][0]) for word, counts in senses.items()}
    return {
        pair: "".join(dictionary.get(word, word) for word in pair.source_words)
        for pair in pairs
        if pair.part != "train"
    }


def word_for_word_accuracy(pairs: Sequence[PocketPair], part: Part = "test") -> float:
    """The share of a part's pairs that `word_for_word` gets exactly right, from 0 to 1."""
    if part == "train":
        raise ValueError("the dictionary is made from 'train'; measure it on 'dev', 'test' or 'templates'")
    right = [output == pair.target for pair, output in word_for_word(pairs).items() if pair.part == part]
    if not right:
        raise ValueError(f"no pair belongs to part {part!r}; parts here: {sorted({pair.part for pair in pairs})}")
    return sum(right) / len(right)


@dataclass(frozen=True)
class PartStatistics:
    """Counts of one part; `monotone` is the share of pairs whose sure links never cross."""

    pairs: int
    source_words: int
    target_words: int
    target_characters: int
    source_vocabulary: int
    target_vocabulary: int
    longest_source: int
    longest_target: int
    links: int
    monotone: float
    templates: dict[str, int]


def statistics(pairs: Iterable[PocketPair]) -> dict[Part, PartStatistics]:
    """Counts of every part that has pairs, in the order train, dev, test, templates."""
    members: dict[Part, list[PocketPair]] = {part: [] for part in PARTS}
    for pair in pairs:
        members[pair.part].append(pair)
    return {part: _count(group) for part, group in members.items() if group}


def _count(pairs: list[PocketPair]) -> PartStatistics:
    return PartStatistics(
        pairs=len(pairs),
        source_words=sum(len(pair.source_words) for pair in pairs),
        target_words=sum(len(pair.target_words) for pair in pairs),
        target_characters=sum(len(pair.target) for pair in pairs),
        source_vocabulary=len({word for pair in pairs for word in pair.source_words}),
        target_vocabulary=len({word for pair in pairs for word in pair.target_words}),
        longest_source=max(len(pair.source_words) for pair in pairs),
        longest_target=max(len(pair.target_words) for pair in pairs),
        links=sum(len(pair.links) for pair in pairs),
        monotone=sum(map(_is_monotone, pairs)) / len(pairs),
        templates=dict(sorted(Counter(pair.template for pair in pairs).items())),
    )


def _is_monotone(pair: PocketPair) -> bool:
    ordered = sorted(pair.links)
    return all(left[0] == right[0] or left[1] <= right[1] for left, right in pairwise(ordered))


def write_tsv(pairs: Iterable[PocketPair], path: str | Path) -> None:
    """Write `source TAB target`, a pair a line, in UTF-8, without a header."""
    text = "".join(f"{pair.source}\t{pair.target}\n" for pair in pairs)
    Path(path).write_text(text, encoding="utf-8", newline="\n")
