"""Recordings: reading them from files and arrays as samples of one rate, in one channel.

Files are read by libsndfile, and resampled by libsoxr, both extras (`pip install 'regard[sound]'`). Reading goes block
by block, so that memory holds one channel at the rate that is wanted, and no more. What is made of the samples is in
`regard.data.mel`.
"""

from __future__ import annotations

import io
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from regard.data.mel import sound_features, sound_frames
from regard.data.read import Read
from regard.errors import RegardError, one_line, shown
from regard.settings import SoundSettings

#: A path, the bytes of a file, a file that is open for reading, or an array (N,) or (N, channels) of samples.
SoundSource: TypeAlias = "str | os.PathLike[str] | bytes | BinaryIO | NDArray[Any]"

MIXED = "several channels, mixed to one"
CLIPPED = "clipped: some of it was louder than the recording could hold"
SCALED = "samples beyond -1 to 1, all scaled down"
SILENT = "silent: all samples are the same"
NARROW = "recorded with fewer samples a second than the model hears"

_FULL = 32767
_BLOCK = 1 << 20
_RATES = (1_000, 768_000)
_MOST_HOURS = 4
_MOST_CHANNELS = 32
# One in a thousand samples at either end of the scale is heard as a crackle.
_CLIPPED_SHARE = 1e-3
_NO_LENGTH = 0x7FFFF000
_TRAILER = 1024

__all__ = ["SoundSource", "read_sound", "sound_features", "sound_frames", "sound_rate"]


def read_sound(source: SoundSource, settings: SoundSettings, rate: int | None = None) -> Read:
    """The samples of a recording, int16 (N,) at `settings.rate`, its channels mixed to one, and notes about it.

    `source` is a path, bytes, a binary file object, or an array (N,) or (N, channels): int16, or floats from -1 to 1,
    with its `rate`. WAV, FLAC, OGG and whatever else libsndfile knows is read. Noted are several channels, clipping,
    silence, floats beyond 1, and a rate lower than `settings.rate`.

    Raises `RegardError`, one line that begins with the path, for what is no recording: a path that is not there,
    another kind of file, one that was cut off or whose header promises another length than it has, samples that are no
    numbers, nothing in it, more than 4 hours.
    """
    if settings.rate is None:
        raise RegardError("data.sound.rate: a recording can't be read before the rate is known")
    name = _name(source)
    with _told_of(name):
        if hasattr(source, "__array__"):
            return _read_array(np.asarray(source), rate, settings.rate)
        with _opened(source) as file:
            return _read_file(file, settings.rate)


def sound_rate(source: SoundSource) -> int:
    """The samples a second of a recording in a file, by its header alone. Raises RegardError as `read_sound`."""
    with _told_of(_name(source)), _opened(source) as file, _decoded(file) as decoded:
        return _checked_rate(decoded.samplerate)


class _UnfitError(Exception):
    """What is wrong with a recording, without its name."""


@contextmanager
def _told_of(name: str) -> Iterator[None]:
    try:
        yield
    except _UnfitError as error:
        raise RegardError(f"{name}: {error}") from None
    except OSError as error:
        raise RegardError(f"{name}: can't be read: {error.strerror or one_line(error)}") from None


def _name(source: Any) -> str:
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    named = getattr(source, "name", None)
    return named if isinstance(named, str) else "recording"


# Files ----------------------------------------------------------------------------------------------------------------


@contextmanager
def _opened(source: Any) -> Iterator[BinaryIO]:
    """The file, at its beginning, in which one can seek."""
    if isinstance(source, bytes):
        yield io.BytesIO(source)
    elif isinstance(source, (str, os.PathLike)):
        try:
            mode = os.stat(source).st_mode
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
            reason = "no such file" if isinstance(error, (FileNotFoundError, ValueError)) else error.strerror
            raise _UnfitError(reason) from None
        if not stat.S_ISREG(mode):
            raise _UnfitError("is a folder, no recording" if stat.S_ISDIR(mode) else "is no file of a disk")
        with Path(source).open("rb") as file:
            yield file
    elif hasattr(source, "read"):
        yield source if source.seekable() else io.BytesIO(source.read())
    else:
        raise _UnfitError(f"{shown(source)} is no path, bytes, file or array of samples")


@contextmanager
def _decoded(file: BinaryIO) -> Iterator[Any]:
    """The recording in a file, by libsndfile."""
    try:
        import soundfile
    except (ImportError, OSError):  # OSError: there is no libsndfile
        raise RegardError("reading recordings needs soundfile and soxr: pip install 'regard[sound]'") from None
    begin = file.tell()
    if not file.read(1):
        raise _UnfitError("is empty")
    file.seek(begin)
    if begin:  # libsndfile counts from the beginning of the file
        file = io.BytesIO(file.read())
    _check_wav(file)
    try:
        with soundfile.SoundFile(file) as decoded:
            yield decoded
    except soundfile.LibsndfileError as error:
        if "not recogni" in str(error):
            raise _UnfitError("is no recording that can be read (WAV, FLAC or OGG)") from None
        raise _UnfitError(f"is damaged or cut off ({_reason(error)})") from None


def _reason(error: Exception) -> str:
    """The words of libsndfile, without the address of a Python object."""
    return one_line(str(error).rpartition(": ")[2]).rstrip(".")


def _read_file(file: BinaryIO, wanted: int) -> Read:
    with _decoded(file) as decoded:
        rate, promised = _checked_rate(decoded.samplerate), decoded.frames
        if promised > _MOST_HOURS * 3600 * rate:
            raise _UnfitError(f"is longer than {_MOST_HOURS} hours; cut it into pieces")
        if decoded.channels > _MOST_CHANNELS:
            raise _UnfitError(f"has more than {_MOST_CHANNELS} channels")
        joined = _Joined(rate, wanted)
        while len(block := decoded.read(max(_BLOCK // decoded.channels, 1), dtype="float32", always_2d=True)):
            joined.add(block)
        if joined.count < promised:
            raise _UnfitError("is cut off: it holds fewer samples than its header promises")
    return joined.read()


def _check_wav(file: BinaryIO) -> None:
    """Refuse a WAV file whose header promises more samples than it has, or fewer: neither is the recording.

    A header of unknown length, as programs write that do not know the end yet, is no lie: all that follows is read.
    """
    head = file.read(12)
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        end = file.seek(0, os.SEEK_END)
        at = 12
        while at + 8 <= end:
            file.seek(at)
            kind, size = struct.unpack("<4sI", file.read(8))
            at += 8
            if kind == b"data":
                if at + size > end and size < _NO_LENGTH:
                    raise _UnfitError("is cut off: it holds fewer samples than its header promises")
                _check_rest(file, at + size + size % 2, end)
                break
            at += size + size % 2
    file.seek(0)


def _check_rest(file: BinaryIO, at: int, end: int) -> None:
    """What follows the samples has to be further pieces of a WAV file, or next to nothing."""
    while end - at > _TRAILER:
        file.seek(at)
        kind, size = struct.unpack("<4sI", file.read(8))
        if not (kind.isascii() and kind.decode("ascii").isprintable()) or at + 8 + size > end + _TRAILER:
            raise _UnfitError("holds more samples than its header promises; write the header anew")
        at += 8 + size + size % 2


# Samples --------------------------------------------------------------------------------------------------------------


def _read_array(array: NDArray[Any], rate: int | None, wanted: int) -> Read:
    if rate is None:
        raise _UnfitError("an array of samples needs its rate, in samples a second")
    if array.ndim not in (1, 2) or (array.ndim == 2 and not 1 <= array.shape[1] <= _MOST_CHANNELS):
        raise _UnfitError(f"an array of samples has shape (N,) or (N, channels), not {array.shape}")
    if not (array.dtype == np.int16 or np.issubdtype(array.dtype, np.floating)):
        raise _UnfitError(f"samples are int16 or floats from -1 to 1, not {array.dtype}")
    if len(array) > _MOST_HOURS * 3600 * _checked_rate(rate):
        raise _UnfitError(f"is longer than {_MOST_HOURS} hours; cut it into pieces")
    joined = _Joined(rate, wanted)
    array = array[:, None] if array.ndim == 1 else array
    size = max(_BLOCK // array.shape[1], 1)
    scale = 1 / (_FULL + 1) if array.dtype == np.int16 else 1.0
    for at in range(0, len(array), size):
        joined.add(array[at : at + size].astype(np.float32) * np.float32(scale))
    return joined.read()


def _checked_rate(rate: int) -> int:
    if not _RATES[0] <= rate <= _RATES[1]:
        raise _UnfitError(f"has {rate:,} samples a second; {_RATES[0]:,} to {_RATES[1]:,} can be read")
    return rate


class _Joined:
    """Blocks of samples, float32 (n, channels), joined to one channel at another rate, with what was seen of them."""

    def __init__(self, rate: int, wanted: int) -> None:
        self.count = 0
        self._rates = rate, wanted
        self._peak, self._full, self._channels = 0.0, 0, 1
        self._parts: list[NDArray[np.float32]] = []
        self._stream = None if rate == wanted else _stream(rate, wanted)

    def add(self, block: NDArray[np.float32]) -> None:
        """Raises _UnfitError for samples that are no numbers."""
        self.count += len(block)
        loudness = np.abs(block)
        peak = float(loudness.max()) if block.size else 0.0
        if not np.isfinite(peak):  # the maximum of anything with a NaN is NaN
            raise _UnfitError("some of its samples are no numbers (NaN or infinite)")
        self._peak = max(self._peak, peak)
        if peak >= _FULL / (_FULL + 1):
            self._full += int((loudness >= _FULL / (_FULL + 1)).any(axis=1).sum())
        self._channels = block.shape[1]
        mono = block[:, 0] if self._channels == 1 else block.mean(axis=1)
        self._parts.append(mono if self._stream is None else self._stream.resample_chunk(mono))

    def read(self) -> Read:
        """All of it as int16. Raises _UnfitError where there is nothing."""
        if not self.count:
            raise _UnfitError("holds no samples")
        if self._stream is not None:
            self._parts.append(self._stream.resample_chunk(np.zeros(0, np.float32), last=True))
        whole = self._parts[0] if len(self._parts) == 1 else np.concatenate(self._parts)
        self._parts.clear()
        whole = whole * np.float32((_FULL + 1) / max(self._peak, 1.0))
        values = np.clip(np.rint(whole, out=whole), -_FULL - 1, _FULL).astype(np.int16)
        if not len(values):
            raise _UnfitError("is too short: no sample is left at the rate of the model")
        rate, wanted = self._rates
        seen = {
            MIXED: self._channels > 1,
            SCALED: self._peak > 1,
            CLIPPED: self._peak <= 1 and self._full > _CLIPPED_SHARE * self.count,
            SILENT: values.min() == values.max(),
            NARROW: rate < wanted,
        }
        return Read(values, tuple(note for note, holds in seen.items() if holds))


def _stream(rate: int, wanted: int) -> Any:
    try:
        import soxr
    except ImportError:
        raise RegardError("resampling needs soxr: pip install 'regard[sound]'") from None
    return soxr.ResampleStream(rate, wanted, 1, dtype="float32")
