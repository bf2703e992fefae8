"""The features of recordings, against their definition written out, and what changes them in training."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from beartype import beartype
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float32, Int16, jaxtyped
from numpy.typing import NDArray

from regard.data import mel
from regard.data.mel import log_mel, played, sound_features, sound_frames
from regard.errors import RegardError
from regard.settings import SoundSettings

SETTINGS = SoundSettings(rate=8000)


def noise(count: int, seed: int = 0) -> NDArray[np.int16]:
    return np.random.default_rng(seed).normal(0, 3000, count).astype(np.int16)


@jaxtyped(typechecker=beartype)
def checked(samples: Int16[np.ndarray, " n"], settings: SoundSettings) -> Float32[np.ndarray, "frames mels"]:
    return log_mel(samples, settings)


def by_definition(samples: NDArray[np.int16], settings: SoundSettings, size: int) -> NDArray[np.float64]:
    """log(1 + M |DFT|^2), a loop over frames and bands, in double precision."""
    assert settings.rate is not None
    rate, hop, length = settings.rate, round(settings.rate * settings.hop), round(settings.rate * settings.window)
    top = settings.high or rate / 2
    scale = np.linspace(*(2595 * np.log10(1 + np.array([settings.low, top]) / 700)), settings.mels + 2)
    points = 700 * (10 ** (scale / 2595) - 1)
    frequencies = np.arange(size // 2 + 1) * rate / size
    rows = []
    for frame in range(-(-len(samples) // hop)):
        middle = frame * hop + hop // 2
        at = middle - size // 2 + (size - length) // 2 + np.arange(length)
        inside = (at >= 0) & (at < len(samples))
        cut = np.where(inside, samples[np.clip(at, 0, len(samples) - 1)].astype(float), 0.0)
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
        power = np.abs(np.fft.rfft(cut * window, size)) ** 2
        rows.append(
            [np.log1p(power @ np.interp(frequencies, points[b : b + 3], [0.0, 1.0, 0.0])) for b in range(settings.mels)]
        )
    return np.array(rows)


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        (SETTINGS, 256),
        (SoundSettings(rate=16_000, mels=64), 1024),
        (SoundSettings(rate=8000, mels=80), 512),  # bands so narrow that the spectrum has to be finer
        (SoundSettings(rate=8000, mels=23, window=0.02, hop=0.025, low=0.0, high=3000.0), 256),
        (SoundSettings(rate=11_025, mels=20), 512),
    ],
)
@pytest.mark.parametrize("count", [1, 79, 81, 1000, 4000])
def test_features_are_as_defined(settings: SoundSettings, size: int, count: int) -> None:
    samples = noise(count)
    found, wanted = checked(samples, settings), by_definition(samples, settings, size)
    assert found.shape == wanted.shape == (sound_frames(count, settings), settings.mels)
    assert np.abs(found - wanted).max() < 2e-4


def test_a_tone_is_loudest_in_its_band_and_at_its_time() -> None:
    samples = np.zeros(8000, np.int16)
    samples[4000:4800] = (8000 * np.sin(2 * np.pi * 1000 * np.arange(800) / 8000)).astype(np.int16)
    found = log_mel(samples, SETTINGS)
    centres = np.linspace(mel.mel(20.0), mel.mel(4000.0), 42)[1:-1]
    assert abs(found[55].argmax() - np.abs(centres - mel.mel(1000.0)).argmin()) <= 1
    loud = np.flatnonzero(found.max(axis=1) > 0)
    # Frames of 25 ms reach 7.5 ms further than the hop of 10 ms that they stand in the middle of.
    assert (loud[0], loud[-1]) == (49, 60)


def test_each_band_has_mean_0_and_variance_1() -> None:
    found = sound_features(noise(12_000), SETTINGS)
    assert np.abs(found.mean(axis=0)).max() < 1e-4
    assert np.abs(found.std(axis=0) - 1).max() < 1e-3


def test_loudness_is_no_feature() -> None:
    samples = noise(12_000)
    assert np.abs(sound_features(samples, SETTINGS) - sound_features(samples // 8, SETTINGS)).max() < 0.1


@pytest.mark.parametrize("value", [0, 1, 32767])
def test_silence_is_zeros(value: int) -> None:
    found = sound_features(np.full(4000, value, np.int16), SETTINGS)
    assert np.isfinite(found).all()
    if value == 0:
        assert not found.any()


@given(st.integers(0, 900), st.integers(1, 60), st.sampled_from([0.005, 0.01, 0.04]), st.sampled_from([0.01, 0.025]))
def test_any_length_has_its_frames(count: int, mels: int, window: float, hop: float) -> None:
    settings = SoundSettings(rate=8000, mels=mels, window=window, hop=hop)
    found = sound_features(noise(count), settings)
    assert found.shape == (sound_frames(count, settings), mels)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_faster_is_shorter_and_higher() -> None:
    samples = (8000 * np.sin(2 * np.pi * 500 * np.arange(8000) / 8000)).astype(np.int16)
    faster = played(samples, 1.25)
    assert abs(len(faster) - 6400) <= 1
    wanted = 8000 * np.sin(2 * np.pi * 625 * np.arange(6400) / 8000)
    assert np.abs(faster[200:6200] - wanted[200:6200]).max() < 80
    assert abs(len(played(samples, 0.8)) - 10_000) <= 1


def test_what_is_drawn_follows_from_the_generator_alone() -> None:
    settings = dataclasses.replace(SETTINGS, speed=0.1, masks=2)
    samples = noise(12_000)
    one, same, other = (sound_features(samples, settings, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert one.shape != other.shape or not np.array_equal(one, other)
    plain = sound_features(samples, SETTINGS)
    assert np.array_equal(sound_features(samples, settings), plain)
    assert np.array_equal(sound_features(samples, SETTINGS, np.random.default_rng(1)), plain)


@pytest.mark.parametrize("count", [800, 2000, 40_000])
def test_masks_hide_whole_frames_and_whole_bands_and_no_more_than_they_may(count: int) -> None:
    settings = dataclasses.replace(SETTINGS, masks=2, mask_frames=15, mask_bands=5)
    samples = noise(count)
    plain = sound_features(samples, settings)
    frames_hidden, bands_hidden = [], []
    for seed in range(20):
        found = sound_features(samples, settings, np.random.default_rng(seed))
        hidden = found != plain
        assert not found[hidden].any()
        frames, bands = (found == 0).all(axis=1), (found == 0).all(axis=0)
        assert not hidden[~frames][:, ~bands].any()
        frames_hidden.append(int(frames.sum()))
        bands_hidden.append(int(bands.sum()))
    assert 0 < max(frames_hidden) <= 2 * min(15, len(plain) // 5)
    assert 0 < max(bands_hidden) <= 10


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rate": None}, r"data\.sound\.rate"),
        ({"low": 4000.0}, "0 <= low < high"),
        ({"high": 4001.0}, "half of the rate"),
        ({"mels": 50_000}, "too narrow"),
    ],
)
def test_settings_that_give_no_bands(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(RegardError, match=words):
        sound_features(noise(800), dataclasses.replace(SETTINGS, **changes))
