"""What it costs to look at a source word less, or more, than once in all."""

from __future__ import annotations

import torch
from torch import Tensor

from regard.model.contracts import Observed


def coverage(observed: Observed, sources: Tensor, targets: Tensor) -> Tensor:
    """sum_j (1 - sum_i w_ij)^2   (Xu et al. 2015, section 4.2.1, "doubly stochastic" attention).

    w is the mean of all layers and heads of the cross-attention; sources (B, S) and targets (B, T) are True where there
    is a token. Returns the sum over the batch, ().
    """
    layers = [weights.mean(1) for (place, _), weights in observed.items() if place == "cross"]
    attended = (torch.stack(layers).mean(0) * targets[..., None]).sum(1)
    return ((1.0 - attended).square() * sources).sum()
