"""From files of pairs to numbers: what a training learns from, and what it is measured on."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from regard.configuration import with_given
from regard.data.copying import copying_of
from regard.data.corpora import read_any
from regard.data.examples import Examples, Omitted, encode_pairs, shelve_pairs
from regard.data.features import MARK, FeaturedTokeniser
from regard.data.media import Images, Sounds, Source, media_of, medium_of, name_of
from regard.data.reading import Pair, listed_pairs
from regard.data.report import ReadReport
from regard.data.shelf import Shelf, fill
from regard.data.splitting import hold_out, shared_sources
from regard.data.tokenisers import Tokeniser, make_tokeniser, make_tokenisers
from regard.errors import RegardError
from regard.maps import Links, pharaoh
from regard.model.guided import guide_place
from regard.settings import DataSettings, Medium, Settings, Words
from regard.training.extending import Known
from regard.training.guidance import TokenLinks, read_guidance, token_links
from regard.training.mixing import check_files

_LONGEST_MEASURED = 1000
_GIVEN = "sources were given with features"


@dataclass(frozen=True)
class Texts:
    """The pairs of a corpus before they are tokenised, and what a person should know of them."""

    train: tuple[Pair, ...]
    dev: tuple[Pair, ...]
    held_out: bool
    news: tuple[str, ...] = ()
    links: Mapping[int, Links] | None = None
    """Of each training pair, by the number of its line, where links were given to guide the attention."""
    medium: Medium = "text"
    """What sources are; of images and recordings, `Pair.source` is the path of a file, or a name in `at_hand`."""
    columns: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Settings that follow from the columns of the pairs' file, with the reason for each."""
    at_hand: Mapping[str, Any] = field(default_factory=dict)
    """Images and recordings that are no files, by the names that their pairs have for them."""
    files: tuple[str, ...] = ()
    """Where the pairs were read, if that is several files."""

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
    source: Source
    target: Tokeniser
    guidance: tuple[TokenLinks, ...] | None = None
    """For each training example the links between its tokens."""
    shelf: Shelf | None = None
    """Where the images or recordings lie, if sources are such."""

    @property
    def fingerprint(self) -> str:
        """That of the texts, and of what was read of images and recordings."""
        if self.shelf is None:
            return self.texts.fingerprint
        return hashlib.sha256(f"{self.texts.fingerprint} {self.shelf.fingerprint}".encode()).hexdigest()


def read_texts_of(
    given: str | Path | Sequence[str | Path],
    settings: DataSettings,
    seed: int,
    *,
    parallel: str | Path | None = None,
    dev: str | Path | None = None,
    dev_parallel: str | Path | None = None,
    guided: str | Path | None = None,
    words: Words = "spaces",
) -> Texts:
    """Read the pairs of a file (or of it and `parallel`) or of several, and those of `dev`, or else hold some out.

    `guided` is a file of links beside the pairs, which count `words`. Raises RegardError as the readers do.
    """
    paths = [given] if isinstance(given, (str, Path)) else list(given)
    path = paths[0]
    if len(paths) > 1 and (parallel is not None or guided is not None):
        what = "--target" if parallel is not None else "--guided"
        raise RegardError(f"{what}: goes line by line beside one file, and {len(paths)} were given; join them to one")
    check_files(paths)
    pairs, report, medium = read_any(path, parallel, settings)
    columns = report.columns
    read = with_given(replace(settings, medium=medium), {name[len("data.") :]: at for name, (at, _) in columns.items()})
    if guided is not None and medium != "text":
        raise RegardError(f"{guided}: links between words guide texts, and the sources of {path} are files ({medium})")
    links, news = _links(guided, pairs, report, words)
    for other in paths[1:]:
        more, account, _ = read_any(other, None, replace(settings, medium=medium), like=read)
        news.append(str(account))
        pairs += more
    files = tuple(dict.fromkeys(pair.file for pair in pairs)) if len(paths) > 1 else ()
    if dev is None:
        split = hold_out(pairs, seed=seed, size=settings.hold_out)
        news.append(f"{len(split.dev):,} pairs held out for validation, none of whose sources is trained on")
        return Texts(tuple(split.train), tuple(split.dev), True, tuple(news), links, medium, columns, files=files)
    held, report, _ = read_any(dev, dev_parallel, replace(settings, medium=medium), like=read)
    news.append(str(report))
    if shared := shared_sources(pairs, held):
        news.append(f"{shared:,} of the {len(held):,} pairs for validation have a source that is trained on too")
    return Texts(tuple(pairs), tuple(held), False, tuple(news), links, medium, columns, files=files)


def texts_of(
    pairs: Iterable[tuple[Any, str]],
    dev: Iterable[tuple[Any, str]],
    guided: str | Path | None = None,
    words: Words = "spaces",
    medium: Medium | None = None,
) -> Texts:
    """The same from pairs that are at hand, whose sources may be paths, arrays and file objects too.

    Raises RegardError where these are none.
    """
    at_hand: dict[str, Any] = {}
    if medium != "text" and all(isinstance(given, Iterable) and not isinstance(given, str) for given in (pairs, dev)):
        pairs, dev = _named(pairs, at_hand), _named(dev, at_hand)
    train, report = listed_pairs(pairs, "pairs")
    held, report_of_dev = listed_pairs(dev, "dev")
    found = medium or medium_of([pair.source for pair in train if pair.source not in at_hand])
    if at_hand and found == "text":
        raise RegardError("pairs: sources that are no texts need data.medium: image or sound")
    columns: dict[str, tuple[str, str]] = {}
    if any(MARK in pair.source for pair in train):
        columns = {"data.features": ("2", _GIVEN), "data.target": ("3", _GIVEN)}
    elif any(MARK in pair.source for pair in held):
        raise RegardError("dev: has features beside its sources, and the pairs to learn from have none")
    links, news = _links(guided, train, report, words)
    return Texts(tuple(train), tuple(held), False, (*news, str(report_of_dev)), links, found, columns, at_hand)


def _named(pairs: Iterable[Any], at_hand: dict[str, Any]) -> list[Any]:
    """The same pairs, with a name in the place of each source that is no text or path; it is put by under that name."""

    def name(pair: Any) -> Any:
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2 or isinstance(pair[0], str):
            return pair
        if isinstance(pair[0], tuple) and all(isinstance(part, str) for part in pair[0]):  # a text and its features
            return pair
        if isinstance(pair[0], Path):
            return str(pair[0]), pair[1]
        named = f"{name_of(pair[0])}, number {len(at_hand) + 1}"
        at_hand[named] = pair[0]
        return named, pair[1]

    return [name(pair) for pair in pairs]


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


def encode(
    texts: Texts,
    settings: Settings,
    tokenisers: tuple[Source, Tokeniser] | None = None,
    *,
    cache: Path | None = None,
    tell: Callable[[str], None] = lambda line: None,
    known: Known | None = None,
) -> Corpus:
    """Tokenise a corpus, by the tokenisers given, by those `known` to the model to begin with where settings ask for
    the same, or by new ones made from the training pairs.

    Images and recordings are read; the folder `cache` keeps what was read, and `tell` is told how it goes. The settings
    of the data have no open choice. Pairs longer than they allow, or than the model has places for, are left out.
    Raises RegardError as the tokenisers do, and where no pair is left.
    """
    media = media_of(settings)
    if media is not None:
        return _shelved(texts, settings, media, tokenisers, cache, tell, known)
    data, model = settings.data, settings.model
    source, target = tokenisers or _tokenisers(texts, data, known)

    assert not isinstance(source, (Images, Sounds))

    copying = copying_of(model.copy, source, target)

    def encoded(pairs: Sequence[Pair], at_least: int) -> tuple[Examples, Omitted]:
        return encode_pairs(
            pairs,
            source,
            target,
            max_source_tokens=_least(max(data.max_source_tokens, at_least), model.longest_source),
            max_target_tokens=_least(max(data.max_target_tokens, at_least), model.longest_target),
            copying=copying,
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


def _tokenisers(texts: Texts, data: DataSettings, known: Known | None) -> tuple[Tokeniser, Tokeniser]:
    """Those of both sides, the source's with its features."""
    assert data.source_tokens is not None
    assert data.target_tokens is not None
    sources, targets = [pair.text for pair in texts.train], [pair.target for pair in texts.train]
    source = None if known is None else known.source_for(data, sources, targets)
    target = None if known is None else source if data.joint else known.target_for(data, targets)
    if source is None or target is None:
        made = make_tokenisers(
            data.source_tokens,
            data.target_tokens,
            sources,
            targets,
            joint=data.joint,
            source_casing=data.source_case,
            target_casing=data.target_case,
        )
        source, target = source or made[0], target or made[1]
    given = [pair.source for pair in texts.train]
    if any(MARK in each for each in given):
        source = FeaturedTokeniser.train(source, given, () if known is None else known.features)
    return source, target


def _shelved(
    texts: Texts,
    settings: Settings,
    media: Images | Sounds,
    tokenisers: tuple[Source, Tokeniser] | None,
    cache: Path | None,
    tell: Callable[[str], None],
    known: Known | None,
) -> Corpus:
    """The same for images and recordings."""
    data, most = settings.data, settings.model.longest_target
    assert data.target_tokens is not None
    if data.joint:
        raise RegardError("data.joint: one vocabulary for both sides is for texts; leave it out")
    targets = [pair.target for pair in texts.train]
    same = None if known is None else known.target_for(data, targets)
    target = tokenisers[1] if tokenisers else same or make_tokeniser(data.target_tokens, targets, data.target_case)
    names = dict.fromkeys(pair.source for pair in (*texts.train, *texts.dev))
    shelf = fill(
        {name: texts.at_hand.get(name, name) for name in names}, media, folder=cache, workers=data.workers, tell=tell
    )
    tell(f"{len(names):,} files: {shelf.read:,} read in {shelf.seconds:.1f} seconds, the others taken from the cache")
    seconds = data.sound.seconds if media.medium == "sound" else None
    stretch = 1.0 / (1.0 - data.sound.speed) if media.medium == "sound" else 1.0  # played slower it has more places

    def knows(layout: tuple[int, ...]) -> bool:
        return settings.model.knows(tuple(math.ceil(side * stretch) for side in layout))

    limits = (_least(max(data.max_target_tokens, at_least), most) for at_least in (0, _LONGEST_MEASURED))
    (train, omitted), (dev, unmeasured) = (
        shelve_pairs(pairs, shelf, target, max_target_tokens=limit, seconds=seconds, knows=knows)
        for pairs, limit in zip((texts.train, texts.dev), limits, strict=True)
    )
    return Corpus(texts, train, dev, omitted, unmeasured, media, target, shelf=shelf)


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


def sample(lengths: ArrayLike, count: int) -> list[int]:
    """The numbers of `count` examples spread over the lengths of their sources: what samples are shown of."""
    lengths = np.asarray(lengths)
    order = sorted(range(len(lengths)), key=lambda index: (int(lengths[index]), index))
    places = [round((step + 0.5) / count * (len(order) - 1)) for step in range(min(count, len(order)))]
    return [order[place] for place in places]
