"""Every architecture: gradients, steps against sequences, padding, and what the fixed context does."""

from __future__ import annotations

import pytest
import torch
from tiny_models import BOS, DECODERS, ENCODERS, VOCABULARY, batch, model, settings, texts

from regard.attention import dense, select
from regard.errors import RegardError
from regard.model import PLACES, EncoderDecoder
from regard.settings import AttentionSettings, DecoderSettings, EncoderSettings, ModelSettings

SOURCES, TARGETS = texts(4, 1, 6), texts(4, 2, 5)

ARCHITECTURES = {
    **{f"{name} > lstm": settings(encoder=name) for name in ENCODERS},
    **{f"lstm > {name}": settings(decoder=name) for name in DECODERS},
    "transformer > transformer": settings("transformer pre", "transformer pre"),
    "lstm > transformer, fixed": settings(decoder="transformer pre", context="fixed", fixed="mean"),
    "transformer > lstm, fixed": settings("transformer pre", context="fixed", fixed="mean"),
    **{
        f"lstm > {name}, fixed": settings(decoder=name, context="fixed")
        for name in ("lstm feeding", "lstm before", "gru after", "transformer post learned")
    },
    "grouped heads": settings(
        "transformer pre",
        "transformer pre",
        AttentionSettings(heads=4, kv_heads=2),
        self_attention=AttentionSettings(heads=4, kv_heads=1),
    ),
    "several heads over a lstm": settings(cross=AttentionSettings(score="additive", heads=2)),
    "all shared": settings("transformer pre", "transformer pre", share_embeddings="all"),
    "target shared, narrower": settings(share_embeddings="target"),
    "location in the middle": settings(
        "transformer pre", "transformer pre", self_attention=AttentionSettings(score="location", heads=2)
    ),
    "distance in the middle": settings(
        "transformer pre", "transformer pre", self_attention=AttentionSettings(score="distance:2", heads=2)
    ),
    **{
        f"{score} > {name}": settings(decoder=name, cross=AttentionSettings(score=score))
        for score in ("location_aware", "coverage")
        for name in ("lstm feeding", "gru after", "transformer pre")
    },
    **{
        f"{context} > {name}": settings(decoder=name, context=context)
        for context in ("local_m:1", "local_p:2")
        for name in ("lstm before", "gru after", "transformer pre")
    },
    **{
        f"window, {score} > {name}": settings(decoder=name, cross=AttentionSettings(score=score, window=1))
        for score in ("additive", "location_aware", "coverage")
        for name in ("lstm feeding", "gru after", "transformer pre")
    },
}
every_architecture = pytest.mark.parametrize("chosen", ARCHITECTURES.values(), ids=ARCHITECTURES.keys())


@every_architecture
def test_gradients_are_finite_differences(chosen: ModelSettings) -> None:
    made, pairs = model(chosen), batch(SOURCES, TARGETS)
    made.loss(pairs).nll.backward()
    learned = {name: parameter for name, parameter in made.named_parameters() if parameter.grad is not None}
    unused = {name for name, _ in made.named_parameters()} - learned.keys()
    assert not {name for name in unused if chosen.self_attention.score != "location" or "key_projection" not in name}
    torch.manual_seed(1)
    step = 1e-7  # so small that hardly ever a ReLU is switched
    for _ in range(3):
        directions = [torch.randn_like(parameter) for parameter in learned.values()]
        with torch.no_grad():
            for parameter, direction in zip(learned.values(), directions, strict=True):
                parameter.add_(direction, alpha=step)
            above = made.loss(pairs).nll
            for parameter, direction in zip(learned.values(), directions, strict=True):
                parameter.sub_(direction, alpha=2 * step)
            below = made.loss(pairs).nll
            for parameter, direction in zip(learned.values(), directions, strict=True):
                parameter.add_(direction, alpha=step)
        parts = [(p.grad * d).sum() for p, d in zip(learned.values(), directions, strict=True)]
        assert torch.allclose((above - below) / (2 * step), torch.stack(parts).sum(), rtol=1e-6, atol=1e-5)


@every_architecture
def test_steps_equal_the_whole_sequence(chosen: ModelSettings) -> None:
    made, pairs = model(chosen), batch(SOURCES, TARGETS)
    with torch.no_grad():
        forced = made.forced(pairs, PLACES)
        encoded = made.encode(pairs.source, pairs.source_lengths)
        memory, state = made.prepare(encoded), made.start(encoded, 1)
        for place in range(pairs.target_in.shape[1]):
            step = made.step(pairs.target_in[:, place : place + 1], memory, state, PLACES)
            state = step.state
            found = step.log_probs[:, 0].gather(1, pairs.target_out[:, place, None])[:, 0]
            there = pairs.target_mask[:, place]
            assert torch.allclose(found[there], forced.log_probs[there, place], rtol=0, atol=1e-10)
            for name, weights in step.observed.items():
                shown = dense(weights)
                row = forced.observed[name][:, :, place, : shown.shape[-1]]
                assert torch.allclose(shown[there, :, 0], row[there], rtol=0, atol=1e-10)


@every_architecture
def test_padding_changes_nothing(chosen: ModelSettings) -> None:
    made = model(chosen)
    with torch.no_grad():
        together = made.forced(batch(SOURCES, TARGETS), PLACES)
        for number, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
            alone = made.forced(batch([source], [target]), PLACES)
            length = len(target) + 1
            assert torch.allclose(together.log_probs[number, :length], alone.log_probs[0], rtol=0, atol=1e-10)
            assert not together.log_probs[number, length:].any()
            for place, weights in alone.observed.items():
                rows, columns = weights.shape[-2:]
                within = together.observed[place][number]
                assert torch.allclose(within[:, :rows, :columns], weights[0], rtol=0, atol=1e-10)
                if place[0] != "decoder.self":
                    assert not within[:, :rows, columns:].any()


@every_architecture
def test_beams_are_independent_and_can_be_reordered(chosen: ModelSettings) -> None:
    made, pairs = model(chosen), batch(SOURCES, TARGETS)
    encoded = made.encode(pairs.source, pairs.source_lengths)
    memory, state = made.prepare(encoded), made.start(encoded, 2)
    first = torch.full((4, 2), BOS)
    second = torch.tensor([[5, 6]] * 4)
    exchange = torch.tensor([[1, 0]] * 4)
    state = made.step(first, memory, state).state
    state = made.step(second, memory, state).state
    plain = made.step(torch.tensor([[7, 8]] * 4), memory, state).log_probs
    turned = made.step(torch.tensor([[8, 7]] * 4), memory, select(state, exchange)).log_probs
    assert torch.allclose(plain, turned.flip(1), rtol=0, atol=1e-12)
    assert not torch.allclose(plain[:, 0], plain[:, 1], atol=1e-3)


def test_observed_weights_are_distributions_and_only_those_asked_for() -> None:
    made, pairs = model(ARCHITECTURES["transformer > transformer"]), batch(SOURCES, TARGETS)
    assert not made.forced(pairs).observed
    observed = made.forced(pairs, PLACES).observed
    assert set(observed) == {("encoder.self", 0), *((p, n) for p in ("cross", "decoder.self") for n in (0, 1))}
    for (place, _), weights in observed.items():
        mask = pairs.source_mask if place == "encoder.self" else pairs.target_mask
        total = weights.sum(-1).transpose(0, 1)[:, mask]
        assert torch.allclose(total, torch.ones_like(total), atol=1e-9)
    with pytest.raises(RegardError, match=r"unknown place 'crosss'; did you mean 'cross'\?"):
        made.forced(pairs, ("crosss",))


@pytest.mark.parametrize("fixed", ["last", "mean"])
@pytest.mark.parametrize("decoder", ["lstm feeding", "lstm before", "transformer pre"])
def test_a_fixed_context_is_one_code_and_no_attention(fixed: str, decoder: str) -> None:
    chosen = settings(decoder=decoder, context="fixed", fixed=fixed)
    made, pairs = model(chosen), batch(SOURCES, TARGETS)
    assert not made.forced(pairs, ("cross",)).observed
    assert not any(
        "score" in name or "key_projection" in name for name, _ in made.named_parameters() if "cross" in name
    )
    encoded = made.encode(pairs.source, pairs.source_lengths)
    code = made.prepare(encoded).fixed
    assert code is not None
    for row, length in enumerate(pairs.source_lengths):
        wanted = encoded.final[row] if fixed == "last" else encoded.source[row, :length].mean(0)
        assert torch.allclose(code[row, 0], wanted)
    # Whatever the memory holds beside the code, nothing of it reaches the decoder.
    if fixed == "last":
        encoded.source.data.normal_()
        assert torch.equal(
            made.decoder(pairs.target_in, encoded).hidden,
            made.decoder(pairs.target_in, made.encode(pairs.source, pairs.source_lengths)).hidden,
        )


SCORES = (
    "dot",
    "scaled_dot",
    "bilinear",
    "additive",
    "cosine",
    "distance:0.5",
    "location",
    "location_aware",
    "coverage",
)
NORMALIZERS = (
    "softmax", "softmax:0.5", "sparsemax", "entmax15", "entmax:1.3", "sigmoid", "top_k:2", "threshold:0.1", "argmax",
    "softmax:learned", "softmax:sink", "entmax:learned",
)  # fmt: skip


@pytest.mark.parametrize(
    ("score", "normalizer"),
    [*((score, "softmax") for score in SCORES), *(("additive", normalizer) for normalizer in NORMALIZERS)],
)
@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("decoder", ["lstm feeding", "gru after", "transformer pre"])
def test_every_score_and_normalizer_decodes_by_steps_as_it_learned(
    score: str, normalizer: str, heads: int, decoder: str
) -> None:
    cross = AttentionSettings(score=score, normalizer=normalizer, heads=heads)
    made, pairs = model(settings(decoder=decoder, cross=cross)), batch(SOURCES, TARGETS)
    forced = made.forced(pairs, ("cross",))
    encoded = made.encode(pairs.source, pairs.source_lengths)
    memory, state = made.prepare(encoded), made.start(encoded, 1)
    for place in range(2):
        step = made.step(pairs.target_in[:, place : place + 1], memory, state, ("cross",))
        state = step.state
        found = step.log_probs[:, 0].gather(1, pairs.target_out[:, place, None])[:, 0]
        assert torch.allclose(found, forced.log_probs[:, place], rtol=0, atol=1e-10)
    weights = forced.observed["cross", 0]
    assert weights.shape == (4, heads, pairs.target_in.shape[1], pairs.source.shape[1])
    assert (weights.sum(-1) > 0).any()
    made.loss(pairs).nll.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in made.parameters())


@pytest.mark.parametrize("name", ["lstm > lstm feeding", "lstm > transformer pre", "transformer pre > lstm"])
def test_an_empty_source_and_an_empty_batch_are_no_accident(name: str) -> None:
    made = model(ARCHITECTURES[name])
    nothing = SOURCES[0][:0]
    with torch.no_grad():
        alone = made.forced(batch([nothing], [TARGETS[0]]), ("cross",))
        beside = made.forced(batch([nothing, SOURCES[1]], [TARGETS[0], TARGETS[1]]), ("cross",))
    length = len(TARGETS[0]) + 1
    assert torch.allclose(alone.log_probs[0, :length], beside.log_probs[0, :length], rtol=0, atol=1e-10)
    assert alone.log_probs.isfinite().all()
    assert not alone.observed["cross", 0].any()
    loss = made(batch([], []))
    loss.nll.backward()
    assert loss.nll == 0
    assert loss.tokens == 0


def test_loss_is_the_sum_of_the_forced_log_probs_and_smoothing_mixes_in_the_vocabulary() -> None:
    made, pairs = model(settings()), batch(SOURCES, TARGETS)
    with torch.no_grad():
        plain, smooth, forced = made.loss(pairs), made.loss(pairs, 0.1), made.forced(pairs)
        output = made.decoder(pairs.target_in, made.encode(pairs.source, pairs.source_lengths))
        everything = made.readout.log_probs(output)[pairs.target_mask]
    assert torch.allclose(plain.nll, -forced.log_probs.sum())
    assert plain.tokens == sum(len(target) + 1 for target in TARGETS)
    assert torch.allclose(smooth.nll, 0.9 * plain.nll - 0.1 * everything.mean(-1).sum())


def test_shared_embeddings_are_one_table() -> None:
    made = model(ARCHITECTURES["all shared"])
    tables = {id(made.encoder.embedding.tokens.weight), id(made.decoder.embedding.tokens.weight)}
    assert tables == {id(made.readout.project.weight)}
    separate = EncoderDecoder(settings("transformer pre", "transformer pre"), VOCABULARY, VOCABULARY)
    assert separate.parameter_count - made.parameter_count == 2 * VOCABULARY * 8


def test_positions_change_what_order_means() -> None:
    def difference(position: str) -> float:
        encoder = EncoderSettings(kind="transformer", width=8, feedforward=8, position=position)  # type: ignore[arg-type]
        made = model(ModelSettings(encoder=encoder, self_attention=AttentionSettings(heads=2), dropout=0.0))
        with torch.no_grad():
            for name, parameter in made.named_parameters():
                if "relative_table" in name:
                    parameter.normal_()
            tokens = torch.tensor([[4, 5, 6, 7]])
            there = made.encode(tokens, torch.tensor([4])).source
            back = made.encode(tokens.flip(1), torch.tensor([4])).source.flip(1)
        return float((there - back).abs().max())

    assert difference("none") < 1e-12
    for position in ("sinusoidal", "learned", "rotary", "relative"):
        assert difference(position) > 1e-3, position


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (settings(cross=AttentionSettings(score="addtive")), r"model.cross: .*did you mean 'additive'"),
        (settings(cross=AttentionSettings(heads=3)), r"model.cross: .*multiple of heads, 3"),
        (
            settings("transformer pre", self_attention=AttentionSettings(score="coverage")),
            r"model.self_attention.score: coverage .* model.cross only",
        ),
        (settings(encoder="transformer pre", share_embeddings="all"), r"model.share_embeddings: .* width 8 .* width 6"),
        (
            settings("transformer pre", self_attention=AttentionSettings(window=3)),
            r"model.self_attention.window: 3 goes",
        ),
        (ModelSettings(encoder=EncoderSettings(width=7)), r"model.encoder.width: 7 is odd"),
    ],
)
def test_settings_that_do_not_fit_are_refused_by_name(chosen: ModelSettings, message: str) -> None:
    with pytest.raises(RegardError, match=message):
        EncoderDecoder(chosen, VOCABULARY, VOCABULARY)


def test_learned_positions_refuse_what_they_never_saw_and_sinusoids_do_not() -> None:
    long = texts(1, 3, 5)[0].repeat(40)
    refusing = model(settings("transformer post learned"))
    with pytest.raises(RegardError, match=r"model.longest: .* know 32"):
        refusing.forced(batch([long], [TARGETS[0]]))
    made = model(settings("transformer pre", "transformer pre"))
    assert made.forced(batch([long], [long])).log_probs.isfinite().all()


def test_dropout_acts_in_training_only() -> None:
    decoder = DecoderSettings(width=8)
    made = model(ModelSettings(EncoderSettings(width=8), decoder, embedding=6, dropout=0.5)).train()
    pairs = batch(SOURCES, TARGETS)
    assert not torch.equal(made.loss(pairs).nll, made.loss(pairs).nll)
    made.eval()
    assert torch.equal(made.loss(pairs).nll, made.loss(pairs).nll)


@pytest.mark.parametrize("decoder", ["lstm feeding", "lstm after, 2 layers", "transformer pre"])
@pytest.mark.parametrize("encoder", ["lstm", "transformer rotary"])
def test_half_precision_learns_about_the_same(encoder: str, decoder: str) -> None:
    made, pairs = model(settings(encoder, decoder)).float(), batch(SOURCES, TARGETS)
    with torch.autocast("cpu", torch.bfloat16):
        half = made.loss(pairs).nll
    half.backward()
    assert half.dtype == torch.float32
    assert torch.allclose(half, made.loss(pairs).nll, rtol=0.03)
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in made.parameters())
