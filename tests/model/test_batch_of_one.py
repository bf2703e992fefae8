"""A batch of one is a batch of many: every encoder, decoder, context and search, whatever lengths stand side by side.

In double precision the tokens are the same, and log-probabilities within 1e-12: products of matrices of different sizes
differ in their last bits, which no order of sums can mend. In single precision an output may differ where two
hypotheses are within 1e-5 of each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from tiny_models import DECODERS, ENCODERS, EOS, batch, model, settings, texts

from regard.model import EncoderDecoder, Hypothesis, search
from regard.settings import AttentionSettings, ModelSettings, SearchSettings

SEARCHES = {
    "greedy": SearchSettings(beam=1, max_length=8),
    "beam 5": SearchSettings(beam=5, n_best=3, max_length=8),
    "beam 3, two at a time": SearchSettings(beam=3, max_length=8, batch=2, length_penalty=1.0),
}
EXACT, NEAR = 1e-12, 1e-5
LENGTHS = (5, 1, 7, 2, 3)
CROSSES = {
    **{
        score: AttentionSettings(score=score)
        for score in ("dot", "bilinear", "cosine", "distance:0.5", "location", "location_aware", "coverage")
    },
    **{
        normalizer: AttentionSettings(score="additive", normalizer=normalizer)
        for normalizer in ("sparsemax", "entmax15", "sigmoid", "top_k:2", "threshold:0.1", "argmax", "softmax:sink")
    },
    "2 heads": AttentionSettings(score="additive", heads=2),
    "4 heads, 2 of keys": AttentionSettings(heads=4, kv_heads=2),
}


def sources() -> list[np.ndarray]:
    """Texts of odd lengths in no order."""
    long = texts(40, 3, 8)
    return [next(text for text in long if len(text) == length) for length in LENGTHS]


def both(made: EncoderDecoder, chosen: SearchSettings) -> list[tuple[np.ndarray, list[Hypothesis], list[Hypothesis]]]:
    """Each source with what is found for it alone, and among the others."""
    together = search(made, sources(), chosen)
    return [(text, search(made, [text], chosen)[0], many) for text, many in zip(sources(), together, strict=True)]


def check_exact(chosen: ModelSettings) -> None:
    made = model(chosen)
    for name, how in SEARCHES.items():
        for text, alone, many in both(made, how):
            assert [one.tokens for one in alone] == [one.tokens for one in many], (name, len(text))
            for one, other in zip(alone, many, strict=True):
                assert one.log_prob == pytest.approx(other.log_prob, rel=0, abs=EXACT)
                assert one.score == pytest.approx(other.score, rel=0, abs=EXACT)
                for place, weights in one.attention.items():
                    assert np.allclose(weights, other.attention[place], rtol=0, atol=EXACT)


@pytest.mark.parametrize("context", ["attention", "fixed"])
@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_encoder_decoder_and_context(encoder: str, decoder: str, context: str) -> None:
    check_exact(settings(encoder, decoder, context=context))


@pytest.mark.parametrize("decoder", ["lstm feeding", "transformer pre"])
@pytest.mark.parametrize("cross", CROSSES)
def test_every_kind_of_attention(cross: str, decoder: str) -> None:
    check_exact(settings(decoder=decoder, cross=CROSSES[cross]))


@pytest.mark.parametrize("score", ["location", "distance", "additive", "cosine"])
def test_every_kind_of_attention_within_a_side(score: str) -> None:
    inner = AttentionSettings(score=score, heads=2)
    check_exact(settings("transformer pre", "transformer pre", self_attention=inner))


def test_single_precision_differs_only_where_hypotheses_are_near() -> None:
    differ = total = 0
    for encoder in ("lstm", "transformer pre"):
        for decoder in DECODERS:
            made = model(settings(encoder, decoder)).float()
            for name, how in SEARCHES.items():
                for text, (alone, *_), (many, *_) in both(made, how):
                    total += 1
                    if alone.tokens == many.tokens:
                        assert alone.log_prob == pytest.approx(many.log_prob, rel=1e-5, abs=NEAR)
                    else:
                        differ += 1
                        assert near(made, text, alone.tokens, many.tokens, how.length_penalty), (name, decoder)
    assert differ <= total / 50


def near(made: EncoderDecoder, text: np.ndarray, one: Sequence[int], other: Sequence[int], alpha: float) -> bool:
    """Whether two outputs, or the tokens where they part, are within 1e-5 of each other in double precision."""
    exact = made.double()
    rows = [np.array(tokens, np.int64) for tokens in (one, other)]
    with torch.no_grad():
        found = exact.forced(batch([text, text], rows)).log_probs
    made.float()
    place = next(
        place for place, pair in enumerate(zip([*one, EOS], [*other, EOS], strict=False)) if pair[0] != pair[1]
    )
    scores = [float(found[row].sum()) / ((6 + len(rows[row])) / 6) ** alpha for row in (0, 1)]
    return abs(scores[0] - scores[1]) <= NEAR or abs(float(found[0, place] - found[1, place])) <= NEAR


def test_what_is_near_and_what_is_not() -> None:
    made = model(settings())
    text = sources()[0]
    assert near(made, text, (5, 6), (5, 6, 7), 0.0) is False
    made.readout.project.weight.data.zero_()
    made.readout.project.bias.data.zero_()
    assert near(made, text, (5, 6), (5, 7), 0.0)
