"""Normalizers: from a row of scores to a row of weights. Masked scores come as -inf and weigh exactly 0.

Here is what each one means and takes; how it is computed is in `weighing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from regard.attention.tiles import Spread, spread
from regard.attention.trees import static, tree
from regard.attention.weighing import Argmax, BoundNormalizer, Chosen, Entmax, Sigmoid, Softmax


class Normalizer(Protocol):
    """What `attend(normalizer=...)` takes besides a name."""

    def bind(self, lead: Sequence[int]) -> BoundNormalizer: ...


def _bound(value: Tensor | None, lead: Sequence[int]) -> tuple[Spread, ...]:
    return () if value is None else (spread(value, lead, "", "normalizer"),)


@tree
class softmax:
    """w_j = e^(s_j / T) / (e^(sink / T) + sum_l e^(s_l / T)); without a sink its term is absent.

    T is a number or a (learned) tensor; sink a learned tensor, one logit for each head that takes weight and gives no
    value, so that rows sum to less than 1. Both broadcast over the leading dimensions.
    """

    temperature: Tensor | float = 1.0
    sink: Tensor | None = None

    def bind(self, lead: Sequence[int]) -> BoundNormalizer:
        learned = self.temperature if isinstance(self.temperature, Tensor) else None
        if learned is None and not self.temperature > 0:
            raise ValueError(f"normalizer: softmax needs a temperature above 0, came {self.temperature}")
        number = 1.0 if isinstance(self.temperature, Tensor) else float(self.temperature)
        return Softmax((*_bound(learned, lead), *_bound(self.sink, lead)), number, learned is not None)


@tree
class sigmoid:
    """w_j = 1 / (1 + e^-s_j): every key for itself, not normalised."""

    def bind(self, lead: Sequence[int]) -> BoundNormalizer:
        return Sigmoid()


@tree
class entmax:
    """w = argmax over distributions of w.s + H_alpha(w)   (Peters, Niculae & Martins 2019, section 3).

    w_j = [(alpha - 1) s_j - tau]_+ ^ (1 / (alpha - 1)), with tau such that they sum to 1: sparse, softmax as alpha -> 1
    and sparsemax at 2. alpha is a number above 1, or a learned tensor that broadcasts over the leading dimensions, with
    the gradient of Correia, Niculae & Martins 2019, section 3.2.
    """

    alpha: Tensor | float = 1.5

    def bind(self, lead: Sequence[int]) -> BoundNormalizer:
        if isinstance(self.alpha, Tensor):
            return Entmax(_bound(self.alpha, lead), 0.0)
        if not self.alpha > 1:
            raise ValueError(f"normalizer: entmax needs alpha > 1, came {self.alpha} (alpha = 1 is softmax)")
        return Entmax((), float(self.alpha))


def entmax15() -> entmax:
    """entmax with alpha = 1.5: w_j = [s_j / 2 - tau]_+ ^ 2."""
    return entmax(1.5)


def sparsemax() -> entmax:
    """entmax with alpha = 2: the nearest distribution to the scores, [s_j - tau]_+   (Martins & Astudillo 2016)."""
    return entmax(2.0)


@tree
class top_k:
    """softmax over the k keys with the greatest scores, exactly 0 elsewhere; lowest index first on ties."""

    k: int = static()

    def bind(self, lead: Sequence[int]) -> BoundNormalizer:
        if not isinstance(self.k, int) or self.k < 1:
            raise ValueError(f"normalizer: top_k needs a whole number k >= 1, came {self.k}")
        return Chosen("top_k", self.k, 0.0)


@tree
class threshold:
    """softmax whose weights under p become exactly 0, the rest renormalised; a row keeps at least its greatest."""

    p: float = static()

    def bind(self, lead: Sequence[int]) -> BoundNormalizer:
        if not 0 < self.p <= 1:
            raise ValueError(f"normalizer: threshold needs 0 < p <= 1, came {self.p}")
        # At most 1 / p weights can reach p; one more for rounding.
        return Chosen("threshold", int(1.0 / self.p) + 1, self.p)


@tree
class argmax:
    """1 for the greatest score (the first of equals), exactly 0 elsewhere; the gradient is softmax's.

    The straight-through estimator of Bengio, Léonard & Courville 2013, section 3.1.
    """

    def bind(self, lead: Sequence[int]) -> BoundNormalizer:
        return Argmax()
