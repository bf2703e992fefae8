"""Telling how a training goes: a live line on a terminal, plain lines in a log, nothing at all on request."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

_FIRST_SECONDS, _MOST_SECONDS, _SLOWER = 2.0, 60.0, 1.5


@dataclass(frozen=True)
class Pace:
    """Where a training is: which update of how many, the mean loss lately, how fast if known, and seconds left."""

    update: int
    updates: int
    epoch: float
    loss: float
    rate: float
    tokens_per_second: float | None
    left: float

    def __str__(self) -> str:
        speed = "" if self.tokens_per_second is None else f"{self.tokens_per_second:,.0f} tokens/s  "
        return (
            f"update {self.update:,}/{self.updates:,}  epoch {self.epoch:.1f}  loss {self.loss:.3f}  "
            f"rate {self.rate:.1e}  {speed}{spoken(self.left)} left"
        )


class Reporter(Protocol):
    """What a training tells its news to."""

    def say(self, text: str) -> None:
        """Lines that stay."""

    def sample(self, text: str) -> None:
        """Lines of what a model makes of some pairs, at a validation."""

    def pace(self, pace: Pace) -> None:
        """After every update; may be shown or not."""


class Silent:
    """Tells nothing."""

    def say(self, text: str) -> None: ...

    def sample(self, text: str) -> None: ...

    def pace(self, pace: Pace) -> None: ...


class Lines:
    """Plain lines on standard error, after two seconds and then more and more rarely, once a minute at the least."""

    def __init__(self) -> None:
        self._every = _FIRST_SECONDS
        self._next = time.monotonic() + self._every

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    sample = say

    def pace(self, pace: Pace) -> None:
        if time.monotonic() >= self._next:
            self.say(str(pace))
            self._every = min(self._every * _SLOWER, _MOST_SECONDS)
            self._next = time.monotonic() + self._every


class Brief:
    """Tells another all but the samples of what the model makes of its pairs."""

    def __init__(self, inner: Reporter) -> None:
        self._inner = inner

    def say(self, text: str) -> None:
        self._inner.say(text)

    def sample(self, text: str) -> None: ...

    def pace(self, pace: Pace) -> None:
        self._inner.pace(pace)


@contextmanager
def reporter() -> Iterator[Reporter]:
    """The reporter that suits standard error: live on a terminal, else plain lines."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    with Progress(BarColumn(bar_width=20), TextColumn("{task.description}"), console=console, transient=True) as live:

        class Live:
            def __init__(self) -> None:
                self._task = live.add_task("", total=None, visible=False)

            def say(self, text: str) -> None:
                live.console.print(text, soft_wrap=True)

            sample = say

            def pace(self, pace: Pace) -> None:
                live.update(self._task, description=str(pace), completed=pace.update, total=pace.updates, visible=True)

        yield Live()


@contextmanager
def told_to(report: Reporter | Literal[False] | None) -> Iterator[Reporter]:
    """The one that is given; for None that of `reporter`, as the commands have it; for False nobody."""
    if report is None:
        with reporter() as usual:
            yield usual
    else:
        yield report or Silent()


def spoken(seconds: float) -> str:
    """`75` -> `1:15`; hours where there are any."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
