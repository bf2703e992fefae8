"""Every score, normalizer, position and mask by a name, made for given sizes: what the benchmarks go through.

Sizes are (heads, queries, keys, dim), in fp32 on the CPU; learned parts are given back beside what they belong to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

import regard.attention as ra


@dataclass(frozen=True)
class Sizes:
    heads: int = 2
    queries: int = 8
    keys: int = 8
    dim: int = 8


@dataclass
class Arguments:
    """Keyword arguments of `attend`, and the tensors among them that are learned."""

    settings: dict[str, Any] = field(default_factory=dict)
    learned: list[Tensor] = field(default_factory=list)


def city_block(query: Tensor, key: Tensor) -> Tensor:
    """A user's own score: minus the sum of absolute differences."""
    return -(query[..., :, None, :] - key[..., None, :, :]).abs().sum(-1)


def gated(query: Tensor, key: Tensor, weight: Tensor) -> Tensor:
    """A user's own score with a learned tensor."""
    return (torch.sigmoid(query[..., :, None, :] + key[..., None, :, :]) * weight[0]).sum(-1)


def arguments(score: str, normalizer: str, mask: str, sizes: Sizes) -> Arguments:
    """The arguments of one call."""
    torch.manual_seed(0)
    made = Arguments()
    for name, kinds in ((score, SCORES), (normalizer, NORMALIZERS), (mask, MASKS)):
        kinds[name](made, sizes)
    return made


def tensors(sizes: Sizes, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """Query, key and value (1, heads, n, dim) that want gradients."""
    torch.manual_seed(1)
    lengths = (sizes.queries, sizes.keys, sizes.keys)
    q, k, v = (torch.randn(1, sizes.heads, n, sizes.dim).to(dtype).requires_grad_() for n in lengths)
    return q, k, v


def drawn(*shape: int) -> list[Tensor]:
    """Query, key and value of this shape (..., n, D) that want gradients."""
    torch.manual_seed(0)
    return [torch.randn(shape).requires_grad_() for _ in range(3)]


def train(attention: Callable[[], Tensor], wanted: Iterable[Tensor]) -> tuple[Tensor, ...]:
    """Forward and backward, with a gradient of ones from above."""
    context = attention()
    return torch.autograd.grad(context, list(wanted), torch.ones_like(context))


Make = Callable[[Arguments, Sizes], None]


def _plain(argument: str, value: Any) -> Make:
    def make(made: Arguments, sizes: Sizes) -> None:
        made.settings[argument] = value

    return make


def _learned(argument: str, shape: Callable[[Sizes], tuple[int, ...]], build: Callable[[Tensor], Any]) -> Make:
    def make(made: Arguments, sizes: Sizes) -> None:
        tensor = (torch.rand(shape(sizes)) + 0.5).requires_grad_()
        made.learned.append(tensor)
        made.settings[argument] = build(tensor)

    return make


SCORES: dict[str, Make] = {
    "dot": _plain("score", "dot"),
    "scaled_dot": _plain("score", "scaled_dot"),
    "bilinear": _learned("score", lambda s: (s.heads, s.dim, s.dim), lambda w: ra.bilinear(w / 4)),
    "additive": _learned("score", lambda s: (s.heads, s.dim), ra.additive),
    "cosine": _plain("score", "cosine:0.2"),
    "cosine (learned temperature)": _learned("score", lambda s: (s.heads, 1, 1), ra.cosine),
    "distance": _plain("score", "distance"),
    "location": _learned("score", lambda s: (s.heads, s.keys, s.dim), ra.location),
    "function": _plain("score", city_block),
    "function (learned)": _learned("score", lambda s: (s.dim,), lambda w: ra.function(gated, (w,))),
}

NORMALIZERS: dict[str, Make] = {
    "softmax": _plain("normalizer", "softmax"),
    "softmax (learned temperature)": _learned("normalizer", lambda s: (s.heads,), ra.softmax),
    "softmax (sink)": _learned("normalizer", lambda s: (s.heads,), lambda sink: ra.softmax(sink=sink)),
    "sparsemax": _plain("normalizer", "sparsemax"),
    "entmax15": _plain("normalizer", "entmax15"),
    "entmax:1.3": _plain("normalizer", "entmax:1.3"),
    "entmax (learned alpha)": _learned("normalizer", lambda s: (s.heads,), lambda a: ra.entmax(1.0 + a / 2)),
    "sigmoid": _plain("normalizer", "sigmoid"),
    "top_k:4": _plain("normalizer", "top_k:4"),
    "top_k:64": _plain("normalizer", "top_k:64"),
    "threshold:0.1": _plain("normalizer", "threshold:0.1"),
    "argmax": _plain("normalizer", "argmax"),
}


def _near(seen: ra.Scored) -> Tensor:
    return (seen.query_position - seen.key_position).abs() % 3 != 1


def _lengths(made: Arguments, sizes: Sizes) -> None:
    made.settings["mask"] = ra.lengths(torch.tensor([max(sizes.keys - 3, 0)])[:, None])


def _boolean(made: Arguments, sizes: Sizes) -> None:
    made.settings["mask"] = torch.rand(sizes.queries, sizes.keys) < 0.7


def _additive(made: Arguments, sizes: Sizes) -> None:
    kept = torch.rand(sizes.queries, sizes.keys) < 0.7
    made.settings["mask"] = torch.randn(sizes.queries, sizes.keys).masked_fill(~kept, float("-inf"))


def _centres(sizes: Sizes) -> Tensor:
    return torch.rand(1, sizes.heads, sizes.queries) * sizes.keys


def _window_centre(made: Arguments, sizes: Sizes) -> None:
    made.settings["mask"] = ra.window(3, _centres(sizes))


def _gaussian(made: Arguments, sizes: Sizes) -> None:
    centre = _centres(sizes).requires_grad_()
    made.learned.append(centre)
    made.settings["mask"] = ra.gaussian(centre, 2.0)


def _several(made: Arguments, sizes: Sizes) -> None:
    made.settings["mask"] = [ra.lengths(torch.tensor([[max(sizes.keys - 3, 0)]])), ra.causal(), ra.window(5)]


def _bias(made: Arguments, sizes: Sizes) -> None:
    bias = torch.randn(sizes.heads, sizes.queries, sizes.keys).requires_grad_()
    made.learned.append(bias)
    made.settings["bias"] = bias


# Everything that says who may attend to whom, or adds to the scores.
MASKS: dict[str, Make] = {
    "none": lambda made, sizes: None,
    "lengths": _lengths,
    "boolean": _boolean,
    "additive": _additive,
    "causal": _plain("mask", ra.causal()),
    "window": _plain("mask", ra.window(3)),
    "window (centres)": _window_centre,
    "gaussian": _gaussian,
    "several": _several,
    "nothing allowed": lambda made, sizes: made.settings.update(mask=ra.lengths(torch.zeros(1, 1, dtype=torch.int64))),
    "filter": _plain("filter", _near),
    "bias (learned)": _bias,
    "alibi": _plain("position", "alibi"),
    "relative (learned)": _learned("position", lambda s: (s.heads, 32), ra.relative),
    "rotary": _plain("position", "rotary"),
    "dropout": _plain("dropout", 0.2),
}
