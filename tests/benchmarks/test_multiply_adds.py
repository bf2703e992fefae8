"""The formula of multiply-adds against the matrices that a model really has."""

from __future__ import annotations

from dataclasses import replace

import pytest

import multiply_adds
from regard.model import EncoderDecoder
from regard.settings import AttentionSettings, DecoderSettings, EncoderSettings, ModelSettings

VOCABULARY = 50
RECURRENT = ModelSettings(EncoderSettings(width=12), DecoderSettings(width=10), embedding=7)
TRANSFORMER = ModelSettings(
    EncoderSettings("transformer", width=8, feedforward=20, layers=2),
    DecoderSettings("transformer", width=8, feedforward=20, layers=3),
    cross=AttentionSettings(heads=2),
    self_attention=AttentionSettings(heads=2),
)


def matrices(settings: ModelSettings, *beginnings: str) -> int:
    """The numbers in all matrices of some parts, embeddings left out: their multiply-adds for one token."""
    model = EncoderDecoder(settings, VOCABULARY, VOCABULARY)
    return sum(
        weight.numel()
        for name, weight in model.named_parameters()
        if name.startswith(beginnings) and weight.ndim > 1 and "embedding" not in name
    )


@pytest.mark.parametrize(
    "settings",
    [
        RECURRENT,
        replace(RECURRENT, cross=AttentionSettings(score="bilinear")),
        replace(RECURRENT, encoder=replace(RECURRENT.encoder, cell="gru", layers=2, directions=1)),
        replace(RECURRENT, decoder=replace(RECURRENT.decoder, cell="gru", layers=2)),
    ],
)
def test_a_recurrent_pair_of_one_token_each_uses_every_matrix_once(settings: ModelSettings) -> None:
    memory = settings.encoder.width
    # Without a matrix are the context and, where projected queries are compared with keys as they are, the scores.
    attention = memory if settings.cross.score == "additive" else 2 * memory
    expected = matrices(settings, "encoder", "decoder", "readout") + attention
    assert multiply_adds.forward(settings, VOCABULARY, 1, 1) == expected


def test_a_transformer_pair_uses_matrices_by_its_tokens() -> None:
    source, target, width = 5, 3, 8
    keys_and_values = 3 * 2 * width * width  # of the cross-attention of three layers
    of_target = matrices(TRANSFORMER, "decoder", "readout") - keys_and_values
    attention = 2 * 2 * source * source * width + 3 * 2 * (target * (target + 1) // 2 + target * source) * width
    of_source = matrices(TRANSFORMER, "encoder") + keys_and_values
    expected = of_source * source + of_target * target + attention
    assert multiply_adds.forward(TRANSFORMER, VOCABULARY, source, target) == expected


def test_training_is_three_times_forward_over_all_target_tokens() -> None:
    pairs = [(3, 4), (6, 2)]
    forward = sum(multiply_adds.forward(RECURRENT, VOCABULARY, *pair) for pair in pairs)
    assert multiply_adds.training(RECURRENT, VOCABULARY, pairs) == pytest.approx(3 * forward / 6)


@pytest.mark.parametrize(
    "settings",
    [
        replace(RECURRENT, decoder=replace(RECURRENT.decoder, attends="before")),
        replace(RECURRENT, cross=AttentionSettings(score="cosine")),
    ],
)
def test_what_the_formula_does_not_know_is_refused(settings: ModelSettings) -> None:
    with pytest.raises(ValueError, match="multiply-adds"):
        multiply_adds.forward(settings, VOCABULARY, 2, 2)
