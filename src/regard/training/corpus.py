"""From files of pairs to numbers: what a training learns from, and what it is measured on."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from regard.data.examples import Examples, Omitted, encode_pairs
from regard.data.reading import Pair, listed_pairs, read_pairs, read_parallel
from regard.data.report import ReadReport
from regard.data.splitting import hold_out, shared_sources
from regard.data.tokenisers import Tokeniser, make_tokenisers
from regard.maps import Links, pharaoh
from regard.model.guided import guide_place
from regard.settings import DataSettings, Settings, Words
from regard.training.guidance import TokenLinks, read_guidance, token_links

_LONGEST_MEASURED = 1000


@dataclass(frozen=True)
class Texts:
    """The pairs of a corpus before they are tokenised, and what a person should know of them."""

    train: tuple[Pair, ...]
    dev: tuple[Pair, ...]
    held_out: bool
    news: tuple[str, ...] = ()
    links: Mapping[int, Links] | None = None
    """Of each training pair, by the number of its line, where links were given to guide the attention."""

    @property
    def fingerprint(self) -> str:
        """The same for the same pairs in the same order, with the same links, and for no others.

        What it says of the links follows a point.
        """
        digest = hashlib.sha256()
        for part in (self.train, self.dev):
            for pair in part:
                digest.update(f"{pair.source}\t{pair.target}\n".encode("utf-8", "surrogatepass"))
            digest.update(b"\0")
        if self.links is None:
            return digest.hexdigest()
        lines = "".join(f"{pharaoh(self.links[pair.line])}\n" for pair in self.train)
        return f"{digest.hexdigest()}.{hashlib.sha256(lines.encode()).hexdigest()}"


@dataclass(frozen=True)
class Corpus:
    """The examples to learn from and to measure on, what was left out of either, and the tokenisers that made them."""

    texts: Texts
    train: Examples
    dev: Examples
    omitted: Omitted
    unmeasured: Omitted
    source: Tokeniser
    target: Tokeniser
    guidance: tuple[TokenLinks, ...] | None = None
    """For each training example the links between its tokens."""


def read_texts_of(
    path: str | Path,
    settings: DataSettings,
    seed: int,
    *,
    parallel: str | Path | None = None,
    dev: str | Path | None = None,
    dev_parallel: str | Path | None = None,
    guided: str | Path | None = None,
    words: Words = "spaces",
) -> Texts:
    """Read the pairs of `path` (or of `path` and `parallel`), and those of `dev`, or else hold some out.

    `guided` is a file of links beside the pairs, which count `words`. Raises RegardError as the readers do.
    """
    pairs, report = _read(path, parallel, settings)
    links, news = _links(guided, pairs, report, words)
    if dev is None:
        split = hold_out(pairs, seed=seed, size=settings.hold_out)
        news.append(f"{len(split.dev):,} pairs held out for validation, none of whose sources is trained on")
        return Texts(tuple(split.train), tuple(split.dev), True, tuple(news), links)
    held, report = _read(dev, dev_parallel, settings)
    news.append(str(report))
    if shared := shared_sources(pairs, held):
        news.append(f"{shared:,} of the {len(held):,} pairs for validation have a source that is trained on too")
    return Texts(tuple(pairs), tuple(held), False, tuple(news), links)


def texts_of(
    pairs: Iterable[tuple[str, str]],
    dev: Iterable[tuple[str, str]],
    guided: str | Path | None = None,
    words: Words = "spaces",
) -> Texts:
    """The same from pairs that are at hand. Raises RegardError where these are none."""
    train, report = listed_pairs(pairs, "pairs")
    held, report_of_dev = listed_pairs(dev, "dev")
    links, news = _links(guided, train, report, words)
    return Texts(tuple(train), tuple(held), False, (*news, str(report_of_dev)), links)


def _links(
    guided: str | Path | None, pairs: Sequence[Pair], report: ReadReport, words: Words
) -> tuple[dict[int, Links] | None, list[str]]:
    """The links to guide by, if there are any, and what there is to say of the pairs and of them."""
    if guided is None:
        return None, [str(report)]
    links = read_guidance(guided, pairs, report, words)
    count, none = sum(map(len, links.values())), sum(not each for each in links.values())
    without = f", and none for {none:,} of the pairs" if none else ""
    return links, [str(report), f"{guided}: {count:,} links guide the attention{without}"]


def encode(texts: Texts, settings: Settings, tokenisers: tuple[Tokeniser, Tokeniser] | None = None) -> Corpus:
    """Tokenise a corpus, by the tokenisers given or by new ones made from the training pairs.

    The settings of the data have no open choice. Pairs longer than they allow, or than the model has places for, are
    left out. Raises RegardError as the tokenisers do, and where no pair is left.
    """
    data, model = settings.data, settings.model
    assert data.source_tokens is not None
    assert data.target_tokens is not None
    source, target = tokenisers or make_tokenisers(
        data.source_tokens,
        data.target_tokens,
        [pair.source for pair in texts.train],
        [pair.target for pair in texts.train],
        joint=data.joint,
        source_casing=data.source_case,
        target_casing=data.target_case,
    )

    def encoded(pairs: Sequence[Pair], at_least: int) -> tuple[Examples, Omitted]:
        return encode_pairs(
            pairs,
            source,
            target,
            max_source_tokens=_least(max(data.max_source_tokens, at_least), model.longest_source),
            max_target_tokens=_least(max(data.max_target_tokens, at_least), model.longest_target),
        )

    # Validation measures long pairs too, but not those that would take longer than all others together.
    train, omitted = encoded(texts.train, 0)
    dev, unmeasured = encoded(texts.dev, _LONGEST_MEASURED)
    guidance = None
    if texts.links is not None:
        training = settings.training
        guide_place(model, training.guided_layer, training.guided_head, training.guided_unlinked)
        guidance = token_links(train, texts.links, source, target, settings.training.guided_words)
    return Corpus(texts, train, dev, omitted, unmeasured, source, target, guidance)


def _least(limit: int, other: int | None) -> int:
    return limit if other is None else min(limit, other)


def length_bound(examples: Examples) -> tuple[float, int]:
    """(slope, room): slope x source tokens + room is more than the target tokens of nearly every training pair.

    The slope is the 99th percentile of target per source tokens among the longer half, where the ratio is steady; the
    room covers 99.9 % of what is left, half as much again, and at least 5 tokens.
    """
    sources, targets = examples.source_lengths.astype(float), examples.target_lengths.astype(float)
    longer = sources >= np.median(sources)
    slope = float(np.quantile(targets[longer] / sources[longer], 0.99))
    left = float(np.quantile(targets - slope * sources, 0.999))
    return slope, max(5, math.ceil(1.5 * left) + 1)


def sample(pairs: Sequence[Pair], count: int) -> list[Pair]:
    """`count` pairs spread over the lengths of their sources, the median first: what samples are shown of."""
    order = sorted(range(len(pairs)), key=lambda index: (len(pairs[index].source), index))
    places = [round((step + 0.5) / count * (len(order) - 1)) for step in range(min(count, len(order)))]
    return [pairs[order[place]] for place in places]


def _read(path: str | Path, parallel: str | Path | None, settings: DataSettings) -> tuple[list[Pair], ReadReport]:
    if parallel is not None:
        return read_parallel(path, parallel)
    defaults = DataSettings()
    # The defaults let the reader look for the usual names of columns.
    source = None if settings.source == defaults.source else settings.source
    target = None if settings.target == defaults.target else settings.target
    return read_pairs(path, source=source, target=target)
