"""Writing to a disk. A file appears whole or not at all, and what fails is told in a line.

Everything that Regard writes goes through here, by the few calls of `os` in this module.
"""

from __future__ import annotations

import errno
import io
import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

from regard.errors import RegardError

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
_LEFT_BEHIND = re.compile(r"\..+\.(\d+)\.part")
_REMEDIES = {
    errno.ENOSPC: "make room, and try again",
    errno.EDQUOT: "make room, and try again",
    errno.EFBIG: "allow larger files, or choose another place",
    errno.EACCES: "choose another place",
    errno.EPERM: "choose another place",
    errno.EROFS: "choose another place",
}


@contextmanager
def written_beside(path: str | Path, durable: bool = True) -> Iterator[IO[bytes]]:
    """A file to write to, forwards or with seeks, that takes the place of `path` when all went well.

    It is written beside its place, is on the disk before it gets its name, and disappears when anything fails; then
    what was there before is still there. Where it is not to be `durable`, when it reaches the disk is left to the
    system: for thousands of files that can be made again. A link stays one, and the file that it leads to is replaced;
    a device or a pipe, such as /dev/stdout, is written to as it is. Raises RegardError where it can't be written.
    """
    path, named = Path(os.path.realpath(path)), path
    if _is_stream(path, named):
        with _told_of(named), io.BufferedWriter(cast(io.RawIOBase, _Raw(_open_stream(named)))) as stream:
            yield stream
        return
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    with _told_of(named):
        try:
            descriptor = os.open(beside, _FLAGS, 0o666)
            with io.BufferedWriter(cast(io.RawIOBase, _Raw(descriptor))) as stream:
                yield stream
                stream.flush()
                if durable:
                    os.fsync(descriptor)
            os.replace(beside, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(beside)
            raise


def check_place(path: str | Path) -> None:
    """See whether a file could be written, before the work that it is to hold. Raises RegardError."""
    path = Path(path)
    if path.is_dir():
        raise RegardError(f"{path}: can't be written: it is a folder; name a file")
    if not path.parent.is_dir():
        raise RegardError(f"{path}: can't be written: there is no folder {path.parent}")
    if not _is_stream(path, path) and not os.access(path.parent, os.W_OK):
        raise RegardError(f"{path}: can't be written: Permission denied; choose another place")


def write_bytes(path: str | Path, content: bytes, durable: bool = True) -> None:
    """Write a file whole, by `written_beside`. Raises RegardError."""
    with written_beside(path, durable) as stream:
        stream.write(content)


def remove_file(path: str | Path) -> None:
    """Remove a file if it is there. Raises RegardError where that fails."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise RegardError(f"{path}: can't be removed: {_told(error)}") from None


def make_folder(path: str | Path) -> None:
    """Make a folder, and those above it, where there is none. Raises RegardError."""
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise RegardError(f"{path}: can't be made: {_told(error)}") from None


def is_left_behind(path: Path) -> bool:
    """Whether this is the half of a file that a process was writing when it was killed."""
    found = _LEFT_BEHIND.fullmatch(path.name)
    return found is not None and (int(found[1]) == os.getpid() or not _alive(int(found[1])))


class _Raw(io.RawIOBase):
    """A descriptor as a stream without a buffer. It does not tell its number, so that nobody writes past this class."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        try:
            os.lseek(self._descriptor, 0, os.SEEK_CUR)
        except OSError:  # a pipe
            return False
        return True

    def write(self, content: Any) -> int:
        return os.write(self._descriptor, content)

    def seek(self, offset: int, whence: int = 0) -> int:
        return os.lseek(self._descriptor, offset, whence)

    def tell(self) -> int:
        return os.lseek(self._descriptor, 0, os.SEEK_CUR)

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self._descriptor)


def _open_stream(path: str | Path) -> int:
    if str(path) == "/dev/stdout":  # opened anew, a file would be written from its beginning
        sys.stdout.flush()
        return os.dup(1)
    return os.open(path, os.O_WRONLY)


@contextmanager
def _told_of(path: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RegardError(f"{path}: can't be written: {_told(error)}") from None


def _is_stream(path: str | Path, named: str | Path) -> bool:
    """Whether this is no file on a disk, or leads to one that is open (/dev/stdout): nothing may take its place."""
    if str(named).startswith(("/dev/", "/proc/")):
        return True
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _told(error: OSError) -> str:
    remedy = _REMEDIES.get(error.errno or 0)
    return (error.strerror or str(error)) + (f"; {remedy}" if remedy else "")


def _alive(process: int) -> bool:
    if os.name == "nt":  # where asking would interrupt it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
