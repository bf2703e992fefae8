"""Maps made to fit a budget of bytes: fewer digits first, then only the heaviest weights, and what is lost is told."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from regard.errors import RegardError
from regard.maps.attention_map import AttentionMap, Weights

#: Of compression: zeros shrink as well as at any other level, and the digits of weights hardly do at all.
LEVEL = 1
_STEPS = 255


def within(maps: Sequence[AttentionMap], budget: int) -> Iterator[tuple[AttentionMap, str]]:
    """Each map as it can be kept, with its precision: the compressed numbers of all take at most `budget` bytes.

    A map has the share of its cells in what is left of the budget. It stays as it is where that fits; else its weights
    become half floats; else bytes (`quantised`); else the heaviest of each row alone are kept, as many as fit, and the
    note of the map says how much was left out. Raises RegardError where not even one weight of each row fits.
    """
    left, cells = budget, sum(map.weights.size for map in maps)
    for number, map in enumerate(maps, start=1):
        share = int(left * map.weights.size / cells) if cells else left
        for kept, precision in _forms(map):
            size = _size(kept, precision)
            if size <= share:
                break
        else:
            raise RegardError(f"maps: {budget:,} bytes are too few for {len(maps):,} maps; map {number} needs {size:,}")
        left, cells = left - size, cells - map.weights.size
        yield kept, precision


def quantised(weights: Weights) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Weights (..., S) as bytes, and the largest of each row (...): off by at most 1/510 of it; 0 stays 0."""
    scales = weights.max(axis=-1, initial=0.0).astype(np.float32)
    steps = np.divide(_STEPS, scales, out=np.zeros(scales.shape), where=scales > 0, dtype=np.float64)
    return np.minimum(np.rint(weights * steps[..., None]), _STEPS).astype(np.uint8), scales


def restored(codes: npt.NDArray[np.uint8], scales: npt.NDArray[np.float32]) -> Weights:
    """What `quantised` stands for, in single precision."""
    found: Weights = codes * (scales[..., None] / np.float32(_STEPS))
    return found


def _forms(map: AttentionMap) -> Iterator[tuple[AttentionMap, str]]:
    own = str(map.weights.dtype)
    yield map, own
    if own != "float16":
        yield map, "float16"
    yield map, "uint8"
    count = len(map.source)
    while count > 1:
        count = (count + 1) // 2
        yield map.heaviest(count), "uint8"


def _size(map: AttentionMap, precision: str) -> int:
    parts: list[np.ndarray[Any, Any]] = [] if map.left_out is None else [map.left_out]
    parts += quantised(map.weights) if precision == "uint8" else [map.weights.astype(precision)]
    return sum(len(zlib.compress(np.ascontiguousarray(part).data, LEVEL)) for part in parts)
