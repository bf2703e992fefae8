"""Which layer and head of a model's cross-attention is shown, chosen on development data without gold alignments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from regard.data.examples import Examples

if TYPE_CHECKING:
    from regard.predictor import Predictor

_MOST_PAIRS = 100


def choose_shown(predictor: Predictor, examples: Examples) -> tuple[int, int, str]:
    """(layer, head, reason): where the weights say most about which target token is being made.

    That is the mutual information between the target position t and the source position that is looked at, the
    entropy of mean_t a_t less the mean_t of the entropies of a_t, averaged over sentences. It is low for attention
    that is spread out, and for attention that looks at one place whatever is said. Heads compete with each other and
    with the mean of their layer (head -1).
    """
    chosen = range(len(examples))[:: max(1, len(examples) // _MOST_PAIRS)][:_MOST_PAIRS]
    maps = predictor.align(
        [examples.given(index) for index in chosen], [examples.pairs[index].target for index in chosen]
    )
    found = [each.weights.astype(np.float64) for each in maps if each is not None and each.weights.size]
    if not found:
        return -1, -1, ""
    layers, heads = found[0].shape[:2]
    if layers * heads == 1:
        return 0, 0, "the only one"
    # (layers, heads + 1): the last column is the mean of the heads.
    information = np.mean(
        [_information(np.concatenate([weights, weights.mean(1, keepdims=True)], 1)) for weights in found], axis=0
    )
    layer, head = (int(index) for index in np.unravel_index(information.argmax(), information.shape))
    what = f"{information[layer, head]:.2f} nats of mutual information between target and source positions"
    if head == heads:
        return layer, -1, f"the mean of the heads of layer {layer} has the most, {what}"
    return layer, head, f"head {head} of layer {layer} has the most, {what}"


def _information(weights: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(layers, heads) of weights (layers, heads, T, S)."""
    result: npt.NDArray[Any] = _entropy(weights.mean(-2)) - _entropy(weights).mean(-1)
    return result


def _entropy(weights: npt.NDArray[Any]) -> npt.NDArray[Any]:
    logs = np.log(weights, out=np.zeros_like(weights), where=weights > 0)
    result: npt.NDArray[Any] = -(weights * logs).sum(-1)
    return result
