"""Reading recordings: every format is what it was, every bad one is a line, what is worth knowing is a note."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from regard.data import sounds
from regard.data.sounds import read_sound, sound_rate
from regard.errors import RegardError
from regard.settings import SoundSettings

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")

RATE = 8000
SETTINGS = SoundSettings(rate=RATE)


def tone(frequency: float = 440.0, seconds: float = 0.5, rate: int = RATE, loud: float = 0.5) -> NDArray[np.float64]:
    found: NDArray[np.float64] = loud * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)
    return found


def encoded(samples: NDArray[Any], rate: int = RATE, kind: str = "WAV", subtype: str | None = None) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, format=kind, subtype=subtype)
    return stream.getvalue()


def patched(content: bytes, place: int, form: str, value: int) -> bytes:
    changed = bytearray(content)
    struct.pack_into(form, changed, place, value)
    return bytes(changed)


# What is read ---------------------------------------------------------------------------------------------------------


def test_sixteen_bits_are_read_as_they_are(tmp_path: Path) -> None:
    wanted = np.random.default_rng(0).integers(-30000, 30000, 4001).astype(np.int16)
    path = tmp_path / "noise.wav"
    soundfile.write(path, wanted, RATE)
    with path.open("rb") as file:
        for source in (path, str(path), path.read_bytes(), file, wanted):
            found = read_sound(source, SETTINGS, RATE)
            assert found.values.dtype == np.int16
            assert np.array_equal(found.values, wanted)
            assert found.notes == ()
    assert sound_rate(path) == RATE


def test_the_lowest_sample_of_sixteen_bits_is_kept() -> None:
    wanted = np.array([-32768, 32767, 0, -32767] * 2000, np.int16)
    assert np.array_equal(read_sound(encoded(wanted), SETTINGS).values, wanted)
    assert np.array_equal(read_sound(wanted, SETTINGS, RATE).values, wanted)


@pytest.mark.parametrize(
    ("kind", "subtype", "error"),
    [
        ("WAV", "PCM_U8", 1 / 128), ("WAV", "PCM_24", 1e-4), ("WAV", "PCM_32", 1e-4), ("WAV", "FLOAT", 1e-4),
        ("WAV", "DOUBLE", 1e-4), ("WAV", "ULAW", 0.02), ("FLAC", "PCM_16", 1e-4), ("OGG", "VORBIS", 0.1),
    ],
)  # fmt: skip
def test_other_formats_come_near(kind: str, subtype: str, error: float) -> None:
    wanted = tone()
    found = read_sound(encoded(wanted, kind=kind, subtype=subtype), SETTINGS)
    assert len(found.values) == len(wanted)
    assert np.abs(found.values / 32768 - wanted).max() < error
    assert found.notes == ()


@pytest.mark.parametrize("rate", [96_000, 44_100, 11_025])
def test_another_rate_is_resampled(rate: int) -> None:
    found = read_sound(encoded(tone(rate=rate), rate), SETTINGS).values
    wanted = tone()
    assert abs(len(found) - len(wanted)) <= 1
    inner = slice(200, len(wanted) - 200)  # both ends ring
    assert np.abs(found[inner] / 32768 - wanted[inner]).max() < 2e-3
    array = read_sound(tone(rate=rate), SETTINGS, rate).values
    assert np.abs(found.astype(int) - array).max() <= 2  # the file has 16 bits


def test_what_the_lower_rate_can_not_hold_is_gone() -> None:
    found = read_sound(tone(6000.0, rate=48_000), SETTINGS, 48_000)
    assert np.abs(found.values[200:-200]).max() < 33  # a thousandth


def test_blocks_make_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    stereo = np.stack([tone(rate=22_050), tone(880.0, rate=22_050)], axis=1)
    content = encoded(stereo, 22_050)
    whole = read_sound(content, SETTINGS).values
    monkeypatch.setattr(sounds, "_BLOCK", 999)
    assert np.array_equal(read_sound(content, SETTINGS).values, whole)
    assert np.abs(read_sound(stereo, SETTINGS, 22_050).values - whole.astype(int)).max() <= 1


def test_a_file_is_read_from_where_it_stands_and_from_a_pipe() -> None:
    content = encoded(tone())
    stream = io.BytesIO(b"before" + content)
    stream.seek(6)
    assert np.array_equal(read_sound(stream, SETTINGS).values, read_sound(content, SETTINGS).values)
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert np.array_equal(read_sound(pipe, SETTINGS).values, read_sound(content, SETTINGS).values)


# Notes ----------------------------------------------------------------------------------------------------------------


def test_notes() -> None:
    stereo = np.stack([tone(), 0 * tone()], axis=1)
    mixed = read_sound(encoded(stereo), SETTINGS)
    assert mixed.notes == (sounds.MIXED,)
    assert np.abs(mixed.values / 32768 - tone() / 2).max() < 1e-4
    silent = read_sound(encoded(np.zeros(4000)), SETTINGS)
    assert silent.notes == (sounds.SILENT,)
    assert not silent.values.any()
    assert sounds.CLIPPED in read_sound(encoded(np.clip(3 * tone(), -1, 1)), SETTINGS).notes
    loud = read_sound(encoded(40 * tone(), subtype="FLOAT"), SETTINGS)
    assert loud.notes == (sounds.SCALED,)
    assert np.abs(loud.values / 32768 - 2 * tone()).max() < 1e-2
    assert read_sound(encoded(tone()), SoundSettings(rate=16_000)).notes == (sounds.NARROW,)


def test_a_header_without_a_length_is_no_lie() -> None:
    content = encoded(tone())
    streamed = patched(patched(content, 40, "<I", 0xFFFFFFFF), 4, "<I", 0xFFFFFFFF)
    assert np.array_equal(read_sound(streamed, SETTINGS).values, read_sound(content, SETTINGS).values)


def test_pieces_after_the_samples_are_no_lie() -> None:
    content = encoded(tone())
    tagged = content + struct.pack("<4sI", b"LIST", 3000) + bytes(3000)
    assert np.array_equal(read_sound(tagged, SETTINGS).values, read_sound(content, SETTINGS).values)


# Bad recordings -------------------------------------------------------------------------------------------------------

GOOD = encoded(tone())
BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "text": (b"This is a text, whatever its name says.\n" * 20, "is no recording"),
    "header alone": (GOOD[:40], "is damaged or cut off"),
    "cut off": (GOOD[:5000], "is cut off: it holds fewer samples than its header promises"),
    "promises more": (patched(GOOD, 40, "<I", 10**8), "is cut off: it holds fewer samples"),
    "promises less": (patched(GOOD, 40, "<I", 1000), "holds more samples than its header promises"),
    "promises nothing": (patched(GOOD, 40, "<I", 0), "holds more samples than its header promises"),
    "no samples": (encoded(np.zeros(0)), "holds no samples"),
    "no channels": (patched(GOOD, 22, "<H", 0), "is damaged or cut off"),
    "rate 0": (patched(GOOD, 24, "<I", 0), "is damaged or cut off"),
    "rate 7": (patched(GOOD, 24, "<I", 7), "has 7 samples a second"),
    "NaN": (encoded(np.where(np.arange(4000) == 999, np.nan, tone()), subtype="FLOAT"), "are no numbers"),
    "infinite": (encoded(np.where(np.arange(4000) == 999, np.inf, tone()), subtype="DOUBLE"), "are no numbers"),
    "half a FLAC": (encoded(tone(), kind="FLAC")[:2000], "is damaged or cut off"),
    "half an OGG": (encoded(tone(), kind="OGG")[:3000], ""),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_recording_is_one_line(case: str, tmp_path: Path) -> None:
    content, words = BAD[case]
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    with pytest.raises(RegardError) as found:
        read_sound(path, SETTINGS)
    assert str(found.value).startswith(f"{path}: ")
    assert words in str(found.value)
    assert "\n" not in str(found.value)
    assert "BytesIO" not in str(found.value)
    with pytest.raises(RegardError, match=r"^recording: "):
        read_sound(content, SETTINGS)


def test_bad_paths(tmp_path: Path) -> None:
    for path, words in (
        (tmp_path / "missing.wav", "no such file"),
        (tmp_path, "is a folder"),
        ("a\0b.wav", "no such file"),
        ("/dev/zero", "is no file"),
    ):
        with pytest.raises(RegardError, match=words):
            read_sound(path, SETTINGS)
        with pytest.raises(RegardError, match=words):
            sound_rate(path)


@pytest.mark.parametrize(
    ("array", "rate", "words"),
    [
        (tone(), None, "needs its rate"),
        (tone(), 3, "has 3 samples a second"),
        (np.zeros((2, 16000)), RATE, r"shape \(N,\) or \(N, channels\), not \(2, 16000\)"),
        (np.zeros(100, np.int64), RATE, "not int64"),
        (np.zeros(()), RATE, "shape"),
        (np.full(10, np.nan), RATE, "no numbers"),
        (np.zeros(0), RATE, "holds no samples"),
    ],
)
def test_bad_arrays(array: NDArray[Any], rate: int | None, words: str) -> None:
    with pytest.raises(RegardError, match=words):
        read_sound(array, SETTINGS, rate)


def test_other_mistakes() -> None:
    with pytest.raises(RegardError, match="is no path, bytes, file or array"):
        read_sound(7, SETTINGS)  # type: ignore[arg-type]
    with pytest.raises(RegardError, match=r"data\.sound\.rate"):
        read_sound(tone(), SoundSettings(), RATE)


def test_a_recording_of_days_is_refused_by_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounds, "_MOST_HOURS", 1e-4)
    for source in (GOOD, tone()):
        with pytest.raises(RegardError, match="is longer than"):
            read_sound(source, SETTINGS, RATE)


@given(st.binary(max_size=300), st.integers(0, 60), st.sampled_from([GOOD[:600], encoded(tone(), kind="FLAC")[:900]]))
def test_whatever_a_file_holds_it_is_samples_or_a_line(noise: bytes, at: int, content: bytes) -> None:
    changed = content[:at] + noise + content[at + len(noise) :]
    with suppress(RegardError):
        found = read_sound(changed, SETTINGS)
        assert found.values.dtype == np.int16
        assert len(found.values)


@pytest.mark.realdata
def test_spoken_digits(corpora: Path) -> None:
    paths = sorted((corpora / "speech-fsdd" / "recordings").rglob("*.wav"))[::50]
    if not paths:
        pytest.skip("no spoken digits here")
    read: Callable[[Path], NDArray[Any]] = lambda path: read_sound(path, SETTINGS).values  # noqa: E731
    assert all(np.array_equal(read(path), soundfile.read(path, dtype="int16")[0]) for path in paths)
