"""Marginal and monotonic attention: the whole model against the definition, its edges, and what its posterior finds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from tiny_models import VOCABULARY, batch, model, settings, texts

from regard.errors import RegardError
from regard.model import EncoderDecoder, MixtureReadout, emissions
from regard.settings import AttentionSettings, ModelSettings

CONTEXTS = ("marginal", "monotonic:0", "monotonic:1")
every_context = pytest.mark.parametrize("context", CONTEXTS)
every_mixture = pytest.mark.parametrize("mixture", ["sum", "joint"])


def made_of(
    context: str, decoder: str = "lstm after, 2 layers", mixture: str = "sum"
) -> tuple[EncoderDecoder, MixtureReadout]:
    """A model in double precision whose readout has grown parameters."""
    made = model(settings(decoder=decoder, context=context, mixture=mixture))
    readout = made.readout
    assert isinstance(readout, MixtureReadout)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in readout.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.7).mul_(1.5)
    return made, readout


@every_context
@every_mixture
@pytest.mark.parametrize("decoder", ["lstm after, 2 layers", "transformer pre"])
def test_the_likelihood_is_enumeration_and_so_is_the_posterior(context: str, mixture: str, decoder: str) -> None:
    made, readout = made_of(context, decoder, mixture)
    for source, target in zip(texts(3, 11, 4), texts(3, 12, 3), strict=True):
        pairs = batch([source], [target])
        with torch.no_grad():
            encoded = made.encode(pairs.source, pairs.source_lengths)
            output = made.decoder(pairs.target_in, encoded)
            weights = readout.attention(output.hidden, encoded.source)[1].dense()[0, 0]
            places, states = readout.of_place(encoded.source)[:, None], output.hidden[:, :, None]
            if mixture == "joint":
                both = readout.project(torch.tanh(readout.narrow(states) + places))
            else:
                both = readout.project(states) + torch.tanh(places) @ readout.project.weight.mT
            everything = both.log_softmax(-1)[0]  # (T, S, V)
            jumps = readout.jump(output.hidden)[0].exp() if readout.jump is not None else torch.ones(9, 9).double()
            forced = made.forced(pairs, ("cross", "posterior"))
        steps = len(target) + 1
        total, seen = 0.0, np.zeros((steps, len(source)))
        for path in itertools.product(range(len(source)), repeat=steps):
            probability = float(weights[0, path[0]])
            for step, (before, here) in enumerate(itertools.pairwise(path), start=1):
                if context == "marginal":
                    probability *= float(weights[step, here])
                else:
                    chances = {k: float(weights[step, k] * jumps[step, k - before]) for k in range(before, len(source))}
                    probability *= chances.get(here, 0.0) / sum(chances.values())
            for step in range(steps):
                probability *= float(everything[step, path[step], pairs.target_out[0, step]].exp())
            total += probability
            seen[range(steps), path] += probability
        assert float(forced.log_probs.sum()) == pytest.approx(np.log(total), abs=1e-9)
        assert np.allclose(forced.observed["posterior", 0][0, 0].numpy(), seen / total, rtol=0, atol=1e-9)


@every_context
@every_mixture
@pytest.mark.parametrize("decoder", ["gru after", "transformer pre"])
@pytest.mark.parametrize("precision", ["single", "half"])
def test_losses_stay_finite_at_the_edges(context: str, mixture: str, decoder: str, precision: str) -> None:
    made = model(settings(decoder=decoder, context=context, mixture=mixture)).float()
    sources = [np.array([5]), np.array([], np.int64), np.array([4, 6, 7])]
    targets = [np.array([5, 6, 7, 8, 9, 10]), np.array([4]), np.array([], np.int64)]
    pairs = batch(sources, targets)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "half"):
        loss = made.loss(pairs, 0.1)
    assert loss.nll.isfinite()
    assert loss.nll.dtype == torch.float32
    loss.nll.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in made.parameters())
    assert torch.allclose(loss.nll, made.loss(pairs, 0.1).nll, rtol=0.03)
    rows = made.forced(pairs, ("cross", "posterior")).observed
    for weights in rows.values():
        assert torch.allclose(weights[0, 0, :, 0], torch.ones(7), atol=1e-5)  # one place, for all of seven tokens
        assert not weights[1].any()


@every_context
def test_normalizers_that_underflow_are_summed_by_themselves(context: str) -> None:
    made, readout = made_of(context)
    with torch.no_grad():
        readout.project.weight.mul_(60.0)
    pairs = batch(texts(4, 1, 6), texts(4, 2, 5))
    with torch.no_grad():
        wanted = made.forced(pairs).log_probs
    single = made.float()
    assert torch.allclose(single.forced(pairs).log_probs.double(), wanted, rtol=1e-4, atol=1e-2)
    single.loss(pairs).nll.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in single.parameters())
    assert readout.project.weight.grad is not None
    assert readout.project.weight.grad.any()


@every_context
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_in_slices_is_the_loss(context: str, smoothing: float, monkeypatch: pytest.MonkeyPatch) -> None:
    made, readout = made_of(context)
    pairs = batch(texts(5, 1, 6), texts(5, 2, 5))
    encoded = made.encode(pairs.source, pairs.source_lengths)
    output, memory = made.decoder(pairs.target_in, encoded), readout.prepare(encoded)
    plain = emissions.cost(
        readout._say(output),
        readout._logits(memory.vectors),
        readout._moves(output, memory),
        pairs.target_out,
        pairs.target_mask,
        smoothing,
    )
    learned = [parameter for parameter in made.parameters() if parameter.requires_grad]
    wanted = torch.autograd.grad(plain, learned, retain_graph=True)
    for size in (1, 150, 10**6):  # one pair at a time, two, all
        monkeypatch.setattr(emissions, "_SLICE", size)
        sliced, _ = readout.nll(output, pairs.target_out, pairs.target_mask, memory, smoothing)
        assert torch.allclose(sliced, plain, rtol=1e-12)
        found = torch.autograd.grad(3.0 * sliced, learned, retain_graph=True)
        assert all(torch.allclose(3.0 * one, two, rtol=1e-9, atol=1e-9) for one, two in zip(wanted, found, strict=True))


def spelled(count: int, seed: int) -> tuple[list[np.ndarray], list[np.ndarray], list[list[int]]]:
    """Pairs where every token of the source says one of the target, odd ones twice; and where each came from."""
    chance = np.random.default_rng(seed)
    sources = [chance.integers(4, VOCABULARY, chance.integers(2, 7)) for _ in range(count)]
    origins = [[place for place, token in enumerate(source) for _ in range(1 + token % 2)] for source in sources]
    return sources, [14 - source[origin] for source, origin in zip(sources, origins, strict=True)], origins


@every_context
@every_mixture
def test_the_posterior_finds_where_unseen_texts_came_from(context: str, mixture: str) -> None:
    torch.manual_seed(0)
    chosen = settings(context=context, mixture=mixture, width=24, decoder="gru after")
    made = EncoderDecoder(chosen, VOCABULARY, VOCABULARY)
    sources, targets, origins = spelled(40, 1)
    unseen = batch(sources, targets)

    def right() -> float:
        with torch.no_grad():
            places = made.forced(unseen, ("posterior",)).observed["posterior", 0][:, 0].argmax(-1)
        found = [places[number, : len(origin)].numpy() == origin for number, origin in enumerate(origins)]
        return float(np.concatenate(found).mean())

    assert right() < 0.5
    sources, targets, _ = spelled(640, 0)
    batches = [batch(sources[first : first + 32], targets[first : first + 32]) for first in range(0, 640, 32)]
    optimizer = torch.optim.Adam(made.parameters(), lr=0.01)
    for pairs in batches * 4:
        optimizer.zero_grad()
        loss = made.loss(pairs)
        (loss.nll / loss.tokens).backward()
        optimizer.step()
    assert right() > 0.9


def test_only_mixtures_have_a_posterior() -> None:
    with pytest.raises(RegardError, match=r"model\.context attention has no posterior"):
        model(settings()).forced(batch(texts(1, 1, 3), texts(1, 2, 3)), ("posterior",))


def cross(**chosen: object) -> AttentionSettings:
    return AttentionSettings(**{"score": "additive", **chosen})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (settings(context="marginal"), "model.decoder.input_feeding: .* no context that could be fed"),
        (settings(decoder="lstm before", context="monotonic:1"), "model.decoder.attends: before .* monotonic:1"),
        (settings(decoder="gru after", context="marginal", cross=cross(heads=2)), "model.cross.heads: 2"),
        (settings(decoder="gru after", context="marginal", cross=cross(kv_heads=1)), "model.cross.kv_heads: 1"),
        (settings(decoder="gru after", context="marginal", cross=cross(dropout=0.1)), "model.cross.dropout: 0.1"),
        (settings(decoder="gru after", context="marginal", cross=cross(normalizer="sigmoid")), "sigmoid does not give"),
        (settings(decoder="gru after", context="monotonic", cross=cross(normalizer="top_k:3")), "needs softmax"),
        (settings(decoder="gru after", context="marginal", cross=cross(score="coverage")), "coverage remembers"),
        (settings(context="online", cross=cross(normalizer="sparsemax")), "takes or passes each place by its own"),
        (settings(context="gumbel", cross=cross(normalizer="entmax15")), "draws from softmax"),
        (settings(context="local_m:3", cross=cross(score="location_aware")), "location_aware remembers"),
    ],
)
def test_settings_that_can_not_be_had_together_are_refused_by_name(chosen: ModelSettings, message: str) -> None:
    with pytest.raises(RegardError, match=message):
        EncoderDecoder(chosen, VOCABULARY, VOCABULARY)
