"""One process at a time in a folder. The lock is the system's: it goes with its process, however that ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from regard.errors import RegardError

try:
    import fcntl
except ImportError:  # Windows, where nothing is locked
    fcntl = None  # type: ignore[assignment]


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Inside, nobody else is inside for the same folder, which has to be there.

    Raises RegardError where another is. The folder itself is locked, so that no file stays behind; where the system
    can't do that, as on some network disks, nothing is locked.
    """
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RegardError(
                f"{folder}: another training is at work in it; wait for it, or give another --out"
            ) from None
        except OSError:
            pass
        yield
    finally:
        os.close(descriptor)
