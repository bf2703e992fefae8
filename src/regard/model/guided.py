"""What it costs to look elsewhere than at the words that given alignments name."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from regard.errors import RegardError
from regard.model.contexts import check_teachable
from regard.model.contracts import Observed
from regard.settings import ModelSettings, Unlinked

_LEAST = 1e-30
# Weights of these need not sum to 1, or have no gradient.
_UNTEACHABLE = ("sigmoid", "argmax")
_SINK = "softmax:sink"


@dataclass(frozen=True)
class Guide:
    """Where the cross-attention of a batch should look, and how much that counts.

    `gold` (B, T, S) has for each target token a distribution over the source tokens that it is linked with, and nothing
    in the rows of tokens without links. `layer` and `head` say which weights are taught; head -1 is the mean of all.
    Rows that are True in `nothing` (B, T) should have no weight at all.
    """

    gold: Tensor
    weight: float
    layer: int
    head: int
    nothing: Tensor | None = None


def guided(observed: Observed, guide: Guide) -> Tensor:
    """-sum_t sum_j gold_tj log w_tj: the cross-entropy between linked and attended words (Garg et al. 2019, section
    3.1; Mi et al. 2016), and -log (1 - sum_j w_tj) for words that should look at nothing. Returns the sum over the
    batch, ().

    A weight of exactly 0, as sparse normalizers give, costs -log 1e-30 and teaches nothing by itself.
    """
    weights = observed["cross", guide.layer]
    one = weights.mean(1) if guide.head < 0 else weights[:, guide.head]
    cost = -(guide.gold * one.clamp_min(_LEAST).log()).sum()
    if guide.nothing is not None:
        cost = cost - ((1 - one.sum(-1)).clamp_min(_LEAST).log() * guide.nothing).sum()
    return cost


def guide_place(settings: ModelSettings, layer: int | None, head: int, unlinked: Unlinked = "free") -> tuple[int, int]:
    """The layer and head that are taught. None is the last layer but one (Garg et al. 2019), or the only one.

    Raises `RegardError` where the model has no such layer or head, or no attention that can be taught, or where words
    that are not linked should look at nothing, and its normalizer always looks at something.
    """
    check_teachable(settings, "--guided")
    if settings.cross.normalizer in _UNTEACHABLE:
        raise RegardError(
            f"model.cross.normalizer: links can't guide {settings.cross.normalizer}, whose weights are no distribution "
            "with a gradient; choose another, such as softmax, or leave out --guided"
        )
    if unlinked == "nothing" and settings.cross.normalizer != _SINK:
        raise RegardError(
            f"training.guided_unlinked: nothing needs model.cross.normalizer {_SINK}, not {settings.cross.normalizer}, "
            "whose weights always sum to 1"
        )
    layers = settings.decoder.layers if settings.decoder.kind == "transformer" else 1
    if layer is not None and layer >= layers:
        raise RegardError(
            f"training.guided_layer is {layer}, and the model has {layers} cross-attention"
            f"{'s' if layers > 1 else ''}, counted from 0"
        )
    if head >= settings.cross.heads:
        raise RegardError(
            f"training.guided_head is {head}, and model.cross.heads is {settings.cross.heads}; they count from 0"
        )
    return (max(layers - 2, 0) if layer is None else layer), head
