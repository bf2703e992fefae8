"""Copying from the source: the definition in plain lines, in value and gradient, with tokens that only a source has."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import PAD, VOCABULARY, batch, model, settings
from torch import Tensor

from regard.data.collate import Batch, pad
from regard.errors import RegardError
from regard.model import EncoderDecoder, search
from regard.model.contexts import check_context
from regard.model.contracts import POSTERIOR
from regard.model.pointer import PointerReadout
from regard.settings import AttentionSettings, EncoderSettings, SearchSettings

MODELS: dict[str, dict[str, Any]] = {
    "lstm, fed": {},
    "gru before": {"decoder": "gru before, 2 layers", "cross": AttentionSettings("bilinear", heads=2)},
    "entmax": {"decoder": "gru after", "cross": AttentionSettings("additive", "entmax15")},
    "sink": {"cross": AttentionSettings("additive", "softmax:sink")},
    "transformers": {
        "encoder": "transformer pre", "decoder": "transformer pre", "cross": AttentionSettings(heads=2),
        "share_embeddings": "target",
    },
    "words": {"encoder": "lstm, words", "cross": AttentionSettings("dot")},
    "local": {"context": "local_p:2", "decoder": "gru after"},
    "online": {"context": "online", "decoder": "gru after", "cross": AttentionSettings("bilinear", heads=2)},
    "gumbel": {"context": "gumbel", "cross": AttentionSettings("additive")},
}  # fmt: skip
HARD = ("entmax", "local", "online", "gumbel")
every_model = pytest.mark.parametrize("name", MODELS)
# Tokens, and what they are as tokens of the target: twice the same that the vocabulary lacks, and what is never copied.
SOURCES = [np.array([[5, 5], [7, -1], [1, V], [8, 5], [1, V]]) for V in [VOCABULARY + 2]]
SOURCES += [np.array([[6, 9], [6, 9]]), np.array([[1, VOCABULARY]]), np.array([[7, -1]])]
TARGETS = [np.array(tokens) for tokens in ([5, VOCABULARY + 2, 9, VOCABULARY + 2], [9, 4], [VOCABULARY], [5, 5, 5])]


def made_of(name: str) -> EncoderDecoder:
    made = model(settings(copy=True, **MODELS[name]))
    torch.manual_seed(1)
    with torch.no_grad():
        made.readout.gate.weight.add_(torch.randn_like(made.readout.gate.weight))  # type: ignore[union-attr]
        for each, parameter in made.named_parameters():
            if each.endswith("kind.offset"):
                parameter.fill_(1.0)  # so that most places are taken
    return made


def by_definition(made: EncoderDecoder, pairs: Batch) -> tuple[Tensor, Tensor]:
    """p of each target token of a batch, and which share of it was copied, one by one."""
    encoded = made.encode(pairs.source, pairs.source_lengths)
    known = pairs.target_in.where(pairs.target_in < VOCABULARY, torch.tensor(1))
    output = made.decoder(known, encoded, ("cross",))
    assert isinstance(made.readout, PointerReadout)
    weights = output.observed[max(output.observed)].mean(1)
    gates = torch.sigmoid(made.readout.gate(torch.cat([output.hidden, output.context], -1)))
    vocabulary = torch.softmax(made.readout.project(made.readout.narrow(output.hidden)), -1)
    found, shares = [], []
    for row, length in enumerate(pairs.target_lengths.tolist()):
        tokens = pairs.source[row, : int(pairs.source_lengths[row]), 1].tolist()
        for place in range(length):
            y, gate = int(pairs.target_out[row, place]), gates[row, place, 0]
            held = sum(weights[row, place, j] for j, x in enumerate(tokens) if x >= 0)
            copied = sum((weights[row, place, j] for j, x in enumerate(tokens) if x == y), torch.zeros(()).double())
            said = vocabulary[row, place, y] if y < VOCABULARY else 0.0
            found.append((gate + (1 - gate) * (1 - held)) * said + (1 - gate) * copied)
            shares.append((1 - gate) * copied / found[-1] if found[-1] > 0 else torch.zeros(()).double())
    return torch.stack(found), torch.stack(shares)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "gumbel"])  # whose p may be 0
def test_the_definition_in_value_and_gradient(name: str) -> None:
    made, pairs = made_of(name), batch(SOURCES, TARGETS)
    made.train(name == "online")  # whose weights are soft there, an expectation
    torch.manual_seed(3)
    loss = made.loss(pairs).nll
    loss.backward()
    found = [parameter.grad.clone() for parameter in made.parameters() if parameter.grad is not None]
    made.zero_grad()
    torch.manual_seed(3)
    wanted = -by_definition(made, pairs)[0].clamp(min=torch.finfo(torch.float64).tiny).log().sum()
    wanted.backward()
    assert loss.item() == pytest.approx(wanted.item(), abs=1e-9)
    learned = [parameter.grad for parameter in made.parameters() if parameter.grad is not None]
    assert any(parameter is made.readout.gate.weight for parameter in made.parameters())  # type: ignore[union-attr]
    for one, other in zip(found, learned, strict=True):
        assert torch.allclose(one, other, rtol=1e-7, atol=1e-9)


@every_model
def test_steps_give_it_to_every_token_and_search_finds_those_of_the_source(name: str) -> None:
    made, pairs = made_of(name), batch(SOURCES, TARGETS)
    with torch.no_grad():
        forced = made.forced(pairs)
        encoded = made.encode(pairs.source, pairs.source_lengths)
        memory, state = made.prepare(encoded), made.start(encoded, 1)
        for place in range(pairs.target_in.shape[1]):
            step = made.step(pairs.target_in[:, place : place + 1], memory, state)
            state, there = step.state, pairs.target_mask[:, place]
            assert step.log_probs.shape[-1] == VOCABULARY + pairs.source.shape[1]
            one = step.log_probs[:, 0].gather(1, pairs.target_out[:, place, None])[:, 0]
            there &= one > -100  # beyond, weights are exactly 0
            assert torch.allclose(one[there], forced.log_probs[there, place], rtol=0, atol=1e-10)
            assert torch.allclose(step.log_probs.exp().sum(-1), torch.ones(4, 1).double(), rtol=0, atol=1e-12)
        made.readout.gate.bias.fill_(-7.0)  # type: ignore[union-attr]
        how = SearchSettings(beam=3, max_length=4, min_length=2, n_best=2)
        together = search(made, SOURCES, how, pad=partial(pad, filler=PAD))
        for source, hypotheses in zip(SOURCES, together, strict=True):
            own = set(source[:, 1].tolist())
            alone = search(made, [source], how, pad=partial(pad, filler=PAD))[0]
            assert [one.tokens for one in alone] == [one.tokens for one in hypotheses]
            for one in hypotheses:
                again = made.forced(batch([source], [np.array(one.tokens)]))
                assert one.log_prob == pytest.approx(float(again.log_probs.sum()), abs=1e-9)
                assert all(token < VOCABULARY or token in own for token in one.tokens)
        assert VOCABULARY in together[2][0].tokens


@every_model
def test_the_posterior_is_the_share_that_was_copied(name: str) -> None:
    made, pairs = made_of(name), batch(SOURCES, TARGETS)
    with torch.no_grad():
        found = made.forced(pairs, (POSTERIOR,)).observed[POSTERIOR, 0]
        _, shares = by_definition(made, pairs)
    assert found.shape == (4, 1, 5, 5)
    assert torch.allclose(found.sum(-1)[:, 0][pairs.target_mask], shares, rtol=0, atol=1e-10)
    assert float(found[0, 0, 1, [0, 1, 3]].abs().max()) == 0, "only the places of the token itself"


def test_what_can_not_be_said_was_copied_from_nowhere() -> None:
    """With a hard attention that looks elsewhere, p of a token that only the source has is 0."""
    made, pairs = made_of("gumbel"), batch(SOURCES, TARGETS)
    with torch.no_grad():
        said = by_definition(made, pairs)[0]
        found = made.forced(pairs, (POSTERIOR,)).observed[POSTERIOR, 0].sum(-1)[:, 0][pairs.target_mask]
    assert bool((said == 0).any())
    assert float(found[said == 0].abs().max()) == 0


@pytest.mark.parametrize("name", [name for name in MODELS if name not in HARD])  # whose p may be 0
def test_smoothing_is_the_cross_entropy_with_a_distribution(name: str) -> None:
    """q(y) = (1 - s) [y = y*] + s / V over the vocabulary, token by token, with p of every token as steps say it."""
    made, pairs, smoothing, total = made_of(name), batch(SOURCES, TARGETS), 0.3, 0.0
    with torch.no_grad():
        found = made.loss(pairs, smoothing).nll
        encoded = made.encode(pairs.source, pairs.source_lengths)
        memory, state = made.prepare(encoded), made.start(encoded, 1)
        for place in range(pairs.target_in.shape[1]):
            step = made.step(pairs.target_in[:, place : place + 1], memory, state)
            state = step.state
            for row, there in enumerate(pairs.target_mask[:, place].tolist()):
                right = int(pairs.target_out[row, place])
                log_p = step.log_probs[row, 0].clamp(min=-700).tolist()  # of what the source does not have, -inf
                q = [
                    smoothing / VOCABULARY * (y < VOCABULARY) + (1 - smoothing) * (y == right)
                    for y in range(len(log_p))
                ]
                assert sum(q) == pytest.approx(1)
                total -= there * sum(part * log for part, log in zip(q, log_p, strict=True))
    own = pairs.target_out[pairs.target_mask] >= VOCABULARY
    assert 0 < int(own.sum()) < len(own)
    assert float(found) == pytest.approx(total, abs=1e-9)


def test_smoothing_lets_a_token_that_is_only_copied_be_learned() -> None:
    """The least loss is where p(y*) = 1 - s, and the rest is spread over the vocabulary."""
    made, smoothing = model(settings(copy=True)).train(), 0.2
    pairs = batch([np.array([[1, VOCABULARY], [5, 5]])], [np.array([VOCABULARY])])
    learner = torch.optim.Adam(made.parameters(), 0.05)
    for _ in range(200):
        learner.zero_grad()
        made.loss(pairs, smoothing).nll.backward()
        learner.step()
    said = made.eval().forced(pairs).log_probs[0].exp().tolist()
    assert said == pytest.approx([1 - smoothing, 1 - smoothing + smoothing / VOCABULARY], abs=0.01)


@pytest.mark.parametrize("name", ["lstm, fed", "transformers", "entmax"])
def test_half_precision_stays_finite(name: str) -> None:
    made = made_of(name).float().train()
    sources = [*SOURCES, SOURCES[0][:0]]
    pairs = batch(sources, [*TARGETS, np.array([4])])
    with torch.autocast("cpu", torch.bfloat16):
        loss = made.loss(pairs, 0.1)
    loss.nll.backward()
    assert bool(loss.nll.isfinite())
    assert all(parameter.grad is None or bool(parameter.grad.isfinite().all()) for parameter in made.parameters())
    assert loss.nll.dtype == torch.float32


def test_what_can_not_be_had_together() -> None:
    wrong = {
        "fixed has no weights": settings(copy=True, context="fixed"),
        "reinforce draws places": settings(copy=True, context="reinforce"),
        "marginal sums over places": settings(copy=True, decoder="gru after", context="marginal"),
        "monotonic:1 sums over places": settings(copy=True, decoder="gru after", context="monotonic:1"),
        "sigmoid can sum to more": settings(copy=True, cross=AttentionSettings("additive", "sigmoid")),
    }
    for complaint, chosen in wrong.items():
        with pytest.raises(RegardError, match=f"model.copy: .*{complaint}"):
            check_context(chosen)
    for encoder in (EncoderSettings(stem="convolution"), EncoderSettings(pyramid=1)):
        with pytest.raises(RegardError, match=r"model\.copy: "):
            check_context(settings(copy=True).__class__(copy=True, encoder=encoder))
