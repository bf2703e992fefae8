"""Drawn outputs: their distribution, and what a seed decides."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import batch, model, settings, texts

from regard.errors import RegardError
from regard.model import search
from regard.model.drawing import draw, draw_keys, key_of, uniform
from regard.settings import AttentionSettings, ModelSettings, SearchSettings

MODELS = {
    "lstm feeding": settings(),
    "transformer": settings("transformer pre", "transformer pre", AttentionSettings(heads=2)),
    "location_aware, window": settings(cross=AttentionSettings(score="location_aware", window=2)),
    "fixed": settings(context="fixed"),
    "local_p": settings(context="local_p:2", cross=AttentionSettings(score="dot")),
    "gumbel": settings(context="gumbel"),
    "online": settings(context="online"),
    "marginal": settings(decoder="gru after", context="marginal"),
    "monotonic": settings(decoder="gru after", context="monotonic:1"),
}
every_model = pytest.mark.parametrize("chosen", MODELS.values(), ids=MODELS)


def shares(p: list[float], **how: object) -> list[float]:
    """How often each token is drawn by numbers that are spread evenly."""
    count = 20_000
    numbers = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    log_probs = torch.tensor(p, dtype=torch.float64).log().expand(count, -1)
    asked = {"temperature": 1.0, "top_k": None, "top_p": None, **how}
    tokens = draw(log_probs, numbers, **asked)  # type: ignore[arg-type]
    return (torch.bincount(tokens, minlength=len(p)) / count).tolist()


def test_tokens_are_drawn_as_often_as_their_probability_says() -> None:
    p = [0.1, 0.4, 0.0, 0.3, 0.2]
    assert shares(p) == pytest.approx(p, abs=1e-3)
    assert shares(p, temperature=0.5) == pytest.approx([0.01 / 0.3, 0.16 / 0.3, 0, 0.09 / 0.3, 0.04 / 0.3], abs=1e-3)
    assert shares(p, top_k=2) == pytest.approx([0, 4 / 7, 0, 3 / 7, 0], abs=1e-3)
    assert shares(p, top_p=0.41) == pytest.approx([0, 4 / 7, 0, 3 / 7, 0], abs=1e-3)
    assert shares(p, top_p=0.39) == [0, 1, 0, 0, 0]
    # First the temperature, then the likeliest, then what is enough of them.
    assert shares(p, temperature=0.5, top_k=3, top_p=0.6) == pytest.approx([0, 16 / 25, 0, 9 / 25, 0], abs=1e-3)


@given(seed=st.integers(0, 2**63 - 1), source=st.integers(0, 2**64 - 1), step=st.integers(0, 10**6))
def test_numbers_differ_by_all_that_they_depend_on(seed: int, source: int, step: int) -> None:
    keys = draw_keys(seed, [source, source ^ 1], 3)
    numbers = np.stack([uniform(keys, step), uniform(keys, step + 1)])
    assert len(np.unique(numbers)) == 12
    assert not set(uniform(draw_keys(seed ^ 1, [source], 3), step)[0]) & set(numbers[0, 0])
    assert ((numbers >= 0) & (numbers < 1)).all()
    assert (draw_keys(seed, [source], 1)[0, 0] == keys[0, 0]).all()  # the first of three is the first of one


def test_numbers_are_spread_evenly() -> None:
    keys = draw_keys(7, [key_of([number]) for number in range(200)], 5)
    numbers = np.stack([uniform(keys, step) for step in range(50)]).ravel()
    found = np.histogram(numbers, 20, (0, 1))[0]
    assert ((found - 2500) ** 2 / 2500).sum() < 43.8  # chi-squared of 19 degrees, 0.1 %
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.01


@every_model
def test_what_is_drawn_depends_on_seed_and_source_alone(chosen: ModelSettings) -> None:
    made, sources = model(chosen, sharpness=1.0), texts(6, 11, 7)
    drawing = SearchSettings(sample=3, max_length=8, temperature=1.5)
    together = search(made, sources, drawing)
    for size, order in ((1, range(6)), (2, [3, 1, 5, 0, 4, 2])):
        small = SearchSettings(sample=3, max_length=8, temperature=1.5, batch=size)
        found = search(made, [sources[number] for number in order], small)
        for number, hypotheses in zip(order, found, strict=True):
            assert [one.tokens for one in hypotheses] == [one.tokens for one in together[number]]
    others = search(made, sources, SearchSettings(sample=3, max_length=8, temperature=1.5, seed=2))
    assert [one.tokens for one in others[0]] != [one.tokens for one in together[0]]
    one = search(made, sources, SearchSettings(sample=1, max_length=8, temperature=1.5))
    assert [each[0].tokens for each in one] == [each[0].tokens for each in together]
    assert len({each.tokens for hypotheses in together for each in hypotheses}) > 6


@every_model
def test_a_drawn_output_is_what_forced_decoding_makes_of_it(chosen: ModelSettings) -> None:
    made, sources = model(chosen, sharpness=1.0), texts(4, 12, 6)
    for source, hypotheses in zip(sources, search(made, sources, SearchSettings(sample=2, max_length=6)), strict=True):
        for one in hypotheses:
            with torch.no_grad():
                forced = made.forced(batch([source], [np.array(one.tokens, np.int64)]), ("cross",))
            assert one.log_prob == pytest.approx(float(forced.log_probs.sum()), abs=1e-9)
            for place, weights in forced.observed.items():
                assert np.allclose(one.attention[place], weights[0].numpy(), rtol=0, atol=1e-9)


def test_outputs_are_drawn_as_often_as_the_model_says() -> None:
    made = model(settings(), sharpness=1.0)
    made.readout.project.bias.data[list(made.never)] = -50.0  # which are ruled out
    source = texts(1, 13, 4)[0]
    count = 3000
    drawn = search(made, [source], SearchSettings(sample=count, max_length=2))[0]
    found: dict[tuple[int, ...], list[float]] = {}
    for one in drawn:
        found.setdefault(one.tokens, []).append(np.exp(one.log_prob))
    short = {tokens: each for tokens, each in found.items() if len(tokens) < 2}
    assert len(short) > 5
    for each in short.values():
        assert len(each) / count == pytest.approx(each[0], abs=4 * (each[0] / count) ** 0.5)


@every_model
@pytest.mark.parametrize(
    "asked",
    [SearchSettings(beam=3, n_best=2, max_length=6), SearchSettings(sample=2, max_length=6)],
    ids=["beam", "drawn"],
)
def test_outputs_begin_with_their_prefix(chosen: ModelSettings, asked: SearchSettings) -> None:
    made, sources = model(chosen, sharpness=1.0), texts(4, 14, 6)
    prefixes = [(5, 9), (), (7,), (4, 4, 10, 8, 6, 5, 7)]  # the last is longer than an output may be
    together = search(made, sources, asked, prefixes=prefixes)
    for source, prefix, hypotheses in zip(sources, prefixes, together, strict=True):
        alone = search(made, [source], asked, prefixes=[prefix])[0]
        assert [one.tokens for one in alone] == [one.tokens for one in hypotheses]
        for one in hypotheses:
            assert one.tokens[: len(prefix)] == prefix
            with torch.no_grad():
                forced = made.forced(batch([source], [np.array(one.tokens, np.int64)]), ("cross",))
            assert one.log_prob == pytest.approx(float(forced.log_probs.sum()), abs=1e-9)
            for place, weights in forced.observed.items():
                assert np.allclose(one.attention[place], weights[0].numpy(), rtol=0, atol=1e-9)
    assert together[3][0].tokens == prefixes[3]
    assert search(made, sources, asked)[1][0].tokens == together[1][0].tokens


def test_the_best_output_with_a_prefix_is_the_best_of_those_that_begin_with_it() -> None:
    made, source = model(settings(), sharpness=1.0), texts(1, 15, 5)[0]
    wide = SearchSettings(beam=400, n_best=400, max_length=3)
    every = search(made, [source], wide)[0]
    for prefix in [(4,), (7, 9)]:
        wanted = [one for one in every if one.tokens[: len(prefix)] == prefix]
        found = search(made, [source], SearchSettings(beam=60, n_best=3, max_length=3), prefixes=[prefix])[0]
        assert [one.tokens for one in found] == [one.tokens for one in wanted[:3]]


def test_what_can_not_be_drawn_is_refused_by_name() -> None:
    made, sources = model(settings()), texts(1, 9, 5)
    with pytest.raises(RegardError, match=r"search.top_k: nothing is drawn; give search.sample"):
        search(made, sources, SearchSettings(top_k=3))
    with pytest.raises(RegardError, match=r"search.top_p: nothing is drawn"):
        search(made, sources, SearchSettings(top_p=0.5))
    with pytest.raises(RegardError, match=r"search.temperature: nothing is drawn"):
        search(made, sources, SearchSettings(temperature=0.5))
    with pytest.raises(RegardError, match=r"search.n_best: there are as many outputs as are drawn"):
        search(made, sources, SearchSettings(sample=3, n_best=2))
    made.readout.project.weight.data[:] = float("nan")
    with pytest.raises(RegardError, match="may not be numbers"):
        search(made, sources, SearchSettings(sample=2))
