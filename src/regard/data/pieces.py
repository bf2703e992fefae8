"""Long recordings in pieces: cut at their quietest moments, where no word is, as a rule."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Seconds of a moment whose loudness counts.
_MOMENT = 0.04


def cut_at_quiet(samples: NDArray[np.int16], rate: int, seconds: float, unit: int = 1) -> list[tuple[int, int]]:
    """Pieces [start, end) of samples (N,), in order, of all samples, none longer than `seconds`.

    Each piece but the last ends at a multiple of `unit` samples in its second half: where the 40 ms around it have the
    least energy sum_n x_n^2, at the last of equals. What is left is the last piece as soon as it is short enough.
    """
    longest = max(round(seconds * rate) // unit, 2) * unit
    around = max(round(rate * _MOMENT / 2), 1)
    pieces, start = list[tuple[int, int]](), 0
    while len(samples) - start > longest:
        ends = np.arange(start + longest, start + longest // 2, -unit)
        first = max(int(ends[-1]) - around, start)
        energies = np.square(samples[first : int(ends[0]) + around].astype(np.float64))
        sums = np.concatenate([[0.0], np.cumsum(energies)])
        moments = sums[np.minimum(ends + around - first, len(energies))] - sums[np.maximum(ends - around - first, 0)]
        end = int(ends[moments.argmin()])
        pieces.append((start, end))
        start = end
    return [*pieces, (start, len(samples))]
