"""Two readouts that need more than a softmax does, to prove the contracts: a pointer-generator and a monotonic HMM.

They are proofs, not parts of Regard yet: a model is given one with `model.readout = ...`. Search, loss and forced
decoding do not know of them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from regard.attention import Memory
from regard.attention.trees import tree
from regard.model import DecoderOutput, Encoded, Observed, Said, SoftmaxReadout
from regard.model.places import recurrent_cross
from regard.model.readout import Auxiliary
from regard.settings import AttentionSettings

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

    def prepare(self, encoded: Encoded) -> Copies:
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


@tree
class Places:
    """What the places of a source give to every step."""

    attention: Memory
    mask: Tensor  # (B, S) boolean
    lexicon: Tensor  # (B, S, V): what each place adds to the logits, at most 0
    exponentials: Tensor  # (B, S, V): e to that power


class HmmReadout(nn.Module):
    """A first-order hard monotonic alignment, summed over exactly (Wu & Cotterell 2019, sections 2 and 3).

        p(y) = sum over a_1 <= a_2 <= ... of prod_i p(a_i | a_(i-1), y_<i) p(y_i | a_i, y_<i)
        p(a_i = k | a_(i-1) = j) = w_ik / sum_(l >= j) w_il  for k >= j, else 0;  p(a_1 = k) = w_1k
        p(y | a_i = j) = softmax_y(E s_i + E tanh(U h_j) + b)

    w_i is the distribution of an attention from the decoder's hidden state s_i to the memory, of any score. The logits
    are a sum of what the state says and of what the place says, so that all normalizers of a step are one product of
    exponentials, and so is the mixture. The state is one number for each place, log p(a_i = j | y_<i) - log Z_ij; the
    token of the step before turns it into the posterior when it comes back from the search.
    """

    needs: frozenset[str] = frozenset()

    def __init__(self, width: int, source_width: int, vocabulary: int, score: str = "bilinear") -> None:
        super().__init__()
        settings = AttentionSettings(score=score)
        self.attention = recurrent_cross(settings, width, source_width, source_width, longest=1024)
        self.narrow = nn.Linear(source_width, width)
        self.project = nn.Linear(width, vocabulary)
        nn.init.normal_(self.project.weight, std=width**-0.5)

    def prepare(self, encoded: Encoded) -> Places:
        """Keys of the attention, and what every place says."""
        nothing = ~encoded.mask.any(1, keepdim=True)  # an empty source is one place, at its padding
        allowed = torch.cat([encoded.mask[:, :1] | nothing, encoded.mask[:, 1:]], 1)
        logits = torch.tanh(self.narrow(encoded.source)) @ self.project.weight.mT
        lexicon = logits - logits.detach().amax(-1, keepdim=True)
        memory = self.attention.prepare(encoded.source, allowed)
        return Places(memory, encoded.mask, lexicon, lexicon.exp())

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
        predicted = self._log_weights(output, memory)
        if state is not None:
            predicted = predict(state + emitted(memory.lexicon, tokens), predicted)
        said = self._say(output)
        normal = self._normal(said, memory)
        ready = predicted - normal
        return Said(self._mixed(said, ready, memory), ready, self._observed(predicted, memory))

    def posterior(self, output: DecoderOutput, target: Tensor, mask: Tensor, memory: Places) -> Tensor:
        """p(a_i = j | y), given the whole target, (B, T, S): the gradient of log p(y) by what the places emit."""
        with torch.enable_grad():
            weights = self._log_weights(output, memory).detach()
            normal = self._normal(self._say(output), memory)
            found = (emitted(memory.lexicon, target) - normal).detach().requires_grad_()
            _, log_probs = forward(weights, found)
            (gradient,) = torch.autograd.grad((log_probs * mask).sum(), found)
        return gradient

    def _along(self, output: DecoderOutput, target: Tensor, memory: Places) -> tuple[Tensor, Tensor, Tensor]:
        """What the states say (B, T, V), the recursion's log p(a_i | y_<i) - log Z, (B, T, S), and log p (B, T)."""
        said = self._say(output)
        normal = self._normal(said, memory)
        predicted, log_probs = forward(self._log_weights(output, memory), emitted(memory.lexicon, target) - normal)
        return said, predicted - normal, log_probs + said.gather(2, target[..., None]).squeeze(2)

    def _say(self, output: DecoderOutput) -> Tensor:
        logits = self.project(output.hidden)
        return logits - logits.detach().amax(-1, keepdim=True)  # type: ignore[no-any-return]

    def _normal(self, said: Tensor, memory: Places) -> Tensor:
        """log Z_ij = log sum_y e^(said_iy + lexicon_jy), (B, Q, S)."""
        total = said.exp() @ memory.exponentials.mT
        lost = total < 1e3 * torch.finfo(total.dtype).tiny
        if not bool(lost.any()):
            return total.log()
        row, query, place = lost.nonzero(as_tuple=True)  # where the product has underflowed, a sum by itself
        exact = (said[row, query] + memory.lexicon[row, place]).logsumexp(-1)
        return total.masked_fill(lost, 1.0).log().index_put((row, query, place), exact)

    def _mixed(self, said: Tensor, ready: Tensor, memory: Places) -> Tensor:
        """log sum_j p(a_i = j | y_<i) p(y | j) of every token, (B, Q, V)."""
        most = ready.detach().amax(-1, keepdim=True)
        return _log((ready - most).exp() @ memory.exponentials).add_(said).add_(most)

    def _log_weights(self, output: DecoderOutput, memory: Places) -> Tensor:
        _, weights, _ = self.attention.step(output.hidden, memory.attention)
        allowed = memory.attention.allowed
        assert allowed is not None
        return _log(weights.squeeze(1)).masked_fill(~allowed[:, None], NOWHERE)

    def _observed(self, predicted: Tensor, memory: Places) -> Observed:
        return {("cross", 0): (predicted.exp() * memory.mask[:, None])[:, None]}


def forward(log_weights: Tensor, emissions: Tensor) -> tuple[Tensor, Tensor]:
    """The forward recursion over log w_ij and log p(y_i | j), both (B, T, S).

    Returns log p(a_i = j | y_<i), (B, T, S), and log p(y_i | y_<i), (B, T).
    """
    predicted = [log_weights[:, 0]]
    for place in range(1, log_weights.shape[1]):
        predicted.append(predict(predicted[-1] + emissions[:, place - 1], log_weights[:, place]))
    found = torch.stack(predicted, 1)
    return found, (found + emissions).logsumexp(-1)


def predict(joint: Tensor, log_weights: Tensor) -> Tensor:
    """log sum_(j <= k) p(a_(i-1) = j) w_k / sum_(l >= j) w_l, of an unnormalised log p(a_(i-1)), all (..., S).

    A transition depends on where it comes from by its normalizer alone, so that the sum over all S^2 of them is one
    cumulative sum.
    """
    remaining = log_weights.flip(-1).logcumsumexp(-1).flip(-1)
    return log_weights + (joint.log_softmax(-1) - remaining).logcumsumexp(-1)


def emitted(lexicon: Tensor, tokens: Tensor) -> Tensor:
    """What every place says of these tokens (B, Q), (B, Q, S)."""
    index = tokens[:, None].expand(-1, lexicon.shape[1], -1)
    return lexicon.gather(2, index).mT


def _log(x: Tensor) -> Tensor:
    return x.clamp(min=torch.finfo(x.dtype).tiny).log()
