"""The Transformer decoder: masked self-attention, cross-attention to the memory, feed-forward layers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn

from regard.attention import Attention, causal, dense
from regard.attention.kinds import Drawn, drawn_in
from regard.attention.steps import Joined
from regard.attention.trees import Shared, static, tree
from regard.model.contracts import DecoderMemory, DecoderOutput, Encoded, Observed, ObservedStep, if_padded
from regard.model.embeddings import TokenEmbedding
from regard.model.encoders import mean
from regard.model.layers import FeedForward, Residual, last_norm
from regard.model.places import FixedContext, kind_of, over_sequence, self_attention, transformer_cross
from regard.settings import ModelSettings

Cache = Shared | Tensor | None
"""The past of a self-attention: the `Memory` (B, H, read, dim) of what all hypotheses of a source have read, step by
step; or where keys can't be extended, what each hypothesis' own are made from, (B, beams, said, width)."""


@tree
class TransformerState:
    """What a Transformer carries from step to step, for each hypothesis.

    The hypotheses of a source are queries of one memory, in which each sees its own past: so nothing that has been read
    is copied when a search goes on with some of them.
    """

    caches: tuple[Cache, ...]  # of each layer
    attended: tuple[Any, ...]  # of each layer: what its cross-attention remembers, a tree (B, beams, ...) or None
    own: Tensor  # (B, beams, said) int64: what of all that was read is a hypothesis' own past
    read: tuple[int, ...] = static()  # how many hypotheses read a token at each step


class DecoderLayer(nn.Module):
    """One layer: what its parts are, while the decoder says how they are run."""

    def __init__(self, settings: ModelSettings, source_width: int) -> None:
        super().__init__()
        decoder, width, longest = settings.decoder, settings.decoder.width, settings.longest
        self.itself = self_attention(settings.self_attention, width, decoder.position, longest, causal=True)
        self.around_itself = Residual(width, decoder.norm, settings.dropout)
        self.cross: Attention | FixedContext | None = None  # where the decoder is told nothing of the source
        if settings.attends:
            self.cross = transformer_cross(
                settings.cross, width, source_width, settings.values_width, longest, kind_of(settings)
            )
        elif not settings.mixes:
            self.cross = FixedContext(width, settings.code_width)
        alone = settings.context == "fixed" and decoder.norm == "pre"
        if self.cross is not None:
            self.around_cross = Residual(width, "none" if alone else decoder.norm, settings.dropout)
        self.feedforward = FeedForward(width, decoder.feedforward, decoder.norm, settings.dropout)


class TransformerDecoder(nn.Module):
    """Layers of masked self-attention, attention to the memory, and a feed-forward network (Vaswani et al. 2017).

    With a fixed context every layer is given the same code C, projected, in the place of its attention to the memory;
    where the readout mixes what places say, it has nothing in that place.
    """

    def __init__(self, embedding: TokenEmbedding, settings: ModelSettings, source_width: int) -> None:
        super().__init__()
        self.embedding, self.width, self.fixed = embedding, settings.decoder.width, settings.fixed
        self.layers = nn.ModuleList(DecoderLayer(settings, source_width) for _ in range(settings.decoder.layers))
        self.norm = last_norm(self.width, settings.decoder.norm)

    def prepare(self, encoded: Encoded, window: int | None = None) -> DecoderMemory:
        """The prepared keys and values of every layer's cross-attention, or the code C; what self-attentions join."""
        cross = [layer.cross for layer in self.layers]
        attentions = [part for part in cross if isinstance(part, Attention)]
        memories = tuple(attention.prepare(encoded.source, if_padded(encoded.mask), window) for attention in attentions)
        itself = tuple(layer.itself.joined() for layer in self.layers)  # type: ignore[union-attr,operator]
        return DecoderMemory(memories, None if attentions else self._code(encoded), itself)

    def start(self, encoded: Encoded, beams: int) -> TransformerState:
        """The state before the first step: nothing has been said."""
        own = torch.empty(len(encoded.source), beams, 0, dtype=torch.int64, device=encoded.source.device)
        return TransformerState((None,) * len(self.layers), (None,) * len(self.layers), own, ())

    def step(
        self, tokens: Tensor, memory: DecoderMemory, state: TransformerState, observe: Collection[str] = ()
    ) -> DecoderOutput:
        """One step of each hypothesis, after its last token (B, beams); observes `cross` and `decoder.self`."""
        past = _Past(state, tokens.shape[1])
        x = self.embedding.at(tokens, past.place)
        caches, remembered, observed = [], [], ObservedStep()
        found = x
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, DecoderLayer)
            found, weights, cache = past.step(
                layer.itself, layer.around_itself.enter(x), state.caches[number], memory.itself[number]
            )
            caches.append(cache)
            if "decoder.self" in observe:
                observed["decoder.self", number] = past.within(weights)
            x = layer.around_itself.leave(x, found)
            attended = None
            if layer.cross is None:
                found = x[..., :0]
            elif isinstance(layer.cross, Attention):
                query = layer.around_cross.enter(x)
                found, looked, attended = layer.cross.step(query, memory.cross[number], state.attended[number])
                if "cross" in observe:
                    observed["cross", number] = looked
            else:
                found = layer.cross(memory.fixed).expand(-1, x.shape[1], -1)
            remembered.append(attended)
            x = layer.feedforward(x if layer.cross is None else layer.around_cross.leave(x, found))
        after = TransformerState(tuple(caches), tuple(remembered), past.own, past.read)
        return DecoderOutput(self.norm(x), found, observed, after)

    def forward(self, target_in: Tensor, encoded: Encoded, observe: Collection[str] = ()) -> DecoderOutput:
        """All steps for given targets (B, T) at once; observes `cross` and `decoder.self`."""
        x, observed = self.embedding(target_in), Observed()
        found, drawn = x, list[Drawn]()
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, DecoderLayer)
            found, itself = layer.itself(layer.around_itself.enter(x), mask=causal())
            if "decoder.self" in observe:
                observed["decoder.self", number] = itself.dense()
            x = layer.around_itself.leave(x, found)
            if layer.cross is None:
                found = x[..., :0]
            elif isinstance(layer.cross, Attention):
                query, seen = layer.around_cross.enter(x), "cross" in observe
                found, weights, state = over_sequence(layer.cross, query, encoded.source, encoded.mask, seen)
                drawn += drawn_in([state])
                if weights is not None:
                    observed["cross", number] = weights
            else:
                found = layer.cross(self._code(encoded)).expand(-1, x.shape[1], -1)
            x = layer.feedforward(x if layer.cross is None else layer.around_cross.leave(x, found))
        return DecoderOutput(self.norm(x), found, observed, drawn=tuple(drawn))

    def _code(self, encoded: Encoded) -> Tensor:
        return (encoded.final if self.fixed == "last" else mean(encoded))[:, None]


class _Past:
    """What the hypotheses of a step look back at, the token that each reads included; for all layers alike."""

    def __init__(self, state: TransformerState, hypotheses: int) -> None:
        self.place, self.read = len(state.read), (*state.read, hypotheses)
        before, batch = sum(state.read), len(state.own)
        new = torch.arange(before, before + hypotheses, device=state.own.device)[:, None].expand(batch, -1, 1)
        self.own = torch.cat([state.own, new], 2)
        self.mask: Tensor | None = None
        self.places: Tensor | None = None
        if before + hypotheses > len(self.read):  # else all that was read is everyone's own
            mask = torch.zeros(batch, hypotheses, before + hypotheses, dtype=torch.bool, device=state.own.device)
            self.mask = mask.scatter_(2, self.own, True)
            self.places = torch.arange(len(self.read), device=state.own.device).repeat_interleave(
                torch.tensor(self.read, device=state.own.device)
            )

    def step(
        self, attention: Attention, entered: Tensor, cache: Cache, joined: Joined | None
    ) -> tuple[Tensor, Tensor, Cache]:
        """Context (B, beams, width), weights (B, H, beams, read or said), and the cache with one more step.

        The keys of `distance` and `location` are made anew at every step from all that was entered: they stand for the
        whole sequence.
        """
        if not attention.looks_back:
            entered = entered[:, :, None]  # each hypothesis looks at a memory of its own
            inputs = entered if cache is None else torch.cat([cache, entered], 2)  # type: ignore[list-item]
            found, weights, _ = attention.step(entered, attention.prepare(inputs), offset=self.place)
            return found.squeeze(2), dense(weights).squeeze(3).transpose(1, 2), inputs
        before = None if cache is None else cache.value  # type: ignore[union-attr]
        found, weights, memory = attention.look_back(
            entered, before, joined, at=self.place, mask=self.mask, places=self.places
        )
        return found, weights, Shared(memory)

    def within(self, weights: Tensor) -> Tensor:
        """The weights of each hypothesis' own past alone, (B, H, beams, said)."""
        if self.mask is None or weights.shape[-1] == len(self.read):
            return weights
        return weights.gather(-1, self.own[:, None].expand(-1, weights.shape[1], -1, -1))
