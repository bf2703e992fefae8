"""How the C library keeps memory: a training asks for the same sizes again and again."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of mallopt(3) in glibc


def keep_freed_memory() -> None:
    """Let this process use freed memory again instead of giving it back: on Linux with glibc, elsewhere nothing.

    A large tensor is otherwise fetched from the system each time, page by page, which takes longer than to compute its
    elements. The process then keeps the most it ever used, as it would need at its next long batch anyway.
    """
    if not sys.platform.startswith("linux"):
        return
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    if tune is not None:
        tune(_MMAP_MAX, 0)
        tune(_TRIM_THRESHOLD, -1)
