"""Scores that remember: what has been attended to so far takes part in the next comparison, one step at a time.

Both are additive scores whose keys move with the memory of previous weights, s_ij = w . tanh(q_i + k_j + r_j).
"""

from __future__ import annotations

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
        self.filters = nn.Conv1d(1, channels, width, padding=width // 2, bias=False)
        self.project = nn.Linear(channels, dim, bias=False)

    def forward(self, state: Tensor) -> Tensor:
        """What is added to the keys, (N, K, dim)."""
        found: Tensor = self.project(self.filters(state[:, None]).mT)
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


def additive_scores(query: Tensor, key: Tensor, weight: Tensor, moved: Tensor | None = None) -> Tensor:
    """w . tanh(q_i + k_j + r_ij): query (..., H, Q, D), key (..., H, K, D), weight (H, D), moved (..., H, Q, K, D)."""
    total = query[..., :, None, :] + key[..., None, :, :]
    if moved is not None:
        total = total + moved
    return torch.matmul(torch.tanh(total), weight[:, None, :, None]).squeeze(-1)
