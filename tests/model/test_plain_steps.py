"""The steps of a search by plain functions and packed weights, beside those by modules that define them."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from tiny_models import BOS, DECODERS, PAD, model, settings
from torch import Tensor, nn

from regard.attention import select, softmax
from regard.model import PLACES, EncoderDecoder
from regard.model.kept import kept
from regard.settings import AttentionSettings, ModelSettings

DOTS = AttentionSettings(score="scaled_dot", heads=2)
PLAIN: dict[str, ModelSettings] = {
    "pre": settings(decoder="transformer pre", cross=DOTS),
    "post": settings(decoder="transformer post learned", cross=DOTS),
    "dot, a temperature": settings(decoder="transformer pre", cross=AttentionSettings("dot:0.7", "softmax:0.5", 4)),
    "values of words": settings("transformer, words", "transformer pre", cross=DOTS),
    **{
        f"{decoder}, {score}": settings(decoder=decoder, cross=AttentionSettings(score=score))
        for decoder in DECODERS
        if not decoder.startswith("transformer")
        for score in ("additive", "bilinear", "scaled_dot")
    },
    "a fixed context": settings(context="fixed"),
}
SOURCES = torch.tensor([[5, 6, 7, 8], [4, 9, PAD, PAD], [PAD, PAD, PAD, PAD]])


def steps(made: EncoderDecoder, plainly: bool) -> tuple[list[Tensor], bool]:
    """Numbers of three steps of 1, 3 and 2 hypotheses, every weight too; and whether they were plain."""
    with torch.no_grad() if plainly else torch.enable_grad():
        encoded = made.encode(SOURCES, torch.tensor([4, 2, 0]))
        memory, state = made.prepare(encoded), made.start(encoded, 1)
        tokens, found = torch.full((3, 1), BOS), []
        for parents in ([[0, 0, 0]] * 3, [[2, 1], [0, 0], [1, 2]], [[1, 0]] * 3):
            said = made.step(tokens, memory, state, PLACES)
            found += [said.log_probs, *(said.observed[place] for place in sorted(said.observed))]
            index = torch.tensor(parents)
            state, tokens = select(said.state, index), index + 4
    return [each.detach() for each in found], memory.steps is not None


@pytest.mark.parametrize("name", PLAIN)
def test_plain_steps_are_the_steps(name: str) -> None:
    made = model(PLAIN[name])
    (ours, plain), (theirs, by_modules) = steps(made, True), steps(made, False)
    assert plain
    assert not by_modules
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("normalizer", ["sparsemax", "softmax:sink", "softmax:learned"])
@pytest.mark.parametrize("decoder", ["transformer pre", "lstm feeding"])
def test_what_is_not_plain_goes_by_modules(decoder: str, normalizer: str) -> None:
    made = model(settings(decoder=decoder, cross=AttentionSettings("scaled_dot", normalizer)))
    for one, other in zip(steps(made, True)[0], steps(made, False)[0], strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("decoder", ["transformer pre", "lstm feeding"])
def test_another_temperature_is_seen_while_it_lasts(decoder: str) -> None:
    made = model(settings(decoder=decoder, cross=AttentionSettings("scaled_dot")))
    attention = made.decoder.attention if decoder == "lstm feeding" else made.decoder.layers[0].cross
    before = steps(made, True)[0]
    with attention.normalizing(softmax(0.3)):
        hot, right = steps(made, True)[0], steps(made, False)[0]
    assert torch.equal(steps(made, True)[0][-1], before[-1])
    assert not torch.allclose(hot[-1], before[-1])
    torch.testing.assert_close(hot[-1], right[-1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("decoder", ["transformer pre", "gru before, 2 layers"])
def test_weights_that_have_changed_are_seen(decoder: str) -> None:
    made = model(settings(decoder=decoder, cross=AttentionSettings("scaled_dot")))
    learner = torch.optim.Adam(made.parameters(), lr=0.1, fused=True)
    other = model(settings(decoder=decoder, cross=AttentionSettings("scaled_dot")), seed=1)

    def learn() -> None:
        sum(parameter.square().sum() for parameter in made.parameters()).backward()  # type: ignore[union-attr]
        learner.step()

    for change in (learn, lambda: made.load_state_dict(other.state_dict()), made.float, made.double):
        before = steps(made, True)[0]
        change()
        after, right = steps(made, True)[0], steps(made, False)[0]
        assert after[0].dtype != before[0].dtype or not torch.equal(after[0], before[0])
        for one, wanted in zip(after, right, strict=True):
            torch.testing.assert_close(one, wanted, rtol=0, atol=1e-12 if one.dtype == torch.float64 else 1e-5)


def test_what_is_kept_is_made_once_and_held_no_longer_than_its_module() -> None:
    calls = []

    def make(layer: nn.Linear) -> Tensor:
        calls.append(layer.in_features)
        return layer.weight.detach().clone()

    layer = nn.Linear(3, 2)
    assert kept(layer, make) is kept(layer, make)
    kept(layer, make, "another fact")
    assert calls == [3, 3]
    layer.weight = nn.Parameter(torch.zeros(2, 3))
    assert not kept(layer, make, "another fact").any()
    assert calls == [3, 3, 3]
    gone = weakref.ref(layer)
    calls.clear()
    del layer
    gc.collect()
    assert gone() is None
