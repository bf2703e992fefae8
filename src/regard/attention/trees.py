"""Trees: frozen dataclasses of tensors, with what is not a tensor kept as their static description.

A tree is a PyTorch pytree node, so `torch.compile`, `torch.export` and our own autograd functions can take it apart
into tensors and put it together again.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Sequence
from typing import Any, TypeVar, dataclass_transform

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

T = TypeVar("T")

_TREES: dict[str, type] = {}


def static(**options: Any) -> Any:
    """A field that describes a tree and is not a part of it: a number, a name, a function."""
    return dataclasses.field(metadata={"static": True}, **options)


@dataclass_transform(frozen_default=True, field_specifiers=(static,))
def tree(cls: type[T]) -> type[T]:
    """Make `cls` a frozen dataclass and register it as a pytree; `static()` marks the fields that are not tensors."""
    made: Any = dataclasses.dataclass(frozen=True, eq=False)(cls)
    fields = dataclasses.fields(made)
    dynamic = tuple(f.name for f in fields if not f.metadata.get("static"))
    fixed = tuple(f.name for f in fields if f.metadata.get("static"))

    def flatten(value: Any) -> tuple[list[Any], tuple[Any, ...]]:
        return [getattr(value, name) for name in dynamic], tuple(getattr(value, name) for name in fixed)

    def unflatten(children: Any, context: tuple[Any, ...]) -> Any:
        return made(**dict(zip(dynamic, children, strict=True)), **dict(zip(fixed, context, strict=True)))

    pytree.register_pytree_node(
        made,
        flatten,
        unflatten,
        serialized_type_name=f"regard.{made.__qualname__}",
        to_dumpable_context=list,
        from_dumpable_context=tuple,
    )
    made.tree_fields = (dynamic, fixed)
    _TREES[made.__name__] = made
    return made  # type: ignore[no-any-return]


def describe(value: Any, leaves: list[Tensor]) -> Any:
    """Take a tree apart without pytree's machinery, which compiled graphs can't hold: its tensors go to `leaves`.

    What is returned is made of tuples, names and numbers only; `rebuild` reads its `repr`.
    """
    if value is None:
        return None
    if isinstance(value, Tensor):
        leaves.append(value)
        return "tensor"
    if isinstance(value, tuple):
        return ("", (), tuple([describe(child, leaves) for child in value]))
    dynamic, fixed = value.tree_fields
    facts = tuple([getattr(value, name) for name in fixed])
    for fact in facts:
        if callable(fact) or (isinstance(fact, tuple) and any(map(callable, fact))):
            raise ValueError("kernel: a user's function can't be tiled in a compiled graph; leave the choice to 'auto'")
    return (type(value).__name__, facts, tuple([describe(getattr(value, name), leaves) for name in dynamic]))


def rebuild(description: str, leaves: Sequence[Any]) -> Any:
    """The tree of which `describe` gave this description, with other leaves."""
    remaining = iter(leaves)

    def build(described: Any) -> Any:
        if described is None:
            return None
        if described == "tensor":
            return next(remaining)
        name, fixed, children = described
        built = [build(child) for child in children]
        if not name:
            return tuple(built)
        made = _TREES[name]
        names = made.tree_fields  # type: ignore[attr-defined]
        return made(**dict(zip(names[0], built, strict=True)), **dict(zip(names[1], fixed, strict=True)))

    return build(ast.literal_eval(description))


@tree
class Shared:
    """A part of a state that all beams of a source have in common, a tree of tensors (B, ...)."""

    value: Any


def select(state: T, index: Tensor) -> T:
    """Reorder the beams of a state: each tensor t (B, beams, ...) becomes t[b, index[b, i]], index (B, new beams).

    What is `Shared` stays as it is.
    """
    batch = torch.arange(index.shape[0], device=index.device)[:, None]

    def pick(value: Any) -> Any:
        # By hand, as pytree's own way through a small state takes longer than all the indexing.
        if isinstance(value, Tensor):
            return value[batch, index]
        if value is None or isinstance(value, Shared):
            return value
        if type(value) is tuple:
            return tuple([pick(child) for child in value])
        if type(value).__name__ in _TREES:
            dynamic, fixed = value.tree_fields
            picked = {name: pick(getattr(value, name)) for name in dynamic}
            return type(value)(**picked, **{name: getattr(value, name) for name in fixed})
        leaves, structure = pytree.tree_flatten(value, is_leaf=lambda node: isinstance(node, Shared))
        if len(leaves) == 1 and leaves[0] is value:
            return value
        return pytree.tree_unflatten([pick(leaf) for leaf in leaves], structure)

    return pick(state)  # type: ignore[no-any-return]
