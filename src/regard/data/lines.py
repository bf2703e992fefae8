"""The lines of a text file, as bytes have them: `.gz` or not, standard input, with what can be wrong told in a line."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from regard.errors import RegardError
from regard.files import write_bytes

STANDARD_INPUT = "-"
_GZIP, _UTF8_BOM, _UTF16_BOMS = b"\x1f\x8b", b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")


def shown_name(path: str | Path) -> str:
    """How messages call the file."""
    return "standard input" if str(path) == STANDARD_INPUT else str(path)


def text_lines(path: str | Path) -> Iterator[str | None]:
    """The lines of a UTF-8 file without their ends; `None` for a line that is not UTF-8.

    A line ends at a line feed, with or without a carriage return before it, and nowhere else (U+2028, form feeds and
    their like are characters of the line). A byte order mark at the start is dropped. What gzip has packed is
    unpacked, whatever the file's name is.

    Raises RegardError: no such file, a folder, not allowed, broken gzip data, UTF-16, carriage returns alone.
    """
    name = shown_name(path)
    try:
        with _opened(path) as stream:
            for number, line in enumerate(stream):
                if number == 0:
                    if line.startswith(_UTF16_BOMS):
                        raise RegardError(f"{name}: this is UTF-16; save it as UTF-8 (iconv -f utf-16 -t utf-8)")
                    if not line.endswith(b"\n") and b"\r" in line.rstrip(b"\r"):
                        raise RegardError(f"{name}: its lines end in carriage returns; use line feeds (tr '\\r' '\\n')")
                    line = line.removeprefix(_UTF8_BOM)
                try:
                    yield line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
                except UnicodeDecodeError:
                    yield None
    except FileNotFoundError:
        raise RegardError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise RegardError(f"{name}: this is a folder; name a file") from None
    except ValueError as error:
        if isinstance(error, RegardError):
            raise
        raise RegardError(f"{name!r}: can't be read ({error})") from None
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise RegardError(f"{name}: its gzip data is broken ({error}); pack or fetch the file again") from None
    except OSError as error:
        raise RegardError(f"{name}: can't be read ({error.strerror or error})") from None


def write_lines(path: str | Path, lines: Iterable[str]) -> None:
    """Write UTF-8 lines, each ended by a line feed; the file appears whole or not at all.

    Raises RegardError where it can't be written.
    """
    write_bytes(path, "".join(f"{line}\n" for line in lines).encode("utf-8"))


@contextmanager
def _opened(path: str | Path) -> Iterator[IO[bytes]]:
    if str(path) == STANDARD_INPUT:
        if sys.stdin is None:  # a shell can close it
            raise RegardError("standard input is closed; name a file")
        stream = sys.stdin.buffer
        # A buffer on another would wait for many lines; this one has all that it needs, and stays open.
        if isinstance(stream, io.BufferedReader):
            yield _unpacked(stream)
        else:
            around = io.BufferedReader(cast(io.RawIOBase, stream))
            try:
                yield _unpacked(around)
            finally:
                around.detach()
    else:
        with open(path, "rb") as file:
            yield _unpacked(file)


def _unpacked(stream: io.BufferedReader[Any]) -> IO[bytes]:
    return cast(IO[bytes], gzip.GzipFile(fileobj=stream)) if stream.peek(2)[:2] == _GZIP else stream
