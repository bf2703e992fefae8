"""Random choices that are the same under every version of Python."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """Choices from one seed. Only `Random.random` is promised to stay as it is, so everything is made from it."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def fraction(self) -> float:
        """A number from 0 to 1, 1 not included."""
        return self._random.random()

    def chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def pick(self, items: Sequence[T]) -> T:
        return items[int(self._random.random() * len(items))]

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self._random.random() * (high - low + 1))

    def shuffled(self, items: Sequence[T]) -> list[T]:
        order = sorted((self._random.random(), index) for index in range(len(items)))
        return [items[index] for _, index in order]
