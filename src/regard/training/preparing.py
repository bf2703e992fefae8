"""From a file of pairs to a training that could begin: what was given is gathered, pairs are read, choices made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from regard.configuration import checked, flatten, flatten_settings, read_config, with_given
from regard.data.describe import describe
from regard.data.merges import check_dropout
from regard.errors import RegardError
from regard.folder import Facts
from regard.model.contexts import check_context
from regard.model.search import check_search
from regard.predictor import Predictor, make_model
from regard.settings import Settings
from regard.training.choices import choose_columns, choose_reading, choose_sizes, choose_tokenisers, complete
from regard.training.corpus import Corpus, Texts, encode, length_bound, read_texts_of, texts_of
from regard.training.estimate import estimate
from regard.training.extending import Known
from regard.training.extending import told as extension
from regard.training.mixing import parsed_weights, told
from regard.training.progress import Reporter
from regard.training.sampling import check_choices
from regard.training.transfer import inherited

Pairs = str | Path | Sequence[str | Path] | Iterable[tuple[Any, str]]


@dataclass(frozen=True)
class Prepared:
    """A training that could begin: its numbers, all settings, and the reason for each that was chosen."""

    corpus: Corpus
    settings: Settings
    reasons: Mapping[str, str]


def gather(
    config: str | Path | None, settings: Mapping[str, Any], start_from: str | Path | None = None
) -> dict[str, Any]:
    """What was given, by full names: of the model to start from, overridden by that of the file, then of the call."""
    first = inherited(Path(start_from)) if start_from is not None else {}
    return {**first, **(read_config(config) if config else {}), **checked(flatten(settings))}


def read(
    pairs: Pairs,
    target: str | Path | None,
    dev: Pairs | None,
    dev_target: str | Path | None,
    given: Mapping[str, Any],
    guided: str | Path | None = None,
) -> Texts:
    """The texts of a corpus, from files or at hand, and the links that guide the attention."""
    settings = with_given(Settings(), {name: value for name, value in given.items() if value is not None})
    words = settings.training.guided_words
    if guided is None:
        _check_unguided(settings)
    files = _files(pairs)
    parsed_weights(settings.data.weights, len(files))
    if files:
        if dev is not None and not isinstance(dev, (str, Path)):
            raise RegardError("pairs were given as a file, so give those to validate on (dev) as one too")
        return read_texts_of(
            files,
            settings.data,
            settings.training.seed,
            parallel=target,
            dev=dev,
            dev_parallel=dev_target,
            guided=guided,
            words=words,
        )
    if dev is None or isinstance(dev, (str, Path)):
        raise RegardError("pairs were given as such, so give those to validate on (dev) likewise")
    return texts_of(pairs, dev, guided, words, settings.data.medium)  # type: ignore[arg-type]


def _files(pairs: Any) -> list[str | Path]:
    """The files that were given; none where pairs themselves were."""
    if isinstance(pairs, (str, Path)):
        return [pairs]
    several = isinstance(pairs, (list, tuple)) and all(isinstance(each, (str, Path)) for each in pairs)
    # A list of one text is no list of files, but of what should have been a pair.
    return list(pairs) if several and (len(pairs) > 1 or not any(isinstance(each, str) for each in pairs)) else []


def _check_unguided(settings: Settings) -> None:
    values, usual = flatten_settings(settings), flatten_settings(Settings())
    for name in values:
        if name.startswith("training.guided_") and values[name] != usual[name]:
            raise RegardError(f"{name} is for --guided; give a file of links too, or leave it out")


def prepare(
    texts: Texts,
    given: Mapping[str, Any],
    cache: Path | None = None,
    tell: Callable[[str], None] = lambda line: None,
    start_from: str | Path | None = None,
) -> Prepared:
    """Make every choice that was left open, and turn the texts into numbers.

    Of the model to start from, if there is one, the vocabularies are taken and extended. The folder `cache` keeps what
    was read of images and recordings, and `tell` is told how that goes.
    """
    columns, why_columns = choose_columns(given, texts)
    tokenisers, why_tokenisers = choose_tokenisers(given, texts)
    reading, why_reading = choose_reading({**given, **tokenisers}, texts)
    known = None if start_from is None else Known.of(Path(start_from))
    corpus = encode(texts, complete(given, columns, tokenisers, reading), cache=cache, tell=tell, known=known)
    if known is not None:
        sides = [pair.source for pair in texts.train], [pair.target for pair in texts.train]
        for line in extension(known, corpus.source, corpus.target, *sides):
            tell(line)
    sizes, why_sizes = choose_sizes({**given, **reading}, corpus)
    reasons = {**why_columns, **why_tokenisers, **why_reading, **why_sizes}
    settings = complete(given, columns, tokenisers, reading, sizes)
    check_context(settings.model)
    check_choices(settings)
    check_search(settings.search)
    check_dropout(settings, texts.links is not None)
    return Prepared(corpus, settings, reasons)


def told_shares(prepared: Prepared) -> list[str]:
    """Of several files, how much of each is learned from."""
    files = prepared.corpus.texts.files
    return told(prepared.corpus, parsed_weights(prepared.settings.data.weights, len(files)))


def tell_choices(prepared: Prepared, report: Reporter) -> None:
    """Say what was chosen from the data, and why."""
    values = flatten_settings(prepared.settings)
    for name, reason in prepared.reasons.items():
        report.say(f"chosen: {name} {values[name]}: {reason}")


def dry_run(prepared: Prepared, device: torch.device) -> list[str]:
    """What `--dry-run` shows: the corpus, all settings, and what the training will take."""
    corpus, settings = prepared.corpus, prepared.settings
    found = estimate(new_predictor(prepared, device).model, corpus, settings, device)
    lines = told_shares(prepared)
    lines += describe(corpus.train, corpus.omitted, corpus.source, corpus.target, corpus.dev.pairs)
    lines += ["", "settings (those chosen from the data with the reason):"]
    for name, value in flatten_settings(settings).items():
        reason = f"   # {prepared.reasons[name]}" if name in prepared.reasons else ""
        lines.append(f"  {name}: {'none' if value is None else value}{reason}")
    return [*lines, "", str(found)]


def new_predictor(prepared: Prepared, device: torch.device, stem: nn.Module | None = None) -> Predictor:
    """A model with fresh weights, made from the seed, with all that it needs to predict."""
    corpus, settings = prepared.corpus, prepared.settings
    torch.manual_seed(settings.training.seed)
    model = make_model(settings, corpus.source, corpus.target, stem).to(device)
    return Predictor(model, corpus.source, corpus.target, settings, first_facts(prepared))


def first_facts(prepared: Prepared) -> Facts:
    """What is known before the first update."""
    slope, room = length_bound(prepared.corpus.train)
    return Facts(
        pairs=len(prepared.corpus.train),
        metric=prepared.settings.training.metric,
        length_slope=slope,
        length_room=room,
        chosen=dict(prepared.reasons),
    )
