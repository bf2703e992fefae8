"""Images and recordings as a page has them: small, in compressed blocks, and only as much as a page has room for.

An image is one block: its pixels, row by row, a byte for each channel. A recording has a block to be looked at, the
lowest and the highest sample of each of `columns` stretches (signed bytes, first all lowest), then its spectrogram
(`bands` rows of `columns` bytes, the lowest frequency first), and one to be listened to: its samples, as little-endian
16-bit integers. Blocks are compressed by DEFLATE without a header (RFC 1951).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from regard.maps import AttentionMap, Picture, Sound
from regard.view.packing import deflated
from regard.view.signal import envelope, heard, shrunk, spectrogram

#: So many bytes of pictures and of sound, compressed, one page has at most.
ROOM = 24_000_000
#: The longest side of an image, and the points of a recording's picture.
_LONGEST, _COLUMNS, _BANDS = 1400, 1600, 96
_HOPELESS = 8


@dataclass(frozen=True)
class Embedded:
    """What the header of a page says of a medium, and its compressed blocks."""

    said: dict[str, Any]
    blocks: tuple[bytes, ...]


def embedded(map: AttentionMap, room: int) -> Embedded | None:
    """The medium of a map in at most `room` bytes; what does not fit is left out, and said so; None of a text."""
    medium = map.medium
    if medium is None:
        return None
    said, blocks = _image(medium) if isinstance(medium, Picture) else _recording(medium, map)
    kept: list[bytes] = []
    for block in blocks:
        # What is many times too large is not compressed only to find out.
        small = deflated(block) if len(block) <= _HOPELESS * room else block
        if sum(len(each) for each in kept) + len(small) > room:
            break
        kept.append(small)
    return Embedded(said | {"blocks": len(kept), "of": len(blocks)}, tuple(kept))


def _image(medium: Picture) -> tuple[dict[str, Any], list[bytes]]:
    pixels = shrunk(medium.pixels, _LONGEST)
    said = {
        "kind": "image",
        "rows": medium.rows,
        "columns": medium.columns,
        "size": [medium.width, medium.height],
        "shape": [pixels.shape[1], pixels.shape[0], 1 if pixels.ndim == 2 else 3],
    }
    return said, [pixels.tobytes()]


def _recording(medium: Sound, map: AttentionMap) -> tuple[dict[str, Any], list[bytes]]:
    energy, highest = spectrogram(medium, _COLUMNS, _BANDS)
    bands, columns = energy.shape
    # As many stretches as the spectrogram has, of a recording with fewer samples the last again.
    wave = envelope(medium, columns)
    wave = np.pad(wave, ((0, 0), (0, columns - wave.shape[1])), mode="edge")
    full = float(abs(wave).max()) or 1.0
    looked = np.rint(127 * wave / full).astype(np.int8).tobytes() + energy.tobytes()
    said = {
        "kind": "sound",
        "places": medium.places,
        "step": medium.step,
        "seconds": medium.seconds,
        "rate": medium.rate,
        "highest": highest,
        "times": _times(map),
        "shape": [columns, bands],
    }
    return said, [looked, medium.samples.astype("<i2").tobytes()]


def _times(map: AttentionMap) -> list[list[float] | None]:
    """When each word of the target was heard, by the mean of all matrices; None outside the text and without weight."""
    words = heard(map.mean() if map.axes else map)
    if not words:
        return []
    found = iter(words)
    times: list[list[float] | None] = []
    for special in map.target.merged().special:
        time = None if special else next(found)
        times.append([round(time.start, 4), round(time.end, 4)] if time and time.end > time.start else None)
    return times
