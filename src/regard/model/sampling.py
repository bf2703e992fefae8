"""What places that are drawn teach: their reward, and what a training sets from update to update."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from regard.attention.kinds import Drawn, Sampled


@dataclass(frozen=True)
class Sampling:
    """How places are drawn at one update.

    `temperature` is that of gumbel; `soft` is the share of reinforce's steps that see the weighted sum; `entropy` is
    what undecided weights are worth to it, and `baseline` what log-probability of a token it takes for usual.
    """

    temperature: float = 1.0
    soft: float = 0.0
    entropy: float = 0.0
    baseline: float = 0.0


def set_sampling(model: nn.Module, sampling: Sampling) -> None:
    """Let a model draw places so from now on."""
    model.sampling = sampling  # type: ignore[assignment]
    for part in model.modules():
        if isinstance(part, Sampled):
            part.temperature, part.soft = sampling.temperature, sampling.soft


def reinforce(drawn: Sequence[Drawn], passing: bool, rewards: Tensor, mask: Tensor, sampling: Sampling) -> Tensor:
    """-sum_i (R_i log p(place_i) + entropy H_i), R_i = sum_(t >= i) (log p(y_t) - baseline)   (Williams 1992; Xu et al.
    2015, equation 12).

    The reward R of a place counts the token that was said with it and all later ones; its gradient is the REINFORCE
    estimate for the log-likelihood. With `passing` no later token depends on a place of the last attention, so that
    they would add noise alone, and its R_i is log p(y_i) - baseline. Rewards are log p(y_t), (B, T), without a
    gradient, and 0 where mask (B, T) is False. Returns the sum over the batch, all layers and heads, ().
    """
    gained = (rewards - sampling.baseline) * mask
    to_come = gained.flip(1).cumsum(1).flip(1) * mask
    total = rewards.new_zeros(())
    for left, one in zip(reversed(range(len(drawn))), drawn, strict=True):
        reward = gained if passing and not left else to_come
        total = total - (reward[..., None] * one.log_probs).sum()
        total = total - sampling.entropy * (one.entropy * mask[..., None]).sum()
    return total
