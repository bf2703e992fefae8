"""Which stem an encoder has, and which settings fit it."""

from __future__ import annotations

from torch import nn

from regard.errors import RegardError
from regard.model.contracts import Stem
from regard.model.convolution import Convolution, Frames
from regard.model.embeddings import TokenEmbedding
from regard.model.given import GivenStem
from regard.model.patches import Patches
from regard.model.places import ATTENTION_POSITIONS
from regard.settings import ModelSettings

IMAGES = ("convolution", "patches", "module")


def make_stem(settings: ModelSettings, source_size: int, module: nn.Module | None = None) -> Stem:
    """The stem of these settings; `module` is the one that `model.encoder.stem` module asks for.

    `source_size` is the number of tokens of texts, channels of images, or bands of recordings. Raises `RegardError`
    where settings of the encoder do not fit each other.
    """
    _check(settings)
    if module is not None and settings.encoder.stem != "module":
        raise RegardError(
            f"model.encoder.stem: a module was given, but it is {settings.encoder.stem}; leave out the module, or set "
            "it to module"
        )
    encoder, width, longest, dropout = settings.encoder, settings.stem_width, settings.longest, settings.dropout
    if encoder.stem == "convolution":
        return Convolution(source_size, encoder.channels, encoder.place, width, encoder.position, longest, dropout)
    if encoder.stem == "module":
        if module is None:
            raise RegardError(
                "model.encoder.stem: this model reads images with a torch module of its own, which has to be given "
                "in Python, as in regard.load(folder, stem=module) or regard.train(pairs, stem=module)"
            )
        return GivenStem(module, source_size, encoder.place, width, encoder.position, longest, dropout)
    if encoder.stem == "patches":
        return Patches(source_size, encoder.place, width, encoder.position, longest, dropout)
    # A recurrent encoder knows what follows what.
    position = "none" if encoder.kind == "recurrent" else encoder.position
    if encoder.stem == "frames":
        return Frames(source_size, encoder.channels, encoder.place, width, position, longest, dropout)
    return TokenEmbedding(source_size, width, position=position, longest=longest, dropout=dropout)


def _check(settings: ModelSettings) -> None:
    """Raises `RegardError` where what is set of an encoder does not fit."""
    encoder = settings.encoder
    stem, text = f"model.encoder.stem {encoder.stem}", encoder.stem == "embedding"
    if encoder.stem in IMAGES and encoder.position in ATTENTION_POSITIONS:
        raise RegardError(
            f"model.encoder.position: {encoder.position} knows one direction, and an image has two; "
            "take sinusoidal, learned or none"
        )
    if encoder.kind in ("none", "convolution") and encoder.position in ATTENTION_POSITIONS:
        raise RegardError(
            f"model.encoder.position: {encoder.position} is for a Transformer; with model.encoder.kind {encoder.kind} "
            "take sinusoidal, learned or none"
        )
    if encoder.memory != "states" and (encoder.kind == "none" or encoder.pyramid):
        why = f"model.encoder.pyramid {encoder.pyramid}" if encoder.pyramid else "model.encoder.kind none"
        raise RegardError(f"model.encoder.memory: {encoder.memory} has no place with {why}; take states")
    if encoder.pyramid and (text or encoder.kind != "recurrent"):
        why = stem if text else f"model.encoder.kind {encoder.kind}"
        raise RegardError(f"model.encoder.pyramid: {encoder.pyramid} has no place with {why}; take 0")
    if encoder.pyramid > encoder.layers:
        raise RegardError(
            f"model.encoder.pyramid: {encoder.pyramid} layers should halve, but model.encoder.layers is "
            f"{encoder.layers}"
        )
    if settings.share_embeddings == "all" and not text:
        raise RegardError(f"model.share_embeddings: all needs texts as sources, not {stem}; share target or none")
