"""`Shelf`: the images or recordings of a corpus, read once by a pool of threads and kept in a file that is mapped.

    sources.bin    the numbers of all, one after the other
    sources.json   of each its name, size and time of change, and where its numbers stand

A file of the cache is used again as long as it was read by the same settings and has neither another size nor another
time of change than then; all others are read anew. What can't be read is left out, with the reason.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from regard.data.media import Item, Media
from regard.data.read import Read
from regard.errors import RegardError, one_line
from regard.files import make_folder, remove_file, write_bytes, written_beside

DATA, INDEX = "sources.bin", "sources.json"
VERSION = 1
_AHEAD = 64
_SECONDS_BETWEEN_NEWS = 5.0
_TYPES: dict[str, np.dtype[Any]] = {"image": np.dtype(np.uint8), "sound": np.dtype(np.int16)}


@dataclass(frozen=True)
class _Entry:
    """One source in the file of numbers."""

    bytes: int
    changed: int
    offset: int
    shape: tuple[int, ...]
    digest: str
    notes: tuple[str, ...]


@dataclass
class Shelf:
    """What was read, by name: `shelf.item(name)`. `failed` has the reason for each that could not be."""

    media: Media
    entries: dict[str, _Entry]
    numbers: NDArray[np.uint8] = field(repr=False)
    failed: dict[str, str]
    seconds: float
    """What reading took."""
    read: int
    """How many were read; the others came from the cache."""
    path: Path | None = None

    def item(self, name: str) -> Item:
        """One source. Its numbers stay on the disk until they are used."""
        entry = self.entries[name]
        kind = _TYPES[self.media.medium]
        values = self.numbers[entry.offset : entry.offset + prod(entry.shape) * kind.itemsize]
        return self.media.item(name, values.view(kind).reshape(entry.shape), entry.notes)

    def seconds_of(self, name: str) -> float:
        """How long a recording lasts; 0 for an image."""
        rate: int | None = getattr(self.media.settings, "rate", None)
        return self.entries[name].shape[0] / rate if rate else 0.0

    @property
    def fingerprint(self) -> str:
        """The same for the same numbers under the same names, and for no others."""
        digest = hashlib.sha256()
        for name in sorted(self.entries):
            digest.update(f"{name}\t{self.entries[name].digest}\n".encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def __getstate__(self) -> dict[str, Any]:
        """Another process maps the same file, where it has a name."""
        return {**self.__dict__, "numbers": None if self.path else np.array(self.numbers)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.path:
            self.numbers = _mapped(self.path)


def fill(
    sources: Mapping[str, Any],
    media: Media,
    *,
    folder: Path | None = None,
    workers: int | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Shelf:
    """Read all sources, by their names: paths, or what stands in the place of a file.

    Args:
        sources: what is to be read.
        media: what reads it.
        folder: where the cache is; without one, a file that nobody else sees.
        workers: threads that read; None: one for each core.
        tell: is told of the progress, a line every few seconds.

    Raises RegardError where the cache can't be written.
    """
    begin = time.monotonic()
    known, before = _known(folder, media) if folder else ({}, None)
    states = {name: _state(source) for name, source in sources.items()}
    again = {
        name: entry
        for name, entry in known.items()
        if name in sources and states[name] == (entry.bytes, entry.changed) != (0, 0)
    }
    failed: dict[str, str] = {}
    todo = [name for name in sources if name not in again]
    if folder is not None and before is not None and not todo:
        entries = {name: again[name] for name in sources}
        return Shelf(media, entries, before, failed, time.monotonic() - begin, 0, folder / DATA)

    entries = {}
    if folder is not None:
        make_folder(folder)
        remove_file(folder / INDEX)  # before the numbers that it is of
    with written_beside(folder / DATA) if folder else tempfile.TemporaryFile() as stream:
        offset = 0
        for name, content, notes, shape in _contents(sources, again, before, media, workers, failed, tell):
            stream.write(content)
            digest = hashlib.blake2b(content, digest_size=16).hexdigest()
            entries[name] = _Entry(*states[name], offset, shape, digest, notes)
            offset += len(content)
        numbers = None if folder else _mapped(stream)
    if folder is not None:
        numbers = _mapped(folder / DATA)
        _save_index(folder, media, entries)
    assert numbers is not None
    path = folder / DATA if folder else None
    return Shelf(media, entries, numbers, failed, time.monotonic() - begin, len(todo), path)


def _contents(
    sources: Mapping[str, Any],
    again: Mapping[str, _Entry],
    before: NDArray[np.uint8] | None,
    media: Media,
    workers: int | None,
    failed: dict[str, str],
    tell: Callable[[str], None],
) -> Iterator[tuple[str, bytes, tuple[str, ...], tuple[int, ...]]]:
    """Name, bytes, notes and shape of each source that can be read, in their order."""
    kind, told, begin = _TYPES[media.medium], time.monotonic(), time.monotonic()
    for number, (name, found) in enumerate(_read_all(sources, again, media, workers)):
        if isinstance(found, str):
            failed[name] = found
        elif isinstance(found, _Entry):
            assert before is not None
            content = before[found.offset : found.offset + prod(found.shape) * kind.itemsize].tobytes()
            yield name, content, found.notes, found.shape
        else:
            values = np.ascontiguousarray(found.values, kind)
            yield name, values.tobytes(), found.notes, values.shape
        now = time.monotonic()
        if now - told > _SECONDS_BETWEEN_NEWS:
            told, rate = now, (number + 1) / (now - begin)
            left = (len(sources) - number - 1) / rate
            tell(f"read {number + 1:,} of {len(sources):,} files, {rate:,.0f} a second, {left:,.0f} seconds left")


def _read_all(
    sources: Mapping[str, Any], again: Mapping[str, _Entry], media: Media, workers: int | None
) -> Iterator[tuple[str, Read | _Entry | str]]:
    """What a pool of threads reads, in the order of the sources, some of them ahead of what is asked for."""

    def one(source: Any) -> Read | str:
        try:
            return media.read(source)
        except RegardError as error:
            return str(error)

    waiting: deque[tuple[str, Future[Read | str] | _Entry]] = deque()
    rest = iter(sources.items())
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        while True:
            for name, source in islice(rest, _AHEAD - len(waiting)):
                waiting.append((name, again[name] if name in again else pool.submit(one, source)))
            if not waiting:
                return
            name, found = waiting.popleft()
            yield name, found.result() if isinstance(found, Future) else found


def _state(source: Any) -> tuple[int, int]:
    """Size and time of change of a file; (0, 0) for what is none."""
    if not isinstance(source, (str, Path)):
        return 0, 0
    try:
        found = os.stat(source)
    except (OSError, ValueError):
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _mapped(file: Path | IO[bytes]) -> NDArray[np.uint8]:
    empty = file.stat().st_size == 0 if isinstance(file, Path) else file.tell() == 0
    return np.zeros(0, np.uint8) if empty else np.memmap(file, np.uint8, mode="r")  # nothing can't be mapped


def _known(folder: Path, media: Media) -> tuple[dict[str, _Entry], NDArray[np.uint8] | None]:
    """The cache of a folder: empty where there is none, or one of other settings, or a damaged one."""
    try:
        index = json.loads((folder / INDEX).read_bytes())
        if index["version"] != VERSION or index["key"] != media.key():
            return {}, None
        numbers = _mapped(folder / DATA)
        size = _TYPES[media.medium].itemsize
        entries = {
            name: _Entry(int(length), int(changed), int(offset), tuple(map(int, shape)), str(digest), tuple(notes))
            for name, (length, changed, offset, shape, digest, notes) in index["sources"].items()
        }
        fitting = all(
            0 <= entry.offset <= len(numbers) - prod(entry.shape) * size and min(entry.shape, default=0) > 0
            for entry in entries.values()
        )
        return (entries, numbers) if fitting and len(numbers) == index["bytes"] else ({}, None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}, None


def _save_index(folder: Path, media: Media, entries: Mapping[str, _Entry]) -> None:
    size = _TYPES[media.medium].itemsize
    index = {
        "version": VERSION,
        "key": media.key(),
        "bytes": sum(prod(entry.shape) * size for entry in entries.values()),
        "sources": {
            name: [entry.bytes, entry.changed, entry.offset, entry.shape, entry.digest, entry.notes]
            for name, entry in entries.items()
        },
    }
    write_bytes(folder / INDEX, json.dumps(index, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def reason_of(name: str, message: str) -> str:
    """What is wrong with a source, without its name: `photos/1.png: no such file` becomes `no such file`."""
    return one_line(message.removeprefix(f"{name}: "))
