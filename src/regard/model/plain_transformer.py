"""A Transformer decoder's steps as plain functions of tensors: the same numbers in a quarter of the calls.

A step for one sentence multiplies a hundred small matrices, each in a few microseconds, so what costs is everything
around the products. Here weights are fetched, joined and packed once (`kept`), scales are multiplied into them, masks
are numbers to be added, and no module is called. `TransformerDecoder.step` is the definition, which this equals, for
attention by (scaled) dot products and softmax; anything else goes that way.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from regard.attention import Attention, dot, scaled_dot
from regard.attention.products import Packed
from regard.attention.steps import Memory
from regard.attention.trees import Shared
from regard.model.contracts import DecoderOutput, Encoded, Observed, if_padded
from regard.model.layers import FeedForward, Residual
from regard.model.past import Past, TransformerState
from regard.model.plain_attention import Affine, Barred, barred, by_softmax, compare, side_by_side, weigh


class Sources(NamedTuple):
    """What steps need of a batch of sources."""

    keys: tuple[Tensor, ...]  # of each layer (B x H, D, S)
    values: tuple[Tensor, ...]  # (B x H, S, D)
    bars: Barred | None


class PlainSteps:
    """The layers of a decoder, all of whose attentions are `plain_in_heads`."""

    def __init__(self, layers: Sequence[Any], norm: nn.Module) -> None:
        crosses = [layer.cross for layer in layers]
        self._heads, self._values_from = crosses[0].heads, crosses[0].values_from
        self._heads_of_itself = layers[0].itself.heads
        self._layers = [_Layer.of(layer) for layer in layers]
        self._norm = _norm(norm)
        self._keys = side_by_side([cross.key_projection for cross in crosses])
        self._values = side_by_side([cross.value_projection for cross in crosses])

    def prepare(self, encoded: Encoded) -> tuple[tuple[Memory, ...], Sources]:
        """Keys and values of every layer's cross-attention, as a `Memory` and as steps take them."""
        batch, length, _ = encoded.source.shape
        allowed = if_padded(encoded.mask)
        flat = encoded.source.flatten(0, 1)
        apart = (batch, length, len(self._layers), self._heads, -1)
        keys = self._keys(flat).view(apart).permute(2, 0, 3, 4, 1).contiguous()
        values = self._values(flat[:, -self._values_from :]).view(apart).permute(2, 0, 3, 1, 4).contiguous()
        memories = tuple(Memory(key.mT, value, None, allowed, None) for key, value in zip(keys, values, strict=True))
        bars = barred(allowed, self._heads, keys.dtype)
        return memories, Sources(keys.flatten(1, 2).unbind(), values.flatten(1, 2).unbind(), bars)

    def step(
        self, x: Tensor, past: Past, sources: Sources, state: TransformerState, observe: Collection[str]
    ) -> DecoderOutput:
        """One step of hypotheses whose last tokens are embedded as x (B, beams, width)."""
        lead, caches, observed = x.shape[:2], list[Shared](), Observed()
        x, found = x.flatten(0, 1), x
        added = past.to_add(self._heads_of_itself, x.dtype)
        own = None if added is None else Barred(added)
        for number, layer in enumerate(self._layers):
            # (B, beams, 3, H, D) to (B, H, 3, beams, D): queries apart, keys and values join what was read before.
            parts = layer.joined(layer.itself.enter(x)).view(*lead, 3, self._heads_of_itself, -1).permute(0, 3, 2, 1, 4)
            read = parts[:, :, 1:]
            before = state.caches[number]
            read = read.contiguous() if before is None else torch.cat([before.value, read], -2)  # type: ignore[union-attr]
            keys, values = read.flatten(0, 1).unbind(1)
            found, weights = _attend(parts[:, :, 0].flatten(0, 1), keys.mT, values, own, lead)
            x = layer.itself.leave(x, layer.itself_out(found))
            caches.append(Shared(read))
            if "decoder.self" in observe:
                observed["decoder.self", number] = past.within(weights)
            query = layer.query(layer.cross.enter(x)).view(*lead, self._heads, -1).transpose(1, 2).flatten(0, 1)
            found, weights = _attend(query, sources.keys[number], sources.values[number], sources.bars, lead)
            found = layer.cross_out(found)
            x = layer.cross.leave(x, found)
            if "cross" in observe:
                observed["cross", number] = weights
            x = layer.feedforward.leave(x, layer.outer(layer.inner(layer.feedforward.enter(x)).relu_()))
        after = TransformerState(tuple(caches), (None,) * len(caches), past.own, past.read)
        hidden = _normed(x, self._norm)
        return DecoderOutput(hidden.view(*lead, -1), found.view(*lead, -1), observed, after)


def plain_in_heads(attention: Any) -> float | None:
    """The temperature, where an attention projects everything and compares by dot products; else None."""
    fits = (
        isinstance(attention, Attention)
        and attention.project == "all"
        and attention.heads == attention.kv_heads
        and attention.dim == attention.value_dim
        and isinstance(attention.score, (dot, scaled_dot))
    )
    return by_softmax(attention) if fits else None


# --- parts ---


class _Norm(NamedTuple):
    shape: tuple[int, ...]
    weight: Tensor
    bias: Tensor | None
    eps: float


class _Around(NamedTuple):
    """A `Residual`: the norms before and after a part."""

    before: _Norm | None
    after: _Norm | None

    @classmethod
    def of(cls, residual: Residual) -> _Around:
        norm = _norm(residual.norm)
        return cls(None, norm) if residual.last else cls(norm, None)

    def enter(self, x: Tensor) -> Tensor:
        return _normed(x, self.before)

    def leave(self, x: Tensor, found: Tensor) -> Tensor:
        return _normed(x + found, self.after)


class _Layer(NamedTuple):
    itself: _Around
    joined: Packed  # to queries, keys and values of the self-attention
    itself_out: Packed
    cross: _Around
    query: Packed
    cross_out: Packed
    feedforward: _Around
    inner: Packed
    outer: Packed

    @classmethod
    def of(cls, layer: Any) -> _Layer:
        itself, cross, feedforward = layer.itself, layer.cross, layer.feedforward
        assert isinstance(feedforward, FeedForward)
        return cls(
            _Around.of(layer.around_itself),
            side_by_side([_query(itself), itself.key_projection, itself.value_projection]),
            Packed.of(itself.output_projection),
            _Around.of(layer.around_cross),
            side_by_side([_query(cross)]),
            Packed.of(cross.output_projection),
            _Around.of(feedforward.around),
            side_by_side([feedforward.inner]),
            side_by_side([feedforward.outer]),
        )


def _query(attention: Attention) -> Affine:
    """The projection of queries, in which the score's scale and the temperature are."""
    projection, score, temperature = attention.query_projection, attention.score, by_softmax(attention)
    assert temperature is not None
    scale = score.scale if isinstance(score, dot) else (attention.dim // attention.heads) ** -0.5
    return Affine(projection.weight, projection.bias).times(scale / temperature)


def _norm(module: nn.Module) -> _Norm | None:
    if not isinstance(module, nn.LayerNorm):
        return None
    return _Norm(tuple(module.normalized_shape), module.weight.detach(), module.bias.detach(), module.eps)


def _normed(x: Tensor, norm: _Norm | None) -> Tensor:
    return x if norm is None else torch.layer_norm(x, *norm)


def _attend(
    query: Tensor, keys: Tensor, values: Tensor, bars: Barred | None, lead: torch.Size
) -> tuple[Tensor, Tensor]:
    """Contexts (B x Q, width) and weights (B, H, Q, K) of queries (B x H, Q, D), keys (B x H, D, K), B and Q `lead`."""
    batch, queries = lead
    found, weights = weigh(compare(query, keys, bars), values, bars)
    found = found.view(batch, -1, queries, values.shape[-1]).transpose(1, 2)
    return found.reshape(batch * queries, -1), weights.view(batch, -1, queries, weights.shape[-1])
