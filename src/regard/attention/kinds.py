"""Kinds of attention besides the sum over all places: within a window, at one place that is drawn, only ever onward.

A kind makes weights of the scores of a step, with a state of its own: what it remembers of the steps before. Scores and
weights are (..., H, Q, K), queries (..., Q, D); a state is a tree of tensors (..., Q, ...).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from regard.attention.kernels.dense import normalize
from regard.attention.names import nearest
from regard.attention.normalizers import Normalizer, argmax, softmax
from regard.attention.products import Linear
from regard.attention.trees import tree

KINDS = ("soft", "local_m", "local_p", "gumbel", "reinforce", "online")
FORBIDDEN = -1e30
"""The logarithm of a weight of 0: finite, so that no gradient is NaN."""


class Kind(Protocol):
    """How the scores of a step become weights."""

    in_order: bool
    """Whether a step needs the state of the one before, so that a sequence can't be weighed at once."""

    def along(self, lead: Sequence[int], steps: int, device: torch.device) -> Any:
        """The states of all steps of a sequence at once, (*lead, steps, ...), where they are known before."""
        ...

    def __call__(
        self, scores: Tensor, query: Tensor, allowed: Tensor | None, state: Any, normalizer: Normalizer
    ) -> tuple[Tensor, Any]:
        """Weights, and the next state. Scores are -inf where `allowed` (..., K) is False; no state at first."""
        ...


class LocalM(nn.Module):
    """The places within N of the step's own number, |j - i| <= N   (local-m of Luong et al. 2015, section 3.2).

    Both count from 0. Steps beyond the last place look at the last places. The state is the number of the step.
    """

    in_order = False

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def along(self, lead: Sequence[int], steps: int, device: torch.device) -> Tensor:
        return torch.arange(steps, device=device).expand(*lead, steps)

    def forward(
        self, scores: Tensor, query: Tensor, allowed: Tensor | None, state: Tensor | None, normalizer: Normalizer
    ) -> tuple[Tensor, Tensor]:
        number = query.new_zeros(query.shape[:-1], dtype=torch.int64) if state is None else state
        centre = torch.minimum(number, _last(scores, allowed)[..., None])[..., None, :, None]
        outside = (_places(scores) - centre).abs() > self.width
        return normalize(normalizer, scores.masked_fill(outside, float("-inf")), True), number + 1


class LocalP(nn.Module):
    """The places within N of a predicted one, times a Gaussian   (local-p of Luong et al. 2015, equations 9 and 10).

    p_i = S sigmoid(v . tanh(W s_i)) for each head, S the length of the source, and the weights within N of it are
    multiplied by exp(-(j - p_i)^2 / (2 sigma^2)), sigma = N / 2; they are not normalised again. Places count from 0, so
    that S is the last place.
    """

    in_order = False

    def __init__(self, width: int, query_dim: int, heads: int) -> None:
        super().__init__()
        self.width = width
        self.inner = Linear(query_dim, query_dim, bias=False)
        self.predict = Linear(query_dim, heads, bias=False)

    def along(self, lead: Sequence[int], steps: int, device: torch.device) -> None:
        return None

    def forward(
        self, scores: Tensor, query: Tensor, allowed: Tensor | None, state: None, normalizer: Normalizer
    ) -> tuple[Tensor, None]:
        share = torch.sigmoid(self.predict(torch.tanh(self.inner(query)))).mT[..., None]  # (..., H, Q, 1)
        away = _places(scores) - share * _last(scores, allowed)[..., None, None, None]
        weights = normalize(normalizer, scores.masked_fill(away.detach().abs() > self.width, float("-inf")), True)
        return weights * torch.exp(-0.5 * (away * (2.0 / self.width)).square()), None


@tree
class Drawn:
    """What is known of the places drawn at one step, or at all of a sequence: (..., Q, H)."""

    log_probs: Tensor  # log p of the place, 0 where none was drawn
    entropy: Tensor  # of the distribution that it was drawn from


class Sampled(nn.Module):
    """One place, drawn by its weight in training, and the heaviest afterwards.

    gumbel:    the greatest of (scores + Gumbel noise) / temperature, whose gradient is that of their softmax
               (Jang, Gu & Poole 2017, section 2.2: straight-through)
    reinforce: a place drawn from softmax(scores), without a gradient: the model's loss makes one of how well the target
               was predicted (Xu et al. 2015, section 4.1). A share `soft` of the steps see the weighted sum instead.

    `temperature` and `soft` are those of the moment: a training sets them before an update.
    """

    in_order = False

    def __init__(self, estimator: str) -> None:
        super().__init__()
        self.estimator = estimator
        self.temperature, self.soft = 1.0, 0.0

    def along(self, lead: Sequence[int], steps: int, device: torch.device) -> None:
        return None

    def forward(
        self, scores: Tensor, query: Tensor, allowed: Tensor | None, state: Drawn | None, normalizer: Normalizer
    ) -> tuple[Tensor, Drawn | None]:
        masked = allowed is not None
        if not self.training:
            return normalize(argmax(), scores, masked), None
        noisy = scores - torch.empty_like(scores).exponential_().log()
        if self.estimator == "gumbel":
            return normalize(argmax(), noisy / self.temperature, masked), None
        weights = normalize(softmax(), scores, masked)
        logs = weights.clamp(min=torch.finfo(weights.dtype).tiny).log()
        place = normalize(argmax(), noisy.detach(), masked)
        drawn = torch.rand_like(weights[..., :1]) >= self.soft
        found = Drawn((drawn * place * logs).sum(-1).transpose(-1, -2), -(weights * logs).sum(-1).transpose(-1, -2))
        return torch.where(drawn, place, weights), found


class Online(nn.Module):
    """One place, never before the last one: each place in turn is taken or passed   (Raffel et al. 2017, section 2).

    From the last place on, place j is taken with p_ij = sigmoid(score_ij + r), else passed; a step that passes all of
    them looks at nothing, and so do all later ones. In training the context is the expected one, the sum weighted by

        a_ij = p_ij sum_(k <= j) a_(i-1)k prod_(l = k)^(j - 1) (1 - p_il)

    for all places at once, in logarithms, and noise is added to the scores so that they learn to be decided. Afterwards
    a place is taken where p_ij > 1/2. The state is log a, (..., Q, H, K), of the places that there were then: others
    may have arrived since.
    """

    in_order = True

    def __init__(self, noise: float = 1.0, offset: float = -1.0) -> None:
        super().__init__()
        self.noise = noise
        self.offset = nn.Parameter(torch.tensor(offset))

    def along(self, lead: Sequence[int], steps: int, device: torch.device) -> None:
        return None

    def forward(
        self, scores: Tensor, query: Tensor, allowed: Tensor | None, state: Tensor | None, normalizer: Normalizer
    ) -> tuple[Tensor, Tensor]:
        energy = scores + self.offset
        if self.training:
            energy = energy + self.noise * torch.randn_like(energy)
        # So low that the place is never taken, and 0 is what its logarithms add to others.
        energy = energy.masked_fill(scores == float("-inf"), -1e4)
        before = _at_first(scores) if state is None else state.transpose(-2, -3)
        before = F.pad(before, (0, scores.shape[-1] - before.shape[-1]), value=FORBIDDEN)
        after = expected(energy, before) if self.training else taken(energy, before)
        return after.exp(), after.transpose(-2, -3)


def drawn_in(states: Sequence[Any]) -> tuple[Drawn, ...]:
    """What is known of the places drawn at steps one after the other, together: one, or none where none were drawn."""
    steps = [state for state in states if isinstance(state, Drawn)]
    if not steps:
        return ()
    return (Drawn(*(torch.cat([getattr(step, part) for step in steps], -2) for part in ("log_probs", "entropy"))),)


def expected(energy: Tensor, before: Tensor) -> Tensor:
    """log a_ij of a step, (..., K), where p_ij = sigmoid(energy_ij) and `before` is log a_(i-1)j."""
    passed = F.logsigmoid(-energy)
    until = passed.cumsum(-1) - passed  # that all places before j are passed
    return F.logsigmoid(energy) + until + (before - until).logcumsumexp(-1)


def taken(energy: Tensor, before: Tensor) -> Tensor:
    """The same where every place with an energy above 0 is taken, and no other."""
    free = (before.exp().cumsum(-1) > 0.5) & (energy > 0)
    first = free & (free.cumsum(-1) == 1)
    return torch.where(first, 0.0, FORBIDDEN).to(energy.dtype)


def made(kind: str, query_dim: int, heads: int) -> Kind | None:
    """The kind of a name; None for soft attention. Raises ValueError where there is none such."""
    name, _, number = kind.partition(":")
    if name not in KINDS:
        raise ValueError(f"kind: unknown name {kind!r}{nearest(name, KINDS)}")
    local = name in ("local_m", "local_p")
    if local != number.isdecimal() or (local and int(number) < 1) or (not local and ":" in kind):
        expected = f"{name} needs a whole number of places after a colon, as in {name}:5"
        raise ValueError(f"kind: {expected if local else f'{name} takes no number'}, came {kind!r}")
    if name == "local_m":
        return LocalM(int(number))
    if name == "local_p":
        return LocalP(int(number), query_dim, heads)
    if name == "online":
        return Online()
    return None if name == "soft" else Sampled(name)


def _places(scores: Tensor) -> Tensor:
    return torch.arange(scores.shape[-1], device=scores.device)


def _last(scores: Tensor, allowed: Tensor | None) -> Tensor:
    """The last place that may be attended to, (...), 0 where there is none."""
    if allowed is None:
        return torch.tensor(scores.shape[-1] - 1, device=scores.device).expand(scores.shape[:-3])
    return (allowed * _places(scores)).amax(-1)


def _at_first(scores: Tensor) -> Tensor:
    """log a before the first step: all of it at the first place."""
    found = torch.full_like(scores, FORBIDDEN)
    found[..., 0] = 0.0
    return found.detach()
