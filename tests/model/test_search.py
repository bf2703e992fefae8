"""Search: greedy, exhaustive, batched, penalised; and the attention of a hypothesis' own path."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tiny_models import EOS, VOCABULARY, batch, model, settings, texts
from torch import Tensor

from regard.errors import RegardError
from regard.model import Band, Encoded, EncoderDecoder, Hypothesis, Step, coverage_penalty, length_penalty, search
from regard.settings import AttentionSettings, SearchSettings

MODELS = {
    "lstm feeding": settings(),
    "gru after": settings(decoder="gru after"),
    "lstm before": settings("transformer pre", "lstm before"),
    "transformer": settings("transformer pre", "transformer pre", AttentionSettings(heads=2)),
    "transformer rotary": settings(decoder="transformer rotary"),
    "location": settings(
        decoder="transformer pre", self_attention=AttentionSettings(score="location", heads=2), width=8
    ),
    "location_aware": settings(cross=AttentionSettings(score="location_aware")),
    "coverage": settings(decoder="transformer pre", cross=AttentionSettings(score="coverage", heads=2)),
    "distance": settings(decoder="transformer pre", self_attention=AttentionSettings(score="distance", heads=2)),
    "window": settings(cross=AttentionSettings(score="location_aware", window=2)),
    "window, before": settings(decoder="lstm before", cross=AttentionSettings(score="dot", heads=2, window=1)),
    "fixed": settings(context="fixed"),
    "fixed transformer": settings(decoder="transformer pre", context="fixed"),
}
every_model = pytest.mark.parametrize("name", MODELS)


@dataclass
class Chain:
    """A model without networks: log p of a token by its source, place and the token before; end 0, others 1, 2, ..."""

    tables: Tensor  # (sources, places, V + 1, V)
    source_pad = 0
    bos = -1  # the last row of each table
    eos = 0
    never: tuple[int, ...] = ()
    longest_target: int | None = None

    def encode(self, source: Tensor, lengths: Tensor, observe: Collection[str] = ()) -> Encoded:
        return Encoded(source[:, :1, None], lengths[:, None] > 0, source[:, 0], {})

    def prepare(self, encoded: Encoded, window: int | None = None) -> Tensor:
        return encoded.final

    def start(self, encoded: Encoded, beams: int) -> Tensor:
        return torch.zeros(len(encoded.final), beams, dtype=torch.int64)

    def step(self, tokens: Tensor, memory: Tensor, state: Tensor, observe: Collection[str] = ()) -> Step:
        weights = torch.ones(len(tokens), 1, tokens.shape[1], 1, dtype=torch.float64)
        return Step(self.tables[memory[:, None], state, tokens], state + 1, {("cross", 0): weights})

    def log_prob(self, source: int, text: tuple[int, ...]) -> float:
        path = zip((self.bos, *text), (*text, self.eos), strict=True)
        return float(sum(self.tables[source, place, last, this] for place, (last, this) in enumerate(path)))


def chain(seed: int, sources: int, places: int, words: int, sharpness: float) -> Chain:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(sources, places + 1, words + 2, words + 1, generator=generator, dtype=torch.float64)
    return Chain(torch.log_softmax(sharpness * logits, -1))


@given(
    seed=st.integers(0, 1000),
    sharpness=st.sampled_from([0.3, 1.0, 3.0]),
    alpha=st.sampled_from([-0.5, 0.0, 0.6, 1.0, 2.0]),
    longest=st.integers(1, 4),
    shortest=st.integers(0, 2),
    n_best=st.integers(1, 6),
)
@hypothesis_settings(max_examples=60, deadline=None)
def test_a_beam_as_wide_as_everything_is_exhaustive_search(
    seed: int, sharpness: float, alpha: float, longest: int, shortest: int, n_best: int
) -> None:
    shortest = min(shortest, longest)
    made = chain(seed, 2, longest, 2, sharpness)
    wide = SearchSettings(
        beam=64, length_penalty=alpha, n_best=n_best, max_length=longest, min_length=shortest, coverage_penalty=0.2
    )
    found = search(made, [[0], [1]], wide)
    for source in (0, 1):
        every = [
            (made.log_prob(source, text) / length_penalty(length + 1, alpha), text)
            for length in range(shortest, longest + 1)
            for text in itertools.product((1, 2), repeat=length)
        ]
        best = sorted(every, reverse=True)[:n_best]
        assert [one.tokens for one in found[source]] == [text for _, text in best]
        assert np.allclose([one.score for one in found[source]], [score for score, _ in best], rtol=0, atol=1e-12)


def patient(made: Chain, source: int, beam: int, longest: int, alpha: float) -> list[tuple[float, tuple[int, ...]]]:
    """The same search one hypothesis at a time, that never stops before the last place: (score, text), best first."""
    live: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    ended = []
    for place in range(longest + 1):
        following = [
            (log_prob + float(made.tables[source, place, (made.bos, *text)[-1], token]), text, token)
            for log_prob, text in live
            for token in range(made.tables.shape[-1])
            if place < longest or token == made.eos
        ]
        best = sorted(following, reverse=True)[:beam]
        ended += [(found / length_penalty(place + 1, alpha), text) for found, text, token in best if token == made.eos]
        live = [(found, (*text, token)) for found, text, token in best if token != made.eos]
    return sorted(ended, reverse=True)


@given(
    seed=st.integers(0, 1000),
    sharpness=st.sampled_from([1.0, 3.0]),
    beam=st.integers(1, 5),
    alpha=st.sampled_from([-0.5, 0.0, 0.6, 2.0]),
    size=st.integers(1, 5),
)
@hypothesis_settings(max_examples=60, deadline=None)
def test_stopping_early_and_dropping_sources_change_nothing(
    seed: int, sharpness: float, beam: int, alpha: float, size: int
) -> None:
    made = chain(seed, 5, 6, 3, sharpness)
    n_best = max(1, beam - 2)
    chosen = SearchSettings(beam=beam, length_penalty=alpha, max_length=6, batch=size, n_best=n_best)
    for source, found in enumerate(search(made, [[number] for number in range(5)], chosen)):
        wanted = patient(made, source, beam, 6, alpha)[:n_best]
        assert [one.tokens for one in found] == [text for _, text in wanted]
        assert np.allclose([one.score for one in found], [score for score, _ in wanted], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("alpha", "end_at_once", "end_later", "wanted"),
    [(2.0, 0.65, 0.001, (1,) * 5), (-1.0, 0.4, 0.95, (1,)), (0.0, 0.65, 0.001, ())],
)
def test_no_source_is_given_up_that_the_length_penalty_may_still_turn(
    alpha: float, end_at_once: float, end_later: float, wanted: tuple[int, ...]
) -> None:
    """A longer text that is behind when the first one ends, and wins in the end; or, without penalty, does not."""
    table = torch.tensor([end_later, 1 - end_later], dtype=torch.float64).expand(1, 6, 3, 2).clone()
    table[:, 0] = torch.tensor([end_at_once, 1 - end_at_once])
    table[:, 5] = torch.tensor([0.999, 0.001])
    chosen = SearchSettings(beam=2, length_penalty=alpha, max_length=5)
    assert search(Chain(table.log()), [[0]], chosen)[0][0].tokens == wanted


def greedy(made: EncoderDecoder, source: np.ndarray, longest: int) -> tuple[int, ...]:
    """The most probable next token, over and over, from forced decoding of what is there so far."""
    tokens: list[int] = []
    for _ in range(longest):
        pairs = batch([source], [np.array(tokens, np.int64)])
        with torch.no_grad():
            output = made.decoder(pairs.target_in, made.encode(pairs.source, pairs.source_lengths))
            log_probs = made.readout.log_probs(output)[0, -1]
        log_probs[list(made.never)] = float("-inf")
        token = int(log_probs.argmax())
        if token == EOS:
            break
        tokens.append(token)
    return tuple(tokens)


@every_model
def test_beam_1_is_greedy(name: str) -> None:
    made = model(MODELS[name])
    sources = texts(5, 3, 6)
    penalty = 0.0 if "fixed" in name else 0.5
    found = search(made, sources, SearchSettings(beam=1, max_length=7, length_penalty=1.0, coverage_penalty=penalty))
    assert [one[0].tokens for one in found] == [greedy(made, source, 7) for source in sources]


@every_model
def test_a_hypothesis_is_what_forced_decoding_makes_of_its_text(name: str) -> None:
    made = model(MODELS[name])
    sources = texts(5, 4, 6)
    places = ("cross", "decoder.self", "encoder.self")
    found = search(made, sources, SearchSettings(beam=4, n_best=3, max_length=6, batch=3), observe=places)
    lengths = set()
    for source, hypotheses in zip(sources, found, strict=True):
        assert len(hypotheses) == 3
        for one in hypotheses:
            lengths.add(len(one.tokens))
            with torch.no_grad():
                forced = made.forced(batch([source], [np.array(one.tokens, np.int64)]), places)
            assert one.log_prob == pytest.approx(float(forced.log_probs.sum()), abs=1e-9)
            assert one.score == pytest.approx(one.log_prob / ((6 + len(one.tokens)) / 6) ** 0.6, abs=1e-9)
            assert one.attention.keys() == forced.observed.keys()
            for place, weights in forced.observed.items():
                assert np.allclose(one.attention[place], weights[0].numpy(), rtol=0, atol=1e-9), place
    assert len(lengths) > 1


@every_model
def test_a_batch_of_one_is_a_batch_of_many(name: str) -> None:
    made = model(MODELS[name])
    sources = [*texts(7, 5, 9), np.array([], np.int64)]
    penalty = 0.0 if "fixed" in name else 0.2
    chosen = SearchSettings(beam=3, n_best=2, coverage_penalty=penalty)
    many = search(made, sources, chosen)
    for source, together in zip(sources, many, strict=True):
        for one, other in zip(search(made, [source], chosen)[0], together, strict=True):
            assert one.tokens == other.tokens
            assert one.log_prob == pytest.approx(other.log_prob, abs=1e-9)
            assert one.score == pytest.approx(other.score, abs=1e-9)
            assert one.attention.keys() == other.attention.keys()
            for place in one.attention:
                assert one.attention[place].shape[-1] == max(1, len(source)) or not len(source)
                assert np.allclose(one.attention[place], other.attention[place], rtol=0, atol=1e-9)


def test_lengths_are_kept_and_nothing_is_said_that_no_text_holds() -> None:
    made = model(MODELS["lstm feeding"], sharpness=1.0)
    sources = texts(6, 6, 5)
    found = search(made, sources, SearchSettings(beam=4, n_best=4, min_length=3, max_length=4))
    everything = [one.tokens for hypotheses in found for one in hypotheses]
    assert {len(tokens) for tokens in everything} <= {3, 4}
    assert not {token for tokens in everything for token in tokens} & {*made.never, EOS}
    limits = [0, 1, 2, 3, 4, 5]
    for limit, hypotheses in zip(limits, search(made, sources, SearchSettings(), longest=limits), strict=True):
        assert len(hypotheses[0].tokens) <= limit
    learned = model(settings(decoder="transformer post learned", longest=4))
    learned.readout.project.bias.data[EOS] = -30.0
    assert len(search(learned, sources, SearchSettings())[0][0].tokens) == 3


def test_the_coverage_penalty_is_that_of_the_paper_and_prefers_what_looks_everywhere() -> None:
    covered = torch.tensor([[0.5, 2.0, 0.0], [1.0, 1.0, 1.0]])
    mask = torch.tensor([True, True, False])
    assert torch.allclose(coverage_penalty(covered, mask, 2.0), torch.tensor([-2 * 0.6931472, 0.0]))
    made = model(MODELS["lstm feeding"], sharpness=1.0)
    sources = texts(8, 7, 8)

    def seen(beta: float) -> list[float]:
        chosen = SearchSettings(beam=8, n_best=8, max_length=8, coverage_penalty=beta)
        found = []
        for hypotheses in search(made, sources, chosen):
            for one in hypotheses:
                total = np.clip(one.attention["cross", 0][0].sum(0), 1e-6, 1.0)
                wanted = one.log_prob / length_penalty(len(one.tokens) + 1, 0.6) + beta * np.log(total).sum()
                assert one.score == pytest.approx(wanted, abs=1e-9)
            found.append(np.clip(hypotheses[0].attention["cross", 0][0].sum(0), 0, 1).mean())
        return found

    assert np.mean(seen(5.0)) > np.mean(seen(0.0)) + 0.01


def test_searching_leaves_the_mode_of_the_model_alone() -> None:
    made = model(settings(dropout=0.5)).train()
    sources = texts(3, 8, 5)
    first: list[list[Hypothesis]] = search(made, sources, SearchSettings())
    assert made.training
    assert [one[0].score for one in first] == [one[0].score for one in search(made, sources, SearchSettings())]
    made.eval()
    search(made, sources, SearchSettings())
    assert not made.training


@pytest.mark.parametrize("decoder", ["lstm feeding", "transformer pre"])
def test_beams_share_the_memory_of_their_source(decoder: str) -> None:
    made = model(settings(decoder=decoder))
    shapes: list[Any] = []
    inner = made.decoder.step

    def watched(tokens: Tensor, memory: Any, state: Any, observe: Collection[str] = ()) -> Any:
        shapes.append((tuple(tokens.shape), memory.cross[0].key.shape[0]))
        return inner(tokens, memory, state, observe)

    made.decoder.step = watched  # type: ignore[method-assign]
    search(made, texts(4, 9, 5), SearchSettings(beam=5), longest=[1, 1, 9, 9])
    assert [beams for (_, beams), _ in shapes] == [1, *[5] * (len(shapes) - 1)]  # all begin alike
    assert all(rows == kept for (rows, _), kept in shapes)
    assert shapes[-1][1] < shapes[0][1] == 4


def test_what_can_not_be_searched_is_refused_by_name() -> None:
    made, sources = model(settings(context="fixed")), texts(2, 9, 5)
    with pytest.raises(RegardError, match=r"search.coverage_penalty: this model has no attention"):
        search(made, sources, SearchSettings(coverage_penalty=0.1))
    with pytest.raises(RegardError, match=r"search.n_best: 3 predictions need a beam of at least as many"):
        search(made, sources, SearchSettings(beam=2, n_best=3))
    with pytest.raises(RegardError, match=r"search.max_length: 2 is less than search.min_length, 3"):
        search(made, sources, SearchSettings(min_length=3, max_length=2))
    with pytest.raises(RegardError, match=r"search.beam: came 0"):
        search(made, sources, SearchSettings(beam=0))
    with pytest.raises(RegardError, match=r"search.coverage_penalty: came -0.5; expected 0 or more"):
        search(made, sources, SearchSettings(coverage_penalty=-0.5))
    made.readout.project.weight.data[:] = float("nan")
    with pytest.raises(RegardError, match="may not be numbers"):
        search(made, sources, SearchSettings())
    assert search(made, [], SearchSettings()) == []
    assert made.readout.project.out_features == VOCABULARY


def test_a_window_of_the_search_is_one_of_the_model() -> None:
    sources, limits = texts(5, 2, 9), [5] * 5
    cross = AttentionSettings(score="location_aware")
    own = search(model(MODELS["window"]), sources, SearchSettings(beam=3), longest=limits)
    plain, looking = model(settings(cross=cross)), SearchSettings(beam=3, window=2)
    for one, other in zip(own, search(plain, sources, looking, longest=limits), strict=True):
        assert one[0].tokens == other[0].tokens
        assert isinstance(other[0].attention["cross", 0], Band)
        assert np.array_equal(one[0].attention["cross", 0], other[0].attention["cross", 0])
    assert search(plain, sources, SearchSettings(beam=3), longest=limits)[1][0].log_prob != own[1][0].log_prob
    with pytest.raises(RegardError, match=r"search.window: 2 .* model.context fixed has none"):
        search(model(MODELS["fixed"]), sources, looking)
