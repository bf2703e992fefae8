"""Scores: F(query, key), how well a key matches a query.

A score prepares queries and keys once (projection, normalisation, augmentation) so that one of the three pair kernels
is left to do for every pair. B batch, H heads, Q queries, K keys, D key dim; `...` is any leading dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import normalize

from regard.attention.pairs import Additive, Dot, Function, Pair
from regard.attention.products import linear
from regard.attention.tiles import spread
from regard.attention.trees import static, tree


class Keys(NamedTuple):
    """Keys ready to be compared, and what the queries need to know of them (None: nothing)."""

    key: Tensor
    aid: Tensor | None = None


class Score(Protocol):
    """What `attend(score=...)` takes besides a name: how to prepare each side, and the kernel that compares."""

    def keys(self, key: Tensor) -> Keys: ...

    def queries(self, query: Tensor, keys: Keys) -> Tensor: ...

    def pair(self, lead: Sequence[int], width: int) -> Pair:
        """The pair kernel, for leading dimensions `lead` and prepared keys of `width` dimensions."""
        ...


class _AsTheyAre:
    """Both sides are compared as they come."""

    def keys(self, key: Tensor) -> Keys:
        return Keys(key)

    def queries(self, query: Tensor, keys: Keys) -> Tensor:
        _same_width(query, keys.key)
        return query


@tree
class dot(_AsTheyAre):
    """s = scale * q . k   (Luong, Pham & Manning 2015, section 3.1)."""

    scale: float = static(default=1.0)

    def pair(self, lead: Sequence[int], width: int) -> Pair:
        return Dot(self.scale)


@tree
class scaled_dot(_AsTheyAre):
    """s = q . k / sqrt(D)   (Vaswani et al. 2017, section 3.2.1)."""

    def pair(self, lead: Sequence[int], width: int) -> Pair:
        return Dot(width**-0.5)


@tree
class bilinear:
    """s = q W k, W (..., Dq, Dk)   (`general` of Luong, Pham & Manning 2015, section 3.1)."""

    weight: Tensor

    def keys(self, key: Tensor) -> Keys:
        return Keys(key)

    def queries(self, query: Tensor, keys: Keys) -> Tensor:
        wanted = (query.shape[-1], keys.key.shape[-1])
        _expect(self.weight.shape[-2:] == wanted, "bilinear", self.weight, f"(..., {wanted[0]}, {wanted[1]})")
        outer, lead = self.weight.shape[:-2], query.shape[:-2]
        matching = all(a == b or 1 in (a, b) for a, b in zip(reversed(outer), reversed(lead), strict=False))
        _expect(matching, "bilinear", self.weight, f"leading dimensions that broadcast with {tuple(lead)}")
        return _times(query, self.weight.to(query.dtype))

    def pair(self, lead: Sequence[int], width: int) -> Pair:
        return Dot()


@tree
class additive:
    """s = w . tanh(q + k), with w (..., D)   (Bahdanau, Cho & Bengio 2015, A.1.2).

    Query and key come projected, s = w . tanh(W h + U k): with the two matrices side by side this is the `concat` of
    Luong, Pham & Manning 2015, `w . tanh([W U] [h; k])`, the same function.
    """

    weight: Tensor

    def keys(self, key: Tensor) -> Keys:
        _expect(self.weight.shape[-1:] == key.shape[-1:], "additive", self.weight, f"(..., {key.shape[-1]})")
        return Keys(key)

    def queries(self, query: Tensor, keys: Keys) -> Tensor:
        _same_width(query, keys.key)
        return query

    def pair(self, lead: Sequence[int], width: int) -> Pair:
        return Additive(spread(self.weight, lead, "d", "score"))


@tree
class cosine:
    """s = cos(q, k) / temperature, the temperature a number or a (learned) tensor that broadcasts over (..., 1, 1)."""

    temperature: Tensor | float = 1.0

    def keys(self, key: Tensor) -> Keys:
        _positive("cosine", "temperature", self.temperature)
        return Keys(normalize(key, dim=-1))

    def queries(self, query: Tensor, keys: Keys) -> Tensor:
        _same_width(query, keys.key)
        return normalize(query, dim=-1) / self.temperature

    def pair(self, lead: Sequence[int], width: int) -> Pair:
        return Dot()


@tree
class distance:
    """s = -|q - k|^2 / (2 bandwidth^2): under softmax the Gaussian kernel regression of Nadaraya 1964 and Watson 1964.

    Computed as one dot product of [q, 1, -|q|^2/2] and [k, -|k|^2/2, 1]; both are first moved by the keys' mean,
    which changes no distance and keeps the squares small.
    """

    bandwidth: Tensor | float = 1.0

    def keys(self, key: Tensor) -> Keys:
        _positive("distance", "bandwidth", self.bandwidth)
        centre = key.detach().flatten(0, -2).mean(0)
        key = (key - centre) / self.bandwidth
        half = -0.5 * key.square().sum(-1, keepdim=True)
        return Keys(torch.cat([key, half, torch.ones_like(half)], -1), centre)

    def queries(self, query: Tensor, keys: Keys) -> Tensor:
        width = keys.key.shape[-1] - 2
        _expect(query.shape[-1] == width, "distance", query, f"a query of {width} dimensions")
        assert keys.aid is not None
        query = (query - keys.aid) / self.bandwidth
        half = -0.5 * query.square().sum(-1, keepdim=True)
        return torch.cat([query, torch.ones_like(half), half], -1)

    def pair(self, lead: Sequence[int], width: int) -> Pair:
        return Dot()


@tree
class location:
    """s_ij = (W q_i)_j, W (longest source, Dq): from the query and the place alone (Luong et al. 2015, section 3.1)."""

    weight: Tensor

    def keys(self, key: Tensor) -> Keys:
        places = key.shape[-2]
        fits = self.weight.dim() >= 2 and self.weight.shape[-2] >= places
        _expect(fits, "location", self.weight, f"(..., at least {places} places, query dim)")
        return Keys(self.weight[..., :places, :])

    def queries(self, query: Tensor, keys: Keys) -> Tensor:
        _same_width(query, keys.key)
        return query

    def pair(self, lead: Sequence[int], width: int) -> Pair:
        return Dot()


@tree
class function:
    """s = f(query tile (n, R, Dq), key tile (n, C, Dk), *parameters) -> (n, R, C): any comparison of pairs.

    `parameters` are the tensors that f learns; each comes to f as (1, ...), without leading dimensions of its own.
    """

    f: Callable[..., Tensor] = static()
    parameters: tuple[Tensor, ...] = ()

    def keys(self, key: Tensor) -> Keys:
        return Keys(key)

    def queries(self, query: Tensor, keys: Keys) -> Tensor:
        return query

    def pair(self, lead: Sequence[int], width: int) -> Pair:
        return Function(tuple(spread(p, lead, "d" * p.dim(), "score") for p in self.parameters), self.f)


def _times(query: Tensor, weight: Tensor) -> Tensor:
    """query @ weight, (..., Q, Dq) by (..., Dq, Dk), where batches of queries share the weight of their head.

    A product of each batch by itself would read the weight again for every one.
    """
    if weight[..., 0, 0].numel() == 1:
        return linear(query, weight.flatten(0, -2).t() if weight.dim() > 2 else weight.t())
    if weight.dim() > 3 or query.dim() <= 3 or len(weight) != query.shape[-3]:
        return query @ weight
    rows = query.movedim(-3, 0)  # (H, ..., Q, Dq)
    found = torch.bmm(rows.flatten(1, -2), weight)
    return found.view(len(rows), *rows.shape[1:-1], -1).movedim(0, -3)


def _same_width(query: Tensor, key: Tensor) -> None:
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(
            f"query: came with {query.shape[-1]} dimensions; expected the {key.shape[-1]} that it is compared with"
        )


def _expect(condition: bool, name: str, came: Tensor, expected: str) -> None:
    if not condition:
        raise ValueError(f"score: {name} came with a tensor of shape {tuple(came.shape)}; expected {expected}")


def _positive(name: str, what: str, number: Tensor | float) -> None:
    if not isinstance(number, Tensor) and not number > 0:
        raise ValueError(f"score: {name} needs a {what} above 0, came {number}")
