"""Readouts: from what a decoder says to a distribution over the target's tokens.

A readout is given the whole `DecoderOutput`, what it has prepared from the source itself, and its own state of the step
before: one that copies through the weights, or sums over the places that a token may come from, differs only here.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from regard.attention.products import Linear, Packed
from regard.model.contracts import DecoderOutput, Encoded, Observed
from regard.model.kept import kept, may_keep
from regard.model.output import cross_entropy

Auxiliary = dict[str, Tensor]
"""Further losses by name, sums over the batch, to be added to the main one."""


class Said(NamedTuple):
    """One step of a readout."""

    log_probs: Tensor  # (B, beams, vocabulary) of every token, in a tensor of its own that the caller may change
    state: Any  # a tree of tensors (B, beams, ...) for the next step, or None
    observed: Observed  # weights (B, H, beams, S) that take the place of the decoder's; empty for most


class Readout(Protocol):
    """What an `EncoderDecoder` asks of its last part.

    `memory` is what `prepare` made of the sources. Weights that a readout gives itself, (B, H, T, S), take the place of
    the decoder's, and are given whether asked for or not.
    """

    @property
    def needs(self) -> frozenset[str]:
        """The places whose weights it must find in `DecoderOutput.observed`, with gradients."""
        ...

    def prepare(self, encoded: Encoded, steps: bool = False) -> Any:
        """What is computed once for these sources, a tree of tensors (B, ...), or None; for a whole sequence, or for
        many steps."""
        ...

    def nll(
        self, output: DecoderOutput, target: Tensor, mask: Tensor, memory: Any, smoothing: float = 0.0
    ) -> tuple[Tensor, Auxiliary]:
        """The sum of -log p(target) where mask (B, T) is True, smoothed in training; and further losses."""
        ...

    def target_log_probs(
        self, output: DecoderOutput, target: Tensor, mask: Tensor, memory: Any
    ) -> tuple[Tensor, Observed]:
        """log p(target) of each token, (B, T), 0 where mask is False; and weights of its own."""
        ...

    def step(self, output: DecoderOutput, tokens: Tensor, memory: Any, state: Any = None) -> Said:
        """One step of each hypothesis, after its last token (B, beams); no state at first."""
        ...


class SoftmaxReadout(nn.Module):
    """p = softmax(E W hidden + b)

    E is the output layer (vocabulary, width), or the table of an embedding that is shared with it (Press & Wolf 2017);
    W is there only where the shared table has another width than hidden.
    """

    needs: frozenset[str] = frozenset()

    def __init__(self, width: int, vocabulary: int, shared: nn.Embedding | None = None) -> None:
        super().__init__()
        self.narrow, self.project = output_layer(width, vocabulary, shared)

    def prepare(self, encoded: Encoded, steps: bool = False) -> None:
        """Nothing of the source is needed."""

    def nll(
        self, output: DecoderOutput, target: Tensor, mask: Tensor, memory: None = None, smoothing: float = 0.0
    ) -> tuple[Tensor, Auxiliary]:
        """The sum of -log p(target) where mask (B, T) is True.

        smoothing: the share of probability that is spread evenly over the vocabulary (Szegedy et al. 2016, section 7).
        """
        places = mask.flatten().nonzero().squeeze(1)  # padding goes first: this product is the dearest of all
        hidden, right = output.hidden.flatten(0, 1).index_select(0, places), target.flatten()[places]
        if hidden.is_cpu:
            return cross_entropy(self.narrow(hidden), self.project.weight, self.project.bias, right, smoothing), {}
        return F.cross_entropy(self._logits(hidden), right, reduction="sum", label_smoothing=smoothing), {}

    def target_log_probs(
        self, output: DecoderOutput, target: Tensor, mask: Tensor, memory: None = None
    ) -> tuple[Tensor, Observed]:
        """log p(target) of each token, (B, T), 0 where mask is False."""
        logits = self._logits(output.hidden[mask])
        found = logits.new_zeros(mask.shape)
        found[mask] = -F.cross_entropy(logits, target[mask], reduction="none")
        return found, {}

    def step(self, output: DecoderOutput, tokens: Tensor, memory: None = None, state: None = None) -> Said:
        """One step of each hypothesis; the last tokens are known to the decoder already."""
        return Said(self.log_probs(output), None, {})

    def log_probs(self, output: DecoderOutput) -> Tensor:
        """log p of every token, (B, Q, vocabulary)."""
        return torch.log_softmax(self._logits(output.hidden), -1)

    def _logits(self, hidden: Tensor) -> Tensor:
        hidden = self.narrow(hidden)
        found: Tensor
        if may_keep(self):
            found = kept(self.project, Packed.of)(hidden.flatten(0, -2)).unflatten(0, hidden.shape[:-1])
        else:
            found = self.project(hidden)
        return found.float() if found.dtype in (torch.bfloat16, torch.float16) else found


def output_layer(width: int, vocabulary: int, shared: nn.Embedding | None) -> tuple[nn.Module, Linear]:
    """W and E: E (vocabulary, inner width) with a bias, shared with an embedding or not."""
    inner = width if shared is None else shared.embedding_dim
    narrow = nn.Identity() if inner == width else Linear(width, inner, bias=False)
    project = Linear(inner, vocabulary)
    nn.init.zeros_(project.bias)
    if shared is None:
        nn.init.normal_(project.weight, std=inner**-0.5)
    else:
        project.weight = shared.weight
    return narrow, project
