"""The weights that are observed beside those that eager attention returns, for one architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

import regard
from observe_models import Case

_NAMES = {
    "cross": ("cross_attentions",),
    "decoder.self": ("decoder_attentions", "attentions"),
    "encoder.self": ("encoder_attentions", "attentions"),
}


@dataclass(frozen=True)
class Compared:
    """`difference` is the greatest of any weight; rows with nothing to attend to are left out (eager's are even)."""

    backend: str
    places: dict[str, int]
    expected_layers: int
    difference: float
    same_outputs: bool
    refusal: str = ""

    @property
    def layers(self) -> int:
        return sum(self.places.values())


@torch.no_grad()
def compared(case: Case) -> Compared:
    """Run a model plainly, observed, and the same with eager attention."""
    torch.manual_seed(1)
    inputs = case.inputs()
    try:
        model, backend = case.make("sdpa"), "sdpa"
    except ValueError:  # transformers refuses where a model has no such backend
        model, backend = case.make("eager"), "eager"
    plain = model(**inputs)
    with regard.observe(model, dense=True) as seen:
        output = model(**inputs)
    same = all(torch.equal(a, b) for a, b in zip(_tensors(plain), _tensors(output), strict=True))
    if not seen.passes:
        return Compared(backend, {}, 0, float("nan"), same, seen.nothing())
    found = seen.passes[0]
    expected = case.make("eager")(**inputs, output_attentions=True)
    worst, count, counts = 0.0, 0, {}
    for place in found.places:
        # What pools an image at the end is attention too, but none that the model returns.
        layers = [layer for layer in found.at(place) if ".head." not in layer.name]
        weights = _expected(expected, place)
        counts[place] = len(layers)
        count += len(weights)
        for layer, right in zip(layers, weights, strict=False):
            alive = layer.weights.sum(-1) > 0
            worst = max(worst, float((layer.weights - right).abs().amax(-1)[alive].max()))
    return Compared(backend, counts, count, worst, same)


def _expected(output: Any, place: str) -> list[torch.Tensor]:
    """The weights of a place, of both towers where a model has two."""
    for name in _NAMES[place]:
        if output.get(name) is not None:
            return list(output[name])
    towers = [output[tower] for tower in ("vision_model_output", "text_model_output") if output.get(tower) is not None]
    return [weights for tower in towers for weights in tower.attentions]


def _tensors(output: Any) -> list[torch.Tensor]:
    found = []
    for value in output.values() if hasattr(output, "values") else output:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif hasattr(value, "last_hidden_state"):
            found.append(value.last_hidden_state)
    return found
