"""Reading what happens inside cross-attention, and putting other weights in its place.

A normalizer stands where scores become weights, so that one that keeps what it is given shows the scores, and one that
returns other weights replaces them; the rest of the model goes on as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from regard.attention import Attention
from regard.errors import RegardError, shown
from regard.maps import AttentionMap, Tokens
from regard.model import MixtureReadout
from regard.model.ensemble import Ensemble


@dataclass
class Between:
    """A normalizer around another one: keeps the scores of every step, and may give other weights instead.

    For steps, which hold their weights whole: only what the dense kernel asks of a normalizer is there.

    `replacement` (T, S) is used row by row, the last row again and again; a row of nan leaves the weights as they are.
    """

    inner: Any
    replacement: Tensor | None = None
    scores: list[Tensor] = field(default_factory=list)

    def bind(self, lead: Sequence[int]) -> Any:
        return _Bound(self, self.inner.bind(lead), lead)


@dataclass
class _Bound:
    around: Between
    inner: Any
    lead: Sequence[int]

    @property
    def parts(self) -> Any:
        return self.inner.parts

    @property
    def rereads(self) -> bool:
        return bool(self.inner.rereads)

    def fit_(self, scores: Tensor, parts: Any, tile: Any, work: Any) -> tuple[Tensor, Any]:
        around = self.around
        around.scores.append(scores.clone().view(*self.lead, *scores.shape[-2:]))
        weights, row = self.inner.fit_(scores, parts, tile, work)
        if around.replacement is None:
            return weights, row
        given = around.replacement[min(len(around.scores), len(around.replacement)) - 1].to(weights)
        return (weights if bool(given.isnan().any()) else given.expand_as(weights).contiguous()), row


@contextmanager
def between(model: nn.Module, replacement: Tensor | None = None) -> Iterator[list[Between]]:
    """Inside, every cross-attention of the model has a `Between`; they are yielded, by layer.

    Raises RegardError for a model without attention, and for one whose places are chosen by no normalizer.
    """
    places = cross_attentions(model)
    if any(place.kind is not None for place in places):
        raise RegardError(
            "this model does not sum all places by the weights of a normalizer (model.context), so there is nothing to "
            "put in their place"
        )
    if not places:
        raise RegardError("this model has a fixed context and no attention, so there are no weights to see or replace")
    watched = [Between(place.normalizer, replacement) for place in places]
    with ExitStack() as stack:
        for place, watching in zip(places, watched, strict=True):
            stack.enter_context(place.normalizing(watching))
        yield watched


def cross_attentions(model: nn.Module) -> list[Attention]:
    """The decoder's attentions to the memory, by layer; or that of a readout that mixes what places say."""
    if isinstance(model, Ensemble):
        raise RegardError("several models together have no one attention to look into; give a single model")
    decoder: Any = model.decoder
    if isinstance(model.readout, MixtureReadout):
        return [model.readout.attention]
    if hasattr(decoder, "attention"):
        return [decoder.attention] if decoder.attention is not None else []
    return [layer.cross for layer in decoder.layers if isinstance(layer.cross, Attention)]


def replacement(attention: Any, source: Tokens) -> Tensor:
    """Weights (T, S) to use instead of a model's own, from numbers or a map over the same pieces; else RegardError."""
    if isinstance(attention, AttentionMap):
        if attention.source.pieces != source.pieces:
            raise RegardError(
                "predict: attention is a map over other source pieces, of another text or model "
                f"({shown(' '.join(attention.source.pieces))} instead of {shown(' '.join(source.pieces))})"
            )
        attention = attention.matrix
    try:
        weights = torch.from_numpy(np.array(attention, np.float32, order="C"))
    except (TypeError, ValueError):
        raise RegardError("predict: attention should be numbers, target tokens x source tokens") from None
    weights = weights[None] if weights.ndim == 1 else weights
    if weights.ndim != 2 or not len(weights) or weights.shape[1] != len(source):
        raise RegardError(
            f"predict: attention has the shape {tuple(weights.shape)}, and this text has {len(source)} source "
            "tokens; give one row of so many weights, or one for each target token"
        )
    if bool((weights < 0).any()) or bool(weights.isinf().any()):
        raise RegardError("predict: attention should be finite weights of 0 or more")
    return weights
