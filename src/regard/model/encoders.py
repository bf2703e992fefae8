"""Encoders: a source becomes a memory, one vector for each token. Padding never changes what comes out."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from regard.attention import Weights
from regard.errors import RegardError
from regard.model.contracts import Encoded, Observed
from regard.model.embeddings import TokenEmbedding
from regard.model.layers import FeedForward, Residual, last_norm
from regard.model.places import self_attention
from regard.settings import AttentionSettings, EncoderSettings


class RecurrentEncoder(nn.Module):
    """A GRU or LSTM over the tokens, in one direction or two (Schuster & Paliwal 1997), in several layers.

    The memory is the last layer's states, (B, S, width), both directions side by side and 0 at padding.
    """

    def __init__(self, embedding: TokenEmbedding, settings: EncoderSettings, dropout: float) -> None:
        super().__init__()
        if settings.width % settings.directions:
            raise RegardError(f"model.encoder.width: {settings.width} is odd; two directions need an even one")
        self.embedding, self.directions = embedding, settings.directions
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
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, lengths: Tensor, observe: Collection[str] = ()) -> Encoded:
        """Tokens (B, S), of which the first `lengths` (B,) count."""
        # An empty source is read as one token of padding, which nothing may attend to.
        packed = pack_padded_sequence(
            self.embedding(tokens), lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False
        )
        states, last = self.layers(packed)
        source, _ = pad_packed_sequence(states, batch_first=True, total_length=tokens.shape[1])
        hidden = last[0] if isinstance(last, tuple) else last
        final = torch.cat(tuple(hidden[-self.directions :]), -1)
        return Encoded(self.dropout(source), _mask(tokens, lengths), self.dropout(final), {})


class EncoderLayer(nn.Module):
    """Self-attention, then a feed-forward network."""

    def __init__(self, settings: EncoderSettings, attention: AttentionSettings, dropout: float, longest: int) -> None:
        super().__init__()
        self.itself = self_attention(attention, settings.width, settings.position, longest, causal=False)
        self.around_itself = Residual(settings.width, settings.norm, dropout)
        self.feedforward = FeedForward(settings.width, settings.feedforward, settings.norm, dropout)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Weights]:
        """The next states (B, S, width) and the weights of this layer; mask (B, S)."""
        found, weights = self.itself(self.around_itself.enter(x), mask=mask[:, None, None, :])
        return self.feedforward(self.around_itself.leave(x, found)), weights


class TransformerEncoder(nn.Module):
    """Layers of self-attention and feed-forward networks (Vaswani et al. 2017)."""

    def __init__(
        self,
        embedding: TokenEmbedding,
        settings: EncoderSettings,
        attention: AttentionSettings,
        dropout: float,
        longest: int,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.layers = nn.ModuleList(EncoderLayer(settings, attention, dropout, longest) for _ in range(settings.layers))
        self.norm = last_norm(settings.width, settings.norm)

    def forward(self, tokens: Tensor, lengths: Tensor, observe: Collection[str] = ()) -> Encoded:
        """Tokens (B, S), of which the first `lengths` (B,) count; observes `encoder.self`."""
        mask = _mask(tokens, lengths)
        x, observed = self.embedding(tokens), Observed()
        for number, layer in enumerate(self.layers):
            x, weights = layer(x, mask)
            if "encoder.self" in observe:
                observed["encoder.self", number] = weights.dense()
        x = self.norm(x)
        final = x[torch.arange(len(x), device=x.device), (lengths - 1).clamp(min=0)]
        return Encoded(x, mask, final, observed)


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


def _mask(tokens: Tensor, lengths: Tensor) -> Tensor:
    return torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
