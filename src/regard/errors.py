"""The one kind of error that is meant for the person at the keyboard."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RegardError(ValueError):
    """What a person did or gave can't be used; the message is one line: what, where, and what to do."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`"; did you mean 'softmax'?"` where a known name is near to `name`, else a list of the known ones."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
