"""Whisper's word times from its cross-attention, with its own fused kernel: no eager attention is needed.

As in Whisper itself: the heads that follow the sound best, each column normalised and smoothed, are averaged, and
the cheapest way through the matrix that goes forward in text and time is found (dynamic time warping).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from regard.errors import RegardError
from regard.maps import AttentionMap, Sound, Tokens, WordTime

Matrix = npt.NDArray[np.floating[Any]]

_SMOOTH = 7  # places, Whisper's own `median_filter_width`
_LEAST_DEVIATION = 1e-10


def warped_times(
    map: AttentionMap, heads: Sequence[tuple[int, int]] | None = None, smooth: int = _SMOOTH
) -> list[WordTime]:
    """The words of the target of a map over a recording, each with the time at which it was said.

    For the matrix m_ij = mean over heads of median_j((w_ij - mean_i w_ij) / deviation_i w_ij) of tokens i and places j,
    a word begins where the path that maximises the sum of m_ij, one step forward at a time in i, j or both, comes to
    its first token, and ends where the next word begins; the last ends where the path does. `confidence` is the mean
    weight between the two.

    Args:
        map: cross-attention with axes layer and head, all weights, made of a `Sound`. Its rows should follow the
            convention `reading`, as Whisper's do; a map of the other convention is turned by `after_reading`.
        heads: pairs (layer, head), as a model's `generation_config.alignment_heads` has them; without them, all heads
            of the upper half of the layers.
        smooth: width of the median filter, odd.

    Raises:
        RegardError: the map is of something else, or a head is not there.
    """
    sound = map.medium
    if not isinstance(sound, Sound):
        raise RegardError("word times: this attention map is not over a recording")
    if map.axes != ("layer", "head"):
        raise RegardError("word times: choose no layer or head before; a map of all of them is needed")
    map = map.after_reading()
    layers, count = map.weights.shape[:2]
    if heads is None:
        heads = [(layer, head) for layer in range(layers // 2, layers) for head in range(count)]
    for layer, head in heads:
        if not (0 <= layer < layers and 0 <= head < count):
            raise RegardError(f"word times: there is no head {head} of layer {layer}; observe all layers and heads")
    text = [row for row, outside in enumerate(map.target.special) if not outside]
    if not text:
        return []
    weights = np.stack([map.weights[layer, head] for layer, head in heads])[:, text].astype(np.float64)
    begins = token_begins(weights, smooth)
    return _words(map.target.take(text), begins, weights.mean(0), sound)


def token_begins(weights: Matrix, smooth: int = _SMOOTH) -> list[int]:
    """For each token the place at which it begins, and at last where the path ends; weights (heads, tokens, places)."""
    deviation = weights.std(1, keepdims=True)
    normal = (weights - weights.mean(1, keepdims=True)) / np.maximum(deviation, _LEAST_DEVIATION)
    matrix = _median(normal, smooth).mean(0)
    rows, columns = warp(-matrix)
    first = np.concatenate([[True], np.diff(rows) > 0])
    return [*columns[first].tolist(), int(columns[-1]) + 1]


def warp(cost: Matrix) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The path (i, j) from the first to the last cell of `cost` (T, S) of the least sum; a step is +1 in i, j or both.

    Diagonal after diagonal, so that all cells of one are reckoned at once; time and memory are T x S.
    """
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    came = np.zeros((rows + 1, columns + 1), np.int8)
    for diagonal in range(2, rows + columns + 1):
        i = np.arange(max(1, diagonal - columns), min(rows, diagonal - 1) + 1)
        j = diagonal - i
        ways = np.stack([total[i, j - 1], total[i - 1, j], total[i - 1, j - 1]])
        least = ways.argmin(0)
        came[i, j] = least
        total[i, j] = cost[i - 1, j - 1] + np.take_along_axis(ways, least[None], 0)[0]
    path = [(rows, columns)]
    while path[-1] != (1, 1):
        i, j = path[-1]
        down, right = ((0, 1), (1, 0), (1, 1))[came[i, j]]
        path.append((i - down, j - right))
    steps: npt.NDArray[np.intp] = np.array(path[::-1]) - 1
    return steps[:, 0], steps[:, 1]


def _median(values: Matrix, width: int) -> Matrix:
    """A median filter along the last axis, the ends mirrored."""
    if width < 1 or width % 2 == 0:
        raise RegardError(f"word times: a median filter of width {width}; it must be odd")
    if values.shape[-1] <= width // 2:
        return values
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(width // 2, width // 2)], mode="reflect")
    found: Matrix = np.median(np.lib.stride_tricks.sliding_window_view(padded, width, -1), -1)
    return found


def _words(tokens: Tokens, begins: Sequence[int], weights: Matrix, sound: Sound) -> list[WordTime]:
    found = list[WordTime]()
    for group, word in zip(tokens.groups(), tokens.merged().labels, strict=True):
        start, end = begins[group[0]], begins[group[-1] + 1]
        confidence = float(weights[list(group), start : max(end, start + 1)].sum(-1).mean())
        spaced = True
        if tokens.text is not None and tokens.offsets is not None:
            at = tokens.offsets[group[0]][0]
            spaced = at == 0 or tokens.text[at - 1].isspace()
        first, last = (min(place * sound.step, sound.seconds) for place in (start, end))
        found.append(WordTime(word, first, last, min(confidence, 1.0), spaced))
    return found
