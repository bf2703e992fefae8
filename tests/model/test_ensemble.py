"""Several models as one: the definition, one step and one target at a time."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from tiny_models import EOS, FIRST, VOCABULARY, batch, model, settings, texts
from torch import Tensor

from regard.errors import RegardError
from regard.model import EncoderDecoder, search
from regard.model.ensemble import Ensemble, Sides, mean_of_logs
from regard.settings import AttentionSettings, SearchSettings


def members() -> list[EncoderDecoder]:
    """A recurrent model, a Transformer, one without attention, and a mixture."""
    heads = AttentionSettings(heads=2)
    chosen = (
        settings(),
        settings("transformer pre", "transformer pre", heads),
        settings(context="fixed"),
        settings(decoder="gru after", context="monotonic:0"),
    )
    return [model(each, seed, sharpness=1.0) for seed, each in enumerate(chosen)]


SHOWN = [(0, 0), (1, 1), None, (0, -1)]


def sides(count: int) -> object:
    """What makes the same sources ready for so many members."""

    def pad(rows: list[np.ndarray]) -> tuple[Sides, Sides]:
        found = batch(rows, [np.array([], np.int64)] * len(rows))
        return Sides((found.source,) * count), Sides((found.source_lengths,) * count)

    return pad


def mean_of_forced(made: list[EncoderDecoder], source: np.ndarray, tokens: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """log p of each token by the mean of the members' probabilities, and the mean of the weights that are shown."""
    pairs = batch([source], [np.array(tokens, np.int64)])
    with torch.no_grad():
        said = [each.forced(pairs, ("cross",)) for each in made]
    log_probs = torch.stack([each.log_probs for each in said]).exp().mean(0).log()[0]
    weights = []
    for shown, each in zip(SHOWN, said, strict=True):
        if shown is not None:
            of_layer = each.observed["cross", shown[0]][0]
            weights.append(of_layer.mean(0) if shown[1] < 0 else of_layer[shown[1]])
    return log_probs, torch.stack(weights).mean(0)


def test_an_output_has_the_mean_of_the_members_probabilities_and_weights() -> None:
    made, sources = members(), texts(4, 21, 6)
    together = Ensemble(made, SHOWN).eval()
    for asked in (SearchSettings(beam=4, n_best=3, max_length=6), SearchSettings(sample=3, max_length=6, batch=2)):
        for source, hypotheses in zip(sources, search(together, sources, asked, pad=sides(4)), strict=True):  # type: ignore[arg-type]
            for one in hypotheses:
                log_probs, weights = mean_of_forced(made, source, one.tokens)
                assert one.log_prob == pytest.approx(float(log_probs.sum()), abs=1e-9)
                assert list(one.attention) == [("cross", 0)]
                assert np.allclose(one.attention["cross", 0][0], weights.numpy(), rtol=0, atol=1e-9)


def test_forced_decoding_has_them_too() -> None:
    made, sources, targets = members(), texts(4, 22, 6), texts(4, 23, 5)
    pairs = batch(sources, targets)
    together = Ensemble(made, SHOWN).eval()
    beside = type(pairs)(
        Sides((pairs.source,) * 4), Sides((pairs.source_lengths,) * 4), pairs.target_in, pairs.target_out,
        pairs.target_lengths, pairs.indices,
    )  # fmt: skip
    with torch.no_grad():
        found = together.forced(beside, ("cross",))  # type: ignore[arg-type]
    for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
        log_probs, weights = mean_of_forced(made, source, tuple(target.tolist()))
        count = len(target) + 1
        assert torch.allclose(found.log_probs[row, :count], log_probs, rtol=0, atol=1e-9)
        assert not found.log_probs[row, count:].any()
        assert torch.allclose(found.observed["cross", 0][row, 0, :count, : len(source)], weights, rtol=0, atol=1e-9)
    with pytest.raises(RegardError, match="no 'posterior'"):
        together.forced(beside, ("posterior",))  # type: ignore[arg-type]


def test_a_wide_beam_finds_the_best_of_all_outputs() -> None:
    made, source = members()[:2], texts(1, 24, 4)[0]
    together = Ensemble(made, SHOWN[:2]).eval()
    found = search(together, [source], SearchSettings(beam=200, length_penalty=0.0, max_length=2), pad=sides(2))[0][0]  # type: ignore[arg-type]
    every = [
        (float(mean_of_forced_two(made, source, tokens)), tokens)
        for length in range(3)
        for tokens in itertools.product(set(range(VOCABULARY)) - {*made[0].never, EOS}, repeat=length)
    ]
    assert FIRST in range(VOCABULARY)
    best = max(every)
    assert (found.tokens, found.log_prob) == (best[1], pytest.approx(best[0], abs=1e-9))


def mean_of_forced_two(made: list[EncoderDecoder], source: np.ndarray, tokens: tuple[int, ...]) -> Tensor:
    pairs = batch([source], [np.array(tokens, np.int64)])
    with torch.no_grad():
        return torch.stack([each.forced(pairs).log_probs for each in made]).exp().mean(0).log().sum()


def test_an_ensemble_of_one_model_twice_is_that_model() -> None:
    made, sources = members()[0], texts(5, 25, 6)
    asked = SearchSettings(beam=3, n_best=2, batch=2)
    limits = [6] * 5
    twice = search(Ensemble([made, made], [(0, 0), (0, 0)]).eval(), sources, asked, pad=sides(2), longest=limits)  # type: ignore[arg-type]
    for one, other in zip(search(made, sources, asked, longest=limits), twice, strict=True):
        assert [each.tokens for each in one] == [each.tokens for each in other]
        for each, same in zip(one, other, strict=True):
            assert each.log_prob == pytest.approx(same.log_prob, abs=1e-12)
            assert np.allclose(each.attention["cross", 0], same.attention["cross", 0], rtol=0, atol=1e-12)


def test_the_mean_of_probabilities_does_not_underflow() -> None:
    far = torch.tensor([-2000.0, float("-inf"), -1.0])
    found = mean_of_logs([far, torch.tensor([-2001.0, float("-inf"), float("-inf")])])
    assert found[0] == pytest.approx(-2000 + math.log((1 + math.exp(-1)) / 2), abs=1e-3)
    assert found[1] == float("-inf")
    assert found[2] == pytest.approx(-1 - math.log(2))
    assert far[0] == -2000.0  # a member's own numbers stay as they are


def test_the_shortest_of_the_longest_targets_counts() -> None:
    short = model(settings(decoder="transformer post learned", longest=9))
    assert Ensemble([model(settings()), short], [(0, 0), (0, 0)]).longest_target == 8
    assert Ensemble([model(settings())], [(0, 0)]).longest_target is None
