"""Normalizers: from a row of scores to a row of weights. Masked scores come as -inf and weigh exactly 0.

Each is row statistics and an elementwise map, for tiles of whole rows (n, R, K) in fp32 or fp64, working in place:

    fit_(scores) -> weights, row          find the row statistics and apply them
    weigh_(scores, row) -> weights        apply them again to recomputed scores
    gradient_(scores, weights, grad, row) -> d scores, (d parameter, ...)

`scores` may be overwritten by every one of them. A row with nothing to attend to weighs 0 everywhere. A choice that is
discrete is stored (the chosen indices) and never made again, since recomputed scores differ in their last bits.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from regard.attention.selection import largest
from regard.attention.thresholds import entmax15_threshold, entmax_threshold, raise_, sparsemax_threshold
from regard.attention.tiles import Spread, Tile, Workspace, spread
from regard.attention.trees import static, tree

Row = tuple[Tensor, ...]
Parts = tuple[Tensor, ...]


class BoundNormalizer(Protocol):
    """A normalizer in the terms of one problem."""

    @property
    def parts(self) -> tuple[Spread, ...]: ...

    @property
    def rereads(self) -> bool:
        """Whether weights and gradients need the scores again, once the row is known."""
        ...

    def room(self, like: Tensor, slices: int, queries: int, keys: int) -> Row:
        """Zeros for the statistics of all rows, (N, Q, columns) each."""
        ...

    def fit_(self, scores: Tensor, parts: Parts, tile: Tile, work: Workspace) -> tuple[Tensor, Row]: ...

    def weigh_(self, scores: Tensor, row: Row, parts: Parts, tile: Tile, work: Workspace) -> Tensor: ...

    def gradient_(
        self, scores: Tensor, weights: Tensor, grad: Tensor, row: Row, parts: Parts, tile: Tile, work: Workspace
    ) -> tuple[Tensor, Parts]: ...


class Normalizer(Protocol):
    """What `attend(normalizer=...)` takes besides a name."""

    def bind(self, lead: torch.Size) -> BoundNormalizer: ...


def _bound(value: Tensor | None, lead: torch.Size) -> tuple[Spread, ...]:
    return () if value is None else (spread(value, lead, "", "normalizer"),)


@tree
class softmax:
    """w_j = e^(s_j / T) / (e^(sink / T) + sum_l e^(s_l / T)); without a sink its term is absent.

    T is a number or a (learned) tensor; sink a learned tensor, one logit for each head that takes weight and gives no
    value, so that rows sum to less than 1. Both broadcast over the leading dimensions.
    """

    temperature: Tensor | float = 1.0
    sink: Tensor | None = None

    def bind(self, lead: torch.Size) -> BoundNormalizer:
        learned = self.temperature if isinstance(self.temperature, Tensor) else None
        if learned is None and not self.temperature > 0:
            raise ValueError(f"normalizer: softmax needs a temperature above 0, came {self.temperature}")
        number = 1.0 if isinstance(self.temperature, Tensor) else float(self.temperature)
        return Softmax((*_bound(learned, lead), *_bound(self.sink, lead)), number, learned is not None)


@tree
class Softmax:
    """row = (log of the denominator,); +inf where a row has nothing to attend to."""

    parts: tuple[Spread, ...]
    temperature: float = static(default=1.0)
    learned: bool = static(default=False)

    @property
    def rereads(self) -> bool:
        return True

    def _scaled_(self, scores: Tensor, parts: Parts) -> Tensor:
        if self.learned:
            return scores.div_(parts[0][:, None, None])
        return scores.div_(self.temperature) if self.temperature != 1.0 else scores

    def _sink(self, parts: Parts) -> Tensor | None:
        sinks = parts[1:] if self.learned else parts
        if not sinks:
            return None
        scale = parts[0] if self.learned else self.temperature
        return (sinks[0] / scale)[:, None, None]

    def room(self, like: Tensor, slices: int, queries: int, keys: int) -> Row:
        return (like.new_zeros(slices, queries, 1),)

    def fit_(self, scores: Tensor, parts: Parts, tile: Tile, work: Workspace) -> tuple[Tensor, Row]:
        scores, sink = self._scaled_(scores, parts), self._sink(parts)
        top = scores.amax(-1, keepdim=True)
        if sink is not None:
            top = torch.maximum(top, sink)
        top.masked_fill_(top == float("-inf"), 0.0)
        weights = scores.sub_(top).exp_()
        total = weights.sum(-1, keepdim=True)
        if sink is not None:
            total += (sink - top).exp()
        weights.div_(total.masked_fill(total == 0, 1.0))
        return weights, (torch.where(total == 0, float("inf"), top + total.log()),)

    def weigh_(self, scores: Tensor, row: Row, parts: Parts, tile: Tile, work: Workspace) -> Tensor:
        return self._scaled_(scores, parts).sub_(row[0]).exp_()

    def gradient_(
        self, scores: Tensor, weights: Tensor, grad: Tensor, row: Row, parts: Parts, tile: Tile, work: Workspace
    ) -> tuple[Tensor, Parts]:
        grad, mean = _softmax_gradient_(weights, grad)
        found: list[Tensor] = []
        sink = self._sink(parts)
        d_sink = None if sink is None else -((sink - row[0]).exp() * mean).sum((1, 2))
        if self.learned:
            # scores / T is not kept: where w > 0 it is log w + row, and elsewhere it has no gradient.
            scaled = torch.where(weights > 0, weights.log() + row[0], 0.0)
            d_temperature = -(grad * scaled).sum((1, 2))
            if d_sink is not None and sink is not None:
                d_temperature -= d_sink * sink[:, 0, 0]
            found.append(d_temperature / parts[0])
            grad.div_(parts[0][:, None, None])
        elif self.temperature != 1.0:
            grad.div_(self.temperature)
        if d_sink is not None:
            found.append(d_sink / (parts[0] if self.learned else self.temperature))
        return grad, tuple(found)


def _softmax_gradient_(weights: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    """w (g - sum_j w_j g_j), in place of g, and the sum."""
    grad.mul_(weights)
    mean = grad.sum(-1, keepdim=True)
    return grad.addcmul_(weights, mean, value=-1.0), mean


@tree
class sigmoid:
    """w_j = 1 / (1 + e^-s_j): every key for itself, not normalised."""

    def bind(self, lead: torch.Size) -> BoundNormalizer:
        return Sigmoid()


@tree
class Sigmoid:
    """row = (): nothing to know of the row."""

    @property
    def parts(self) -> tuple[Spread, ...]:
        return ()

    @property
    def rereads(self) -> bool:
        return True

    def room(self, like: Tensor, slices: int, queries: int, keys: int) -> Row:
        return ()

    def fit_(self, scores: Tensor, parts: Parts, tile: Tile, work: Workspace) -> tuple[Tensor, Row]:
        return scores.sigmoid_(), ()

    def weigh_(self, scores: Tensor, row: Row, parts: Parts, tile: Tile, work: Workspace) -> Tensor:
        return scores.sigmoid_()

    def gradient_(
        self, scores: Tensor, weights: Tensor, grad: Tensor, row: Row, parts: Parts, tile: Tile, work: Workspace
    ) -> tuple[Tensor, Parts]:
        grad.mul_(weights)
        return grad.addcmul_(grad, weights, value=-1.0), ()


@tree
class entmax:
    """w = argmax over distributions of w.s + H_alpha(w)   (Peters, Niculae & Martins 2019, section 3).

    w_j = [(alpha - 1) s_j - tau]_+ ^ (1 / (alpha - 1)), with tau such that they sum to 1: sparse, softmax as alpha -> 1
    and sparsemax at 2. alpha is a number above 1, or a learned tensor that broadcasts over the leading dimensions, with
    the gradient of Correia, Niculae & Martins 2019, section 3.2.
    """

    alpha: Tensor | float = 1.5

    def bind(self, lead: torch.Size) -> BoundNormalizer:
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
class Entmax:
    """row = (greatest, tau), both of (alpha - 1) s; tau, counted from the greatest, is where weights become exactly 0.

    A static alpha of 0 says that it is learned.
    """

    parts: tuple[Spread, ...]
    alpha: float = static()

    @property
    def rereads(self) -> bool:
        return True

    def room(self, like: Tensor, slices: int, queries: int, keys: int) -> Row:
        return like.new_zeros(slices, queries, 1), like.new_zeros(slices, queries, 1)

    def fit_(self, scores: Tensor, parts: Parts, tile: Tile, work: Workspace) -> tuple[Tensor, Row]:
        alpha = self._alpha(parts)
        top = scores.amax(-1, keepdim=True) * (alpha - 1.0)
        top.masked_fill_(top == float("-inf"), 0.0)
        scratch = work.get("threshold", scores.shape)
        self._fall_(scores, top, alpha)
        if isinstance(alpha, Tensor):
            tau = entmax_threshold(scores, alpha, scratch)
        elif alpha == 1.5:
            tau = entmax15_threshold(scores, scratch)
        elif alpha == 2.0:
            tau = sparsemax_threshold(scores, scratch)
        else:
            tau = entmax_threshold(scores, alpha, scratch)
        return self._above_(scores, tau, alpha), (top, tau)

    def weigh_(self, scores: Tensor, row: Row, parts: Parts, tile: Tile, work: Workspace) -> Tensor:
        alpha = self._alpha(parts)
        return self._above_(self._fall_(scores, row[0], alpha), row[1], alpha)

    def _alpha(self, parts: Parts) -> Tensor | float:
        return parts[0][:, None, None] if parts else self.alpha

    @staticmethod
    def _fall_(scores: Tensor, top: Tensor, alpha: Tensor | float) -> Tensor:
        """(alpha - 1) s - top: how far each key is from the greatest, so that precision does not depend on its size."""
        if isinstance(alpha, Tensor):
            return scores.mul_(alpha - 1.0).sub_(top)
        return torch.add(-top, scores, alpha=alpha - 1.0, out=scores)

    @staticmethod
    def _above_(scores: Tensor, tau: Tensor, alpha: Tensor | float) -> Tensor:
        scores.sub_(tau).clamp_(min=0.0)
        if isinstance(alpha, Tensor):
            return scores.pow_(1.0 / (alpha - 1.0))
        if alpha == 1.5:
            return scores.square_()
        return scores if alpha == 2.0 else raise_(scores, 1.0 / (alpha - 1.0))

    def gradient_(
        self, scores: Tensor, weights: Tensor, grad: Tensor, row: Row, parts: Parts, tile: Tile, work: Workspace
    ) -> tuple[Tensor, Parts]:
        alpha = self._alpha(parts)
        # d w / d s = diag(r) - r r^T / sum r, with r = w^(2 - alpha) on the support and 0 outside.
        spare = work.get("threshold", weights.shape)
        if not isinstance(alpha, Tensor) and alpha == 1.5:
            slopes = torch.sqrt(weights, out=spare)
        elif not isinstance(alpha, Tensor) and alpha == 2.0:
            slopes = torch.sign(weights, out=spare)
        elif not isinstance(alpha, Tensor) and alpha < 2.0:
            slopes = raise_(spare.copy_(weights), 2.0 - alpha)
        else:
            slopes = torch.where(weights > 0, weights.clamp(min=torch.finfo(weights.dtype).tiny) ** (2.0 - alpha), 0.0)
        total = slopes.sum(-1, keepdim=True)
        total = total.masked_fill(total == 0, 1.0)
        found: Parts = ()
        if isinstance(alpha, Tensor):
            shares = slopes / total
            entropies = -torch.xlogy(weights, weights)
            d_weights = (weights - shares) / (alpha - 1.0) ** 2
            d_weights += (entropies - shares * entropies.sum(-1, keepdim=True)) / (alpha - 1.0)
            found = ((grad * d_weights).sum((1, 2)),)
        grad.mul_(slopes)
        mean = grad.sum(-1, keepdim=True) / total
        return grad.addcmul_(slopes, mean, value=-1.0), found


@tree
class top_k:
    """softmax over the k keys with the greatest scores, exactly 0 elsewhere; lowest index first on ties."""

    k: int = static()

    def bind(self, lead: torch.Size) -> BoundNormalizer:
        if self.k < 1:
            raise ValueError(f"normalizer: top_k needs k >= 1, came {self.k}")
        return Chosen("top_k", self.k, 0.0)


@tree
class threshold:
    """softmax whose weights under p become exactly 0, the rest renormalised; a row keeps at least its greatest."""

    p: float = static()

    def bind(self, lead: torch.Size) -> BoundNormalizer:
        if not 0 < self.p <= 1:
            raise ValueError(f"normalizer: threshold needs 0 < p <= 1, came {self.p}")
        # At most 1 / p weights can reach p; one more for rounding.
        return Chosen("threshold", int(1.0 / self.p) + 1, self.p)


@tree
class Chosen:
    """softmax over chosen keys. row = (their indices int32, their weights), (R, at most k) each."""

    kind: str = static()
    k: int = static()
    p: float = static()

    @property
    def parts(self) -> tuple[Spread, ...]:
        return ()

    @property
    def rereads(self) -> bool:
        return False

    def room(self, like: Tensor, slices: int, queries: int, keys: int) -> Row:
        shape = (slices, queries, min(self.k, keys))
        return like.new_zeros(shape, dtype=torch.int32), like.new_zeros(shape)

    def fit_(self, scores: Tensor, parts: Parts, tile: Tile, work: Workspace) -> tuple[Tensor, Row]:
        values, indices = largest(scores, self.k)
        top = values[..., :1]
        top = top.masked_fill(top == float("-inf"), 0.0)
        shares = (values - top).exp()
        if self.kind == "threshold":
            total = (scores - top).exp_().sum(-1, keepdim=True)
            kept = shares >= self.p * total
            kept[..., 0] = True
            shares = shares * kept
        total = shares.sum(-1, keepdim=True)
        shares = shares / total.masked_fill(total == 0, 1.0)
        row = ((indices + tile.k[0]).int(), shares)
        return self.weigh_(scores, row, parts, tile, work), row

    def weigh_(self, scores: Tensor, row: Row, parts: Parts, tile: Tile, work: Workspace) -> Tensor:
        return scores.zero_().scatter_add_(-1, self._places(row, tile), row[1])

    def gradient_(
        self, scores: Tensor, weights: Tensor, grad: Tensor, row: Row, parts: Parts, tile: Tile, work: Workspace
    ) -> tuple[Tensor, Parts]:
        places = self._places(row, tile)
        chosen, _ = _softmax_gradient_(row[1], grad.gather(-1, places))
        return grad.zero_().scatter_add_(-1, places, chosen), ()

    @staticmethod
    def _places(row: Row, tile: Tile) -> Tensor:
        # A shorter row is padded with index 0 and weight 0, which may lie before the tile's keys.
        return (row[0].long() - tile.k[0]).clamp_(min=0)


@tree
class argmax:
    """1 for the greatest score (the first of equals), exactly 0 elsewhere; the gradient is softmax's.

    The straight-through estimator of Bengio, Léonard & Courville 2013, section 3.1.
    """

    def bind(self, lead: torch.Size) -> BoundNormalizer:
        return Argmax()


@tree
class Argmax:
    """row = (index int32, 1 or 0 for an empty row, log-sum-exp)."""

    @property
    def parts(self) -> tuple[Spread, ...]:
        return ()

    @property
    def rereads(self) -> bool:
        return True

    def room(self, like: Tensor, slices: int, queries: int, keys: int) -> Row:
        index = like.new_zeros(slices, queries, 1, dtype=torch.int32)
        return index, like.new_zeros(slices, queries, 1), like.new_zeros(slices, queries, 1)

    def fit_(self, scores: Tensor, parts: Parts, tile: Tile, work: Workspace) -> tuple[Tensor, Row]:
        top, index = largest(scores, 1)
        empty = top == float("-inf")
        least = top.masked_fill(empty, 0.0)
        total = torch.sub(scores, least, out=work.get("spare", scores.shape)).exp_().sum(-1, keepdim=True)
        lse = (least + total.log()).masked_fill(empty, float("inf"))
        row = ((index + tile.k[0]).int(), (~empty).to(scores.dtype), lse)
        return self.weigh_(scores, row, parts, tile, work), row

    def weigh_(self, scores: Tensor, row: Row, parts: Parts, tile: Tile, work: Workspace) -> Tensor:
        places = (row[0].long() - tile.k[0]).clamp_(min=0)
        return work.get("spare", scores.shape).zero_().scatter_add_(-1, places, row[1])

    def gradient_(
        self, scores: Tensor, weights: Tensor, grad: Tensor, row: Row, parts: Parts, tile: Tile, work: Workspace
    ) -> tuple[Tensor, Parts]:
        soft = scores.sub_(row[2]).exp_()
        return _softmax_gradient_(soft, grad)[0], ()
