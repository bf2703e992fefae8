"""The places of attention in a model, made from settings: nothing is written for any one combination."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from regard.attention import Attention, dense
from regard.attention.names import STATEFUL_SCORES, base
from regard.attention.products import Linear
from regard.errors import RegardError
from regard.model.contracts import if_padded
from regard.settings import AttentionSettings, ModelSettings

#: Positions that attention itself knows; the others are added to the embeddings.
ATTENTION_POSITIONS = ("rotary", "relative", "alibi")


def self_attention(settings: AttentionSettings, width: int, position: str, longest: int, *, causal: bool) -> Attention:
    """Attention within a sequence; `causal` where positions look back only."""
    if base(settings.score) in STATEFUL_SCORES:
        raise RegardError(
            f"model.self_attention.score: {settings.score} remembers the steps of a decoder, "
            "so it is for model.cross only; choose another, such as scaled_dot"
        )
    inside = position if position in ATTENTION_POSITIONS else None
    return _attention(
        "self_attention", settings, width, width, longest, project="all", position=inside, both_directions=not causal
    )


def transformer_cross(
    settings: AttentionSettings, width: int, source_width: int, values_from: int, longest: int, kind: str = "soft"
) -> Attention:
    """Attention from a layer of a Transformer to the memory, everything projected (Vaswani et al. 2017)."""
    return _attention(
        "cross", settings, width, source_width, longest, project="all", values_from=values_from, kind=kind
    )


def recurrent_cross(
    settings: AttentionSettings, width: int, source_width: int, values_from: int, longest: int, kind: str = "soft"
) -> Attention:
    """Attention from a recurrent decoder to the memory.

    In one head the memory itself, or its last `values_from` units, is what is summed, and only what is compared is
    projected (Bahdanau et al. 2015); `bilinear`, `location`, and `dot` between equal widths compare the states as they
    are (Luong et al. 2015). Several heads, or fewer heads of keys, have projections of everything.
    """
    name = base(settings.score)
    if settings.heads > 1 or settings.kv_heads is not None:
        project = "all"
    elif name in ("bilinear", "location") or (name == "dot" and width == source_width):
        project = "none"
    else:
        project = "scores"
    return _attention(
        "cross", settings, width, source_width, longest, project=project, values_from=values_from, kind=kind
    )


def kind_of(settings: ModelSettings) -> str:
    """The kind of a decoder's attention, by the names of `regard.attention.kinds`."""
    return "soft" if settings.context == "attention" else settings.context


def context_width(attention: Attention, width: int) -> int:
    """The width of the contexts of a cross-attention of `recurrent_cross`."""
    return width if attention.project == "all" else attention.values_from


def over_sequence(
    attention: Attention, query: Tensor, source: Tensor, mask: Tensor, observed: bool
) -> tuple[Tensor, Tensor | None, Any]:
    """Contexts (B, T, width) of all queries (B, T, query width), and if asked for their weights (B, H, T, S); and what
    an attention that draws places knows of them.

    Scores that remember, windows, and kinds that go in order go step by step; all others take the whole sequence at
    once.
    """
    kind = attention.kind
    if not attention.by_steps and kind is None:
        allowed = if_padded(mask)
        context, weights = attention(query, source, mask=None if allowed is None else allowed[:, None, None, :])
        return context, weights.dense() if observed else None, None
    if kind is not None and not kind.in_order:
        state = kind.along(query.shape[:1], query.shape[1], query.device)
        context, rows, state = attention.step(query, attention.prepare(source, if_padded(mask)), state)
        return context, dense(rows) if observed else None, state
    memory, state = attention.prepare(source, mask), None
    contexts, seen = [], list[Any]()
    for one in query.split(1, 1):
        context, row, state = attention.step(one, memory, state)
        contexts.append(context)
        seen.append(dense(row) if observed else None)
    return torch.cat(contexts, 1), torch.cat(seen, 2) if observed else None, None


class FixedContext(nn.Module):
    """One code C for all steps in the place of a Transformer's cross-attention, projected for each layer."""

    def __init__(self, width: int, source_width: int) -> None:
        super().__init__()
        self.project = Linear(source_width, width)

    def forward(self, code: Tensor) -> Tensor:
        found: Tensor = self.project(code)
        return found


def _attention(
    place: str, settings: AttentionSettings, width: int, source_width: int, longest: int, **others: Any
) -> Attention:
    try:
        return Attention(
            width,
            source_width,
            heads=settings.heads,
            kv_heads=settings.kv_heads,
            score=settings.score,
            normalizer=settings.normalizer,
            dropout=settings.dropout,
            longest=longest,
            window=settings.window,
            **others,
        )
    except ValueError as error:
        raise RegardError(f"model.{place}: {error}") from None
