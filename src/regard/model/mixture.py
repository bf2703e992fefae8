"""The readout of marginal and monotonic attention: the output is a mixture of what every place of the source says."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from regard.attention import Memory, dense
from regard.attention.products import Linear
from regard.attention.trees import tree
from regard.model.contracts import POSTERIOR, DecoderOutput, Encoded, Observed
from regard.model.dropout import Dropout
from regard.model.paths import NOWHERE, Anywhere, Jumping, Moves, Onward, forward, posterior
from regard.model.places import recurrent_cross
from regard.model.readout import Auxiliary, Said, output_layer
from regard.settings import ModelSettings

FURTHEST = 8
"""Jumps of so many places and more count alike."""


@tree
class Places:
    """What the places of a source give to every step."""

    attention: Memory
    mask: Tensor  # (B, S) boolean
    allowed: Tensor  # (B, S) boolean: the same, but an empty source is one place, at its padding
    logits: Tensor  # (B, S, V): what each place adds to the logits, at most 0
    exponentials: Tensor  # (B, S, V): e to that power


class MixtureReadout(nn.Module):
    """p(y) = sum over paths of prod_i p(a_i | a_(i-1), y_<i) p(y_i | a_i, y_<i), summed exactly.

        marginal      p(a_i = j) = w_ij, so that p(y_i) = sum_j w_ij p(y_i | j)
                      (Wu, Shapiro & Cotterell 2018; Shankar, Garg & Sarawagi 2018; Deng et al. 2018)
        monotonic:0   paths never go back, and follow w            (Wu & Cotterell 2019; `regard.model.paths`)
        monotonic:1   paths never go back, and follow w and the distance of their moves

        p(y | a_i = j) = softmax_y(E s_i + E tanh(U h_j) + b)

    w_i is the distribution of an attention from the decoder's hidden state s_i to the memory, of any score; with a
    normalizer such as `top_k:3` the sum is over those places alone. The decoder is told nothing of the source, so that
    all that an output token knows of it comes from one place.

    The logits are a sum of what the state says and of what the place says. So the normalizers Z of all steps and places
    are one product of exponentials, (T x V) by (V x S), and the mixture is another; where the first underflows, each is
    summed by itself. The state of a step is one number for each place, log p(a_i = j | y_<i) - log Z_ij: the token that
    search chooses comes back with the next step, and turns it into the posterior.
    """

    needs: frozenset[str] = frozenset()

    def __init__(self, settings: ModelSettings, vocabulary: int, shared: nn.Embedding | None = None) -> None:
        super().__init__()
        width, self.values_width = settings.decoder.width, settings.values_width
        self.attention = recurrent_cross(
            settings.cross, width, settings.memory_width, settings.values_width, settings.longest
        )
        self.narrow, self.project = output_layer(width, vocabulary, shared)
        self.of_place = Linear(self.values_width, self.project.in_features)
        self.dropout = Dropout(settings.dropout)
        self.onward = settings.context_kind == "monotonic"
        self.jump = None
        if settings.context_number == 1:
            self.jump = Linear(width, FURTHEST + 1)
            nn.init.zeros_(self.jump.weight)
            nn.init.zeros_(self.jump.bias)

    def prepare(self, encoded: Encoded) -> Places:
        """Keys of the attention, and what every place says."""
        nothing = ~encoded.mask.any(1, keepdim=True)
        allowed = torch.cat([encoded.mask[:, :1] | nothing, encoded.mask[:, 1:]], 1)
        values = encoded.source[..., encoded.source.shape[-1] - self.values_width :]
        said = self.dropout(torch.tanh(self.of_place(values))) @ self.project.weight.mT
        logits = _below_0(said)
        return Places(self.attention.prepare(encoded.source, allowed), encoded.mask, allowed, logits, logits.exp())

    def nll(
        self, output: DecoderOutput, target: Tensor, mask: Tensor, memory: Places, smoothing: float = 0.0
    ) -> tuple[Tensor, Auxiliary]:
        """-log p(y), smoothed over the vocabulary token by token."""
        said, ready, log_probs = self._along(output, target, memory)
        total = -(log_probs * mask).sum()
        if smoothing:
            mean = self._mixed(said, ready, memory).mean(-1)
            total = (1.0 - smoothing) * total - smoothing * (mean * mask).sum()
        return total, {}

    def target_log_probs(
        self, output: DecoderOutput, target: Tensor, mask: Tensor, memory: Places
    ) -> tuple[Tensor, Observed]:
        """log p(y_i | y_<i), (B, T), and as weights p(a_i | y_<i), (B, 1, T, S)."""
        said, ready, log_probs = self._along(output, target, memory)
        return log_probs.masked_fill(~mask, 0.0), self._observed(ready + self._normal(said, memory), memory)

    def step(self, output: DecoderOutput, tokens: Tensor, memory: Places, state: Tensor | None = None) -> Said:
        """One step of each hypothesis: where it may be now, and what is said there."""
        moves = self._moves(output, memory)
        predicted = moves.weights
        if state is not None:
            predicted = moves.on(state + _of_tokens(memory.logits, tokens))
        said = self._say(output)
        ready = predicted - self._normal(said, memory)
        return Said(self._mixed(said, ready, memory), ready, self._observed(predicted, memory))

    def posterior(self, output: DecoderOutput, target: Tensor, mask: Tensor, memory: Places) -> Observed:
        """p(a_i = j | y), given the whole target, as weights (B, 1, T, S)."""
        emissions = _of_tokens(memory.logits, target) - self._normal(self._say(output), memory)
        found = posterior(self._moves(output, memory), emissions, mask)
        return {(POSTERIOR, 0): (found * memory.mask[:, None])[:, None]}

    # Parts ------------------------------------------------------------------------------------------------------------

    def _along(self, output: DecoderOutput, target: Tensor, memory: Places) -> tuple[Tensor, Tensor, Tensor]:
        """What the states say (B, T, V), the recursion's log p(a_i | y_<i) - log Z, (B, T, S), and log p (B, T)."""
        said = self._say(output)
        normal = self._normal(said, memory)
        emissions = _of_tokens(memory.logits, target) - normal
        predicted, log_probs = forward(self._moves(output, memory), emissions)
        return said, predicted - normal, log_probs + said.gather(2, target[..., None]).squeeze(2)

    def _say(self, output: DecoderOutput) -> Tensor:
        return _below_0(self.project(self.narrow(output.hidden)))

    def _moves(self, output: DecoderOutput, memory: Places) -> Moves:
        _, weights, _ = self.attention.step(output.hidden, memory.attention)
        logs = _log(_full(dense(weights).squeeze(1))).masked_fill(~memory.allowed[:, None], NOWHERE)
        if self.jump is not None:
            return Jumping(logs, _full(self.jump(output.hidden)))
        return Onward(logs) if self.onward else Anywhere(logs)

    def _normal(self, said: Tensor, memory: Places) -> Tensor:
        """log Z_ij = log sum_y e^(said_iy + logits_jy), (B, Q, S)."""
        total = _product(said.exp(), memory.exponentials.mT)
        lost = total < 1e3 * torch.finfo(total.dtype).tiny
        if not bool(lost.any()):
            return total.log()
        row, query, place = lost.nonzero(as_tuple=True)
        exact = (said[row, query] + memory.logits[row, place]).logsumexp(-1)
        return total.masked_fill(lost, 1.0).log().index_put((row, query, place), exact)

    def _mixed(self, said: Tensor, ready: Tensor, memory: Places) -> Tensor:
        """log sum_j p(a_i = j | y_<i) p(y | j) of every token, (B, Q, V)."""
        most = ready.detach().amax(-1, keepdim=True)
        return _log(_product((ready - most).exp(), memory.exponentials)).add_(said).add_(most)

    def _observed(self, predicted: Tensor, memory: Places) -> Observed:
        return {("cross", 0): (predicted.exp() * memory.mask[:, None])[:, None]}


def _below_0(logits: Tensor) -> Tensor:
    """Logits less their greatest, so that no exponential overflows; in full precision."""
    logits = _full(logits)
    return logits - logits.detach().amax(-1, keepdim=True)


def _product(left: Tensor, right: Tensor) -> Tensor:
    """A matrix product that keeps its precision: in halves, sums of exponentials would be off by a per cent."""
    with torch.autocast(left.device.type, enabled=False):
        return left @ right


def _of_tokens(logits: Tensor, tokens: Tensor) -> Tensor:
    """What every place says of these tokens (B, Q), (B, Q, S)."""
    index = tokens[:, None].expand(-1, logits.shape[1], -1)
    return logits.gather(2, index).mT


def _full(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def _log(x: Tensor) -> Tensor:
    return x.clamp(min=torch.finfo(x.dtype).tiny).log()
