"""The k largest of every row, with one rule for ties: the lowest index first."""

from __future__ import annotations

import torch
from torch import Tensor

_GROUP = 8
# Up to so many elements one pass over all of them is faster than finding candidates.
_FEW = 1 << 16


def largest(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Values and indices (int64) of the k largest in the last dimension, descending, lowest index first on ties.

    k may exceed the length; then all are returned. Among entries of -inf the order is left open.
    """
    if k == 1 and scores.numel() <= _FEW and scores.shape[-1]:
        found = scores.max(-1, keepdim=True)
        return found.values, found.indices
    k = min(k, scores.shape[-1])
    values, indices = _candidates(scores, min(k + 1, scores.shape[-1]))
    tied = (values[..., 1:] == values[..., :-1]) & (values[..., 1:] > float("-inf"))
    if torch.compiler.is_compiling():
        return _with_ties(scores, values[..., k - 1 : k], k)
    if tied.numel() and bool((rows := tied.any(-1)).any()):
        # Mostly few rows have ties, and only those are done again.
        values[rows, :k], indices[rows, :k] = _with_ties(scores[rows], values[rows][:, k - 1 : k], k)
    return values[..., :k], indices[..., :k]


def _candidates(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """`torch.topk`, by stages for many numbers: the k largest lie in the k groups with the largest maxima."""
    length = scores.shape[-1]
    width = length // _GROUP
    if width < 4 * k or scores.numel() <= _FEW:
        return scores.topk(k)
    whole = scores[..., : _GROUP * width].unflatten(-1, (_GROUP, width))
    _, groups = _candidates(whole.amax(-2), k)  # group g holds the places g, g + width, ...
    members = groups[..., None, :].expand(*groups.shape[:-1], _GROUP, k)
    candidates = whole.gather(-1, members).flatten(-2)
    first = torch.arange(0, _GROUP * width, width, device=scores.device)
    places = (members + first[:, None]).flatten(-2)
    if rest := length - _GROUP * width:
        tail = torch.arange(length - rest, length, device=scores.device).expand(*scores.shape[:-1], rest)
        candidates = torch.cat([candidates, scores[..., length - rest :]], -1)
        places = torch.cat([places, tail], -1)
    values, among = candidates.topk(k)
    return values, places.gather(-1, among)


def _with_ties(scores: Tensor, least: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest where `least` is the k-th: all above it, and the first of those equal to it."""
    above, equal = scores > least, scores == least
    chosen = above | (equal & (equal.cumsum(-1) <= k - above.sum(-1, keepdim=True)))
    # Indices of the chosen in ascending order: the k largest of a falling count that is 0 elsewhere.
    falling = torch.arange(scores.shape[-1], 0, -1, device=scores.device) * chosen
    indices = falling.topk(k).indices
    values, order = scores.gather(-1, indices).sort(dim=-1, descending=True, stable=True)
    return values, indices.gather(-1, order)
