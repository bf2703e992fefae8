"""The trail of a search: what every step chose, so that a hypothesis finds its own way back."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regard.model.contracts import Observed

Array = npt.NDArray[np.floating[Any]]


class _Record(NamedTuple):
    row: dict[int, int]  # of each source that was still searched
    parents: npt.NDArray[np.int64]  # (rows, beams): the hypothesis that each chosen one continues
    tokens: npt.NDArray[np.int64]  # (rows, beams): and its token
    weights: dict[tuple[str, int], Array]  # (rows, H, beams, K): what each hypothesis attended to before it chose


class Trail:
    """All steps of the search for one batch. Only what is to be shown, of these places, is stored."""

    def __init__(self, places: Collection[str]) -> None:
        self._places, self._records = places, list[_Record]()

    def add(self, rows: Tensor, parents: Tensor, tokens: Tensor, observed: Observed) -> None:
        """A step of the sources `rows` (n,), with its choices (n, beams) and the weights that led to them."""
        row = {number: place for place, number in enumerate(rows.tolist())}
        weights = {place: array(found) for place, found in observed.items() if place[0] in self._places}
        self._records.append(_Record(row, parents.cpu().numpy(), tokens.cpu().numpy(), weights))

    def follow(
        self, number: int, step: int, beam: int, length: int
    ) -> tuple[tuple[int, ...], dict[tuple[str, int], Array]]:
        """The tokens before the end, and the weights (H, T, columns) of the whole way, end included.

        The hypothesis of source `number`, of `length` tokens, that was at `beam` when it ended at `step`. Columns are
        the source's tokens, or for weights within the target its T places.
        """
        tokens: list[int] = []
        way: list[dict[tuple[str, int], Array]] = []
        for place in range(step, -1, -1):
            record = self._records[place]
            way.append({key: weights[record.row[number], :, beam] for key, weights in record.weights.items()})
            if place:
                before = self._records[place - 1]
                row = before.row[number]
                tokens.append(int(before.tokens[row, beam]))
                beam = int(before.parents[row, beam])
        way.reverse()
        attention = {}
        for key in way[0]:
            columns = step + 1 if key[0] == "decoder.self" else length
            attention[key] = np.stack([_fit(one[key], columns) for one in way], 1)
        return tuple(reversed(tokens)), attention


def _fit(row: Array, columns: int) -> Array:
    """(H, K) cut to so many columns, or filled up with 0."""
    row = row[:, :columns]
    return np.pad(row, ((0, 0), (0, columns - row.shape[1])))


def array(weights: Tensor) -> Array:
    """Weights for NumPy, in single precision where they are in half."""
    if weights.dtype in (torch.bfloat16, torch.float16):
        weights = weights.float()
    return weights.cpu().numpy()  # type: ignore[no-any-return]
