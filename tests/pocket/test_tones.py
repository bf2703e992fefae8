"""Dialling by tones: what is heard is what was dialled, when it was dialled."""

from __future__ import annotations

import io
import json
import wave
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from regard.data.pocket import tones as corpus
from regard.data.pocket.tones import KEYS, PITCHES, RATE, SIZES, Dialled, tones, wav, write


@pytest.fixture(scope="module")
def dialled() -> list[Dialled]:
    return tones()


def heard(samples: np.ndarray, detuned: float = 1.0) -> str:
    """The key of a stretch of samples, by the energy at the frequencies of each (Goertzel 1958, as a plain product)."""
    time = np.arange(len(samples)) / RATE

    def energy(pitch: float) -> float:
        return float(abs(samples @ np.exp(-2j * np.pi * detuned * pitch * time)))

    return max(KEYS, key=lambda key: sum(map(energy, PITCHES[key])))


def test_sizes_and_determinism(dialled: list[Dialled]) -> None:
    assert Counter(each.part for each in dialled) == SIZES
    assert dialled == tones(0)
    assert dialled != tones(1)
    first = next(each for each in dialled if each.line == "crackle")
    assert np.array_equal(first.samples(), first.samples())


def test_no_number_is_dialled_twice(dialled: list[Dialled]) -> None:
    assert len({each.keys for each in dialled}) == len(dialled)


def test_every_key_and_every_length_is_learned(dialled: list[Dialled]) -> None:
    train = [each.keys for each in dialled if each.part == "train"]
    assert set("".join(train)) == set(KEYS)
    assert {len(keys) for keys in train} == set(range(3, 9))
    assert any(keys[i] == keys[i + 1] == keys[i + 2] for keys in train for i in range(len(keys) - 2))


def test_tones_follow_each_other_within_the_recording(dialled: list[Dialled]) -> None:
    for each in dialled:
        times = [time for span in each.spans for time in span]
        assert times == sorted(times)
        assert 0 < times[0] < times[-1] < each.seconds
        assert all(end - start >= 0.0798 for start, end in each.spans)
        assert all(later - end >= 0.0498 for (_, end), (later, _) in zip(each.spans, each.spans[1:], strict=False))


def test_what_is_heard_is_what_was_dialled(dialled: list[Dialled]) -> None:
    right = total = 0
    for each in dialled[:150]:
        samples = each.samples().astype(float)
        assert len(samples) == round(each.seconds * RATE)
        for key, (start, end) in zip(each.keys, each.spans, strict=True):
            right += heard(samples[round(start * RATE) : round(end * RATE)], each.detuned) == key
            total += 1
    assert right >= 0.99 * total


def test_levels_and_noise_are_as_they_say(dialled: list[Dialled]) -> None:
    for each in dialled[:40]:
        samples = each.samples() / 32767
        sounding = np.zeros(len(samples), bool)
        for start, end in each.spans:
            sounding[round(start * RATE) : round(end * RATE)] = True
        noise = float(np.square(samples[~sounding]).mean())
        tone = (1 + each.balance**2) / (1 + each.balance) ** 2 * each.level**2 / 2
        assert abs(10 * np.log10(tone / noise) - each.signal_to_noise) < 4  # crackles come in no even measure


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "SIZES", {"train": 4, "dev": 2, "test": 3})
    written = write(tmp_path)
    gold = [json.loads(line) for line in (tmp_path / "gold.jsonl").read_text().splitlines()]
    tables = [(tmp_path / f"{part}.tsv").read_text() for part in ("train", "dev", "test")]
    lines = [line.split("\t") for line in "".join(tables).splitlines()]
    assert len(written) == len(gold) == len(lines) == 9
    for (path, each), found, (name, target) in zip(written, gold, lines, strict=True):
        assert path == tmp_path / name
        assert found == {"file": name, "keys": each.target, "spans": [list(span) for span in each.spans]}
        assert target == " ".join(each.keys)
        with wave.open(str(tmp_path / name)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
            assert file.readframes(file.getnframes()) == each.samples().astype("<i2").tobytes()


def test_a_wav_of_nothing() -> None:
    with wave.open(io.BytesIO(wav(np.zeros(0, np.int16)))) as file:
        assert file.getnframes() == 0
