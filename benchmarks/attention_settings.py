"""Cases made into tensors and arguments of one call, and the same put in terms of the definition's whole matrices."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

import regard.attention as ra
from regard.attention import reference
from regard.attention.positions import relative_buckets

if TYPE_CHECKING:
    from attention_cases import Case

_BATCH, _HEADS, _DIM = 2, 2, 4


@dataclass
class Setting:
    """The arguments of one call and, beside them, the same in terms of whole fp64 matrices."""

    arguments: dict[str, Any]
    tensors: dict[str, Tensor]  # everything that gets a gradient, in the dtype of the case
    scores: Callable[[dict[str, Tensor]], Tensor]
    allowed: Tensor
    normalize: Callable[[dict[str, Tensor], Tensor], Tensor]
    factor: Callable[[dict[str, Tensor]], Tensor] | None = None
    near: list[Callable[[Tensor], Tensor]] = field(default_factory=list)  # scores -> rows near a tie

    def call(self, **more: Any) -> tuple[Tensor, ra.Weights]:
        t = self.tensors
        return ra.attend(t["query"], t["key"], t["value"], **{**self.arguments, **more})

    def define(self, tensors: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Context, weights, and which rows are near a tie, by the definition."""
        scores = self.scores(tensors)
        allowed = self.allowed.expand(scores.shape)
        near = torch.zeros(scores.shape[:-1], dtype=torch.bool)
        for one in self.near:
            near = near | one(scores.detach().masked_fill(~allowed, float("-inf")))
        context, weights = reference.attend(
            scores, self._passes(scores), tensors["value"], lambda s: self.normalize(tensors, s)
        )
        if self.factor is not None:
            weights = weights * self.factor(tensors)
            context = weights @ tensors["value"]
        return context, weights, near

    def _passes(self, scores: Tensor) -> Tensor:
        allowed = self.allowed.expand(scores.shape)
        return allowed & _filter_passes(scores, self.arguments["offset"]) if self.arguments.get("filter") else allowed


def setting_of(case: Case, seed: int = 0) -> Setting:
    """The tensors and arguments of a case, drawn from its name and the seed."""
    draw = torch.Generator().manual_seed(zlib.crc32(str(case).encode()) + seed)
    dtype = getattr(torch, case.dtype)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=draw).to(dtype)

    queries, keys, width, offset = {
        "self": (8, 8, _DIM, 0),
        "cross": (5, 9, 6, 0),
        "one_query": (1, 9, _DIM, 4),
        "broadcast": (7, 10, 3, 0),
    }[case.shape]
    lead = (_BATCH, _HEADS)
    leads: tuple[tuple[int, ...], ...] = ((_HEADS,), (_BATCH, 1)) if case.shape == "broadcast" else (lead, lead)
    key_dim = 6 if case.score == "bilinear" else _DIM
    tensors = {
        "query": normal(*lead, queries, _DIM),
        "key": normal(*leads[0], keys, key_dim),
        "value": normal(*leads[1], keys, width),
    }
    setting = Setting(
        {"offset": offset, "kernel": case.kernel},
        tensors,
        _scores_by_name(case.score, tensors, normal, keys),
        torch.ones(keys, dtype=torch.bool),
        lambda t, s: s,
    )
    setting.arguments["score"] = _score_argument(case.score, tensors)
    _normalizer(case, setting, normal)
    _position(case, setting, normal, queries, keys, offset)
    _mask(case, setting, normal, draw, queries, keys, offset)
    for tensor in tensors.values():
        tensor.requires_grad_()
    return setting


# --- scores ---


def _compare(query: Tensor, key: Tensor) -> Tensor:
    return torch.tanh(query[..., :, None, :] * key[..., None, :, :]).sum(-1)


def _compare_with(query: Tensor, key: Tensor, weight: Tensor) -> Tensor:
    weight = weight.reshape(-1)
    return (torch.tanh(query[..., :, None, :] - key[..., None, :, :]) * weight).sum(-1)


def _scores_by_name(
    name: str, tensors: dict[str, Tensor], normal: Callable[..., Tensor], keys: int
) -> Callable[[dict[str, Tensor]], Tensor]:
    """The definition of the score; its parameters are added to the tensors."""
    if name == "bilinear":
        tensors["score weight"] = normal(_HEADS, _DIM, 6) / 2
        return lambda t: reference.bilinear(t["query"], t["key"], t["score weight"])
    if name == "additive":
        tensors["score weight"] = normal(_HEADS, _DIM)
        return lambda t: reference.additive(t["query"], t["key"], t["score weight"])
    if name == "location":
        tensors["score weight"] = normal(keys + 3, _DIM)
        return lambda t: reference.location(t["query"], t["key"], t["score weight"]).expand(
            *torch.broadcast_shapes(t["query"].shape[:-1], (*t["key"].shape[:-2], 1)), keys
        )
    if name == "function_learned":
        tensors["score weight"] = normal(_DIM)
        return lambda t: _compare_with(t["query"], t["key"], t["score weight"])
    if name == "cosine_learned":
        tensors["temperature of the score"] = normal(_HEADS, 1, 1).exp()
        return lambda t: reference.cosine(t["query"], t["key"], t["temperature of the score"])
    if name == "distance_learned":
        tensors["bandwidth"] = normal(_HEADS, 1, 1).abs() + 1
        return lambda t: reference.distance(
            t["query"] / t["bandwidth"], t["key"] / t["bandwidth"]
        )  # the same, and no dimension of a pair more
    return {
        "dot": lambda t: reference.dot(t["query"], t["key"]),
        "scaled_dot": lambda t: reference.scaled_dot(t["query"], t["key"]),
        "cosine:0.5": lambda t: reference.cosine(t["query"], t["key"], 0.5),
        "distance": lambda t: reference.distance(t["query"], t["key"]),
        "function": lambda t: _compare(t["query"], t["key"]),
    }[name]


def _score_argument(name: str, tensors: dict[str, Tensor]) -> Any:
    made = {
        "bilinear": lambda: ra.bilinear(tensors["score weight"]),
        "additive": lambda: ra.additive(tensors["score weight"]),
        "location": lambda: ra.location(tensors["score weight"]),
        "function": lambda: _compare,
        "function_learned": lambda: ra.function(_compare_with, (tensors["score weight"],)),
        "cosine_learned": lambda: ra.cosine(tensors["temperature of the score"]),
        "distance_learned": lambda: ra.distance(tensors["bandwidth"]),
    }
    return made[name]() if name in made else name


# --- normalizers ---


def _normalizer(case: Case, setting: Setting, normal: Callable[..., Tensor]) -> None:
    name, tensors, gap = case.normalizer, setting.tensors, case.gap
    setting.arguments["normalizer"] = name
    setting.normalize = {
        "softmax": lambda t, s: reference.softmax(s),
        "softmax:2": lambda t, s: reference.softmax(s, 2.0),
        "softmax_learned": lambda t, s: reference.softmax(s, t["temperature"][:, None, None]),
        "softmax_sink": lambda t, s: reference.softmax(s, sink=t["sink"][:, None, None]),
        "sparsemax": lambda t, s: reference.sparsemax(s),
        "entmax15": lambda t, s: reference.entmax(s, 1.5),
        "entmax:1.3": lambda t, s: reference.entmax(s, 1.3),
        "entmax:2.5": lambda t, s: reference.entmax(s, 2.5),
        "entmax_learned": lambda t, s: reference.entmax(s, t["alpha"][:, None, None]),
        "sigmoid": lambda t, s: reference.sigmoid(s),
        "top_k:3": lambda t, s: reference.top_k(s, 3),
        "threshold:0.1": lambda t, s: reference.threshold(s, 0.1),
        "argmax": lambda t, s: reference.argmax(s),
    }[name]
    if name == "softmax_learned":
        tensors["temperature"] = normal(_HEADS).abs() + 0.5
        setting.arguments["normalizer"] = ra.softmax(tensors["temperature"])
    elif name == "softmax_sink":
        tensors["sink"] = normal(_HEADS)
        setting.arguments["normalizer"] = ra.softmax(sink=tensors["sink"])
    elif name == "entmax_learned":
        # Different enough for the two heads, and under 2, where gradients have no jump.
        tensors["alpha"] = 1.25 + 0.5 * torch.sigmoid(normal(_HEADS))
        setting.arguments["normalizer"] = ra.entmax(tensors["alpha"])
    elif name == "top_k:3":
        setting.near.append(lambda s: _near_choice(s, 3, gap))
    elif name == "argmax":
        setting.near.append(lambda s: _near_choice(s, 1, gap))
    elif name == "threshold:0.1":
        setting.near.append(lambda s: ((torch.softmax(s, -1) - 0.1).abs() < gap / 4).any(-1))
    elif name == "sparsemax":
        setting.near.append(lambda s: _near_edge(s, 2.0, gap))
    elif name == "entmax:2.5":
        setting.near.append(lambda s: _near_edge(s, 2.5, 2 * gap))


def _near_choice(scores: Tensor, k: int, gap: float) -> Tensor:
    """Rows whose k-th and next score differ by less than the gap (rows with no next one do not)."""
    top = scores.topk(min(k + 1, scores.shape[-1])).values
    return (top[..., -2] - top[..., -1] < gap) & (top.shape[-1] > k)


def _near_edge(scores: Tensor, alpha: float, gap: float) -> Tensor:
    """Rows with a score that is less than the gap from where weights of entmax become 0."""
    nothing = (scores == float("-inf")).all(-1, keepdim=True)
    scores = scores.masked_fill(nothing, 0.0)
    weights = reference.entmax(scores, alpha)
    scaled = scores * (alpha - 1)
    tau = scaled.amax(-1, keepdim=True) - weights.amax(-1, keepdim=True) ** (alpha - 1)
    return (~nothing & ((scaled - tau).abs() < gap)).any(-1)


# --- positions ---


def _position(
    case: Case, setting: Setting, normal: Callable[..., Tensor], queries: int, keys: int, offset: int
) -> None:
    tensors, scores = setting.tensors, setting.scores
    away = torch.arange(keys) - torch.arange(offset, offset + queries)[:, None]
    if case.position == "alibi":
        tensors["slopes"] = normal(_HEADS).abs()
        setting.arguments["position"] = ra.alibi(tensors["slopes"])
        setting.scores = lambda t: scores(t) - t["slopes"][:, None, None] * away.abs()
    elif case.position == "relative":
        tensors["table"] = normal(_HEADS, 8)
        setting.arguments["position"] = ra.relative(tensors["table"], furthest=6)
        buckets = relative_buckets(away, 8, 6, True)
        setting.scores = lambda t: scores(t) + t["table"][:, buckets]
    elif case.position == "bias":
        tensors["bias"] = normal(_HEADS, queries, keys)
        setting.arguments["bias"] = tensors["bias"].requires_grad_()
        setting.scores = lambda t: scores(t) + t["bias"]
    elif case.position == "rotary":
        setting.arguments["position"] = "rotary"
        setting.scores = lambda t: scores({**t, "query": turned(t["query"], offset), "key": turned(t["key"], 0)})


def turned(tensor: Tensor, first: int, base: float = 10000.0) -> Tensor:
    """Rotary positions by complex numbers: dimensions d and d + D/2 are one, turned by its position and speed."""
    half = tensor.shape[-1] // 2
    places = torch.arange(first, first + tensor.shape[-2], dtype=torch.float64)[:, None]
    angles = places * base ** (-torch.arange(half, dtype=torch.float64) / half)
    together = torch.complex(tensor[..., :half], tensor[..., half:]) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([together.real, together.imag], -1)


# --- masks ---


def _filter(seen: ra.Scored) -> Tensor:
    return (seen.scores > -0.5) & ((seen.query_position + seen.key_position) % 4 != 3)


def _filter_passes(scores: Tensor, offset: int) -> Tensor:
    queries, keys = scores.shape[-2:]
    places = torch.arange(offset, offset + queries)[:, None] + torch.arange(keys)
    return (scores > -0.5) & (places % 4 != 3)


def _mask(
    case: Case,
    setting: Setting,
    normal: Callable[..., Tensor],
    draw: torch.Generator,
    queries: int,
    keys: int,
    offset: int,
) -> None:
    i, j = torch.arange(offset, offset + queries)[:, None], torch.arange(keys)
    length = torch.randint(1, keys + 1, (_BATCH, 1), generator=draw)
    if case.mask == "nothing":
        length[0] = 0  # no query of the first example has anything to attend to
    boolean = torch.rand(_BATCH, 1, queries, keys, generator=draw) < 0.7
    centre = torch.rand(_BATCH, _HEADS, queries, generator=draw) * keys
    lengths = j < length[..., None, None]

    def use(allowed: Tensor, *masks: Any) -> None:
        setting.allowed = allowed
        setting.arguments["mask"] = masks[0] if len(masks) == 1 else list(masks)

    match case.mask:
        case "lengths" | "nothing":
            use(lengths, ra.lengths(length))
        case "boolean":
            use(boolean, boolean)
        case "causal":
            use(j <= i, ra.causal())
        case "window":
            use((j - i).abs() <= 2, ra.window(2))
        case "window_centre":
            use((j - centre[..., None]).abs() <= 2, ra.window(2, centre))
        case "combination":
            use(boolean & lengths & (j <= i), boolean, ra.lengths(length), ra.causal())
        case "additive":
            added = normal(queries, keys).masked_fill(torch.rand(queries, keys, generator=draw) < 0.3, float("-inf"))
            use(added > float("-inf"), added)
            exact, scores = added.double().masked_fill(added == float("-inf"), 0.0), setting.scores
            setting.scores = lambda t: scores(t) + exact
        case "gaussian":
            setting.tensors["centre"] = centre.to(normal().dtype)
            setting.tensors["sigma"] = normal(_HEADS, 1).abs() + 1
            setting.arguments["mask"] = ra.gaussian(setting.tensors["centre"], setting.tensors["sigma"])
            setting.factor = lambda t: torch.exp(
                -((j - t["centre"][..., None]) ** 2) / (2 * t["sigma"][..., None] ** 2)
            )
        case "filter":
            setting.arguments["filter"] = _filter
            _see_only_passing(setting)
            setting.near.append(lambda s: ((s + 0.5).abs() < case.gap).any(-1))


def _see_only_passing(setting: Setting) -> None:
    """Ties of a normalizer are ties among the keys that pass the filter."""
    offset, earlier = setting.arguments["offset"], list(setting.near)

    def among_passing(one: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        return lambda s: one(s.masked_fill(~_filter_passes(s, offset), float("-inf")))

    setting.near[:] = [among_passing(one) for one in earlier]
