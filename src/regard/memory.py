"""When memory runs out: which errors say so, and the same work in halves."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from regard.errors import RegardError

# What torch's allocators say, each in its own words; all of them raise a RuntimeError or a kind of it.
_SAYINGS = ("out of memory", "allocate memory", "not enough memory", "alloc_failed", "bad_alloc")
_LOG = logging.getLogger("regard")
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def ran_out(error: BaseException) -> bool:
    """Whether the error says that there is not enough memory."""
    text = str(error).lower()
    said = isinstance(error, RuntimeError) and any(words in text for words in _SAYINGS)
    return said or isinstance(error, MemoryError)


def whole_memory() -> float:
    """Bytes of memory that the machine has, infinite where it does not say."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # not on Windows
        return math.inf


def halves(items: Sequence[_Item]) -> tuple[list[_Item], list[_Item]]:
    """The first and the second half; the first is the larger one."""
    middle = (len(items) + 1) // 2
    return list(items[:middle]), list(items[middle:])


def in_halves(work: Callable[[Sequence[_Item]], Sequence[_Result]], items: Sequence[_Item], what: str) -> list[_Result]:
    """`work(items)`; where memory runs out, what it gives for either half, one after the other.

    `what` names the items in the plural, as in `3 sentences`. Each division is told to the log `regard`, which prints
    on standard error. Raises RegardError where the memory does not suffice for a single item.
    """
    try:
        return list(work(items))
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        if len(items) < 2:
            raise RegardError(f"the memory does not suffice for one of the {what} alone; shorten the longest") from None
    # Only here, outside of the handler, is what the failed attempt held free again.
    _LOG.warning("memory ran out for %s %s at once; they are done in halves", f"{len(items):,}", what)
    first, second = halves(items)
    return [*in_halves(work, first, what), *in_halves(work, second, what)]
