"""Encoders: a source becomes a memory, one vector for each place. Padding never changes what comes out.

A stem makes the places of a text, an image or a recording; what reads them, the body, knows none of these. The stem is
called `embedding` in the names of parameters, whatever it is.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from regard.attention import Weights
from regard.errors import RegardError
from regard.model.contracts import Encoded, Observed, Places, Stem, first_ones, if_padded
from regard.model.dropout import Dropout
from regard.model.layers import FeedForward, Residual, last_norm
from regard.model.places import self_attention
from regard.settings import AttentionSettings, EncoderSettings, ModelSettings


class RecurrentEncoder(nn.Module):
    """A GRU or LSTM over the places, in one direction or two (Schuster & Paliwal 1997), in several layers.

    The memory is the last layer's states, (B, P, width), both directions side by side and 0 at padding; beside them the
    embeddings where `memory` is both or words. Each row of an image is read by itself, and the final state is the mean
    of the rows'.

    In the last `pyramid` layers two states that follow each other are read as one, [h_2j; h_2j+1], so that each of
    these layers makes half as many (Chan et al. 2016, section 3.1).
    """

    def __init__(self, stem: Stem, settings: EncoderSettings, dropout: float) -> None:
        super().__init__()
        if settings.width % settings.directions:
            raise RegardError(f"model.encoder.width: {settings.width} is odd; two directions need an even one")
        self.embedding, self.directions, self.both = stem, settings.directions, settings.memory != "states"
        plain, width = settings.layers - settings.pyramid, settings.width

        def over(given: int, layers: int) -> nn.RNNBase:
            kind = nn.LSTM if settings.cell == "lstm" else nn.GRU
            made = kind(
                given,
                width // settings.directions,
                layers,
                batch_first=True,
                bidirectional=settings.directions == 2,
                dropout=dropout if layers > 1 else 0.0,
            )
            remember_at_first(made)
            return made

        self.layers = over(stem.width, plain) if plain else None
        self.pyramid = nn.ModuleList(
            over(2 * (width if plain or layer else stem.width), 1) for layer in range(settings.pyramid)
        )
        self.dropout = Dropout(dropout)

    def layout(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """As of a stem, after the pyramid."""
        found = self.embedding.layout(size)
        for _ in self.pyramid:
            found = (*found[:-1], -(-found[-1] // 2))
        return found

    def forward(self, source: Tensor, sizes: Tensor, observe: Collection[str] = ()) -> Encoded:
        """A batch of sources, of which `sizes` count, as in `Pairs`."""
        places = self.embedding.read(source, sizes)
        rows = _Rows(places)
        states, lengths, final = rows.vectors, rows.lengths, None
        if self.layers is not None:
            states, final = self._read(self.layers, states, lengths)
        for number, layer in enumerate(self.pyramid):
            if number or self.layers is not None:
                states = self.dropout(states)
            states, lengths = _in_pairs(states, lengths)
            states, final = self._read(layer, states, lengths)  # type: ignore[arg-type]
        assert final is not None
        found, mask = rows.side_by_side(states, lengths)
        found = self.dropout(found)
        if self.both:
            found = _beside(found, places.vectors, mask)
        return Encoded(found, mask, self.dropout(rows.mean(final)), {}, places.tokens)

    def read_on(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """The memory's next places, for the next tokens (B, n) of texts read in one direction; and the state."""
        embedded = self.embedding.read(tokens, torch.full((len(tokens),), tokens.shape[1], device=tokens.device))
        assert self.layers is not None
        states, state = self.layers(embedded.vectors, state)
        return (_beside(states, embedded.vectors, embedded.mask) if self.both else states), state

    def _read(self, layers: nn.RNNBase, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """States (N, n, width), 0 at padding, and the last ones (N, width)."""
        # An empty source is read as one place of padding, which nothing may attend to.
        packed = pack_padded_sequence(x, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
        states, last = layers(packed)
        found, _ = pad_packed_sequence(states, batch_first=True, total_length=x.shape[1])
        hidden = last[0] if isinstance(last, tuple) else last
        return found, torch.cat(tuple(hidden[-self.directions :]), -1)


class _Rows:
    """The sequences that a recurrent encoder reads: whole sources, or each row of an image by itself."""

    def __init__(self, places: Places) -> None:
        self.vectors, self.mask, self.lengths = places.vectors, places.mask, places.mask.sum(1)
        self.owner: Tensor | None = None
        if places.grid is None or bool((places.grid[:, 0] == 1).all()):
            return
        self.rows, columns = places.grid.unbind(1)
        self.owner = torch.repeat_interleave(torch.arange(len(self.rows), device=columns.device), self.rows)
        self.lengths = columns[self.owner]
        inside = first_ones(self.lengths, int(columns.max()))
        one_by_one = places.vectors.new_zeros(*inside.shape, places.vectors.shape[-1])
        self.vectors = one_by_one.masked_scatter(inside[..., None], places.vectors[places.mask])

    def side_by_side(self, states: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The states of all rows of each source (B, P, width), and which of them there are (B, P)."""
        if self.owner is None:
            return states, first_ones(lengths, states.shape[1])
        counts = torch.zeros_like(self.rows).index_add(0, self.owner, lengths)
        mask = first_ones(counts, int(counts.max()))
        found = states.new_zeros(*mask.shape, states.shape[-1])
        return found.masked_scatter(mask[..., None], states[first_ones(lengths, states.shape[1])]), mask

    def mean(self, final: Tensor) -> Tensor:
        """Of the last states (rows, width) of each source's rows, (B, width)."""
        if self.owner is None:
            return final
        total = final.new_zeros(len(self.rows), final.shape[1]).index_add(0, self.owner, final)
        return total / self.rows[:, None]


def _in_pairs(states: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Two places as one (N, n, width) -> (N, n / 2, 2 width); where the last is left over, 0 stands beside it."""
    inside = states.masked_fill(~first_ones(lengths, states.shape[1])[..., None], 0.0)
    whole = nn.functional.pad(inside, (0, 0, 0, states.shape[1] % 2))
    return whole.unflatten(1, (-1, 2)).flatten(2), (lengths + 1) // 2


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
    What stands for the whole of a text is its last token, of an image or a recording the mean.
    """

    def __init__(
        self,
        stem: Stem,
        settings: EncoderSettings,
        attention: AttentionSettings,
        dropout: float,
        longest: int,
    ) -> None:
        super().__init__()
        self.embedding, self.both = stem, settings.memory != "states"
        self.layers = nn.ModuleList(EncoderLayer(settings, attention, dropout, longest) for _ in range(settings.layers))
        self.norm = last_norm(settings.width, settings.norm)

    def layout(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """As of a stem."""
        return self.embedding.layout(size)

    def forward(self, source: Tensor, sizes: Tensor, observe: Collection[str] = ()) -> Encoded:
        """A batch of sources, of which `sizes` count, as in `Pairs`; observes `encoder.self`."""
        places = self.embedding.read(source, sizes)
        x, mask, observed = places.vectors, places.mask, Observed()
        allowed = if_padded(mask)
        for number, layer in enumerate(self.layers):
            x, weights = layer(x, allowed)
            if "encoder.self" in observe:
                observed["encoder.self", number] = weights.dense()
        x = self.norm(x)
        if places.tokens is None:
            final = mean_of(x, mask)
        else:
            final = x[torch.arange(len(x), device=x.device), (mask.sum(1) - 1).clamp(min=0)]
        source = _beside(x, places.vectors, mask) if self.both else x
        return Encoded(source, mask, final, observed, places.tokens)


class GatedConvolution(nn.Module):
    """sqrt(1/2) (x + a * sigmoid(b)), [a, b] a convolution of width 3 over x   (Gehring et al. 2017, section 3.2)."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(width, 2 * width, 3, padding=1)
        # The gate halves: so that what comes out varies as much as x does (section 3.5 there).
        nn.init.normal_(self.convolution.weight, std=(4 * (1 - dropout) / (3 * width)) ** 0.5)
        assert self.convolution.bias is not None
        nn.init.zeros_(self.convolution.bias)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """The next states (N, n, width); what is outside of mask (N, n) counts as 0."""
        given = self.dropout(x).masked_fill(~mask[..., None], 0.0).transpose(1, 2)
        found = nn.functional.glu(self.convolution(given).transpose(1, 2), -1)
        total: Tensor = (x + found) * 0.5**0.5
        return total


class ConvolutionalEncoder(nn.Module):
    """Gated convolutions over the places, each with a way around it (Gehring et al. 2017, section 3).

    A state of layer L knows L places on either side, and the place where it stands by what the stem adds for it. Beside
    the states are the embeddings if `memory` is both or words, which that paper adds to what is looked up (section
    3.3). Each row of an image is read by itself. What stands for the whole is the mean.
    """

    def __init__(self, stem: Stem, settings: EncoderSettings, dropout: float) -> None:
        super().__init__()
        self.embedding, self.both = stem, settings.memory != "states"
        self.layers = nn.ModuleList(GatedConvolution(settings.width, dropout) for _ in range(settings.layers))

    def layout(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """As of a stem."""
        return self.embedding.layout(size)

    def forward(self, source: Tensor, sizes: Tensor, observe: Collection[str] = ()) -> Encoded:
        """A batch of sources, of which `sizes` count, as in `Pairs`."""
        places = self.embedding.read(source, sizes)
        rows = _Rows(places)
        states, inside = rows.vectors, first_ones(rows.lengths, rows.vectors.shape[1])
        for layer in self.layers:
            states = layer(states, inside)
        states, mask = rows.side_by_side(states.masked_fill(~inside[..., None], 0.0), rows.lengths)
        final = mean_of(states, mask)
        if self.both:
            states = _beside(states, places.vectors, mask)
        return Encoded(states, mask, final, {}, places.tokens)


class StemAlone(nn.Module):
    """No body: the places that a stem makes are the memory, their mean stands for the whole (Xu et al. 2015, section
    3.1.2)."""

    def __init__(self, stem: Stem) -> None:
        super().__init__()
        self.embedding = stem

    def layout(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """As of a stem."""
        return self.embedding.layout(size)

    def forward(self, source: Tensor, sizes: Tensor, observe: Collection[str] = ()) -> Encoded:
        """A batch of sources, of which `sizes` count, as in `Pairs`."""
        places = self.embedding.read(source, sizes)
        return Encoded(places.vectors, places.mask, mean_of(places.vectors, places.mask), {}, places.tokens)


Encoder = RecurrentEncoder | TransformerEncoder | ConvolutionalEncoder | StemAlone


def make_encoder(settings: ModelSettings, stem: Stem) -> Encoder:
    """The encoder of these settings after a stem of `make_stem`."""
    encoder = settings.encoder
    if encoder.kind == "recurrent":
        return RecurrentEncoder(stem, encoder, settings.dropout)
    if encoder.kind == "transformer":
        return TransformerEncoder(stem, encoder, settings.self_attention, settings.dropout, settings.longest)
    if encoder.kind == "convolution":
        return ConvolutionalEncoder(stem, encoder, settings.dropout)
    return StemAlone(stem)


def remember_at_first(layers: nn.RNNBase) -> None:
    """Open the forget gates of an LSTM at first, a bias of 1 (Jozefowicz et al. 2015, section 2.2)."""
    if isinstance(layers, nn.LSTM):
        with torch.no_grad():
            for name, bias in layers.named_parameters():
                if name.startswith("bias"):
                    bias[layers.hidden_size : 2 * layers.hidden_size] = 0.5  # there are two, which are added


def mean(encoded: Encoded) -> Tensor:
    """The mean of each memory, (B, width); 0 for an empty source."""
    return mean_of(encoded.source, encoded.mask)


def mean_of(x: Tensor, mask: Tensor) -> Tensor:
    """The mean (B, width) of those x (B, P, width) that are there; 0 where none is."""
    return x.masked_fill(~mask[..., None], 0.0).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)


def _beside(states: Tensor, embedded: Tensor, mask: Tensor) -> Tensor:
    """States and embeddings side by side: what a place knows of the text, and which token it is.

    Its embedding is what tells a word from its neighbours, whose states know it too: with it in the context, weights
    become better word alignments, and rare words are translated better (Nguyen & Chiang 2018, section 4).
    """
    return torch.cat([states, embedded.masked_fill(~mask[..., None], 0.0)], -1)
