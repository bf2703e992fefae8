"""The one kind of error that is meant for the person at the keyboard, and how values are named in it."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable
from itertools import islice

_MOST_NAMES = 20
_MOST_LETTERS = 300
_HUGE = 10**30


class RegardError(ValueError):
    """What a person did or gave can't be used; the message is one line: what, where, and what to do."""


class NotNumbersError(RegardError):
    """A model's probabilities are no numbers, mostly since its weights are none: it can say nothing."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`"; did you mean 'softmax'?"` where a known name is near to `name`, else a list of the known ones."""
    known = list(known)
    near = difflib.get_close_matches(name[:_MOST_LETTERS], known[:1000], n=1, cutoff=0.6)
    if near:
        return f"; did you mean {shown(near[0])}?"
    more = f" and {len(known) - _MOST_NAMES:,} more" if len(known) > _MOST_NAMES else ""
    return f"; known: {one_line(', '.join(islice(known, _MOST_NAMES)))}{more}"


class _Short(reprlib.Repr):
    """`repr` of whatever a file may hold: short, and never failing."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 60
        self.maxlevel, self.maxlist, self.maxtuple, self.maxdict, self.maxset = 2, 4, 4, 4, 4

    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if abs(x) < _HUGE else f"a number of about {round(x.bit_length() * 0.30103):,} digits"


_SHORT = _Short()


def shown(value: object) -> str:
    """`repr(value)` as a message can bear it: on one line, its middle left out where it is long."""
    return _SHORT.repr(value)


def one_line(what: object) -> str:
    """The text of an error from elsewhere on one line, its end left out where it is long."""
    text = " ".join(str(what).split())
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]} ..."
