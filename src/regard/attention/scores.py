"""Scores: F(query, key), how well a key matches a query.

A score prepares queries and keys once (projection, normalisation, augmentation) so that one of the three pair kernels
is left to do for every pair. B batch, H heads, Q queries, K keys, D key dim; `...` is any leading dimensions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from regard.attention.pairs import Additive, Dot, Function, Pair
from regard.attention.tiles import spread
from regard.attention.trees import static, tree


class Prepared(NamedTuple):
    """Queries and keys ready to be compared by a pair kernel."""

    query: Tensor
    key: Tensor
    pair: Pair


class Score(Protocol):
    """What `attend(score=...)` takes besides a name."""

    def prepare(self, query: Tensor, key: Tensor, lead: torch.Size) -> Prepared: ...


@tree
class dot:
    """s = scale * q . k   (Luong, Pham & Manning 2015, section 3.1)."""

    scale: float = static(default=1.0)

    def prepare(self, query: Tensor, key: Tensor, lead: torch.Size) -> Prepared:
        return Prepared(query, key, Dot(self.scale))


@tree
class scaled_dot:
    """s = q . k / sqrt(D)   (Vaswani et al. 2017, section 3.2.1); `scale` replaces 1 / sqrt(D)."""

    scale: float | None = static(default=None)

    def prepare(self, query: Tensor, key: Tensor, lead: torch.Size) -> Prepared:
        return Prepared(query, key, Dot(key.shape[-1] ** -0.5 if self.scale is None else self.scale))


@tree
class bilinear:
    """s = q W k, W (..., Dq, Dk)   (`general` of Luong, Pham & Manning 2015, section 3.1)."""

    weight: Tensor

    def prepare(self, query: Tensor, key: Tensor, lead: torch.Size) -> Prepared:
        _expect(self.weight.dim() >= 2, "score: the weight of bilinear", self.weight, "(..., query dim, key dim)")
        _expect(
            self.weight.shape[-2:] == (query.shape[-1], key.shape[-1]),
            "score: the weight of bilinear",
            self.weight,
            f"(..., {query.shape[-1]}, {key.shape[-1]})",
        )
        return Prepared(query @ self.weight.to(query.dtype), key, Dot())


@tree
class additive:
    """s = w . tanh(q + k), with w (..., D)   (Bahdanau, Cho & Bengio 2015, A.1.2).

    Query and key come projected, s = w . tanh(W h + U k): with the two matrices side by side this is the `concat` of
    Luong, Pham & Manning 2015, w . tanh([W U] [h; k]), the same function.
    """

    weight: Tensor

    def prepare(self, query: Tensor, key: Tensor, lead: torch.Size) -> Prepared:
        _expect(
            self.weight.dim() >= 1 and query.shape[-1] == key.shape[-1] == self.weight.shape[-1],
            "score: the weight of additive",
            self.weight,
            f"(..., D) with D the last dimension of query {tuple(query.shape)} and key {tuple(key.shape)}",
        )
        return Prepared(query, key, Additive(spread(self.weight, lead, "d")))


@tree
class cosine:
    """s = cos(q, k) / temperature, the temperature a number or a (learned) tensor that broadcasts over (..., 1, 1)."""

    temperature: Tensor | float = 1.0

    def prepare(self, query: Tensor, key: Tensor, lead: torch.Size) -> Prepared:
        query = torch.nn.functional.normalize(query, dim=-1)
        key = torch.nn.functional.normalize(key, dim=-1)
        return Prepared(query / self.temperature, key, Dot())


@tree
class distance:
    """s = -|q - k|^2 / (2 bandwidth^2): under softmax the Gaussian kernel regression of Nadaraya 1964 and Watson 1964.

    Computed as one dot product of [q, 1, -|q|^2/2] and [k, -|k|^2/2, 1]; both are first moved by the keys' mean,
    which changes no distance and keeps the squares small. Half precision is raised to fp32.
    """

    bandwidth: Tensor | float = 1.0

    def prepare(self, query: Tensor, key: Tensor, lead: torch.Size) -> Prepared:
        wide = torch.promote_types(query.dtype, torch.float32)
        centre = key.detach().to(wide).mean(-2, keepdim=True)
        centre = centre.mean(tuple(range(centre.dim() - 2)), keepdim=True) if centre.dim() > 2 else centre
        centre = centre.flatten()[-key.shape[-1] :]
        query = (query.to(wide) - centre) / self.bandwidth
        key = (key.to(wide) - centre) / self.bandwidth
        half_q, half_k = (-0.5 * x.square().sum(-1, keepdim=True) for x in (query, key))
        query = torch.cat([query, torch.ones_like(half_q), half_q], -1)
        key = torch.cat([key, half_k, torch.ones_like(half_k)], -1)
        return Prepared(query, key, Dot())


@tree
class location:
    """s_ij = (W q_i)_j, W (longest source, Dq): from the query and the place alone (Luong et al. 2015, section 3.1)."""

    weight: Tensor

    def prepare(self, query: Tensor, key: Tensor, lead: torch.Size) -> Prepared:
        places = key.shape[-2]
        _expect(
            self.weight.dim() >= 2 and self.weight.shape[-1] == query.shape[-1] and self.weight.shape[-2] >= places,
            "score: the weight of location",
            self.weight,
            f"(..., at least {places} places, {query.shape[-1]})",
        )
        return Prepared(query, self.weight[..., :places, :].to(query.dtype), Dot())


@tree
class function:
    """s = f(query tile (n, R, Dq), key tile (n, C, Dk), *parameters) -> (n, R, C): any comparison of pairs.

    `parameters` are tensors whose own dimensions are the last `own[i]` of each; further ones broadcast like heads.
    """

    f: Callable[..., Tensor] = static()
    parameters: tuple[Tensor, ...] = ()
    own: tuple[int, ...] | None = static(default=None)

    def prepare(self, query: Tensor, key: Tensor, lead: torch.Size) -> Prepared:
        own = self.own or tuple(p.dim() for p in self.parameters)
        parts = tuple(spread(p, lead, "d" * d) for p, d in zip(self.parameters, own, strict=True))
        return Prepared(query, key, Function(parts, self.f))


def _expect(condition: bool, what: str, came: Tensor, expected: str) -> None:
    if not condition:
        raise ValueError(f"{what} has shape {tuple(came.shape)}; expected {expected}")
