"""Kernels against one another: generic tiles beside a hand-written loop, whole matrices beside the other kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

import handwritten
import regard.attention as ra
from attention_recipes import drawn, train
from measure import Times, alternate

Result = dict[str, Any]


# --- the spike: generic tiles against a hand-written kernel ---


def spike(name: str, *, quick: bool) -> Result:
    inputs = drawn(1, 8, 2048, 64) if not quick else drawn(1, 2, 256, 16)
    flat = [x.detach().flatten(0, 1) for x in inputs]
    above = torch.ones_like(flat[0])

    def by_hand() -> tuple[Tensor, ...]:
        if name == "softmax":
            context, lse = handwritten.softmax_forward(*flat)
            return handwritten.softmax_backward(*flat, context, lse, above)
        context, threshold = handwritten.entmax15_forward(*flat)
        return handwritten.entmax15_backward(*flat, threshold, above)

    def generic() -> tuple[Tensor, ...]:
        return train(lambda: ra.attend(*inputs, normalizer=name, kernel="tiled")[0], inputs)

    def forward() -> object:
        with torch.no_grad():
            return ra.attend(*inputs, normalizer=name, kernel="tiled")

    def forward_by_hand() -> object:
        return (handwritten.softmax_forward if name == "softmax" else handwritten.entmax15_forward)(*flat)

    pairs = zip(generic(), by_hand(), strict=True)
    wrong = max(float((a.flatten(0, 1) - b).abs().max()) for a, b in pairs)
    sides: dict[str, Callable[[], object]] = {
        "generic": generic,
        "by hand": by_hand,
        "generic, forward": forward,
        "by hand, forward": forward_by_hand,
        "sdpa": lambda: train(lambda: F.scaled_dot_product_attention(*inputs), inputs),
    }
    times = alternate(sides, seconds=0.5 if quick else 30.0, least=2 if quick else 10, most=200)
    return {
        **times.summary(),
        "ratio": round(times.ratio("generic", "by hand"), 3),
        "ratio_forward": round(times.ratio("generic, forward", "by hand, forward"), 3),
        "over_sdpa": round(times.ratio("generic", "sdpa"), 2),
        "greatest_difference": wrong,
    }


# --- where one kernel overtakes another ---


def crossover(name: str, length: str, *, quick: bool) -> Result:
    """Training by whole matrices against the kernel for large problems, 8 heads, dim 32 (additive: 16)."""
    n = int(length) if not quick else min(int(length), 128)
    inputs = drawn(8, n, 16 if name == "additive" else 32)
    weight = torch.randn(16)
    settings: dict[str, Any] = {
        "softmax": {},
        "entmax15": {"normalizer": "entmax15"},
        "additive": {"score": ra.additive(weight)},
    }[name]
    other = "fused" if name == "softmax" else "tiled"

    def by(kernel: str) -> Callable[[], object]:
        return lambda: train(lambda: ra.attend(*inputs, **settings, kernel=kernel)[0], inputs)

    times: Times = alternate(
        {"dense": by("dense"), other: by(other)}, seconds=0.2 if quick else 4.0, least=3 if quick else 7, most=300
    )
    elements = 8 * n * n * (16 if name == "additive" else 1)
    return {**times.summary(), "elements": elements, "dense_over_other": round(times.ratio("dense", other), 2)}
