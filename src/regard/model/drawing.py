"""Drawing tokens instead of choosing the best: temperature, top-k, top-p, and numbers that a seed decides.

What is drawn for a source depends on the seed, on the source, and on which of its outputs it is, never on what else is
in the batch: every step of every output has a number of its own, made from those by SplitMix64 (Steele, Lea & Flood
2014, figure 17).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regard.attention.selection import largest

Keys = npt.NDArray[np.uint64]

_GAMMA, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_BITS = 52  # of a number: with one more, it times a sum could round to the sum itself


def key_of(source: object) -> int:
    """A number of 64 bits for the ids of a text, or for the numbers of an image or a recording."""
    content = getattr(source, "values", None)
    if content is None:
        content = np.asarray(getattr(source, "ids", source), np.int64)
    return int.from_bytes(blake2b(np.ascontiguousarray(content).tobytes(), digest_size=8).digest(), "little")


def draw_keys(seed: int, sources: Sequence[int], count: int) -> Keys:
    """Where the numbers of `count` outputs of each source begin, (sources, count)."""
    at = np.array(sources, np.uint64)[:, None] ^ _mixed(np.array([seed], np.uint64))
    return _mixed(at + np.uint64(_GAMMA) * np.arange(1, count + 1, dtype=np.uint64))


def uniform(keys: Keys, step: int) -> npt.NDArray[np.float64]:
    """A number from 0 up to but not 1 for each of the keys, and another for each step."""
    moved = keys + np.uint64((_GAMMA * (step + 1)) % 2**64)
    return (_mixed(moved) >> np.uint64(64 - _BITS)).astype(np.float64) * 2.0**-_BITS


def draw(log_probs: Tensor, numbers: Tensor, temperature: float, top_k: int | None, top_p: float | None) -> Tensor:
    """A token (...) for each of the distributions (..., vocabulary), by the numbers (...) from 0 to 1.

    The distribution is p^(1 / temperature); of it, the `top_k` likeliest tokens are left (Fan et al. 2018), and of what
    is left the fewest whose probabilities are together at least `top_p` (Holtzman et al. 2020). The token is the first
    at which the sum of all probabilities up to it is above the number.
    """
    scores = log_probs.double() / temperature
    if top_k is not None and top_k < scores.shape[-1]:
        _, chosen = largest(scores, top_k)
        scores = torch.full_like(scores, float("-inf")).scatter(-1, chosen, scores.gather(-1, chosen))
    p = torch.softmax(scores, -1)
    if top_p is not None and top_p < 1.0:
        falling, order = p.sort(dim=-1, descending=True, stable=True)
        needed = falling.cumsum(-1) - falling < top_p  # what comes before is not enough
        p = torch.zeros_like(p).scatter(-1, order, falling * needed)
    total = p.cumsum(-1)
    found = torch.searchsorted(total, (numbers[..., None] * total[..., -1:]), right=True).squeeze(-1)
    return found.clamp_(max=log_probs.shape[-1] - 1)  # beyond it only where probabilities are no numbers


def _mixed(numbers: Keys) -> Keys:
    """SplitMix64's finalizer, which turns numbers that follow each other into such as know nothing of each other."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(_FIRST)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(_SECOND)
    return numbers ^ (numbers >> np.uint64(31))
