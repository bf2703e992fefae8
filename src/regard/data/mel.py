"""The features of a recording: the logarithm of its energy in bands of the mel scale, frame by frame.

Frame t is the spectrum of the samples around the middle of the t-th hop, under a window of Hann:

    P[t, k] = |sum_n w[n] x[t hop + hop / 2 - size / 2 + n] exp(-2 pi i k n / size)|^2
    feature[t, b] = log(1 + sum_k M[b, k] P[t, k])

with x in steps of 16 bits, 0 before the beginning and after the end: a step of rounding has more energy than the 1,
so that silence is 0 and all else is the logarithm. w has `window` seconds and stands in the middle of the `size`
samples, a power of two. M holds triangles of height 1 between points that are evenly spaced on the mel scale of
O'Shaughnessy (1987), m = 2595 log10(1 + f / 700), that of HTK. Each band is then brought to mean 0 and variance 1
over the recording.

In training the recording may be played faster or slower (Ko et al. 2015), and stretches of frames and of bands are
hidden (Park et al. 2019, without their warping of time).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from regard.errors import RegardError
from regard.settings import SoundSettings

if TYPE_CHECKING:
    from torch import Tensor

# A band that varies less is constant but for rounding; dividing by its deviation would make noise of it.
_LEAST_DEVIATION = 1e-2
# Of a short recording no more than this share of frames is hidden at once (the p of Park et al. 2019).
_MOST_HIDDEN = 0.2
# Samples of a spectrum.
_LARGEST = 1 << 16


def sound_features(
    samples: NDArray[np.int16], settings: SoundSettings, draw: np.random.Generator | None = None
) -> NDArray[np.float32]:
    """(frames, mels) of samples (N,) at `settings.rate`: as the module says; augmented where `draw` is given.

    Silence gives zeros. With `draw` the recording is played by a factor drawn evenly from 1 - `speed` to 1 + `speed`,
    and `masks` times a stretch of up to `mask_frames` frames, at most a fifth of all, and one of up to `mask_bands`
    bands become 0, which is the mean. Raises `RegardError` for settings that give no bands.
    """
    if draw is not None and settings.speed > 0:
        samples = played(samples, 1 + settings.speed * float(draw.uniform(-1, 1)))
    features = _normalised(log_mel(samples, settings))
    return features if draw is None else _masked(features, settings, draw)


def sound_frames(count: int, settings: SoundSettings) -> int:
    """How many frames so many samples have, without augmentation: one for each hop that begins."""
    return -(-count // _hop(settings))


def hop_seconds(settings: SoundSettings) -> float:
    """Seconds from frame to frame: a whole number of samples."""
    return _hop(settings) / _rate(settings)


def log_mel(samples: NDArray[np.int16], settings: SoundSettings) -> NDArray[np.float32]:
    """(frames, mels): log(1 + energy) in each band, not normalised. Raises `RegardError` as `sound_features`."""
    import torch

    window, bands = _prepared(_rate(settings), settings.mels, settings.window, settings.low, settings.high)
    hop, size, frames = _hop(settings), len(window), sound_frames(len(samples), settings)
    if not frames:
        return np.zeros((0, settings.mels), np.float32)
    first = hop // 2 - size // 2  # below 0 where frames are longer than hops
    samples = samples[max(first, 0) :]
    padded = np.zeros((frames - 1) * hop + size, np.float32)
    here = padded[max(-first, 0) :]
    here[: len(samples)] = samples[: len(here)]
    with torch.inference_mode():
        spectra = torch.stft(
            torch.from_numpy(padded), size, hop, window=window, center=False, return_complex=True
        )  # (size / 2 + 1, frames)
        power = spectra.real.square() + spectra.imag.square()
        found: NDArray[np.float32] = torch.log1p(power.T @ bands).numpy()
    return found


def played(samples: NDArray[np.int16], factor: float) -> NDArray[np.int16]:
    """The recording at `factor` times its speed, with its pitch, as a tape is: N / factor samples (Ko et al. 2015).

    By cubic interpolation, which is enough for what is to vary anyway.
    """
    try:
        import soxr
    except ImportError:
        raise RegardError("data.sound.speed: changing it needs soxr: pip install 'regard[sound]'") from None
    changed = soxr.resample(samples.astype(np.float32), factor, 1.0, quality="QQ")
    found: NDArray[np.int16] = np.clip(np.rint(changed), -32768, 32767).astype(np.int16)
    return found if len(found) else samples


def mel(hertz: float) -> float:
    """The pitch of a frequency on the mel scale of O'Shaughnessy (1987).

    >>> round(mel(1000.0))
    1000
    """
    return 2595 * math.log10(1 + hertz / 700)


def hertz(mels: float) -> float:
    """The inverse of `mel`."""
    return 700 * (10 ** (mels / 2595) - 1)


def _rate(settings: SoundSettings) -> int:
    if settings.rate is None:
        raise RegardError("data.sound.rate: features can't be made before the rate is known")
    return settings.rate


def _hop(settings: SoundSettings) -> int:
    return max(round(_rate(settings) * settings.hop), 1)


@lru_cache(maxsize=16)
def _prepared(rate: int, mels: int, window: float, low: float, high: float | None) -> tuple[Tensor, Tensor]:
    """The window (size,) with zeros on both sides, and the triangles (size / 2 + 1, mels)."""
    import torch

    top = rate / 2 if high is None else high
    if not 0 <= low < top <= rate / 2:
        raise RegardError(
            f"data.sound: bands from low {low:g} to high {top:g} Hz; 0 <= low < high <= {rate / 2:g} (half of the rate)"
        )
    points = np.array([hertz(mel(low) + (mel(top) - mel(low)) * i / (mels + 1)) for i in range(mels + 2)])
    length = max(round(rate * window), 1)
    # No band may fall between two frequencies of the spectrum: zeros beside the window bring them nearer to each other.
    needed = math.ceil(rate / float(np.diff(points).min()))
    if needed > _LARGEST:
        raise RegardError(f"data.sound.mels: {mels:,} bands from {low:g} to {top:g} Hz are too narrow; take fewer")
    size = 1 << (max(length, needed) - 1).bit_length()
    frequencies = np.arange(size // 2 + 1) * rate / size
    rising = (frequencies[:, None] - points[:-2]) / np.diff(points)[:-1]
    falling = (points[2:] - frequencies[:, None]) / np.diff(points)[1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    shape = np.zeros(size)
    begin = (size - length) // 2
    shape[begin : begin + length] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    return torch.from_numpy(shape.astype(np.float32)), torch.from_numpy(triangles.astype(np.float32))


def _normalised(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each band with mean 0 and variance 1 over the recording; one that does not vary is 0."""
    if not len(features):
        return features
    centred: NDArray[np.float32] = features - features.mean(axis=0, dtype=np.float64).astype(np.float32)
    deviation = np.sqrt(np.square(centred).mean(axis=0))
    centred /= np.maximum(deviation, _LEAST_DEVIATION)
    return centred


def _masked(features: NDArray[np.float32], settings: SoundSettings, draw: np.random.Generator) -> NDArray[np.float32]:
    frames, bands = features.shape
    features = features.copy()
    widest: Any = min(settings.mask_frames, int(_MOST_HIDDEN * frames)), min(settings.mask_bands, bands)
    for _ in range(settings.masks):
        width, height = int(draw.integers(0, widest[0] + 1)), int(draw.integers(0, widest[1] + 1))
        start, lowest = int(draw.integers(0, frames - width + 1)), int(draw.integers(0, bands - height + 1))
        features[start : start + width] = 0.0
        features[:, lowest : lowest + height] = 0.0
    return features
