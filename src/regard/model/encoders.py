"""Encoders: a source becomes a memory, one vector for each token. Padding never changes what comes out."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from regard.attention import Weights
from regard.errors import RegardError
from regard.model.contracts import Encoded, Observed, if_padded
from regard.model.dropout import Dropout
from regard.model.embeddings import TokenEmbedding
from regard.model.layers import FeedForward, Residual, last_norm
from regard.model.places import self_attention
from regard.settings import AttentionSettings, EncoderSettings


class RecurrentEncoder(nn.Module):
    """A GRU or LSTM over the tokens, in one direction or two (Schuster & Paliwal 1997), in several layers.

    The memory is the last layer's states, (B, S, width), both directions side by side and 0 at padding; beside them the
    embeddings where `memory` is both or words.
    """

    def __init__(self, embedding: TokenEmbedding, settings: EncoderSettings, dropout: float) -> None:
        super().__init__()
        if settings.width % settings.directions:
            raise RegardError(f"model.encoder.width: {settings.width} is odd; two directions need an even one")
        self.embedding, self.directions, self.both = embedding, settings.directions, settings.memory != "states"
        kind = nn.LSTM if settings.cell == "lstm" else nn.GRU
        self.layers = kind(
            embedding.width,
            settings.width // settings.directions,
            settings.layers,
            batch_first=True,
            bidirectional=settings.directions == 2,
            dropout=dropout if settings.layers > 1 else 0.0,
        )
        remember_at_first(self.layers)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor, lengths: Tensor, observe: Collection[str] = ()) -> Encoded:
        """Tokens (B, S), of which the first `lengths` (B,) count."""
        # An empty source is read as one token of padding, which nothing may attend to.
        embedded, mask = self.embedding(tokens), _mask(tokens, lengths)
        packed = pack_padded_sequence(embedded, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
        states, last = self.layers(packed)
        source, _ = pad_packed_sequence(states, batch_first=True, total_length=tokens.shape[1])
        hidden = last[0] if isinstance(last, tuple) else last
        final = torch.cat(tuple(hidden[-self.directions :]), -1)
        source = self.dropout(source)
        if self.both:
            source = _beside(source, embedded, mask)
        return Encoded(source, mask, self.dropout(final), {}, tokens)


class EncoderLayer(nn.Module):
    """Self-attention, then a feed-forward network."""

    def __init__(self, settings: EncoderSettings, attention: AttentionSettings, dropout: float, longest: int) -> None:
        super().__init__()
        self.itself = self_attention(attention, settings.width, settings.position, longest, causal=False)
        self.around_itself = Residual(settings.width, settings.norm, dropout)
        self.feedforward = FeedForward(settings.width, settings.feedforward, settings.norm, dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Weights]:
        """The next states (B, S, width) and the weights of this layer; mask (B, S), or None for no padding."""
        found, weights = self.itself(self.around_itself.enter(x), mask=None if mask is None else mask[:, None, None, :])
        return self.feedforward(self.around_itself.leave(x, found)), weights


class TransformerEncoder(nn.Module):
    """Layers of self-attention and feed-forward networks (Vaswani et al. 2017).

    The memory is the last layer's output; beside it the embeddings, with their places, if `memory` is both or words.
    """

    def __init__(
        self,
        embedding: TokenEmbedding,
        settings: EncoderSettings,
        attention: AttentionSettings,
        dropout: float,
        longest: int,
    ) -> None:
        super().__init__()
        self.embedding, self.both = embedding, settings.memory != "states"
        self.layers = nn.ModuleList(EncoderLayer(settings, attention, dropout, longest) for _ in range(settings.layers))
        self.norm = last_norm(settings.width, settings.norm)

    def forward(self, tokens: Tensor, lengths: Tensor, observe: Collection[str] = ()) -> Encoded:
        """Tokens (B, S), of which the first `lengths` (B,) count; observes `encoder.self`."""
        mask = _mask(tokens, lengths)
        embedded, observed = self.embedding(tokens), Observed()
        x, allowed = embedded, if_padded(mask)
        for number, layer in enumerate(self.layers):
            x, weights = layer(x, allowed)
            if "encoder.self" in observe:
                observed["encoder.self", number] = weights.dense()
        x = self.norm(x)
        final = x[torch.arange(len(x), device=x.device), (lengths - 1).clamp(min=0)]
        return Encoded(_beside(x, embedded, mask) if self.both else x, mask, final, observed, tokens)


def remember_at_first(layers: nn.RNNBase) -> None:
    """Open the forget gates of an LSTM at first, a bias of 1 (Jozefowicz et al. 2015, section 2.2)."""
    if isinstance(layers, nn.LSTM):
        with torch.no_grad():
            for name, bias in layers.named_parameters():
                if name.startswith("bias"):
                    bias[layers.hidden_size : 2 * layers.hidden_size] = 0.5  # there are two, which are added


def mean(encoded: Encoded) -> Tensor:
    """The mean of each memory, (B, width); 0 for an empty source."""
    count = encoded.mask.sum(1, keepdim=True).clamp(min=1)
    return encoded.source.masked_fill(~encoded.mask[..., None], 0.0).sum(1) / count


def _beside(states: Tensor, embedded: Tensor, mask: Tensor) -> Tensor:
    """States and embeddings side by side: what a place knows of the text, and which token it is.

    Its embedding is what tells a word from its neighbours, whose states know it too: with it in the context, weights
    become better word alignments, and rare words are translated better (Nguyen & Chiang 2018, section 4).
    """
    return torch.cat([states, embedded.masked_fill(~mask[..., None], 0.0)], -1)


def _mask(tokens: Tensor, lengths: Tensor) -> Tensor:
    return torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
