"""The readout of marginal and monotonic attention: the output is a mixture of what every place of the source says."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from regard.attention import Memory, dense
from regard.attention.products import Linear, linear
from regard.attention.trees import tree
from regard.model.contracts import POSTERIOR, DecoderOutput, Encoded, Observed
from regard.model.dropout import Dropout
from regard.model.emissions import below_0, cost, full, log, log_mixture, log_normalizers, of_tokens, sliced_cost
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
    vectors: Tensor  # (B, S, D): tanh(U h_j)
    logits: Tensor | None  # (B, S, V), for steps: what each place adds to the logits, at most 0
    exponentials: Tensor | None  # (B, S, V), for steps: e to that power


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

    def prepare(self, encoded: Encoded, steps: bool = False) -> Places:
        """Keys of the attention, and what every place says; of all tokens, if steps are to come."""
        nothing = ~encoded.mask.any(1, keepdim=True)
        allowed = torch.cat([encoded.mask[:, :1] | nothing, encoded.mask[:, 1:]], 1)
        vectors = self._vectors(encoded)
        logits = self._logits(vectors) if steps else None
        exponentials = None if logits is None else logits.exp()
        memory = self.attention.prepare(encoded.source, allowed)
        return Places(memory, encoded.mask, allowed, vectors, logits, exponentials)

    def nll(
        self, output: DecoderOutput, target: Tensor, mask: Tensor, memory: Places, smoothing: float = 0.0
    ) -> tuple[Tensor, Auxiliary]:
        """-log p(y), smoothed over the vocabulary token by token."""
        hidden, moves = self.narrow(output.hidden), self._moves(output, memory)
        if hidden.is_cpu and not torch.is_autocast_enabled("cpu"):
            weight, bias = self.project.weight, self.project.bias
            return sliced_cost(hidden, memory.vectors, weight, bias, moves, target, mask, smoothing), {}
        return cost(self._say(output), self._logits(memory.vectors), moves, target, mask, smoothing), {}

    def target_log_probs(
        self, output: DecoderOutput, target: Tensor, mask: Tensor, memory: Places
    ) -> tuple[Tensor, Observed]:
        """log p(y_i | y_<i), (B, T), and as weights p(a_i | y_<i), (B, 1, T, S)."""
        emissions, own = self._emissions(output, target, memory)
        predicted, log_probs = forward(self._moves(output, memory), emissions)
        return (log_probs + own).masked_fill(~mask, 0.0), self._observed(predicted, memory)

    def step(self, output: DecoderOutput, tokens: Tensor, memory: Places, state: Tensor | None = None) -> Said:
        """One step of each hypothesis: where it may be now, and what is said there."""
        assert memory.logits is not None
        assert memory.exponentials is not None
        moves = self._moves(output, memory)
        predicted = moves.weights
        if state is not None:
            predicted = moves.on(state + of_tokens(memory.logits, tokens))
        said = self._say(output)
        ready = predicted - log_normalizers(said, memory.logits, memory.exponentials)
        return Said(log_mixture(said, ready, memory.exponentials), ready, self._observed(predicted, memory))

    def posterior(self, output: DecoderOutput, target: Tensor, mask: Tensor, memory: Places) -> Observed:
        """p(a_i = j | y), given the whole target, as weights (B, 1, T, S)."""
        emissions, _ = self._emissions(output, target, memory)
        found = posterior(self._moves(output, memory), emissions, mask)
        return {(POSTERIOR, 0): (found * memory.mask[:, None])[:, None]}

    # Parts ------------------------------------------------------------------------------------------------------------

    def _vectors(self, encoded: Encoded) -> Tensor:
        found: Tensor = self.dropout(torch.tanh(self._of_places(encoded)))
        return found

    def _of_places(self, encoded: Encoded) -> Tensor:
        """U h of every place."""
        found: Tensor = self.of_place(encoded.source[..., encoded.source.shape[-1] - self.values_width :])
        return found

    def _emissions(self, output: DecoderOutput, target: Tensor, memory: Places) -> tuple[Tensor, Tensor]:
        """What the places say of each token but for what the state says of it, (B, T, S), and that, (B, T)."""
        said, logits = self._say(output), self._logits(memory.vectors)
        own = said.gather(2, target[..., None]).squeeze(2)
        return of_tokens(logits, target) - log_normalizers(said, logits, logits.exp()), own

    def _logits(self, vectors: Tensor) -> Tensor:
        return below_0(linear(vectors, self.project.weight))

    def _say(self, output: DecoderOutput) -> Tensor:
        return below_0(self.project(self.narrow(output.hidden)))

    def _moves(self, output: DecoderOutput, memory: Places) -> Moves:
        _, weights, _ = self.attention.step(output.hidden, memory.attention)
        logs = log(full(dense(weights).squeeze(1))).masked_fill(~memory.allowed[:, None], NOWHERE)
        if self.jump is not None:
            return Jumping(logs, full(self.jump(output.hidden)))
        return Onward(logs) if self.onward else Anywhere(logs)

    def _observed(self, predicted: Tensor, memory: Places) -> Observed:
        return {("cross", 0): (predicted.exp() * memory.mask[:, None])[:, None]}
