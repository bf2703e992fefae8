"""Marginal and monotonic attention whose state and place speak together, rather than each by itself."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from regard.attention.products import Linear
from regard.model.contracts import DecoderOutput, Encoded
from regard.model.emissions import full
from regard.model.mixture import MixtureReadout, Places
from regard.model.paths import forward
from regard.model.readout import Auxiliary, Said
from regard.settings import ModelSettings


class JointReadout(MixtureReadout):
    """The same mixture as `MixtureReadout`, of

        p(y | a_i = j) = softmax_y(E tanh(W s_i + U h_j) + b)     (Wu, Shapiro & Cotterell 2018, section 3)

    What a place says depends on the state here as it does with soft attention, where the logits of the parent class are
    a sum. There is no short way to the normalizers: every step has logits of every place, (B, T, S, V), so that this is
    for small vocabularies and short texts, such as letters and phones. The state of a step is log p(a_i = j, y | y_<i)
    of all places and tokens; the token that search chooses turns it into the posterior.
    """

    def __init__(self, settings: ModelSettings, vocabulary: int, shared: nn.Embedding | None = None) -> None:
        super().__init__(settings, vocabulary, shared)
        self.narrow = Linear(settings.decoder.width, self.project.in_features, bias=False)

    def prepare(self, encoded: Encoded, steps: bool = False) -> Places:
        """Keys of the attention, and U h of every place; steps need no more."""
        return super().prepare(encoded)

    def nll(
        self, output: DecoderOutput, target: Tensor, mask: Tensor, memory: Places, smoothing: float = 0.0
    ) -> tuple[Tensor, Auxiliary]:
        """-log p(y), smoothed over the vocabulary token by token."""
        said = self._said(output, memory)
        predicted, log_probs = forward(self._moves(output, memory), _of_tokens(said, target))
        total = -(log_probs * mask).sum()
        if smoothing:
            mean = (predicted[..., None] + said).logsumexp(2).mean(-1)
            total = (1.0 - smoothing) * total - smoothing * (mean * mask).sum()
        return total, {}

    def step(self, output: DecoderOutput, tokens: Tensor, memory: Places, state: Tensor | None = None) -> Said:
        """One step of each hypothesis: where it may be now, and what is said there."""
        moves = self._moves(output, memory)
        predicted = moves.weights if state is None else moves.on(_of_tokens(state, tokens))
        both = predicted[..., None] + self._said(output, memory)
        return Said(both.logsumexp(2), both, self._observed(predicted, memory))

    def _vectors(self, encoded: Encoded) -> Tensor:
        return self._of_places(encoded)

    def _emissions(self, output: DecoderOutput, target: Tensor, memory: Places) -> tuple[Tensor, Tensor]:
        """What the places say of each token, (B, T, S); the state says nothing by itself."""
        emissions = _of_tokens(self._said(output, memory), target)
        return emissions, emissions.new_zeros(target.shape)

    def _said(self, output: DecoderOutput, memory: Places) -> Tensor:
        """log p(y | a_i = j) of every step, place and token, (B, T, S, V)."""
        both = torch.tanh(self.narrow(output.hidden)[:, :, None] + memory.vectors[:, None])
        return full(self.project(self.dropout(both))).log_softmax(-1)


def _of_tokens(said: Tensor, tokens: Tensor) -> Tensor:
    """What every place says of these tokens (B, Q), (B, Q, S)."""
    index = tokens[:, :, None, None].expand(-1, -1, said.shape[2], 1)
    return said.gather(3, index).squeeze(3)
