"""Defaults chosen from the data: tokenisers by the texts, sizes by the number of pairs, each with its reason."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from regard.configuration import Given, with_given
from regard.data.detection import detect_kind
from regard.data.media import Images
from regard.errors import RegardError
from regard.settings import ImageSettings, Settings
from regard.training.corpus import Corpus, Texts

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Size:
    """What suits corpora of up to so many pairs."""

    pairs: float
    width: int
    dropout: float
    batch: int
    epochs: int


# Small corpora lack updates, so their batches are small. Measured at 1,000 pairs alone (French words to phones, one
# seed): 479 updates of 1,000 tokens left 40 % of the test words wrong, and 1,000 updates of 500 tokens 26 %, in half as
# much time again. All other rows are first values.
SIZES = (
    Size(500, 128, 0.4, 500, 60),
    Size(3_000, 192, 0.4, 500, 40),
    Size(20_000, 256, 0.3, 800, 20),
    Size(100_000, 384, 0.2, 3_000, 15),
    Size(math.inf, 512, 0.1, 4_000, 8),
)
FEWEST_UPDATES = 1_000
_CONVOLUTIONS = 4
_VALIDATIONS = 15
# Images and recordings: what is looked at of a corpus, and what tells a line of text from other images.
_LOOKED_AT, _LINE, _LINE_HEIGHT, _COLOURED = 40, 2.5, 32, 24
_SPEECH_RATE = 16_000
# Settings of encoders behind the stem: who gives one of them wants to have one.
_OF_BODIES = ("cell", "directions", "layers", "pyramid", "feedforward", "norm", "memory")
# Images are drawn anew for each epoch or look alike; dropout that suits small corpora of texts hides all of them.
_DROPOUT_OF_IMAGES = 0.1
_SOURCES = 32
Reasons = Mapping[str, str]


def choose_columns(given: Given, texts: Texts) -> tuple[dict[str, Any], Reasons]:
    """The columns that were recognised, by name, and why."""
    found = {name: column for name, column in texts.columns.items() if given.get(name) is None}
    return {name: value for name, (value, _) in found.items()}, {name: why for name, (_, why) in found.items()}


def choose_tokenisers(given: Given, texts: Texts) -> tuple[dict[str, Any], Reasons]:
    """The tokenisers that were not given, by name, and why."""
    chosen: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    for side in ("source", "target") if texts.medium == "text" else ("target",):
        name = f"data.{side}_tokens"
        if given.get(name) is None:
            choice = detect_kind([pair.text if side == "source" else pair.target for pair in texts.train])
            chosen[name], reasons[name] = choice.kind, choice.reason
    # One vocabulary for both sides needs one setting: that of the side that was given, or else of the source.
    if given.get("data.joint") and chosen:
        first, second = "data.source_tokens", "data.target_tokens"
        known = given.get(first) or given.get(second) or chosen[first]
        if known.partition(":")[0] not in ("bpe", "unigram"):
            known = f"bpe:{4000 if len(texts.train) < 20_000 else 8000}"
        for name in chosen:
            chosen[name], reasons[name] = known, "one vocabulary for both sides was asked for"
    return chosen, reasons


def choose_reading(given: Given, texts: Texts) -> tuple[dict[str, Any], Reasons]:
    """How images and recordings are read, and what one place stands for, where that was not given, by name, and why."""
    wanted: dict[str, tuple[Any, str]] = {"data.medium": (texts.medium, "the names of the sources")}
    if texts.medium == "text":
        del wanted["data.medium"]
        if given.get("data.medium") is None:
            return {"data.medium": "text"}, {}
    if texts.medium == "sound":
        rate, why = _usual_rate(texts)
        wanted["data.sound.rate"] = (rate, why)
        wanted["model.encoder.stem"] = ("frames", "recordings")
        wanted["model.encoder.place"] = ("4", "four frames, of a hundredth of a second each, to a place")
    if texts.medium == "image":
        wanted |= _image_reading(given, texts)
    chosen = {name: value for name, (value, _) in wanted.items() if given.get(name) is None}
    return chosen, {name: wanted[name][1] for name in chosen}


def with_stem(given: Given, module: nn.Module) -> dict[str, Any]:
    """What was given, and what a torch module that reads images says: how many colours, and pixels to a place.

    Raises RegardError for a module that makes no grid of features, and where it should train in several processes.
    """
    from regard.model.given import place_of, reads

    if (given.get("training.devices") or 1) > 1:
        raise RegardError("training.devices: a module that is given as stem can't be sent to other processes; take 1")
    colours = given.get("data.image.colours") or ("grey" if reads(module, 1) and not reads(module, 3) else "rgb")
    found = {"data.image.colours": colours, "model.encoder.place": place_of(module, 3 if colours == "rgb" else 1)}
    known = {name: value for name, value in given.items() if value is not None}
    return {"data.medium": "image", "model.encoder.stem": "module", **found, **known}


def _usual_rate(texts: Texts) -> tuple[int, str]:
    """The rate that most recordings have, and why: no more than speech needs."""
    from regard.data.sounds import sound_rate

    rates = Counter[int]()
    for source in _some(texts):
        with suppress(RegardError):
            rates[source[1] if isinstance(source, tuple) else sound_rate(source)] += 1
    if not rates:
        return _SPEECH_RATE, "the usual one for speech"
    rate, count = rates.most_common(1)[0]
    if rate > _SPEECH_RATE:
        return _SPEECH_RATE, f"recordings have {rate:,}, and speech needs no more"
    return rate, f"that of {count} of {rates.total()} recordings"


def _image_reading(given: Given, texts: Texts) -> dict[str, tuple[Any, str]]:
    """For lines of text, much wider than they are high: one height, and places that are columns. For others a grid."""
    from regard.data.images import read_image

    whole = replace(ImageSettings(), colours="rgb")
    pixels = []
    for source in _some(texts):
        with suppress(RegardError):
            pixels.append(read_image(source, whole).values)
    coloured = sum(bool((each.max(-1) - each.min(-1) > _COLOURED).any()) for each in pixels)
    wanted: dict[str, tuple[Any, str]] = {
        "data.image.colours": ("rgb", f"{coloured} of {len(pixels)} images have colours")
        if 2 * coloured > len(pixels)
        else ("grey", "most images have no colours")
    }
    stem = given.get("model.encoder.stem") or "convolution"
    wanted["model.encoder.stem"] = (stem, "images")
    if all(given.get(f"model.encoder.{name}") is None for name in _OF_BODIES):
        wanted["model.encoder.kind"] = ("none", "the places of an image, as the convolutions make them, are looked at")
    shapes = sorted(each.shape[1] / each.shape[0] for each in pixels)
    if shapes and shapes[len(shapes) // 2] >= _LINE and given.get("model.encoder.place") is None:
        height = given.get("data.image.height") or _LINE_HEIGHT
        wanted["data.image.height"] = (height, "the images are lines, much wider than they are high")
        wanted["model.encoder.place"] = (f"{height}x4", "a line is read along its columns")
    else:
        wanted["model.encoder.place"] = ("8x8", "the usual grid of an image")
    return wanted


def _some(texts: Texts) -> list[Any]:
    """Sources spread over the corpus, themselves or their paths."""
    pairs = texts.train[:: max(1, len(texts.train) // _LOOKED_AT)][:_LOOKED_AT]
    return [texts.at_hand.get(pair.source, pair.source) for pair in pairs]


def size_for(pairs: int) -> Size:
    """What suits a corpus of so many pairs."""
    return next(size for size in SIZES if pairs <= size.pairs)


def choose_sizes(given: Given, corpus: Corpus) -> tuple[dict[str, Any], Reasons]:
    """The sizes of the model and of the training that were not given, by name, and why."""
    pairs = len(corpus.train)
    size = size_for(pairs)
    why = f"{pairs:,} pairs"
    wanted: dict[str, tuple[Any, str]] = {"training.batch": (size.batch, why), "model.dropout": (size.dropout, why)}
    if given.get("training.batch_unit") == "sentences":
        wanted["training.batch"] = (64, "a usual number of sentences")
    elif corpus.shelf is not None:
        usual = math.ceil(np.quantile(np.maximum(corpus.train.source_lengths, corpus.train.target_lengths), 0.9))
        wanted["training.batch"] = (_SOURCES * usual, f"about {_SOURCES} sources of {usual} places")
    if isinstance(corpus.source, Images):
        wanted["model.dropout"] = (_DROPOUT_OF_IMAGES, "images")
    wanted |= dict.fromkeys(("model.encoder.width", "model.decoder.width", "model.embedding"), (size.width, why))
    for side in ("encoder", "decoder"):
        if given.get(f"model.{side}.kind") == "transformer":
            wanted[f"model.{side}.feedforward"] = (2 * size.width, "twice the width")
            wanted[f"model.{side}.layers"] = (3, "a Transformer of one layer does little")
    if given.get("model.encoder.kind") == "convolution":
        wanted["model.encoder.layers"] = (_CONVOLUTIONS, "each sees one place further on either side")
    chosen = {name: value for name, (value, _) in wanted.items() if given.get(name) is None}
    reasons = {name: wanted[name][1] for name in chosen}
    merged = {**given, **chosen}
    if merged.get("training.updates") is None:
        per_epoch = _updates_per_epoch(merged, corpus)
        updates = max(FEWEST_UPDATES, round(size.epochs * per_epoch))
        chosen["training.updates"] = updates
        reasons["training.updates"] = f"about {updates / per_epoch:.0f} epochs of {per_epoch:,.0f} updates"
    total: int = chosen.get("training.updates") or merged["training.updates"]
    if merged.get("training.validate_every") is None:
        chosen["training.validate_every"] = max(1, math.ceil(total / _VALIDATIONS))
        reasons["training.validate_every"] = f"about {_VALIDATIONS} validations in all"
    if merged.get("training.warmup") is None:
        chosen["training.warmup"] = max(1, min(400, total // 10))
        reasons["training.warmup"] = "a tenth of the updates, at most 400"
    return chosen, reasons


def _updates_per_epoch(given: Given, corpus: Corpus) -> float:
    examples = corpus.train
    if given.get("training.batch_unit") == "sentences":
        cells = float(len(examples))
    else:
        cells = float(sum(map(max, examples.source_lengths.tolist(), examples.target_lengths.tolist())))
    # Batches end where the lengths of their examples do, so that they are not quite full.
    batches: float = max(1.0, 1.1 * cells / given["training.batch"])
    at_once: int = (given.get("training.accumulate") or 1) * (given.get("training.devices") or 1)
    return max(1.0, batches / at_once)


def complete(given: Given, *choices: Mapping[str, Any]) -> Settings:
    """The defaults, overridden by what was chosen, overridden by what was given."""
    settings = Settings()
    for values in (*choices, {name: value for name, value in given.items() if value is not None}):
        settings = with_given(settings, values)
    return settings
