"""The trail of a search: what every step chose, so that a hypothesis finds its own way back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regard.attention import Windowed
from regard.model.contracts import ObservedStep

Array = npt.NDArray[np.floating[Any]]
Numbers = npt.NDArray[np.int64]
Key = tuple[str, int]
_Part = Literal["weights", "start"]


@dataclass(frozen=True, eq=False)
class Band:
    """Weights (..., T, S) that are 0 but for `weights` (..., T, W), those of the places `start` (..., T) and on.

    So they take memory linear in T, however long the source is; what NumPy makes of them, as `numpy.asarray` does, is
    all of them.
    """

    start: Numbers
    weights: Array
    places: int

    @property
    def shape(self) -> tuple[int, ...]:
        """That of all weights."""
        return (*self.start.shape, self.places)

    def dense(self) -> Array:
        """All weights, (..., T, S)."""
        width = self.weights.shape[-1]
        widest = max(self.places, int(self.start.max(initial=0)) + width)
        found = np.zeros((*self.start.shape, widest), self.weights.dtype)
        np.put_along_axis(found, self.start[..., None] + np.arange(width), self.weights, -1)
        return found[..., : self.places]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self.dense(), dtype)


class _Stretch:
    """Steps that follow each other, of the same sources with equally many hypotheses, so that they can be stacked."""

    def __init__(self, rows: Tensor, hypotheses: int, first: int) -> None:
        self.rows, self.hypotheses, self.first = rows, hypotheses, first
        self.row = {number: row for row, number in enumerate(rows.tolist())}
        self.parents: list[Numbers] = []  # (n, choices) of each step: the hypothesis that each choice continues
        self.tokens: list[Numbers] = []  # (n, choices): and its token
        self.led: dict[tuple[Key, _Part], list[Any]] = {}  # (n, H, hypotheses, K): the weights that led to the choices
        self._stacked: dict[tuple[Key, _Part], Any] = {}

    @property
    def shown(self) -> list[tuple[Key, _Part]]:
        """Which weights there are, and of which it is kept where they begin."""
        return sorted({*self.led, *self._stacked})

    def seen(self, key: tuple[Key, _Part], number: int, way: Numbers) -> Any:
        """Weights (H, steps, K) of a source, by the hypothesis that its way went through at each of the first steps."""
        if key not in self._stacked:
            steps = self.led.pop(key)
            widest = steps[-1].shape[-1]  # within the target they grow from step to step
            self._stacked[key] = np.stack([_widened(step, widest) for step in steps])
        found = self._stacked[key][np.arange(len(way)), self.row[number], :, way]
        return found.swapaxes(0, 1)


class Trail:
    """All steps of the search for one batch. Only what is to be shown, of these places, is stored."""

    def __init__(self, places: Collection[str]) -> None:
        self._places, self._stretches, self._steps = places, list[_Stretch](), 0

    def add(self, rows: Tensor, hypotheses: int, parents: Tensor, tokens: Tensor, observed: ObservedStep) -> None:
        """A step of some hypotheses of the sources `rows` (n,), its choices (n, choices), and the weights behind them.

        `rows` is the same tensor as long as they are the same sources.
        """
        last = self._stretches[-1] if self._stretches else None
        if last is None or last.rows is not rows or last.hypotheses != hypotheses:
            last = _Stretch(rows, hypotheses, self._steps)
            self._stretches.append(last)
        last.parents.append(parents.cpu().numpy())
        last.tokens.append(tokens.cpu().numpy())
        for key, weights in observed.items():
            if key[0] in self._places:
                for part, values in _parts(weights).items():
                    last.led.setdefault((key, part), []).append(array(values))
        self._steps += 1

    def follow(self, number: int, step: int, beam: int, length: int) -> tuple[tuple[int, ...], dict[Key, Array | Band]]:
        """The tokens before the end, and the weights (H, T, columns) of the whole way, end included.

        The hypothesis of source `number`, of `length` tokens, that was at `beam` when it ended at `step`. Columns are
        the source's tokens, or for weights within the target its T places.
        """
        passed = [stretch for stretch in self._stretches if stretch.first <= step]
        tokens, way = [], [beam]
        for stretch in reversed(passed):
            row = stretch.row[number]
            for place in reversed(range(min(step - stretch.first, len(stretch.tokens)))):
                tokens.append(int(stretch.tokens[place][row, beam]))
                beam = int(stretch.parents[place][row, beam])
                way.append(beam)
        through = np.array(way[::-1])
        found: dict[tuple[Key, _Part], Any] = {}
        for key in passed[0].shown:
            parts = [
                stretch.seen(key, number, through[stretch.first : stretch.first + len(stretch.tokens)])
                for stretch in passed
            ]
            widest = parts[-1].shape[-1]
            found[key] = np.concatenate([_widened(part, widest) for part in parts], 1)
        attention: dict[Key, Array | Band] = {}
        for (shown, part), weights in found.items():
            columns = step + 1 if shown[0] == "decoder.self" else length
            if part == "weights":
                start = found.get((shown, "start"))
                attention[shown] = weights[..., :columns] if start is None else Band(start[..., 0], weights, columns)
        return tuple(reversed(tokens)), attention


def _parts(weights: Tensor | Windowed) -> dict[_Part, Tensor]:
    if isinstance(weights, Windowed):
        return {"weights": weights.weights, "start": weights.start[..., None]}
    return {"weights": weights}


def _widened(weights: Array, columns: int) -> Array:
    """Weights (..., K) filled up with 0 to so many columns, if they have fewer."""
    missing = columns - weights.shape[-1]
    return np.pad(weights, [(0, 0)] * (weights.ndim - 1) + [(0, missing)]) if missing > 0 else weights


def array(weights: Tensor) -> Array:
    """Weights for NumPy, in single precision where they are in half."""
    if weights.dtype in (torch.bfloat16, torch.float16):
        weights = weights.float()
    return weights.cpu().numpy()  # type: ignore[no-any-return]
