"""Which module's attention is running: told by its wrapper, or found among the callers. Each thread has its own."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import nn

_FARTHEST = 16


@dataclass
class Frame:
    """A module whose attention runs; `shape` is (H, Q) of its queries where known; `seen` once they were observed."""

    module: nn.Module
    shape: tuple[int, int] | None = None
    seen: bool = False


class _Stack(threading.local):
    def __init__(self) -> None:
        self.frames: list[Frame] = []


_STACK = _Stack()


@contextmanager
def inside(module: nn.Module, shape: tuple[int, int] | None = None) -> Iterator[Frame]:
    """While the attention of a module runs."""
    frame = Frame(module, shape)
    _STACK.frames.append(frame)
    try:
        yield frame
    finally:
        _STACK.frames.pop()


def current() -> Frame | None:
    """The innermost module that said that it runs, in this thread."""
    return _STACK.frames[-1] if _STACK.frames else None


def mark_seen() -> None:
    """What runs in this thread was observed."""
    for frame in _STACK.frames:
        frame.seen = True


def calling_module(known: object) -> nn.Module | None:
    """The nearest caller that is a method of a module in `known`, a container of modules."""
    frame = sys._getframe(2)
    for _ in range(_FARTHEST):
        found = frame.f_locals.get("self")
        if isinstance(found, nn.Module) and found in known:  # type: ignore[operator]
            return found
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return None
