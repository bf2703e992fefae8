"""Kinds of attention that go by steps: windows, drawn places, and one place that only moves onward."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from regard.attention import Attention, attend, gaussian, softmax, window
from regard.attention.kinds import FORBIDDEN, Drawn, LocalM, LocalP, Sampled, expected, taken

B, Q, K, D = 2, 5, 7, 6


def attention_of(kind: str, heads: int = 2, **others: object) -> Attention:
    torch.manual_seed(0)
    return Attention(D, heads=heads, kind=kind, **others).double().eval()  # type: ignore[arg-type]


def given_tensors(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, a source, and what of it may be attended to: one shorter row."""
    generator = torch.Generator().manual_seed(seed)
    query, source = (torch.randn(B, n, D, generator=generator, dtype=torch.float64) for n in (Q, K))
    return query, source, torch.arange(K) < torch.tensor([[K], [3]])


def by_steps(attention: Attention, query: Tensor, source: Tensor, mask: Tensor) -> Tensor:
    """The weights (B, H, Q, K) of queries that follow each other."""
    memory, state, rows = attention.prepare(source, mask), None, []
    for one in query.split(1, 1):
        _, weights, state = attention.step(one, memory, state)
        rows.append(weights)
    return torch.cat(rows, 2)


def test_local_m_is_a_window_around_the_step() -> None:
    attention = attention_of("local_m:1")
    query, source, mask = given_tensors()
    found = by_steps(attention, query, source, mask)
    centre = torch.minimum(torch.arange(Q)[None], mask.sum(1, keepdim=True) - 1)[:, None].double()
    soft = Attention.forward(_without_kind(attention), query, source, mask=[mask[:, None, None], window(1, centre)])
    assert torch.allclose(found, soft[1].dense(), rtol=0, atol=1e-12)
    assert (found > 0).sum(-1).amax() == 3


def test_local_p_is_a_window_and_a_gaussian_around_a_predicted_place() -> None:
    attention = attention_of("local_p:2")
    kind = attention.kind
    assert isinstance(kind, LocalP)
    query, source, mask = given_tensors()
    found = by_steps(attention, query, source, mask)
    share = torch.sigmoid(kind.predict(torch.tanh(kind.inner(query)))).mT
    centre = share * (mask.sum(1) - 1)[:, None, None]
    q, k = (attention._split(projection(x), 2) for projection, x in
            ((attention.query_projection, query), (attention.key_projection, source)))  # fmt: skip
    _, weights = attend(q, k, k, mask=[mask[:, None, None], window(2, centre), gaussian(centre, 1.0)])
    assert torch.allclose(found, weights.dense(), rtol=0, atol=1e-12)


def _without_kind(attention: Attention) -> Attention:
    attention.kind = None
    return attention


@pytest.mark.parametrize("estimator", ["gumbel", "reinforce"])
def test_drawn_places_are_drawn_by_their_weights_and_the_heaviest_in_use(estimator: str) -> None:
    sampled = Sampled(estimator)
    torch.manual_seed(0)
    scores = torch.tensor([2.0, 1.0, float("-inf"), 0.0]).log_softmax(-1).expand(1, 1, 20_000, 4)
    allowed = torch.tensor([[True, True, False, True]])
    weights, _ = sampled(scores, scores, allowed, None, softmax())
    assert torch.equal(weights.sum(-1), torch.ones(1, 1, 20_000))
    assert set(weights.unique().tolist()) <= {0.0, 1.0}
    assert torch.allclose(weights.mean((0, 1, 2)), scores[0, 0, 0].exp(), atol=0.02)
    sampled.eval()
    assert torch.equal(sampled(scores, scores, allowed, None, softmax())[0][0, 0, 0], torch.tensor([1.0, 0, 0, 0]))


def test_gumbel_has_the_gradient_of_its_softmax() -> None:
    sampled = Sampled("gumbel")
    sampled.temperature = 0.7
    scores, value = torch.randn(1, 1, 3, 4).requires_grad_(), torch.randn(4)
    torch.manual_seed(1)
    weights, state = sampled(scores, scores, None, None, softmax())
    (found,) = torch.autograd.grad((weights @ value).sum(), scores)
    torch.manual_seed(1)
    noise = -torch.empty_like(scores).exponential_().log()
    (wanted,) = torch.autograd.grad((((scores + noise) / 0.7).softmax(-1) @ value).sum(), scores)
    assert torch.allclose(found, wanted, atol=1e-6)
    assert state is None


def test_reinforce_knows_the_probability_of_what_it_drew_and_may_see_the_sum() -> None:
    sampled = Sampled("reinforce")
    scores = torch.randn(2, 3, 4, 5)
    weights, drawn = sampled(scores, scores, None, None, softmax())
    assert isinstance(drawn, Drawn)
    p = scores.softmax(-1)
    assert torch.allclose(drawn.log_probs, (p * weights).sum(-1).log().mT, atol=1e-6)
    assert torch.allclose(drawn.entropy, torch.distributions.Categorical(p).entropy().mT, atol=1e-5)
    sampled.soft = 1.0
    weights, drawn = sampled(scores, scores, None, None, softmax())
    assert torch.allclose(weights, p)
    assert drawn is not None
    assert not drawn.log_probs.any()


@given(seed=st.integers(0, 1000), places=st.integers(1, 8), steps=st.integers(1, 6), sharp=st.sampled_from([1, 4, 30]))
@settings(max_examples=60, deadline=None)
def test_the_expectation_for_all_places_at_once_is_the_recursion(
    seed: int, places: int, steps: int, sharp: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    energies = (sharp * torch.randn(steps, places, generator=generator, dtype=torch.float64)).requires_grad_()
    p = torch.sigmoid(energies)
    before = [torch.ones(()).double()] + [torch.zeros(()).double()] * (places - 1)
    state = torch.full((places,), FORBIDDEN, dtype=torch.float64)
    state[0] = 0.0
    total = found_total = torch.zeros((), dtype=torch.float64)
    values = torch.randn(places, generator=generator, dtype=torch.float64)
    for step in range(steps):
        # q_j = (1 - p_(j-1)) q_(j-1) + a_(i-1)j reaches place j, and takes it with p_j (Raffel et al. 2017, eq. 13).
        reached, after = torch.zeros(()).double(), []
        for place in range(places):
            reached = before[place] + (reached * (1 - p[step, place - 1]) if place else 0.0)
            after.append(p[step, place] * reached)
        before = after
        state = expected(energies[step], state)
        assert torch.allclose(state.exp(), torch.stack(after), rtol=1e-9, atol=1e-12)
        total = total + (torch.stack(after) * values).sum()
        found_total = found_total + (state.exp() * values).sum()
    (wanted,) = torch.autograd.grad(total, energies)
    (found,) = torch.autograd.grad(found_total, energies)
    assert torch.allclose(found, wanted, rtol=1e-7, atol=1e-10)


@given(seed=st.integers(0, 1000), places=st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_what_is_taken_is_the_expectation_of_certain_energies(seed: int, places: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(0, 2, (5, places), generator=generator) * 2.0 - 1.0
    hard = soft = torch.tensor([0.0] + [FORBIDDEN] * (places - 1)).double()
    for row in signs.double():
        hard, soft = taken(row, hard), expected(200.0 * row, soft)
        assert torch.allclose(hard.exp(), soft.exp(), atol=1e-9)
        assert hard.exp().sum() in (0.0, 1.0)


def test_online_never_goes_back_and_heeds_masks() -> None:
    attention = attention_of("online")
    query, source, mask = given_tensors()
    with torch.no_grad():
        attention.kind.offset.fill_(0.5)  # type: ignore[union-attr]
    rows = by_steps(attention, query, source, mask)
    assert set(rows.unique().tolist()) <= {0.0, 1.0}
    places = rows.argmax(-1)
    looked = rows.sum(-1) > 0
    assert looked.any()
    assert ((places[..., 1:] >= places[..., :-1]) | ~looked[..., 1:]).all()
    assert not rows[1, ..., 3:].any()
    attention.train()
    soft = by_steps(attention, query, source, mask)
    assert not soft[1, ..., 3:].any()
    assert (soft.sum(-1) <= 1 + 1e-9).all()


def test_an_empty_source_is_looked_at_by_none() -> None:
    query, source, mask = given_tensors()
    for kind in ("local_m:2", "local_p:2", "gumbel", "reinforce", "online"):
        for training in (False, True):
            attention = attention_of(kind).train(training)
            rows = by_steps(attention, query.requires_grad_(), source, mask & (torch.arange(2) > 0)[:, None])
            assert not rows[0].any()
            (gradient,) = torch.autograd.grad(rows.sum() + query.sum(), query)
            assert gradient.isfinite().all(), (kind, training)


@pytest.mark.parametrize(
    ("kind", "others", "message"),
    [
        ("lokal_m:3", {}, "did you mean 'local_m'"),
        ("local_m", {}, "local_m needs a whole number of places"),
        ("local_p:0", {}, "local_p needs a whole number of places"),
        ("online:3", {}, "online takes no number"),
        ("online", {"score": "location_aware"}, "has a memory of its own, and so has"),
    ],
)
def test_names_that_there_are_not(kind: str, others: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        attention_of(kind, **others)


def test_whole_sequences_are_for_soft_attention() -> None:
    query, source, _ = given_tensors()
    with pytest.raises(ValueError, match=r"only soft attention takes a whole sequence"):
        attention_of("gumbel")(query, source)


def test_steps_of_local_m_count_from_what_is_remembered() -> None:
    kind = LocalM(1)
    scores = torch.zeros(1, 1, 1, 6)
    weights, state = kind(scores, torch.zeros(1, 1, 4), None, torch.tensor([[4]]), softmax())
    assert weights[0, 0, 0].tolist() == pytest.approx([0, 0, 0, 1 / 3, 1 / 3, 1 / 3])
    assert state.tolist() == [[5]]
    assert math.isclose(float(weights.sum()), 1.0, abs_tol=1e-6)
