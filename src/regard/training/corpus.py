"""From files of pairs to numbers: what a training learns from, and what it is measured on."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from regard.data.examples import Examples, Omitted, encode_pairs
from regard.data.reading import Pair, read_pairs, read_parallel
from regard.data.report import ReadReport
from regard.data.splitting import hold_out, shared_sources
from regard.data.tokenisers import Tokeniser, make_tokenisers
from regard.settings import DataSettings


@dataclass(frozen=True)
class Texts:
    """The pairs of a corpus before they are tokenised, and what a person should know of them."""

    train: tuple[Pair, ...]
    dev: tuple[Pair, ...]
    held_out: bool
    news: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """The same for the same pairs in the same order, and for no others."""
        digest = hashlib.sha256()
        for part in (self.train, self.dev):
            for pair in part:
                digest.update(f"{pair.source}\t{pair.target}\n".encode("utf-8", "surrogatepass"))
            digest.update(b"\0")
        return digest.hexdigest()


@dataclass(frozen=True)
class Corpus:
    """The examples to learn from and to measure on, with the tokenisers that made them."""

    texts: Texts
    train: Examples
    dev: Examples
    omitted: Omitted
    source: Tokeniser
    target: Tokeniser


def read_texts_of(
    path: str | Path,
    settings: DataSettings,
    seed: int,
    *,
    parallel: str | Path | None = None,
    dev: str | Path | None = None,
    dev_parallel: str | Path | None = None,
) -> Texts:
    """Read the pairs of `path` (or of `path` and `parallel`), and those of `dev`, or else hold some out.

    Raises RegardError as the readers do.
    """
    pairs, report = _read(path, parallel, settings)
    news = [str(report)]
    if dev is None:
        split = hold_out(pairs, seed=seed, size=settings.hold_out)
        news.append(f"{len(split.dev):,} pairs held out for validation, none of whose sources is trained on")
        return Texts(tuple(split.train), tuple(split.dev), True, tuple(news))
    held, report = _read(dev, dev_parallel, settings)
    news.append(str(report))
    if shared := shared_sources(pairs, held):
        news.append(f"{shared:,} of the {len(held):,} pairs for validation have a source that is trained on too")
    return Texts(tuple(pairs), tuple(held), False, tuple(news))


def texts_of(pairs: Iterable[tuple[str, str]], dev: Iterable[tuple[str, str]]) -> Texts:
    """The same from pairs that are at hand."""
    train, held = (tuple(Pair(source, target) for source, target in part) for part in (pairs, dev))
    return Texts(train, held, False)


def encode(texts: Texts, settings: DataSettings, tokenisers: tuple[Tokeniser, Tokeniser] | None = None) -> Corpus:
    """Tokenise a corpus, by the tokenisers given or by new ones made from the training pairs.

    `settings` has no open choice. Raises RegardError as the tokenisers do.
    """
    assert settings.source_tokens is not None
    assert settings.target_tokens is not None
    source, target = tokenisers or make_tokenisers(
        settings.source_tokens,
        settings.target_tokens,
        [pair.source for pair in texts.train],
        [pair.target for pair in texts.train],
        joint=settings.joint,
        source_casing=settings.source_case,
        target_casing=settings.target_case,
    )
    train, omitted = encode_pairs(
        texts.train,
        source,
        target,
        max_source_tokens=settings.max_source_tokens,
        max_target_tokens=settings.max_target_tokens,
    )
    # Validation measures all pairs that can be measured, long ones too.
    dev, _ = encode_pairs(texts.dev, source, target)
    return Corpus(texts, train, dev, omitted, source, target)


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
