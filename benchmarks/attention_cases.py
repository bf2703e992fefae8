"""Cases of the attention operator beside its definition: every score, normalizer, mask, position, dtype and kernel.

`cases()` names combinations, `run(case)` measures one against `regard.attention.reference` in fp64: the context, the
weights, and the gradients of a loss that uses both, for query, key, value and every parameter.

Kinds that choose (top_k, threshold, argmax, filters, the edge of a sparse support) are compared away from ties: a row
that is nearer to one than `Case.gap` gets no gradient from above and is left out of the comparison.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields

import torch
from torch import Tensor

from attention_settings import setting_of

FACTORS: dict[str, tuple[str, ...]] = {
    "score": (
        "dot", "scaled_dot", "bilinear", "additive", "cosine:0.5", "cosine_learned", "distance", "distance_learned",
        "location", "function", "function_learned",
    ),
    "normalizer": (
        "softmax", "softmax:2", "softmax_learned", "softmax_sink", "sparsemax", "entmax15", "entmax:1.3", "entmax:2.5",
        "entmax_learned", "sigmoid", "top_k:3", "threshold:0.1", "argmax",
    ),
    "mask": (
        "none", "lengths", "boolean", "additive", "causal", "window", "window_centre", "gaussian", "combination",
        "filter", "nothing",
    ),
    "position": ("none", "alibi", "relative", "rotary", "bias"),
    "dtype": ("float64", "float32", "bfloat16"),
    "shape": ("self", "cross", "one_query", "broadcast"),
    "kernel": ("auto", "dense", "tiled", "fused"),
}  # fmt: skip

# What the platform's fused kernel can do; everything else it refuses.
FUSED: dict[str, tuple[str, ...]] = {
    "score": (
        "dot", "scaled_dot", "bilinear", "cosine:0.5", "cosine_learned", "distance", "distance_learned", "location",
    ),
    "normalizer": ("softmax", "softmax:2"),
    "mask": ("none", "lengths", "boolean", "additive", "causal", "nothing"),
    "position": ("none", "rotary"),
}  # fmt: skip

# Errors allowed, relative to the greatest magnitude of the definition's result (at least 1).
TOLERANCE = {"float64": 1e-11, "float32": 1e-4, "bfloat16": 3e-2}
TOLERANCE_OF_ROTATED = {**TOLERANCE, "bfloat16": 1.5e-1}  # rotated queries and keys are rounded to bf16 once more
_GAP = {"float64": 1e-7, "float32": 1e-3, "bfloat16": 5e-2}

_DRAWS = 50  # until at most a quarter of the rows is near a tie


@dataclass(frozen=True)
class Case:
    """One combination of the factors."""

    score: str
    normalizer: str
    mask: str
    position: str
    dtype: str
    shape: str
    kernel: str

    def __str__(self) -> str:
        return " ".join(astuple(self))

    @property
    def tolerance(self) -> float:
        return (TOLERANCE_OF_ROTATED if self.position == "rotary" else TOLERANCE)[self.dtype]

    @property
    def gap(self) -> float:
        """The distance from a tie, in scores or weights, that rounding in this dtype does not cross."""
        return _GAP[self.dtype]

    @property
    def possible(self) -> bool:
        """Whether the kernel can do it; all but the fused one can do everything."""
        if self.kernel != "fused":
            return True
        if self.mask == "causal" and self.shape == "one_query":
            return False  # its query stands at an offset
        return all(getattr(self, factor) in able for factor, able in FUSED.items())


@dataclass(frozen=True)
class Errors:
    """Greatest absolute error of each result, divided by the greatest magnitude of the definition's (at least 1)."""

    context: float
    weights: float
    gradients: dict[str, float]
    rows: int
    left_out: int

    @property
    def worst(self) -> tuple[str, float]:
        """The name and error of the worst result; NaN counts as worst."""
        found = {"context": self.context, "weights": self.weights}
        found |= {f"gradient of {name}": error for name, error in self.gradients.items()}
        return max(found.items(), key=lambda item: float("inf") if item[1] != item[1] else item[1])


def cases(sample: str | int | None = None, seed: int = 0) -> Iterator[Case]:
    """All possible cases; a `sample` of so many of them, or `pairwise`: every pair of two factors' values occurs."""
    if sample == "pairwise":
        yield from _pairwise(random.Random(seed))
        return
    product = (case for values in itertools.product(*FACTORS.values()) if (case := Case(*values)).possible)
    if sample is None:
        yield from product
    else:
        yield from random.Random(seed).sample(list(product), int(sample))


def pairs(case: Case) -> set[tuple[str, str, str, str]]:
    """The pairs of factor values that occur in a case."""
    named = [(f.name, getattr(case, f.name)) for f in fields(case)]
    return {(a, x, b, y) for (a, x), (b, y) in itertools.combinations(named, 2)}


def all_pairs() -> set[tuple[str, str, str, str]]:
    """Every pair of factor values that occurs in some possible case."""
    found = set()
    for a, b in itertools.combinations(FACTORS, 2):
        for x, y in itertools.product(FACTORS[a], FACTORS[b]):
            if b == "kernel" and y == "fused" and x not in FUSED.get(a, FACTORS[a]):
                continue
            found.add((a, x, b, y))
    return found


def _pairwise(draw: random.Random) -> Iterator[Case]:
    """A greedy covering array: each case holds a pair not yet seen, and of 50 such cases the most of them."""
    missing = all_pairs()
    while missing:
        a, x, b, y = draw.choice(sorted(missing))
        candidates = []
        while len(candidates) < 50:
            values = {name: draw.choice(known) for name, known in FACTORS.items()}
            if values["kernel"] == "fused" or y == "fused":
                values |= {name: draw.choice(able) for name, able in FUSED.items()}
            case = Case(**{**values, a: x, b: y})
            if case.possible:
                candidates.append(case)
        best = max(candidates, key=lambda case: len(pairs(case) & missing))
        missing -= pairs(best)
        yield best


# --- one case ---


def run(case: Case, seed: int = 0) -> Errors:
    """How far the operator is from its definition in one case."""
    for draw_number in range(_DRAWS):
        setting = setting_of(case, seed + draw_number)
        exact = {name: t.detach().double().requires_grad_() for name, t in setting.tensors.items()}
        context, weights, near = setting.define(exact)
        if 4 * int(near.sum()) <= near.numel():
            break
    draw = torch.Generator().manual_seed(1)
    above = [torch.randn(x.shape, generator=draw).double() * ~near[..., None] for x in (context, weights)]
    loss = (context * above[0]).sum() + (weights * above[1]).sum()
    wanted = torch.autograd.grad(loss, list(exact.values()), allow_unused=True)
    found_context, found = setting.call()
    found_weights = found.dense()
    loss = (found_context.double() * above[0]).sum() + (found_weights.double() * above[1]).sum()
    gradients = torch.autograd.grad(loss, list(setting.tensors.values()), allow_unused=True)
    rows = ~near[..., None]
    return Errors(
        _error(found_context, context, rows),
        _error(found_weights, weights, rows),
        {name: _error(a, b) for name, a, b in zip(exact, gradients, wanted, strict=True)},
        near.numel(),
        int(near.sum()),
    )


def _error(found: Tensor | None, wanted: Tensor | None, rows: Tensor | None = None) -> float:
    if found is None or wanted is None:  # no gradient is a gradient of zero
        return max(0.0 if x is None else float(x.detach().abs().max()) for x in (found, wanted))
    assert found.shape == wanted.shape, f"{tuple(found.shape)} came, {tuple(wanted.shape)} by the definition"
    found, wanted = found.detach().double(), wanted.detach()
    difference = (found - wanted).abs()
    if rows is not None:
        difference = torch.where(rows, difference, 0.0)
    return float(difference.max()) / max(1.0, float(wanted.abs().max()))


def worst_of(results: Sequence[tuple[Case, Errors]]) -> tuple[Case, Errors]:
    """The case with the greatest error in terms of its tolerance."""
    return max(results, key=lambda item: item[1].worst[1] / item[0].tolerance)
