"""A pointer-generator, as a proof of the readouts' contract: search, loss and forced decoding do not know of it.

It is no part of Regard yet: a model is given one with `model.readout = ...`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from regard.attention.trees import tree
from regard.model import DecoderOutput, Encoded, Observed, Said, SoftmaxReadout
from regard.model.readout import Auxiliary

NOWHERE = -1e30  # the log-weight of a place that may not be attended to: finite, so that no gradient is nan


@tree
class Copies:
    """What of a source may be copied."""

    tokens: Tensor  # (B, S): the target's token for each place
    same: Tensor  # (B, S, S): 1 where two places hold the same one
    first: Tensor  # (B, S) boolean: no place before holds it


class PointerReadout(nn.Module):
    """p(y) = g softmax(V hidden)_y + (1 - g) sum_(j: x_j = y) w_j   (See et al. 2017, section 2.2, equation 9)

    g = sigmoid(u . [hidden; C_i]). Weights w are the last layer's, the mean of its heads; what they do not spend
    (all of it, for an empty source) goes to the vocabulary.

    Args:
        width, context: of the decoder's hidden states and contexts.
        vocabulary: how many tokens the target has.
        copied: for each token of the source the target's, (source vocabulary,) int64.
    """

    needs = frozenset({"cross"})

    def __init__(self, width: int, context: int, vocabulary: int, copied: Tensor) -> None:
        super().__init__()
        self.vocabulary = SoftmaxReadout(width, vocabulary)
        self.gate = nn.Linear(width + context, 1)
        self.register_buffer("copied", copied)

    def prepare(self, encoded: Encoded, steps: bool = False) -> Copies:
        """The source in tokens of the target."""
        if encoded.tokens is None:
            raise ValueError("model.readout: pointer copies tokens, but this source has none")
        tokens = self.copied[encoded.tokens]
        same = tokens[:, :, None] == tokens[:, None, :]
        return Copies(tokens, same.to(encoded.source.dtype), ~same.tril(-1).any(-1))

    def nll(
        self, output: DecoderOutput, target: Tensor, mask: Tensor, memory: Copies, smoothing: float = 0.0
    ) -> tuple[Tensor, Auxiliary]:
        """The sum of -log p(target), smoothed over the vocabulary."""
        generated, copied = self._parts(output, memory)
        total = -(self._of_target(generated, copied, target, memory) * mask).sum()
        if smoothing:
            gained = self._both(generated, copied, memory) - self._generated(generated, memory)
            mean = (generated.sum(-1) + (gained * memory.first[:, None]).sum(-1)) / generated.shape[-1]
            total = (1.0 - smoothing) * total - smoothing * (mean * mask).sum()
        return total, {}

    def target_log_probs(
        self, output: DecoderOutput, target: Tensor, mask: Tensor, memory: Copies
    ) -> tuple[Tensor, Observed]:
        """log p(target) of each token, (B, T)."""
        generated, copied = self._parts(output, memory)
        return self._of_target(generated, copied, target, memory).masked_fill(~mask, 0.0), {}

    def step(self, output: DecoderOutput, tokens: Tensor, memory: Copies, state: None = None) -> Said:
        """One step of each hypothesis: the vocabulary's distribution, changed in place where the source has tokens."""
        generated, copied = self._parts(output, memory)
        places = memory.tokens[:, None].expand(copied.shape)
        return Said(generated.scatter_(2, places, self._both(generated, copied, memory)), None, {})

    def _parts(self, output: DecoderOutput, memory: Copies) -> tuple[Tensor, Tensor]:
        """log of the vocabulary's share of every token (B, Q, V), and of what each place gives to its own (B, Q, S)."""
        layer = max(key for key in output.observed if key[0] == "cross")
        weights = output.observed[layer].mean(1)
        gate = self.gate(torch.cat([output.hidden, output.context], -1))
        left = _log(1.0 - weights.sum(-1, keepdim=True))
        share = torch.logaddexp(F.logsigmoid(gate), F.logsigmoid(-gate) + left)
        return self.vocabulary.log_probs(output) + share, F.logsigmoid(-gate) + _log(weights)

    def _of_target(self, generated: Tensor, copied: Tensor, target: Tensor, memory: Copies) -> Tensor:
        there = memory.tokens[:, None] == target[..., None]
        found = torch.cat([generated.gather(2, target[..., None]), copied.masked_fill(~there, NOWHERE)], -1)
        return found.logsumexp(-1)

    def _both(self, generated: Tensor, copied: Tensor, memory: Copies) -> Tensor:
        """log p of the tokens of the source, (B, Q, S)."""
        together = _log(copied.exp() @ memory.same)
        return torch.logaddexp(self._generated(generated, memory), together)

    def _generated(self, generated: Tensor, memory: Copies) -> Tensor:
        return generated.gather(2, memory.tokens[:, None].expand(-1, generated.shape[1], -1))


def _log(x: Tensor) -> Tensor:
    return x.clamp(min=torch.finfo(x.dtype).tiny).log()
