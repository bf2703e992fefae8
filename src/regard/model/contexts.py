"""Which settings go with which `model.context`: what can't be had together is said before anything is made."""

from __future__ import annotations

from regard.attention.names import STATEFUL_SCORES, base
from regard.errors import RegardError
from regard.settings import ModelSettings

# Normalizers whose weights are no distribution over places, or only ever one of them.
_NOT_MIXED = ("sigmoid", "softmax:sink", "argmax")


def check_context(settings: ModelSettings) -> None:
    """Raises `RegardError` where settings of the model don't go together with its context, naming what to change."""
    kind, cross = settings.context_kind, settings.cross
    if (window := settings.self_attention.window) is not None:
        raise RegardError(
            f"model.self_attention.window: {window} goes along with the steps of a decoder, "
            "so it is for model.cross only; leave it at none"
        )
    if cross.window is not None and kind != "attention":
        raise RegardError(
            f"model.cross.window: {cross.window} goes along with weights that are summed, and model.context "
            f"{settings.context} has none; leave it at none"
        )
    if settings.copy:
        _check_copy(settings)
    if settings.mixture != "sum" and not settings.mixes:
        raise RegardError(
            f"model.mixture {settings.mixture} is for the contexts marginal and monotonic, and model.context is "
            f"{settings.context}; leave it out"
        )
    if kind in ("attention", "fixed"):
        return
    if base(cross.score) in STATEFUL_SCORES:
        raise RegardError(
            f"model.cross.score: {cross.score} remembers weights, which model.context {settings.context} does not go "
            "together with; choose another, such as additive"
        )
    if kind in ("gumbel", "reinforce", "online") and cross.normalizer != "softmax":
        how = "takes or passes each place by its own score" if kind == "online" else "draws from softmax"
        raise RegardError(
            f"model.cross.normalizer: {cross.normalizer} is not used, since model.context {kind} {how}; leave it out"
        )
    if settings.mixes:
        _check_mixture(settings)


def _check_copy(settings: ModelSettings) -> None:
    reasons = {
        "fixed": "has no weights to copy through",
        "reinforce": "draws places, and weights that are drawn teach nothing by what is copied through them",
        "marginal": "sums over places by itself, and tells the decoder of none",
        "monotonic": "sums over places by itself, and tells the decoder of none",
    }
    if (reason := reasons.get(settings.context_kind)) is not None:
        raise RegardError(f"model.copy: model.context {settings.context} {reason}; leave out one of them")
    if base(settings.cross.normalizer) == "sigmoid":
        raise RegardError(
            "model.copy: weights of model.cross.normalizer sigmoid can sum to more than 1, so they are no "
            "probabilities of places; choose another, such as softmax"
        )
    encoder = settings.encoder
    if encoder.stem != "embedding":
        raise RegardError(f"model.copy: sources that are no texts (model.encoder.stem {encoder.stem}) can't be copied")
    if encoder.pyramid:
        raise RegardError(
            f"model.copy: with model.encoder.pyramid {encoder.pyramid} a place is several tokens, and none of them; "
            "leave out one of them"
        )


def _check_mixture(settings: ModelSettings) -> None:
    context, cross, decoder = settings.context, settings.cross, settings.decoder
    if decoder.kind == "recurrent" and decoder.input_feeding:
        raise RegardError(
            f"model.decoder.input_feeding: with model.context {context} the decoder is given no context that could be "
            "fed to its next step, since the output is summed over all places; leave it out"
        )
    if decoder.kind == "recurrent" and decoder.attends == "before":
        raise RegardError(
            "model.decoder.attends: before is for a context that the update is given, and with model.context "
            f"{context} there is none; leave it out"
        )
    for name, value in (("heads", cross.heads if cross.heads > 1 else None), ("kv_heads", cross.kv_heads)):
        if value is not None:
            raise RegardError(
                f"model.cross.{name}: {value}, but with model.context {context} a token comes from one place, so there "
                "is one distribution; leave it out"
            )
    if cross.dropout:
        raise RegardError(
            f"model.cross.dropout: {cross.dropout}, but with model.context {context} no weights are summed that could "
            "be left out; use model.dropout"
        )
    if cross.normalizer in _NOT_MIXED:
        raise RegardError(
            f"model.cross.normalizer: model.context {context} sums over a distribution, which {cross.normalizer} does "
            "not give; choose softmax, or for a few places alone top_k:3 or entmax15"
        )
    if settings.context_kind == "monotonic" and base(cross.normalizer) != "softmax":
        raise RegardError(
            f"model.cross.normalizer: with {cross.normalizer} all places that a path could still go to may weigh 0; "
            f"model.context {context} needs softmax"
        )


def check_teachable(settings: ModelSettings, what: str) -> None:
    """Raises `RegardError` where the decoder has no weights that a loss of their own (`what`) could teach."""
    reasons = {
        "fixed": "looks at no word",
        "reinforce": "looks at words that are drawn, without a gradient",
        "marginal": "gives the decoder no weights: where a word comes from is summed over",
        "monotonic": "gives the decoder no weights: where a word comes from is summed over",
    }
    if (reason := reasons.get(settings.context_kind)) is not None:
        raise RegardError(f"{what}: model.context {settings.context} {reason}; leave it out")
