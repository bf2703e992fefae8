"""How normalizers weigh: row statistics and an elementwise map, on tiles of whole rows (n, R, K), in place.

    fit_(scores) -> weights, row          find the row statistics and apply them
    weigh_(scores, row) -> weights        apply them again to recomputed scores
    gradient_(scores, weights, grad, row) -> d scores, (d parameter, ...)

Scores are fp32 or fp64, -inf where masked, and may be overwritten by every one of them. A row with nothing to attend to
weighs 0 everywhere. A choice that is discrete is stored (the chosen indices) and never made again, since recomputed
scores differ in their last bits.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from regard.attention.selection import largest
from regard.attention.thresholds import entmax15_threshold, entmax_threshold, raise_, sparsemax_threshold
from regard.attention.tiles import Spread, Tile, Workspace
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
        d_sink = None if sink is None else -(sink - row[0]).exp() * mean
        if self.learned:
            # scores / T is not kept, but is log w up to the row's denominator, in which gradients sum to 0.
            d_temperature = -(grad * torch.where(weights > 0, weights.log(), 0.0)).sum((1, 2))
            if d_sink is not None and sink is not None:
                d_temperature -= (d_sink * (sink - row[0])).sum((1, 2))
            found.append(d_temperature / parts[0])
            grad.div_(parts[0][:, None, None])
        elif self.temperature != 1.0:
            grad.div_(self.temperature)
        if d_sink is not None:
            found.append(d_sink.sum((1, 2)) / (parts[0] if self.learned else self.temperature))
        return grad, tuple(found)


def _softmax_gradient_(weights: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    """w (g - sum_j w_j g_j), in place of g, and the sum."""
    grad.mul_(weights)
    mean = grad.sum(-1, keepdim=True)
    return grad.addcmul_(weights, mean, value=-1.0), mean


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
        return scores.zero_().scatter_add_(-1, _places(row, tile), row[1])

    def gradient_(
        self, scores: Tensor, weights: Tensor, grad: Tensor, row: Row, parts: Parts, tile: Tile, work: Workspace
    ) -> tuple[Tensor, Parts]:
        places = _places(row, tile)
        chosen, _ = _softmax_gradient_(row[1], grad.gather(-1, places))
        return grad.zero_().scatter_add_(-1, places, chosen), ()


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
        return work.get("spare", scores.shape).zero_().scatter_add_(-1, _places(row, tile), row[1])

    def gradient_(
        self, scores: Tensor, weights: Tensor, grad: Tensor, row: Row, parts: Parts, tile: Tile, work: Workspace
    ) -> tuple[Tensor, Parts]:
        soft = scores.sub_(row[2]).exp_()
        return _softmax_gradient_(soft, grad)[0], ()


def _places(row: Row, tile: Tile) -> Tensor:
    """The columns of a tile that a row's indices, its first part, stand for."""
    # A shorter row is padded with index 0 and weight 0, which may lie before the tile's keys.
    return (row[0].long() - tile.k[0]).clamp_(min=0)
