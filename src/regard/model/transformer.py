"""The Transformer decoder: masked self-attention, cross-attention to the memory, feed-forward layers."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

import torch
from torch import Tensor, nn

from regard.attention import Attention, causal
from regard.attention.kinds import Drawn, drawn_in
from regard.model.contracts import DecoderMemory, DecoderOutput, Encoded, Observed, ObservedStep, if_padded
from regard.model.embeddings import TokenEmbedding
from regard.model.encoders import mean
from regard.model.kept import kept, may_keep
from regard.model.layers import FeedForward, Residual, last_norm
from regard.model.past import Past, TransformerState
from regard.model.places import FixedContext, kind_of, over_sequence, self_attention, transformer_cross
from regard.model.plain_transformer import PlainSteps, plain_in_heads
from regard.settings import ModelSettings


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
        self.context_width = self.width
        self.layers = nn.ModuleList(DecoderLayer(settings, source_width) for _ in range(settings.decoder.layers))
        self.norm = last_norm(self.width, settings.decoder.norm)

    def prepare(self, encoded: Encoded, window: int | None = None) -> DecoderMemory:
        """The prepared keys and values of every layer's cross-attention, or the code C; what self-attentions join."""
        if window is None and may_keep(self) and None not in (temperatures := self._temperatures()):
            steps = kept(self, lambda decoder: PlainSteps([*decoder.layers], decoder.norm), temperatures)
            memories, sources = steps.prepare(encoded)
            return DecoderMemory(memories, None, steps=partial(steps.step, sources=sources))
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
        past = Past(state, tokens.shape[1])
        x = self.embedding.at(tokens, past.place)
        if memory.steps is not None:
            return memory.steps(x, past, state=state, observe=observe)  # type: ignore[no-any-return]
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
        return DecoderOutput(self.norm(x), found, observed, drawn=tuple(drawn), passing=True)

    def _temperatures(self) -> tuple[float | None, ...]:
        """Those of all attentions, None for one that has to be called as a module."""
        return tuple(plain_in_heads(part) for layer in self.layers for part in (layer.itself, layer.cross))

    def _code(self, encoded: Encoded) -> Tensor:
        return (encoded.final if self.fixed == "last" else mean(encoded))[:, None]
