"""What holds of every search, whatever its settings: scores, order, limits, and that stopping early loses nothing."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tiny_models import EOS, batch, model, settings, texts
from torch import Tensor

from regard.model import Encoded, EncoderDecoder, Step, length_penalty, search
from regard.settings import AttentionSettings, SearchSettings

PLACES = 3  # of a source
END, WORDS = 0, (1, 2)


@dataclass
class Looking:
    """A model without networks that looks at its sources: tables of log p and of weights by source, place and token."""

    tables: Tensor  # (sources, places, V + 1, V)
    weights: Tensor  # (sources, places, V + 1, PLACES)
    source_pad = 0
    bos = -1  # the last row of each table
    eos = END
    never: tuple[int, ...] = ()
    longest_target: int | None = None

    def encode(self, source: Tensor, lengths: Tensor, observe: Collection[str] = ()) -> Encoded:
        return Encoded(source[..., None], torch.arange(source.shape[1]) < lengths[:, None], source[:, 0], {})

    def prepare(self, encoded: Encoded, window: int | None = None) -> Tensor:
        return encoded.final

    def start(self, encoded: Encoded, beams: int) -> Tensor:
        return torch.zeros(len(encoded.final), beams, dtype=torch.int64)

    def step(self, tokens: Tensor, memory: Tensor, state: Tensor, observe: Collection[str] = ()) -> Step:
        weights = self.weights[memory[:, None], state, tokens][:, None]
        return Step(self.tables[memory[:, None], state, tokens], state + 1, {("cross", 0): weights})

    def log_prob(self, source: int, tokens: tuple[int, ...]) -> float:
        """Of these tokens, the end among them or not."""
        path = enumerate(zip((self.bos, *tokens), tokens, strict=False))
        return float(sum(self.tables[source, place, last, this] for place, (last, this) in path))

    def score(self, source: int, text: tuple[int, ...], alpha: float, beta: float) -> float:
        """Of a text and its end, with the penalties."""
        covered = torch.stack([self.weights[source, place, last] for place, last in enumerate((self.bos, *text))]).sum(
            0
        )
        seen = float(covered.clamp(1e-6, 1.0).log().sum())
        return self.log_prob(source, (*text, END)) / length_penalty(len(text) + 1, alpha) + beta * seen


def looking(seed: int, sharpness: float, places: int) -> Looking:
    generator = torch.Generator().manual_seed(seed)
    size = (3, places + 1, len(WORDS) + 2)
    logits = torch.randn(*size, len(WORDS) + 1, generator=generator, dtype=torch.float64)
    weights = torch.randn(*size, PLACES, generator=generator, dtype=torch.float64)
    return Looking(torch.log_softmax(sharpness * logits, -1), torch.softmax(2 * weights, -1))


def patient(made: Looking, source: int, chosen: SearchSettings, longest: int) -> list[tuple[float, tuple[int, ...]]]:
    """The same search one hypothesis at a time, that never stops before the last place: (score, text), best first."""
    alpha, beta = chosen.length_penalty, chosen.coverage_penalty
    live: list[tuple[int, ...]] = [()]
    ended = []
    for place in range(longest + 1):
        following = [
            (made.log_prob(source, (*text, token)), text, token)
            for text in live
            for token in (END, *WORDS)
            if (place < longest or token == END) and (place >= chosen.min_length or token != END)
        ]
        best = sorted(following, reverse=True)[: chosen.beam]
        ended += [(made.score(source, text, alpha, beta), text) for _, text, token in best if token == END]
        live = [(*text, token) for _, text, token in best if token != END]
    return sorted(ended, reverse=True)[: chosen.n_best]


SEARCHES = st.builds(
    SearchSettings,
    beam=st.integers(1, 6),
    length_penalty=st.sampled_from([-0.5, 0.0, 0.6, 1.0, 2.0]),
    coverage_penalty=st.sampled_from([0.0, 0.2, 1.0, 5.0]),
    min_length=st.integers(0, 2),
    max_length=st.integers(2, 5),
    batch=st.integers(1, 3),
)


@given(seed=st.integers(0, 1000), sharpness=st.sampled_from([0.5, 1.0, 3.0]), chosen=SEARCHES, data=st.data())
@hypothesis_settings(max_examples=80, deadline=None)
def test_stopping_early_loses_nothing_whatever_the_penalties(
    seed: int, sharpness: float, chosen: SearchSettings, data: st.DataObject
) -> None:
    chosen = SearchSettings(**{**chosen.__dict__, "n_best": data.draw(st.integers(1, chosen.beam))})
    longest = chosen.max_length
    assert longest is not None
    made = looking(seed, sharpness, longest)
    found = search(made, [[source] * PLACES for source in range(3)], chosen)
    for source, hypotheses in enumerate(found):
        wanted = patient(made, source, chosen, longest)
        assert [one.tokens for one in hypotheses] == [text for _, text in wanted]
        assert np.allclose([one.score for one in hypotheses], [score for score, _ in wanted], rtol=0, atol=1e-9)


@given(
    seed=st.integers(0, 1000),
    alpha=st.sampled_from([-0.5, 0.0, 0.6, 2.0]),
    beta=st.sampled_from([0.2, 1.0, 5.0]),
    n_best=st.integers(1, 5),
)
@hypothesis_settings(max_examples=40, deadline=None)
def test_a_wide_beam_finds_the_best_of_all_with_penalties_for_what_was_not_looked_at(
    seed: int, alpha: float, beta: float, n_best: int
) -> None:
    made = looking(seed, 1.0, 4)
    wide = SearchSettings(beam=64, n_best=n_best, max_length=4, length_penalty=alpha, coverage_penalty=beta)
    for source, hypotheses in enumerate(search(made, [[source] * PLACES for source in range(3)], wide)):
        every = [
            (made.score(source, text, alpha, beta), text)
            for length in range(5)
            for text in itertools.product(WORDS, repeat=length)
        ]
        best = sorted(every, reverse=True)[:n_best]
        assert [one.tokens for one in hypotheses] == [text for _, text in best]
        assert np.allclose([one.score for one in hypotheses], [score for score, _ in best], rtol=0, atol=1e-9)


MODELS = {
    "recurrent": settings(),
    "transformer": settings("transformer pre", "transformer pre", AttentionSettings(heads=2)),
    "remembering": settings(decoder="gru before, 2 layers", cross=AttentionSettings(score="coverage")),
    "hard": settings(decoder="transformer rotary", cross=AttentionSettings(score="additive", normalizer="top_k:2")),
}


@pytest.mark.parametrize("name", MODELS)
@given(seed=st.integers(0, 50), sharpness=st.sampled_from([0.5, 3.0]), chosen=SEARCHES)
@hypothesis_settings(max_examples=12, deadline=None)
def test_what_holds_of_every_hypothesis(name: str, seed: int, sharpness: float, chosen: SearchSettings) -> None:
    made = model(MODELS[name], seed, sharpness=sharpness)
    sources = texts(3, seed, 6)
    every = search(made, sources, SearchSettings(**{**chosen.__dict__, "n_best": chosen.beam}))
    best = search(made, sources, chosen)
    for source, hypotheses, (first, *others) in zip(sources, every, best, strict=True):
        assert 1 <= len(hypotheses) <= chosen.beam
        assert not others
        assert first.tokens == hypotheses[0].tokens  # asking for more changes nothing
        assert [one.score for one in hypotheses] == sorted((one.score for one in hypotheses), reverse=True)
        assert len({one.tokens for one in hypotheses}) == len(hypotheses)
        for one in hypotheses:
            assert chosen.min_length <= len(one.tokens) <= (chosen.max_length or 0)
            assert not {*made.never, EOS} & set(one.tokens)
            check_scores(made, source, one.tokens, one.log_prob, one.score, chosen)


def check_scores(
    made: EncoderDecoder,
    source: np.ndarray,
    tokens: tuple[int, ...],
    log_prob: float,
    score: float,
    how: SearchSettings,
) -> None:
    """The scores are those of forced decoding."""
    with torch.no_grad():
        forced = made.forced(batch([source], [np.array(tokens, np.int64)]), ("cross",))
    assert log_prob == pytest.approx(float(forced.log_probs.sum()), abs=1e-9)
    cross = torch.stack([weights.mean(1) for weights in forced.observed.values()]).mean(0)[0]
    seen = float(cross.sum(0).clamp(1e-6, 1.0).log().sum())
    wanted = log_prob / length_penalty(len(tokens) + 1, how.length_penalty) + how.coverage_penalty * seen
    assert score == pytest.approx(wanted, abs=1e-6)
