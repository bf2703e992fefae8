"""Readouts: from what a decoder says to a distribution over the target's tokens.

A readout is given the whole `DecoderOutput`, so that one which also looks at contexts or weights differs only here.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from regard.model.contracts import DecoderOutput

Auxiliary = dict[str, Tensor]
"""Further losses by name, sums over the batch, to be added to the main one."""


class Readout(Protocol):
    """What an `EncoderDecoder` asks of its last part."""

    def nll(
        self, output: DecoderOutput, target: Tensor, mask: Tensor, smoothing: float = 0.0
    ) -> tuple[Tensor, Auxiliary]:
        """The sum of -log p(target) where mask (B, T) is True, smoothed in training; and further losses."""
        ...

    def target_log_probs(self, output: DecoderOutput, target: Tensor, mask: Tensor) -> Tensor:
        """log p(target) of each token, (B, T), 0 where mask is False."""
        ...

    def log_probs(self, output: DecoderOutput) -> Tensor:
        """log p of every token, (B, Q, vocabulary), in a tensor of its own that the caller may change."""
        ...


class SoftmaxReadout(nn.Module):
    """p = softmax(E W hidden + b)

    E is the output layer (vocabulary, width), or the table of an embedding that is shared with it (Press & Wolf 2017);
    W is there only where the shared table has another width than hidden.
    """

    def __init__(self, width: int, vocabulary: int, shared: nn.Embedding | None = None) -> None:
        super().__init__()
        inner = width if shared is None else shared.embedding_dim
        self.narrow = nn.Identity() if inner == width else nn.Linear(width, inner, bias=False)
        self.project = nn.Linear(inner, vocabulary)
        nn.init.zeros_(self.project.bias)
        if shared is None:
            nn.init.normal_(self.project.weight, std=inner**-0.5)
        else:
            self.project.weight = shared.weight

    def nll(
        self, output: DecoderOutput, target: Tensor, mask: Tensor, smoothing: float = 0.0
    ) -> tuple[Tensor, Auxiliary]:
        """The sum of -log p(target) where mask (B, T) is True.

        smoothing: the share of probability that is spread evenly over the vocabulary (Szegedy et al. 2016, section 7).
        """
        logits = self._logits(output.hidden[mask])  # padding goes first: this product is the dearest of all
        return F.cross_entropy(logits, target[mask], reduction="sum", label_smoothing=smoothing), {}

    def target_log_probs(self, output: DecoderOutput, target: Tensor, mask: Tensor) -> Tensor:
        """log p(target) of each token, (B, T), 0 where mask is False."""
        logits = self._logits(output.hidden[mask])
        found = logits.new_zeros(mask.shape)
        found[mask] = -F.cross_entropy(logits, target[mask], reduction="none")
        return found

    def log_probs(self, output: DecoderOutput) -> Tensor:
        """log p of every token, (B, Q, vocabulary)."""
        return torch.log_softmax(self._logits(output.hidden), -1)

    def _logits(self, hidden: Tensor) -> Tensor:
        found: Tensor = self.project(self.narrow(hidden))
        return found.float() if found.dtype in (torch.bfloat16, torch.float16) else found
