"""Scores that remember: what has been attended to so far takes part in the next comparison, one step at a time.

Both are additive scores whose keys move with the memory of previous weights, s_ij = w . tanh(q_i + k_j + r_j).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class LocationAware(nn.Module):
    """r_j = U f_j, f = conv(previous weights)   (Chorowski et al. 2015, equations 8 and 9).

    The state is the previous weights (N, K), zero before the first step.
    """

    def __init__(self, dim: int, channels: int = 16, width: int = 15) -> None:
        super().__init__()
        if width % 2 == 0 or width < 1:
            raise ValueError(f"score: the filters of location_aware need an odd width, came {width}")
        self.reach = width // 2
        self.filters = nn.Conv1d(1, channels, width, padding=width // 2, bias=False)
        self.project = nn.Linear(channels, dim, bias=False)

    def forward(self, state: Tensor) -> Tensor:
        """What is added to the keys, (N, K, dim)."""
        found: Tensor = self.project(self.filters(state[:, None]).mT)
        return found

    def within(self, around: Tensor) -> Tensor:
        """The same for a stretch (N, W, dim), of the state of it and `reach` places on either side."""
        filtered = nn.functional.conv1d(around[:, None], self.filters.weight)
        found: Tensor = self.project(filtered.mT)
        return found

    def following(self, state: Tensor, weights: Tensor, fertility: Tensor | None) -> Tensor:
        """The state after a step with these weights (N, K)."""
        return weights

    def fertility(self, source: Tensor) -> Tensor | None:
        """Nothing is known of a source in advance."""
        return None


class Coverage(nn.Module):
    """r_j = v C_j, C_ij = C_(i-1)j + w_ij / Phi_j   (Tu et al. 2016, section 3.1, linguistic coverage).

    The fertility Phi_j = most * sigmoid(u . h_j) says how many target words a source word is expected to make. The
    state is the coverage C (N, K), zero before the first step.
    """

    def __init__(self, dim: int, source_dim: int, most: float = 2.0) -> None:
        super().__init__()
        self.project = nn.Linear(1, dim, bias=False)
        self.expect = nn.Linear(source_dim, 1, bias=False)
        self.most = most

    def forward(self, state: Tensor) -> Tensor:
        """What is added to the keys, (N, K, dim)."""
        found: Tensor = self.project(state[..., None])
        return found

    def following(self, state: Tensor, weights: Tensor, fertility: Tensor | None) -> Tensor:
        """The state after a step with these weights (N, K)."""
        assert fertility is not None
        return state + weights / fertility

    def fertility(self, source: Tensor) -> Tensor | None:
        """Phi of every source position (..., K)."""
        return self.most * torch.sigmoid(self.expect(source)).squeeze(-1)


def additive_scores(query: Tensor, key: Tensor | None, weight: Tensor, moved: Tensor | None = None) -> Tensor:
    """w . tanh(q_i + k_j + r_ij): query (..., H, Q, D), key (..., H, K, D), weight (H, D), moved (..., H, Q, K, D).

    Where each query has keys of its own they come as `moved`, and `key` is None.
    """
    if query.dtype not in (torch.float32, torch.float64) or torch.compiler.is_compiling():
        total = query[..., :, None, :] if key is None else query[..., :, None, :] + key[..., None, :, :]
        bent = torch.tanh(total if moved is None else total + moved)
        return torch.matmul(bent, weight[:, None, :, None]).squeeze(-1)
    found: Tensor = _Additive.apply(query, key, weight, moved)  # type: ignore[no-untyped-call]
    return found


class _Additive(torch.autograd.Function):
    """By tanh(x) = 2 s - 1, s = sigmoid(2 x): the sigmoid takes a tenth of the time on some processors.

    It is made again in the backward pass: kept for all steps of a decoder it would be the most of their memory. Of the
    gradient, 4 w (s - s^2) times that of the score, w is multiplied in after the sums over keys and queries.
    """

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor | None, weight: Tensor, moved: Tensor | None) -> Tensor:
        half = _half(query, key, moved)
        ctx.save_for_backward(query, key, weight, moved)
        if len(weight) == 1:
            sums = torch.mv(half.reshape(-1, half.shape[-1]), weight[0]).view(half.shape[:-1])
        else:
            sums = torch.matmul(half, weight[:, None, :, None]).squeeze(-1)
        return sums.mul_(2.0).sub_(weight.sum(-1)[:, None, None])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        query, key, weight, moved = ctx.saved_tensors
        half = _half(query, key, moved)
        lead = tuple(range(grad.dim() - 3))  # all but heads, queries and keys
        if len(weight) == 1:
            products = torch.mv(half.reshape(-1, half.shape[-1]).t(), grad.reshape(-1))[None]
        else:
            products = torch.matmul(grad[..., None, :], half).sum((*lead, -3, -2))
        d_weight = 2.0 * products - grad.sum((*lead, -2, -1))[:, None]
        bent = torch.addcmul(half, half, half, value=-1.0).mul_(grad[..., None])
        factor = 4.0 * weight[:, None]  # (H, 1, D)
        # One query's sum over the queries is the block itself.
        over_queries = bent.sum(-3) if bent.shape[-3] > 1 else bent.squeeze(-3)
        return (
            bent.sum(-2).sum_to_size(query.shape) * factor,
            None if key is None else over_queries.sum_to_size(key.shape) * factor,
            d_weight,
            None if moved is None else (bent * factor[:, None]).sum_to_size(moved.shape),
        )


def _half(query: Tensor, key: Tensor | None, moved: Tensor | None) -> Tensor:
    """sigmoid(2 (q + k + r)), (..., H, Q, K, D)."""
    twice = 2.0 * query[..., :, None, :]
    if key is None:
        assert moved is not None
        return torch.add(twice, moved, alpha=2.0).sigmoid_()
    total = torch.add(twice, key[..., None, :, :], alpha=2.0)
    if moved is not None:
        total.add_(moved, alpha=2.0)
    return total.sigmoid_()
