"""Ctrl-C and SIGTERM, heard but not obeyed at once: the training saves first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


class TrainingStopped(KeyboardInterrupt):
    """The training was asked to stop, and saved what going on needs; `signal` is what asked for it."""

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.signal = signal


@dataclass
class Requests:
    """Which signal asked to stop; 0: none."""

    signal: int = 0


@contextmanager
def heard() -> Iterator[Requests]:
    """Inside, the first Ctrl-C or SIGTERM is only noted; a second one has its usual effect.

    Signals reach the main thread alone; in another one nothing is changed.
    """
    requests = Requests()
    if threading.current_thread() is not threading.main_thread():
        yield requests
        return

    def note(number: int, frame: Any) -> None:
        requests.signal = number
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
