"""Long recordings are cut where they are quiet, and nothing is lost."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from regard.data.pieces import cut_at_quiet

RATE = 1000


@given(st.integers(0, 3000), st.floats(0.05, 2), st.sampled_from([1, 7, 40, 160]), st.integers(0, 9))
def test_pieces_are_all_of_it_in_order(count: int, seconds: float, unit: int, seed: int) -> None:
    samples = np.random.default_rng(seed).integers(-9000, 9000, count).astype(np.int16)
    pieces = cut_at_quiet(samples, RATE, seconds, unit)
    assert pieces[0][0] == 0
    assert pieces[-1][1] == count
    longest = max(round(seconds * RATE), 2 * unit)
    for (start, end), (following, _) in pairwise(pieces):
        assert end == following
        assert end % unit == 0
        assert longest / 2 - unit <= end - start <= longest
    assert pieces[-1][1] - pieces[-1][0] <= longest


def test_cuts_are_in_the_pauses() -> None:
    samples = np.random.default_rng(0).integers(-9000, 9000, 5000).astype(np.int16)
    pauses = [(700, 760), (1500, 1560), (2300, 2360), (3200, 3260), (4100, 4160)]
    for start, end in pauses:
        samples[start:end] //= 50
    ends = [end for _, end in cut_at_quiet(samples, RATE, 1.0)][:-1]
    assert len(ends) == 5
    assert all(start <= cut <= end for cut, (start, end) in zip(ends, pauses, strict=True))


def test_silence_is_cut_as_late_as_can_be() -> None:
    assert cut_at_quiet(np.zeros(2500, np.int16), RATE, 1.0) == [(0, 1000), (1000, 2000), (2000, 2500)]
