"""The choice of a kernel: the fastest of those that can do what is asked, with the reasons against the others."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from regard.attention import masks as mask_kinds
from regard.attention.names import nearest
from regard.attention.pairs import Dot, Function
from regard.attention.positions import Bias
from regard.attention.problem import Problem
from regard.attention.tiles import Spread
from regard.attention.weighing import Chosen, Softmax

KERNELS = ("auto", "fused", "flex", "tiled", "dense")

# Up to this many elements (weights, or weights x score dim) whole matrices are faster than tiles or, in training, than
# the fused kernel: measured, see benchmarks/results/attention.md.
SMALL = 1 << 20


@dataclass(frozen=True)
class Choice:
    """The kernel that runs, and for each that was passed over the reason."""

    kernel: str
    passed_over: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return "\n".join([self.kernel, *(f"  not {name}: {why}" for name, why in self.passed_over)])


def choose(problem: Problem, value: Spread, dropout: float, kernel: str = "auto") -> Choice:
    """The kernel for a problem; `kernel` other than `auto` is obeyed, or refused with the reason."""
    if kernel not in KERNELS:
        raise ValueError(f"kernel: unknown name {kernel!r}{nearest(kernel, KERNELS)}")
    obstacle = _obstacle(problem, dropout)
    fast = "fused" if problem.device.type == "cpu" else "flex"
    if kernel != "auto":
        if kernel in ("fused", "flex") and (obstacle or kernel != fast):
            raise ValueError(f"kernel: {kernel} can't run here: {obstacle or f'it is not for {problem.device.type}'}")
        return Choice(kernel)
    small = _elements(problem) <= SMALL
    if obstacle is None:
        training = torch.is_grad_enabled() and any(
            part.flat.requires_grad for part in (problem.query, problem.key, value)
        )
        if not (small and training and problem.device.type == "cpu"):
            return Choice(fast)
        obstacle = f"training, and at most {SMALL} weights: whole matrices are faster"
    if torch.compiler.is_compiling() and (isinstance(problem.pair, Function) or problem.filters):
        return Choice("dense", ((fast, obstacle), ("tiled", "a user's function has no compiled gradient of tiles")))
    if small:
        return Choice("dense", ((fast, obstacle), ("tiled", f"at most {SMALL} elements: one tile would hold them all")))
    return Choice("tiled", ((fast, obstacle), ("dense", f"over {SMALL} elements: memory would grow with Q x K")))


def _elements(problem: Problem) -> int:
    pairs = problem.slices * problem.queries * problem.keys
    return pairs if isinstance(problem.pair, Dot) else pairs * problem.query.flat.shape[-1]


def _obstacle(problem: Problem, dropout: float) -> str | None:
    """Why a platform's fused kernel can't do this; None where it can."""
    normalizer = problem.normalizer
    if not isinstance(problem.pair, Dot):
        return f"the score is {type(problem.pair).__name__.lower()}, and fused kernels know dot products only"
    if not isinstance(normalizer, Softmax):
        name = normalizer.kind if isinstance(normalizer, Chosen) else type(normalizer).__name__.lower()
        return f"the normalizer is {name}, and fused kernels know softmax only"
    if normalizer.parts:
        return "softmax has a learned temperature or a sink"
    if dropout:
        return "dropout acts on the weights"
    if problem.filters:
        return "a filter looks at the scores"
    if problem.factors:
        return "a Gaussian changes the weights"
    if problem.device.type not in ("cpu", "cuda"):
        return f"there is none for {problem.device.type}"
    if not problem.slices or not problem.queries:
        return "there are no queries"  # on which the CPU's kernel divides by zero
    dense = 0
    for term in problem.terms:
        if not isinstance(term, Bias):
            return "a position term would have to be held for every query and key"
        if term.values.flat.requires_grad and torch.is_grad_enabled():
            return "a bias is learned"
        dense += term.values.flat.shape[1] > 1
    for mask in problem.masks:
        if isinstance(mask, mask_kinds.Boolean):
            dense += mask.allowed.flat.shape[1] > 1
        elif not isinstance(mask, mask_kinds.Lengths | mask_kinds.Causal):
            return "a window would have to be held for every query and key"
        elif isinstance(mask, mask_kinds.Causal) and problem.offset:
            return "causal from an offset"
    others = len(problem.terms) + sum(not isinstance(mask, mask_kinds.Causal) for mask in problem.masks)
    if dense and others > 1:
        return "several masks would have to be joined for every query and key"
    if others and len(problem.lead) > 2:
        return "masks with more than two leading dimensions"
    return None


def fused_inputs(problem: Problem, value: Spread) -> tuple[Tensor, Tensor, Tensor, float, bool, Tensor | None]:
    """Query, key, value (B, H, n, dim), scale, whether causal, and bias (B or 1, H or 1, Q or 1, K or 1) or None."""
    assert isinstance(problem.pair, Dot)
    assert isinstance(problem.normalizer, Softmax)
    batch, heads = _batch_and_heads(problem.lead)

    # Scores that were prepared in fp32 meet keys and values in half precision.
    dtype = problem.query.flat.dtype

    def four(part: Spread) -> Tensor:
        tensor = part.original.to(dtype)
        if len(part.outer) == 2 and part.outer == problem.lead:
            return tensor
        return tensor.expand(*problem.lead, *part.flat.shape[1:]).reshape(batch, heads, *part.flat.shape[1:])

    scale = problem.pair.scale / problem.normalizer.temperature
    causal = any(isinstance(mask, mask_kinds.Causal) for mask in problem.masks)
    return four(problem.query), four(problem.key), four(value), scale, causal, _bias(problem)


def _bias(problem: Problem) -> Tensor | None:
    """All terms and masks but the causal one as one tensor to add, with as few dimensions as they have."""
    total: Tensor | None = None
    dtype, lead = problem.dtype, problem.lead
    for term in problem.terms:
        part = _four(term.values.original, lead).to(dtype) / _temperature(problem)
        total = part if total is None else total + part
    for mask in problem.masks:
        if isinstance(mask, mask_kinds.Causal):
            continue
        if isinstance(mask, mask_kinds.Boolean):
            passes = _four(mask.allowed.original, lead)
        else:
            assert isinstance(mask, mask_kinds.Lengths)
            places = torch.arange(problem.keys, device=problem.device)
            passes = _four(places < mask.length.original[..., None, None], lead)
        part = torch.zeros(passes.shape, dtype=dtype, device=problem.device).masked_fill_(~passes, float("-inf"))
        total = part if total is None else total + part
    return total


def _temperature(problem: Problem) -> float:
    assert isinstance(problem.normalizer, Softmax)
    return problem.normalizer.temperature


def _four(tensor: Tensor, lead: tuple[int, ...]) -> Tensor:
    """(..., Q, K) as (B or 1, H or 1, Q, K), where `lead` has at most two dimensions."""
    while tensor.dim() < 2 + len(lead):
        tensor = tensor[None]
    while tensor.dim() < 4:
        tensor = tensor.unsqueeze(-3)
    return tensor


def _batch_and_heads(lead: tuple[int, ...]) -> tuple[int, int]:
    heads = lead[-1] if len(lead) > 1 else 1
    count = 1
    for length in lead:
        count *= length
    return (count // heads if heads else 0), heads
