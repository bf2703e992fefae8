"""How the C library keeps memory: a training asks for the same sizes again and again."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3) in glibc
# Tensors up to this size are kept: slices of an output layer are 8 MiB. Larger ones, such as the gradient of a whole
# output layer, would leave gaps between them that nothing fits in: model A of the benchmarks held 450 MB more.
_KEPT = 12 << 20


def keep_freed_memory() -> None:
    """Let this process use freed memory again instead of giving it back: on Linux with glibc, elsewhere nothing.

    A tensor is otherwise fetched from the system each time, page by page, which may take longer than to compute its
    elements. The process then keeps the most it ever used of them, as it would need at its next long batch anyway.
    """
    if not sys.platform.startswith("linux"):
        return
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    if tune is not None:
        tune(_MMAP_THRESHOLD, _KEPT)
        tune(_TRIM_THRESHOLD, -1)
