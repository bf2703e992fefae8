"""Mixtures over places and pointer-generators behind the contract of every readout; search knows neither."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import BOS, EOS, PAD, VOCABULARY, batch, model, settings, texts
from torch import Tensor

from regard.data.collate import pad
from regard.model import EncoderDecoder, length_penalty, search
from regard.settings import AttentionSettings, SearchSettings

SOURCES, TARGETS = texts(4, 1, 6), texts(4, 2, 5)

KINDS: dict[str, dict[str, Any]] = {
    "pointer": {"copy": True},
    "pointer, two heads of a transformer": {
        "copy": True,
        "decoder": "transformer pre",
        "cross": AttentionSettings(heads=2),
    },
    "pointer, location_aware, shared": {
        "copy": True,
        "cross": AttentionSettings(score="location_aware"),
        "share_embeddings": "target",
    },
    "pointer, sparse, before": {
        "copy": True,
        "decoder": "gru before, 2 layers",
        "cross": AttentionSettings("bilinear", "sparsemax", heads=2),
    },
    "marginal": {"decoder": "lstm after, 2 layers", "context": "marginal"},
    "monotonic:1, joint": {"decoder": "lstm after, 2 layers", "context": "monotonic:1", "mixture": "joint"},
    "marginal, two places, of a transformer": {
        "encoder": "transformer pre",
        "decoder": "transformer pre",
        "cross": AttentionSettings(normalizer="top_k:2"),
        "context": "marginal",
    },
    "marginal, sparse, words": {
        "encoder": "lstm, words",
        "decoder": "gru after",
        "cross": AttentionSettings("bilinear", "sparsemax"),
        "context": "marginal",
    },
    "monotonic": {"decoder": "lstm after, 2 layers", "context": "monotonic:0"},
    "monotonic, transformers": {
        "encoder": "transformer pre",
        "decoder": "transformer post learned",
        "context": "monotonic",
    },
    "monotonic, first order": {"decoder": "gru after", "context": "monotonic:1"},
    "monotonic, first order, shared": {
        "decoder": "transformer pre",
        "cross": AttentionSettings("location"),
        "context": "monotonic:1",
        "share_embeddings": "target",
    },
}
every_kind = pytest.mark.parametrize("name", KINDS)


def made_of(name: str, seed: int = 0, vocabulary: int = VOCABULARY) -> EncoderDecoder:
    """A model in double precision with one of the readouts, its parameters grown."""
    made = model(settings(**KINDS[name]), seed, vocabulary)
    torch.manual_seed(seed + 1)
    with torch.no_grad():
        for parameter in made.readout.parameters():  # type: ignore[attr-defined]
            parameter.add_(torch.randn_like(parameter) * 0.7).mul_(1.5)
    return made.eval()


def given(made: EncoderDecoder, sources: list[np.ndarray]) -> list[np.ndarray]:
    """Sources as the model takes them: those to be copied with tokens of the target, of which the last one is the 4."""
    if not made.settings.copy:
        return sources
    return [np.stack([source, np.where(source == made.target_vocabulary - 1, 4, source)], 1) for source in sources]


side_by_side = partial(pad, filler=PAD)


@every_kind
def test_gradients_are_finite_differences(name: str) -> None:
    made = made_of(name)
    pairs = batch(given(made, SOURCES), TARGETS)
    made.loss(pairs, 0.1).nll.backward()
    learned = [parameter for parameter in made.parameters() if parameter.grad is not None]
    assert {id(parameter) for parameter in made.readout.parameters()} <= {id(parameter) for parameter in learned}
    torch.manual_seed(1)
    for _ in range(3):
        directions = [torch.randn_like(parameter) for parameter in learned]
        found = []
        with torch.no_grad():
            for distance in (1e-7, -2e-7, 1e-7):
                for parameter, direction in zip(learned, directions, strict=True):
                    parameter.add_(direction, alpha=distance)
                found.append(made.loss(pairs, 0.1).nll)
        parts = [(p.grad * d).sum() for p, d in zip(learned, directions, strict=True) if p.grad is not None]
        assert torch.allclose((found[0] - found[1]) / 2e-7, torch.stack(parts).sum(), rtol=1e-6, atol=1e-5)


@every_kind
def test_steps_equal_the_whole_sequence_and_weights_are_distributions(name: str) -> None:
    made = made_of(name)
    pairs = batch(given(made, SOURCES), TARGETS)
    with torch.no_grad():
        forced = made.forced(pairs, ("cross",))
        encoded = made.encode(pairs.source, pairs.source_lengths)
        memory, state = made.prepare(encoded), made.start(encoded, 1)
        for place in range(pairs.target_in.shape[1]):
            step = made.step(pairs.target_in[:, place : place + 1], memory, state, ("cross",))
            state, there = step.state, pairs.target_mask[:, place]
            found = step.log_probs[:, 0].gather(1, pairs.target_out[:, place, None])[:, 0]
            assert torch.allclose(found[there], forced.log_probs[there, place], rtol=0, atol=1e-10)
            assert torch.allclose(step.log_probs.exp().sum(-1), torch.ones(4, 1).double(), rtol=0, atol=1e-12)
            assert step.observed.keys() == forced.observed.keys()
            for key, weights in step.observed.items():
                assert torch.allclose(weights[there, :, 0], forced.observed[key][there, :, place], rtol=0, atol=1e-10)
                assert torch.allclose(weights.sum(-1), torch.ones_like(weights[..., 0]), rtol=0, atol=1e-10)
        assert not made.step(pairs.target_in[:, :1], memory, made.start(encoded, 1)).observed
        assert not made.forced(pairs).observed


@every_kind
def test_padding_and_an_empty_source_change_nothing(name: str) -> None:
    made = made_of(name)
    sources = given(made, [*SOURCES, SOURCES[0][:0]])
    targets = [*TARGETS, TARGETS[0]]
    with torch.no_grad():
        together = made.forced(batch(sources, targets), ("cross",))
        for number, (source, target) in enumerate(zip(sources, targets, strict=True)):
            alone = made.forced(batch([source], [target]), ("cross",))
            length = len(target) + 1
            assert torch.allclose(together.log_probs[number, :length], alone.log_probs[0], rtol=0, atol=1e-10)
            assert not together.log_probs[number, length:].any()
            for key, weights in alone.observed.items():
                within = together.observed[key][number, :, :length]
                assert torch.allclose(within[..., : len(source)], weights[0, ..., : len(source)], rtol=0, atol=1e-10)
                assert not within[..., len(source) :].any()
    made.loss(batch(sources, targets)).nll.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in made.parameters())


@every_kind
def test_smoothing_mixes_in_the_vocabulary(name: str) -> None:
    made = made_of(name)
    pairs = batch(given(made, SOURCES), TARGETS)
    with torch.no_grad():
        plain, smooth = made.loss(pairs), made.loss(pairs, 0.1)
        encoded = made.encode(pairs.source, pairs.source_lengths)
        memory, state = made.prepare(encoded), made.start(encoded, 1)
        total = 0.0
        for place in range(pairs.target_in.shape[1]):
            step = made.step(pairs.target_in[:, place : place + 1], memory, state)
            state = step.state
            total += float(step.log_probs[:, 0, :VOCABULARY][pairs.target_mask[:, place]].mean(-1).sum())
    assert float(smooth.nll) == pytest.approx(0.9 * float(plain.nll) - 0.1 * total, abs=1e-9)


@dataclass
class Given:
    """Pairs whose targets end where they are cut, with or without a mark."""

    source: Tensor
    source_lengths: Tensor
    target_in: Tensor
    target_out: Tensor
    target_lengths: Tensor


def all_texts(vocabulary: int, length: int, source: np.ndarray) -> Given:
    """Every text of so many tokens, any tokens, for one source."""
    texts = torch.tensor(list(itertools.product(range(vocabulary), repeat=length)))
    begins = torch.full((len(texts), 1), BOS)
    lengths = torch.full((len(texts),), length)
    sources = torch.tensor(source)[None].expand(len(texts), *source.shape)
    return Given(sources, torch.full_like(lengths, len(source)), torch.cat([begins, texts[:, :-1]], 1), texts, lengths)


@every_kind
def test_all_texts_together_have_probability_1(name: str) -> None:
    made = made_of(name, vocabulary=6)
    for source in given(made, [np.array([4, 5, 4]), np.array([5])]):
        with torch.no_grad():
            found = made.forced(all_texts(6, 3, source)).log_probs.sum(1)
        assert float(found.exp().sum()) == pytest.approx(1.0, abs=1e-11)


@every_kind
def test_a_beam_as_wide_as_everything_is_exhaustive_search(name: str) -> None:
    made = made_of(name, vocabulary=6)
    tokens = [token for token in range(6) if token not in (*made.never, EOS)]
    every = [text for length in range(4) for text in itertools.product(tokens, repeat=length)]
    for source in given(made, [np.array([4, 5, 4]), np.array([5])]):
        pairs = batch([source] * len(every), [np.array(text, np.int64) for text in every])
        with torch.no_grad():
            log_probs = made.forced(pairs).log_probs.sum(1).tolist()
        scored = [(one / length_penalty(len(text) + 1, 0.6), text) for one, text in zip(log_probs, every, strict=True)]
        best = sorted(scored, reverse=True)[:10]
        found = search(made, [source], SearchSettings(beam=100, n_best=10, max_length=3), pad=side_by_side)[0]
        assert [one.tokens for one in found] == [text for _, text in best]
        assert np.allclose([one.score for one in found], [score for score, _ in best], rtol=0, atol=1e-9)


@every_kind
def test_a_hypothesis_is_what_forced_decoding_makes_of_its_text(name: str) -> None:
    made = made_of(name)
    sources = given(made, texts(5, 4, 6))
    how = SearchSettings(beam=5, n_best=3, max_length=6, batch=3, coverage_penalty=0.2)
    found = search(made, sources, how, pad=side_by_side)
    for source, hypotheses in zip(sources, found, strict=True):
        assert len(hypotheses) == 3
        for one in hypotheses:
            with torch.no_grad():
                forced = made.forced(batch([source], [np.array(one.tokens, np.int64)]), ("cross",))
            assert one.log_prob == pytest.approx(float(forced.log_probs.sum()), abs=1e-9)
            assert one.attention.keys() == forced.observed.keys()
            for place, weights in forced.observed.items():
                assert np.allclose(one.attention[place], weights[0].numpy(), rtol=0, atol=1e-9)
