"""What is made of a module's weights once, for many searches, and made anew when they have changed."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

M = TypeVar("M", bound=nn.Module)
T = TypeVar("T")

_KEPT: WeakKeyDictionary[nn.Module, tuple[list[tuple[Tensor, int]], Hashable, object]] = WeakKeyDictionary()


def kept(module: M, make: Callable[[M], T], facts: Hashable = None) -> T:
    """make(module), remembered as long as none of the module's weights has been changed or replaced.

    `make` is the same for all calls with one module, and `facts` are what else the result depends on; the result must
    not hold the module, which would then be held for ever. A weight has changed when its place in memory or its version
    has, as everything changes it that autograd sees, and after a step of any optimizer, as the fused ones count no
    versions; what else goes by `.data` in place is not seen.
    """
    weights = list(module.parameters())
    found = _KEPT.get(module)
    if found is None or found[1] != facts or not _same(weights, found[0]):
        # Holding the weights' memory, no other tensor can come to lie at the same place.
        found = [(weight.detach(), _version(weight)) for weight in weights], facts, make(module)
        _KEPT[module] = found
    return found[2]  # type: ignore[return-value]


def _forget(*_: object) -> None:
    _KEPT.clear()


register_optimizer_step_post_hook(_forget)


def may_keep(module: nn.Module) -> bool:
    """Whether what is kept may be used: not where gradients, dropout, another precision or a graph are wanted."""
    return not (
        module.training
        or torch.is_grad_enabled()
        or torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None
        or any(torch.is_autocast_enabled(kind) for kind in ("cpu", "cuda"))
    )


def _same(weights: list[nn.Parameter], known: list[tuple[Tensor, int]]) -> bool:
    return len(weights) == len(known) and all(
        weight.data_ptr() == before.data_ptr() and weight.dtype == before.dtype and _version(weight) == version
        for weight, (before, version) in zip(weights, known, strict=True)
    )


def _version(weight: Tensor) -> int:
    """How often a weight has been changed; -1 where nobody counts."""
    return -1 if weight.is_inference() else weight._version
