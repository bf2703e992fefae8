"""The readout of a pointer-generator: a token is of the vocabulary, or copied from the source through the weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from regard.attention import dense
from regard.attention.products import Linear
from regard.attention.trees import tree
from regard.model.contracts import POSTERIOR, DecoderOutput, Encoded, Observed
from regard.model.emissions import full
from regard.model.readout import Auxiliary, Said, SoftmaxReadout
from regard.settings import ModelSettings

_NOTHING = -1e30  # the logarithm of what is not copied: finite, so that no gradient is nan


@tree
class Copies:
    """What of a source may be copied, as tokens of the target; V and more are the source's own (`data.copying`)."""

    tokens: Tensor  # (B, S) int64; -1 where nothing is
    there: Tensor  # (B, S) boolean: something is
    same: Tensor  # (B, S, S): 1 where two places hold the same
    first: Tensor  # (B, S) boolean: no place before holds it


class PointerReadout(SoftmaxReadout):
    """p(y) = g softmax(E hidden + b)_y + (1 - g) sum_(j: x_j = y) w_j   (See, Liu & Manning 2017, section 2.2)

    g = sigmoid(u . [hidden; C_i]); w_i are the weights of the last cross-attention, the mean of its heads. What they
    spend on places that can't be copied (features), or on none, goes to the vocabulary. Tokens that only the source has
    come after the V of the vocabulary: log-probabilities are (B, Q, V + S).

    All is summed in log space. The loss compares the source's tokens with the targets, (B, T, S), and has nothing of
    the size T x V x S.

    Label smoothing takes for right, where y* is, the distribution q(y) = (1 - s) [y = y*] + s / V [y < V]: it spreads
    over the vocabulary, whose tokens may be copied as well as made. q sums to 1 for a y* that can only be copied too,
    and is reached there by leaving s to the vocabulary. The source's own tokens get no part of s: a weight may be
    exactly 0, and the loss of a token of the vocabulary is bounded all the same by what the softmax gives it.

    Args:
        settings: of the model.
        context: width of the C_i that the decoder shows.
        vocabulary: V.
        shared: an embedding whose table the output layer shares.
    """

    needs: frozenset[str] = frozenset({"cross"})

    def __init__(
        self, settings: ModelSettings, context: int, vocabulary: int, shared: nn.Embedding | None = None
    ) -> None:
        super().__init__(settings.decoder.width, vocabulary, shared)
        self.gate = Linear(settings.decoder.width + context, 1)
        nn.init.zeros_(self.gate.bias)

    def prepare(self, encoded: Encoded, steps: bool = False) -> Copies:  # type: ignore[override]
        """The source in tokens of the target."""
        assert encoded.tokens is not None
        tokens = encoded.tokens
        there = encoded.mask & (tokens >= 0)
        same = (tokens[:, :, None] == tokens[:, None, :]) & there[:, None, :] & there[:, :, None]
        return Copies(tokens, there, same.to(encoded.source.dtype), there & ~same.tril(-1).any(-1))

    def nll(  # type: ignore[override]
        self, output: DecoderOutput, target: Tensor, mask: Tensor, memory: Copies, smoothing: float = 0.0
    ) -> tuple[Tensor, Auxiliary]:
        """The sum of -log p(target) where mask (B, T) is True; smoothed, of -sum_y q(y) log p(y)."""
        share, copied = self._parts(output, memory)
        logs = self.log_probs(output)
        total = -(self._of_target(logs, share, copied, target, memory) * mask).sum()
        if smoothing:
            size = logs.shape[-1]
            made = self._made(logs, share, memory)
            gained = torch.logaddexp(made, self._together(copied, memory)) - made
            known = memory.first & (memory.tokens < size)
            mean = logs.mean(-1) + share + gained.masked_fill(~known[:, None], 0.0).sum(-1) / size
            total = (1.0 - smoothing) * total - smoothing * (mean * mask).sum()
        return total, {}

    def target_log_probs(  # type: ignore[override]
        self, output: DecoderOutput, target: Tensor, mask: Tensor, memory: Copies
    ) -> tuple[Tensor, Observed]:
        """log p(target) of each token, (B, T), 0 where mask is False."""
        share, copied = self._parts(output, memory)
        found = self._of_target(self.log_probs(output), share, copied, target, memory)
        return found.masked_fill(~mask, 0.0), {}

    def step(  # type: ignore[override]
        self, output: DecoderOutput, tokens: Tensor, memory: Copies, state: None = None
    ) -> Said:
        """One step of each hypothesis: the vocabulary, and after it the places of the source."""
        share, copied = self._parts(output, memory)
        made = self.log_probs(output) + share[..., None]
        size, places = made.shape[-1], copied.shape[-1]
        whole = torch.cat([made, made.new_full((*made.shape[:2], places), -torch.inf)], -1)
        own = torch.arange(size, size + places, device=made.device)
        at = torch.where(memory.there, memory.tokens, own)[:, None].expand(copied.shape)
        together = self._together(copied, memory).masked_fill(~memory.there[:, None], -torch.inf)
        return Said(whole.scatter(2, at, torch.logaddexp(whole.gather(2, at), together)), None, {})

    def posterior(self, output: DecoderOutput, target: Tensor, mask: Tensor, memory: Copies) -> Observed:
        """How much of p(target) was copied from each place, as weights (B, 1, T, S); the rest was not copied.

        From places whose weight is 0 nothing was, not even where p(target) is 0.
        """
        share, copied = self._parts(output, memory)
        total = self._of_target(self.log_probs(output), share, copied, target, memory)
        found = (copied - total[..., None]).exp() * self._is(target, memory) * mask[..., None]
        found = found.masked_fill(copied <= math.log(torch.finfo(copied.dtype).tiny), 0.0)
        return {(POSTERIOR, 0): found[:, None]}

    # Parts ------------------------------------------------------------------------------------------------------------

    def _parts(self, output: DecoderOutput, memory: Copies) -> tuple[Tensor, Tensor]:
        """log of the vocabulary's share (B, Q), and of what each place gives to its own token (B, Q, S)."""
        layer = max(key for key in output.observed if key[0] == "cross")
        weights = full(dense(output.observed[layer])).mean(1).masked_fill(~memory.there[:, None], 0.0)
        gate = full(self.gate(torch.cat([output.hidden, output.context], -1))).squeeze(-1)
        copies = F.logsigmoid(-gate)
        share = torch.logaddexp(F.logsigmoid(gate), copies + _log(1.0 - weights.sum(-1)))
        return share, copies[..., None] + _log(weights)

    def _of_target(self, logs: Tensor, share: Tensor, copied: Tensor, target: Tensor, memory: Copies) -> Tensor:
        """log p of the targets, (B, T)."""
        known = target < logs.shape[-1]
        made = logs.gather(2, (target * known)[..., None]).squeeze(2) + share
        made = made.masked_fill(~known, _NOTHING)
        parts = copied.masked_fill(~self._is(target, memory), _NOTHING)
        return torch.cat([made[..., None], parts], -1).logsumexp(-1)

    def _is(self, target: Tensor, memory: Copies) -> Tensor:
        return (memory.tokens[:, None] == target[..., None]) & memory.there[:, None]

    def _together(self, copied: Tensor, memory: Copies) -> Tensor:
        """log of what all places like this one give to its token, (B, Q, S)."""
        return _log(copied.exp() @ memory.same.to(copied))

    def _made(self, logs: Tensor, share: Tensor, memory: Copies) -> Tensor:
        """log of what the vocabulary gives to the tokens of the source, (B, Q, S)."""
        known = memory.there & (memory.tokens < logs.shape[-1])
        at = (memory.tokens * known)[:, None].expand(-1, logs.shape[1], -1)
        return (logs.gather(2, at) + share[..., None]).masked_fill(~known[:, None], _NOTHING)


def _log(x: Tensor) -> Tensor:
    return x.clamp(min=torch.finfo(x.dtype).tiny).log()
