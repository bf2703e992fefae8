"""The module: its parameters, whole sequences against steps, torch's own module, and the scores that remember."""

from __future__ import annotations

import pytest
import torch
from beartype import beartype
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Float, Int, jaxtyped
from torch import Tensor, nn

from regard.attention import Attention, Memory, Observe, causal, lengths, normalizers, select
from regard.attention.names import LEARNED_SCORES, SCORES

NORMALIZERS = ("softmax", "entmax15", "top_k:2", "softmax:learned", "softmax:sink", "entmax:learned")


@jaxtyped(typechecker=beartype)
def by_steps(
    attention: Attention, query: Float[Tensor, "*b q d"], memory: Memory, state: Tensor | None = None
) -> tuple[Float[Tensor, "*b q o"], Float[Tensor, "*b h q k"]]:
    """Every query as a step of its own, at its own position."""
    contexts, weights = [], []
    for i in range(query.shape[-2]):
        context, weight, state = attention.step(query[..., i : i + 1, :], memory, state, offset=i)
        contexts.append(context)
        weights.append(weight)
    return torch.cat(contexts, -2), torch.cat(weights, -2)


@pytest.fixture
def source() -> Float[Tensor, "2 7 12"]:
    return torch.randn(2, 7, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def query() -> Float[Tensor, "2 5 16"]:
    return torch.randn(2, 5, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def length() -> Int[Tensor, "2"]:
    return torch.tensor([4, 7])


@pytest.mark.parametrize("normalizer", NORMALIZERS)
@pytest.mark.parametrize("score", [*SCORES, *LEARNED_SCORES])
def test_steps_equal_the_whole_sequence(
    score: str, normalizer: str, query: Tensor, source: Tensor, length: Tensor
) -> None:
    for position in (None, "rotary", "alibi", "relative"):
        torch.manual_seed(3)
        attention = Attention(
            16, 12, heads=4, kv_heads=2, score=score, normalizer=normalizer, position=position
        ).double()
        if position == "relative":
            nn.init.normal_(attention.relative_table)
        context, weights = attention(query, source, mask=lengths(length[:, None]))
        stepped, stepped_weights = by_steps(attention, query, attention.prepare(source, length))
        torch.testing.assert_close(stepped, context, rtol=0, atol=1e-12)
        torch.testing.assert_close(stepped_weights, weights.dense(), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "settings_of", [{"project": "scores", "score": "additive"}, {"project": "none", "score": "bilinear"}]
)
def test_values_that_are_the_source_itself(settings_of: dict[str, str], query: Tensor, source: Tensor) -> None:
    attention = Attention(16, 12, **settings_of).double()  # type: ignore[arg-type]
    context, weights = attention(query, source)
    torch.testing.assert_close(context, weights.dense()[:, 0] @ source)
    torch.testing.assert_close(by_steps(attention, query, attention.prepare(source))[0], context)


@pytest.mark.parametrize("position", [None, "rotary", "alibi", "relative"])
def test_a_growing_cache_equals_causal_attention(position: str | None, query: Tensor) -> None:
    attention = Attention(16, heads=4, kv_heads=2, position=position).double()
    whole, _ = attention(query, mask=causal())
    for joined in (None, attention.joined()):
        steps, past = [], None
        for i in range(5):
            context, _, past = attention.look_back(query[:, i : i + 1], past, joined, at=i)
            steps.append(context)
        torch.testing.assert_close(torch.cat(steps, 1), whole)


@pytest.mark.parametrize("position", [None, "rotary", "alibi", "relative"])
def test_hypotheses_in_one_past_see_their_own(position: str | None, query: Tensor, source: Tensor) -> None:
    attention = Attention(16, heads=2, position=position, score="additive").double()
    ways = torch.stack([query[:, :3], query[:, 2:5]], 1)  # (B, 2 hypotheses, 3 steps, width)
    whole, _ = attention(ways, mask=causal())
    past, mask = None, torch.eye(2, dtype=torch.bool).expand(2, 2, 2)
    for i in range(3):
        places = torch.arange(i + 1).repeat_interleave(2)
        context, weights, past = attention.look_back(ways[:, :, i], past, at=i, mask=mask.tile(i + 1), places=places)
        torch.testing.assert_close(context, whole[:, :, i])
        assert not weights.masked_select(~mask.tile(i + 1)[:, None]).any()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("source_dim", [16, 12])
def test_from_torch_gives_the_same(bias: bool, source_dim: int, query: Tensor) -> None:
    theirs = nn.MultiheadAttention(16, 4, bias=bias, kdim=source_dim, vdim=source_dim, batch_first=True).double()
    if bias:
        nn.init.normal_(theirs.in_proj_bias)
        nn.init.normal_(theirs.out_proj.bias)
    ours = Attention.from_torch(theirs)
    source = torch.randn(2, 7, source_dim, dtype=torch.float64)
    padding = torch.arange(7) >= torch.tensor([4, 7])[:, None]
    expected, expected_weights = theirs(query, source, source, key_padding_mask=padding, average_attn_weights=False)
    context, weights = ours(query, source, mask=~padding[:, None, None])
    torch.testing.assert_close(context, expected)
    torch.testing.assert_close(weights.dense(), expected_weights)


def test_from_torch_refuses_what_has_no_counterpart() -> None:
    with pytest.raises(ValueError, match="add_bias_kv"):
        Attention.from_torch(nn.MultiheadAttention(8, 2, add_bias_kv=True))
    with pytest.raises(ValueError, match="two sources"):
        Attention.from_torch(nn.MultiheadAttention(8, 2, kdim=4, vdim=6))


def test_location_aware_is_chorowskis_formula(query: Tensor, source: Tensor) -> None:
    attention = Attention(16, 12, dim=8, score="location_aware", project="scores").double()
    memory = attention.prepare(source)
    previous = torch.zeros(2, 7, dtype=torch.float64)
    state = None
    for i in range(3):
        remember = attention.remember
        assert remember is not None
        filtered = nn.functional.conv1d(previous[:, None], remember.filters.weight, padding=7)
        projected = attention.query_projection(query[:, i])[:, None] + attention.key_projection(source)
        energies = torch.tanh(projected + filtered.mT @ remember.project.weight.mT) @ attention.score_weight[0]
        expected = torch.softmax(energies, -1)
        context, weights, state = attention.step(query[:, i : i + 1], memory, state)
        torch.testing.assert_close(weights[:, 0, 0], expected)
        torch.testing.assert_close(context[:, 0], (expected[:, None] @ source)[:, 0])
        previous = expected


def test_coverage_is_tus_formula(query: Tensor, source: Tensor) -> None:
    attention = Attention(16, 12, dim=8, score="coverage", project="scores").double()
    memory = attention.prepare(source)
    remember = attention.remember
    assert remember is not None
    fertility = 2.0 * torch.sigmoid(source @ remember.expect.weight[0])
    covered = torch.zeros(2, 7, dtype=torch.float64)
    state = None
    for i in range(3):
        projected = attention.query_projection(query[:, i])[:, None] + attention.key_projection(source)
        moved = covered[..., None] * remember.project.weight[:, 0]
        expected = torch.softmax(torch.tanh(projected + moved) @ attention.score_weight[0], -1)
        _, weights, state = attention.step(query[:, i : i + 1], memory, state)
        torch.testing.assert_close(weights[:, 0, 0], expected)
        covered = covered + expected / fertility


@pytest.mark.parametrize("score", ["location_aware", "coverage"])
def test_hypotheses_remember_apart_and_are_reordered(score: str, query: Tensor, source: Tensor) -> None:
    attention = Attention(16, 12, dim=8, score=score, project="scores").double()
    memory = attention.prepare(source)
    _, _, state = attention.step(query[:, :3], memory)
    index = torch.tensor([[2, 0, 0], [1, 1, 2]])
    beams = query[:, 3:4].expand(-1, 3, -1)
    _, together, _ = attention.step(beams, memory, select(state, index))
    for batch in range(2):
        for beam in range(3):
            alone = attention.prepare(source[batch : batch + 1])
            came_from = int(index[batch, beam])
            _, _, its_state = attention.step(query[batch : batch + 1, came_from : came_from + 1], alone)
            _, weights, _ = attention.step(query[batch : batch + 1, 3:4], alone, its_state)
            torch.testing.assert_close(weights[0, 0, 0], together[batch, 0, beam])


@pytest.mark.parametrize("score", ["location_aware", "coverage"])
def test_scores_that_remember_go_by_steps_only(score: str, query: Tensor, source: Tensor) -> None:
    attention = Attention(16, 12, score=score, project="scores").double()
    with pytest.raises(ValueError, match="step"):
        attention(query, source)
    with pytest.raises(ValueError, match="can't be extended"):
        attention.look_back(query, None, at=0)


def test_every_parameter_gets_a_gradient(query: Tensor, source: Tensor) -> None:
    for score in [*SCORES, *LEARNED_SCORES]:
        for normalizer in ("softmax:learned", "softmax:sink", "entmax:learned"):
            attention = Attention(16, 12, heads=2, score=score, normalizer=normalizer, position="relative").double()
            attention(query, source)[0].square().sum().backward()
            silent = [name for name, p in attention.named_parameters() if p.grad is None or not p.grad.abs().any()]
            # The keys' bias moves all scores of a row alike, which softmax does not notice.
            silent = [name for name in silent if name != "key_projection.bias"]
            assert not silent, (score, normalizer, silent)


def test_dropout_acts_in_training_only(query: Tensor, source: Tensor) -> None:
    attention = Attention(16, 12, dropout=0.5).double()
    first, second = (attention(query, source)[0] for _ in range(2))
    assert not torch.equal(first, second)
    attention.eval()
    first, second = (attention(query, source)[0] for _ in range(2))
    assert torch.equal(first, second)


def test_observed_on_the_way(query: Tensor, source: Tensor) -> None:
    attention = Attention(16, 12, heads=4).double()
    context, weights = attention(query, source, observe=Observe(entropy=True))
    assert weights.observed is not None
    assert weights.observed.entropy is not None
    assert weights.observed.entropy.shape == (2, 4, 5)
    assert torch.equal(context, attention(query, source)[0])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.sampled_from([1, 2, 4]), st.integers(1, 5), st.integers(1, 6))
def test_shapes(batch: int, kv_heads: int, queries: int, keys: int) -> None:
    attention = Attention(8, 6, dim=8, value_dim=12, heads=4, kv_heads=kv_heads)
    context, weights = attention(torch.randn(batch, queries, 8), torch.randn(batch, keys, 6))
    assert context.shape == (batch, queries, 8)
    assert weights.shape == (batch, 4, queries, keys)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"heads": 3}, "dim: came 16; expected a multiple of heads"),
        ({"heads": 4, "kv_heads": 3}, "kv_heads: came 3"),
        ({"score": "aditive"}, "did you mean 'additive'"),
        ({"score": "bilinear:3"}, "score: bilinear takes no number"),
        ({"normalizer": "entmax16"}, "did you mean 'entmax15'"),
        ({"position": "rotery"}, "did you mean 'rotary'"),
        ({"project": "score"}, "did you mean 'scores'"),
        ({"project": "none", "heads": 2}, "heads: came 2"),
        ({"project": "scores", "heads": 2, "kv_heads": 1}, "kv_heads: came 1"),
        ({"dim": 6, "heads": 2, "position": "rotary"}, "even width"),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Attention(16, **wrong)  # type: ignore[arg-type]


def test_a_float_mask_is_refused_where_lengths_are_meant(source: Tensor) -> None:
    with pytest.raises(ValueError, match=r"mask: came as torch\.float64"):
        Attention(16, 12).double().prepare(source, torch.ones(2, 7, dtype=torch.float64))


@pytest.mark.parametrize("project", ["all", "scores", "none"])
def test_half_precision_where_not_everything_is_projected(project: str) -> None:
    attention = Attention(16, 16, score="bilinear" if project == "none" else "additive", project=project)
    query, source = torch.randn(2, 5, 16), torch.randn(2, 7, 16)
    with torch.autocast("cpu", torch.bfloat16):
        context, _ = attention(query, source)
    torch.testing.assert_close(context.float(), attention(query, source)[0], rtol=0.05, atol=0.05)


def test_another_normalizer_for_a_while(query: Tensor, source: Tensor) -> None:
    attention = Attention(16, 12, normalizer="softmax:learned").double()
    before = attention(query, source)[1].dense()
    with attention.normalizing(normalizers.argmax()):
        assert torch.equal(attention(query, source)[1].dense().amax(-1), torch.ones(2, 1, 5, dtype=torch.float64))
    assert torch.equal(attention(query, source)[1].dense(), before)
