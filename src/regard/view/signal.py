"""Images, recordings and weights in as many points as a view has room for. Needs numpy alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from regard.maps import AttentionMap, Picture, Sound
from regard.maps.times import WordTime, word_times

Floats = npt.NDArray[np.floating[Any]]
Bytes = npt.NDArray[np.uint8]

#: How far below the loudest point of a recording its spectrogram reaches, in decibels, and what is silence.
_RANGE, _SILENCE = 60.0, 1e-3
#: Seconds of one spectrum.
_WINDOW = 0.025
#: So many spectra are made at a time.
_CHUNK = 4096


def heard(map: AttentionMap) -> list[WordTime]:
    """When each word of a single matrix over a recording was heard; none where its rows are places of it themselves."""
    return [] if map.target.pieces == map.source.pieces else word_times(map)


def pooled(values: Floats, columns: int) -> Floats:
    """(..., S) in at most so many stretches of about equal length, of each the largest value."""
    count = values.shape[-1]
    if count <= columns:
        return values
    starts = np.arange(columns) * count // columns
    found: Floats = np.maximum.reduceat(values, starts, axis=-1)
    return found


def summed(values: Floats, columns: int) -> Floats:
    """(..., S) in at most so many stretches of about equal length, of each the sum."""
    count = values.shape[-1]
    if count <= columns:
        return values
    found: Floats = np.add.reduceat(values, np.arange(columns) * count // columns, axis=-1)
    return found


def envelope(sound: Sound, columns: int) -> Floats:
    """The lowest and the highest sample of each of so many stretches, (2, columns), 1 being the largest of 16 bits."""
    samples = sound.samples.astype(np.float32) / 32768
    return np.stack([-pooled(-samples, columns), pooled(samples, columns)])


def spectrogram(sound: Sound, columns: int, bands: int) -> tuple[Bytes, float]:
    """The energy of a recording, (bands, columns) at most, and the highest frequency in Hz; band 0 is the lowest.

    Bands are of equal width; bytes are equal steps of the energy's logarithm, 255 that of the loudest point and 0 what
    is 60 dB or more below it. Of the spectra and frequencies that share a point the loudest counts.
    """
    window = max(round(_WINDOW * sound.rate), 8)
    size = 1 << (window - 1).bit_length()
    hop = max(min(window // 2, len(sound.samples) // columns), 1)
    # Spectra stand in the middle of what they are of.
    padded = np.pad(sound.samples, (window // 2, window)).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[: len(sound.samples) : hop]
    weight = np.hanning(window + 2)[1:-1].astype(np.float32)
    parts = []
    for start in range(0, len(frames), _CHUNK):
        spectra = np.abs(np.fft.rfft(frames[start : start + _CHUNK] * weight, size))[:, :-1]
        parts.append(pooled(spectra, bands).astype(np.float32))
    energy = pooled(np.concatenate(parts).T, columns)
    level = 20 * np.log10(np.maximum(energy, _SILENCE))
    share = np.clip(1 + (level - max(float(level.max()), 20 * np.log10(window))) / _RANGE, 0, 1)
    return np.rint(255 * share).astype(np.uint8), sound.rate / 2


def grey(pixels: Bytes) -> Floats:
    """(H, W) from 0, black, to 1, white."""
    if pixels.ndim == 2:
        return pixels / np.float32(255)
    found: Floats = (pixels @ np.array([0.299, 0.587, 0.114], np.float32)) / np.float32(255)
    return found


def shrunk(pixels: Bytes, longest: int) -> Bytes:
    """The image with sides of at most so many pixels: means of squares, and as it is where it is small enough."""
    factor = -(-max(pixels.shape[:2]) // longest)
    if factor == 1:
        return pixels
    height, width = (max(side // factor, 1) for side in pixels.shape[:2])
    # What does not fill a square at the right and below is left out; of a narrow image, its few pixels are a square.
    down, across = min(factor, pixels.shape[0]), min(factor, pixels.shape[1])
    blocks = pixels[: height * down, : width * across].reshape(height, down, width, across, *pixels.shape[2:])
    found: Bytes = np.rint(blocks.mean(axis=(1, 3), dtype=np.float32)).astype(np.uint8)
    return found


def spread(picture: Picture, weights: Floats, height: int, width: int, smooth: bool) -> Floats:
    """The weights of an image's places, (rows * columns,), at each of height x width points of it.

    As boxes, or `smooth`: linear between the centres of places, which keep their weights.
    """
    grid = weights.reshape(picture.rows, picture.columns)
    for axis, (places, points) in enumerate(((picture.rows, height), (picture.columns, width))):
        at = (np.arange(points) + 0.5) * places / points
        if smooth:
            lower = np.clip(np.floor(at - 0.5).astype(int), 0, places - 1)
            upper = np.minimum(lower + 1, places - 1)
            share = np.clip(at - 0.5 - lower, 0, 1).reshape((-1, 1) if axis == 0 else (1, -1))
            grid = np.take(grid, lower, axis) * (1 - share) + np.take(grid, upper, axis) * share
        else:
            grid = np.take(grid, at.astype(int), axis)
    return grid
