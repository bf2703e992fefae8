"""The Transformer decoder: masked self-attention, cross-attention to the memory, feed-forward layers."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn

from regard.attention import Attention, Memory, causal
from regard.attention.trees import static, tree
from regard.model.contracts import DecoderMemory, DecoderOutput, Encoded, Observed, if_padded
from regard.model.embeddings import TokenEmbedding
from regard.model.encoders import mean
from regard.model.layers import FeedForward, Residual, last_norm
from regard.model.places import FixedContext, over_sequence, self_attention, transformer_cross
from regard.settings import ModelSettings

Cache = Memory | Tensor | None
"""The past of a self-attention: its keys and values, or where these can't be extended, what they are made from."""


@tree
class TransformerState:
    """What a Transformer carries from step to step, for each hypothesis; `said` tokens have been read."""

    caches: tuple[Cache, ...]  # of each layer: tensors (B, beams, ..., said, dim)
    attended: tuple[Tensor | None, ...]  # of each layer, (B, beams, H, S): what its cross-attention remembers
    said: int = static()


class DecoderLayer(nn.Module):
    """One layer: what its parts are, while the decoder says how they are run."""

    def __init__(self, settings: ModelSettings, source_width: int) -> None:
        super().__init__()
        decoder, width, longest = settings.decoder, settings.decoder.width, settings.longest
        self.itself = self_attention(settings.self_attention, width, decoder.position, longest, causal=True)
        self.around_itself = Residual(width, decoder.norm, settings.dropout)
        self.cross: Attention | FixedContext = (
            transformer_cross(settings.cross, width, source_width, settings.values_width, longest)
            if settings.context == "attention"
            else FixedContext(width, settings.code_width)
        )
        alone = settings.context == "fixed" and decoder.norm == "pre"
        self.around_cross = Residual(width, "none" if alone else decoder.norm, settings.dropout)
        self.feedforward = FeedForward(width, decoder.feedforward, decoder.norm, settings.dropout)


class TransformerDecoder(nn.Module):
    """Layers of masked self-attention, attention to the memory, and a feed-forward network (Vaswani et al. 2017).

    With a fixed context every layer is given the same code C, projected, in the place of its attention to the memory.
    """

    def __init__(self, embedding: TokenEmbedding, settings: ModelSettings, source_width: int) -> None:
        super().__init__()
        self.embedding, self.width, self.fixed = embedding, settings.decoder.width, settings.fixed
        self.layers = nn.ModuleList(DecoderLayer(settings, source_width) for _ in range(settings.decoder.layers))
        self.norm = last_norm(self.width, settings.decoder.norm)

    def prepare(self, encoded: Encoded) -> DecoderMemory:
        """The prepared keys and values of every layer's cross-attention, or the code C."""
        cross = [layer.cross for layer in self.layers]
        attentions = [part for part in cross if isinstance(part, Attention)]
        memories = tuple(attention.prepare(encoded.source, if_padded(encoded.mask)) for attention in attentions)
        return DecoderMemory(memories, None if attentions else self._code(encoded))

    def start(self, encoded: Encoded, beams: int) -> TransformerState:
        """The state before the first step: nothing has been said."""
        return TransformerState((None,) * len(self.layers), (None,) * len(self.layers), 0)

    def step(
        self, tokens: Tensor, memory: DecoderMemory, state: TransformerState, observe: Collection[str] = ()
    ) -> DecoderOutput:
        """One step of each hypothesis, after its last token (B, beams); observes `cross` and `decoder.self`."""
        x, place = self.embedding.at(tokens, state.said), state.said
        caches, remembered, observed = [], [], Observed()
        found = x
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, DecoderLayer)
            entered = layer.around_itself.enter(x)[:, :, None]  # each hypothesis looks at a past of its own
            cache, past = _extended(layer.itself, state.caches[number], entered)
            caches.append(cache)
            found, weights, _ = layer.itself.step(entered, past, offset=place)
            if "decoder.self" in observe:
                observed["decoder.self", number] = weights.squeeze(3).transpose(1, 2)
            x = layer.around_itself.leave(x, found.squeeze(2))
            attended = None
            if isinstance(layer.cross, Attention):
                query = layer.around_cross.enter(x)
                found, weights, attended = layer.cross.step(query, memory.cross[number], state.attended[number])
                if "cross" in observe:
                    observed["cross", number] = weights
            else:
                found = layer.cross(memory.fixed).expand(-1, x.shape[1], -1)
            remembered.append(attended)
            x = layer.feedforward(layer.around_cross.leave(x, found))
        after = TransformerState(tuple(caches), tuple(remembered), place + 1)
        return DecoderOutput(self.norm(x), found, observed, after)

    def forward(self, target_in: Tensor, encoded: Encoded, observe: Collection[str] = ()) -> DecoderOutput:
        """All steps for given targets (B, T) at once; observes `cross` and `decoder.self`."""
        x, observed = self.embedding(target_in), Observed()
        found = x
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, DecoderLayer)
            found, itself = layer.itself(layer.around_itself.enter(x), mask=causal())
            if "decoder.self" in observe:
                observed["decoder.self", number] = itself.dense()
            x = layer.around_itself.leave(x, found)
            if isinstance(layer.cross, Attention):
                query = layer.around_cross.enter(x)
                found, weights = over_sequence(layer.cross, query, encoded.source, encoded.mask, "cross" in observe)
                if weights is not None:
                    observed["cross", number] = weights
            else:
                found = layer.cross(self._code(encoded)).expand(-1, x.shape[1], -1)
            x = layer.feedforward(layer.around_cross.leave(x, found))
        return DecoderOutput(self.norm(x), found, observed)

    def _code(self, encoded: Encoded) -> Tensor:
        return (encoded.final if self.fixed == "last" else mean(encoded))[:, None]


def _extended(attention: Attention, cache: Cache, entered: Tensor) -> tuple[Cache, Memory]:
    """The cache with one more position, and the memory to attend to; `entered` (B, beams, 1, width).

    The keys of `distance` and `location` are made anew at every step from all that was entered: they stand for the
    whole sequence.
    """
    if attention.score_name.partition(":")[0] in ("distance", "location"):
        inputs = entered if cache is None else torch.cat([cache, entered], 2)  # type: ignore[list-item]
        return inputs, attention.prepare(inputs)
    if cache is None:
        memory = attention.prepare(entered)
    else:
        assert isinstance(cache, Memory)
        memory = attention.extend(cache, entered)
    return memory, memory
