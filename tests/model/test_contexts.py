"""Contexts of one place, drawn or moving onward, in models: training, search, and what drawn places are taught."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_models import VOCABULARY, batch, model, settings, texts

from regard.attention.kinds import Drawn, Sampled
from regard.errors import RegardError
from regard.model import EncoderDecoder, search
from regard.model.sampling import Sampling, reinforce, set_sampling
from regard.settings import AttentionSettings, ModelSettings, SearchSettings

SOURCES, TARGETS = texts(4, 1, 6), texts(4, 2, 5)
CONTEXTS = ("local_m:1", "local_p:2", "gumbel", "reinforce", "online")
MODELS = {
    f"{context} > {name}": settings(decoder=decoder, context=context, cross=AttentionSettings("bilinear", heads=heads))
    for context in CONTEXTS
    for name, decoder, heads in (
        ("lstm, fed", "lstm feeding", 1),
        ("gru before", "gru before, 2 layers", 1),
        ("gru after", "gru after", 2),
        ("transformer", "transformer pre", 2),
    )
}
every_model = pytest.mark.parametrize("chosen", MODELS.values(), ids=MODELS.keys())


def grown(chosen: ModelSettings) -> EncoderDecoder:
    made = model(chosen)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith("kind.offset"):
                parameter.fill_(0.3)  # so that places are taken
    return made


def test_only_the_cross_attention_has_a_window() -> None:
    with pytest.raises(RegardError, match=r"model.self_attention.window: 3 goes along with the steps of a decoder"):
        model(replace(settings(), self_attention=AttentionSettings(window=3)))


@every_model
def test_search_shows_what_forced_decoding_does(chosen: ModelSettings) -> None:
    made = grown(chosen)
    found = search(made, SOURCES, SearchSettings(beam=4, n_best=2, max_length=6, batch=3))
    looked = 0
    for source, hypotheses in zip(SOURCES, found, strict=True):
        for one in hypotheses:
            with torch.no_grad():
                forced = made.forced(batch([source], [np.array(one.tokens, np.int64)]), ("cross",))
            assert one.log_prob == pytest.approx(float(forced.log_probs.sum()), abs=1e-9)
            for place, weights in forced.observed.items():
                assert np.allclose(one.attention[place], weights[0].numpy(), rtol=0, atol=1e-9)
                looked += int((weights > 0).sum())
                if "local" not in chosen.context:
                    assert set(weights.unique().tolist()) <= {0.0, 1.0}
    assert looked


@every_model
def test_steps_equal_the_whole_sequence(chosen: ModelSettings) -> None:
    made, pairs = grown(chosen), batch(SOURCES, TARGETS)
    with torch.no_grad():
        forced = made.forced(pairs, ("cross",))
        encoded = made.encode(pairs.source, pairs.source_lengths)
        memory, state = made.prepare(encoded), made.start(encoded, 1)
        for place in range(pairs.target_in.shape[1]):
            step = made.step(pairs.target_in[:, place : place + 1], memory, state, ("cross",))
            state, there = step.state, pairs.target_mask[:, place]
            found = step.log_probs[:, 0].gather(1, pairs.target_out[:, place, None])[:, 0]
            assert torch.allclose(found[there], forced.log_probs[there, place], rtol=0, atol=1e-10)
            for key, weights in step.observed.items():
                assert torch.allclose(weights[there, :, 0], forced.observed[key][there, :, place], rtol=0, atol=1e-10)


@every_model
def test_everything_learns_at_the_edges_and_in_half_precision(chosen: ModelSettings) -> None:
    made = grown(chosen).float().train()
    set_sampling(made, Sampling(temperature=0.7, soft=0.3, entropy=0.1, baseline=-2.0))
    sources = [np.array([5]), np.array([], np.int64), np.array([4, 6, 7])]
    targets = [np.array([5, 6, 7, 8, 9, 10]), np.array([4]), np.array([], np.int64)]
    for half in (False, True):
        made.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = made.loss(batch(sources, targets), 0.1)
        assert ("reinforce" in loss.auxiliary) == (chosen.context == "reinforce")
        sum(loss.auxiliary.values(), loss.nll).backward()
        for name, parameter in made.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name


def test_rewards_estimate_the_gradient_of_the_expected_reward() -> None:
    torch.manual_seed(0)
    scores = torch.tensor([0.5, -0.5, 1.0], dtype=torch.float64).requires_grad_()
    worth = torch.tensor([-1.0, -3.0, -2.0], dtype=torch.float64)
    (wanted,) = torch.autograd.grad((scores.softmax(-1) * worth).sum(), scores)
    places = torch.multinomial(scores.detach().softmax(-1), 40_000, replacement=True)[:, None]
    log_probs = scores.log_softmax(-1)[places][..., None]
    mask = torch.ones(40_000, 1, dtype=torch.bool)
    errors = []
    for baseline in (0.0, -2.0):
        drawn = Drawn(log_probs, torch.zeros_like(log_probs))
        loss = reinforce([drawn], False, worth[places], mask, Sampling(baseline=baseline)) / len(places)
        (found,) = torch.autograd.grad(-loss, scores, retain_graph=True)
        errors.append(float((found - wanted).abs().max()))
    assert max(errors) < 0.02
    assert errors[1] < errors[0]  # the baseline takes variance away


def test_a_place_is_answerable_for_what_is_said_from_then_on_and_padding_for_nothing() -> None:
    log_probs = torch.zeros(1, 3, 2).requires_grad_()
    rewards, mask = torch.tensor([[-1.0, -2.0, -9.0]]), torch.tensor([[True, True, False]])
    drawn = Drawn(log_probs, torch.ones(1, 3, 2))
    loss = reinforce([drawn], False, rewards, mask, Sampling(entropy=0.5, baseline=-1.0))
    loss.backward()
    assert log_probs.grad is not None
    assert log_probs.grad[0].tolist() == [[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]
    assert loss.item() == -0.5 * 4


def test_a_place_that_nothing_later_depends_on_is_answerable_for_its_own_token() -> None:
    first, last = (torch.zeros(1, 2, 1).requires_grad_() for _ in range(2))
    rewards, mask = torch.tensor([[-3.0, -2.0]]), torch.ones(1, 2, dtype=torch.bool)
    reinforce([Drawn(each, torch.ones(1, 2, 1)) for each in (first, last)], True, rewards, mask, Sampling()).backward()
    assert first.grad is not None
    assert last.grad is not None
    assert first.grad[0, :, 0].tolist() == [5.0, 2.0]
    assert last.grad[0, :, 0].tolist() == [3.0, 2.0]


@pytest.mark.parametrize("name", [name for name in MODELS if name.startswith("reinforce")])
def test_a_decoder_says_truly_whether_later_tokens_depend_on_a_place(name: str) -> None:
    made = grown(MODELS[name]).train()
    set_sampling(made, Sampling(soft=1.0))  # weights instead of places, which have a gradient
    pairs = batch(SOURCES, TARGETS)
    output = made.decoder(pairs.target_in, made.encode(pairs.source, pairs.source_lengths), ("cross",))
    assert output.passing == (name in ("reinforce > gru after", "reinforce > transformer"))
    if output.passing:
        weights = output.observed[max(output.observed)]
        (of_weights,) = torch.autograd.grad(output.hidden[:, 1].square().sum(), weights)
        assert of_weights[:, :, 1].abs().max() > 0
        assert of_weights[:, :, 0].abs().max() == 0


def test_what_a_training_sets_reaches_every_attention() -> None:
    made = EncoderDecoder(settings(decoder="transformer pre", context="gumbel"), VOCABULARY, VOCABULARY)
    set_sampling(made, Sampling(temperature=0.25))
    kinds = [part for part in made.modules() if isinstance(part, Sampled)]
    assert [kind.temperature for kind in kinds] == [0.25, 0.25]
    assert made.sampling.temperature == 0.25
