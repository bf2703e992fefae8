"""What the memory holds for each token, and hiding from the decoder what it said."""

from __future__ import annotations

import pytest
import torch
from tiny_models import model, settings

from regard.model.embeddings import TokenEmbedding, sinusoids
from regard.settings import DecoderSettings, EncoderSettings, ModelSettings

TOKENS, LENGTHS = torch.tensor([[4, 5, 6, 7], [8, 9, 0, 0]]), torch.tensor([4, 2])


@pytest.mark.parametrize("encoder", ["lstm, both", "transformer, both", "lstm, words", "transformer, words"])
def test_embeddings_stand_beside_states(encoder: str) -> None:
    chosen = settings(encoder)
    made = model(chosen)
    found = made.encode(TOKENS, LENGTHS)
    assert found.source.shape == (2, 4, chosen.memory_width)
    width = chosen.encoder.width
    expected = made.encoder.embedding(TOKENS)
    expected[1, 2:] = 0
    assert torch.equal(found.source[..., width:], expected)
    assert found.final.shape == (2, width)


def test_widths() -> None:
    both = ModelSettings(encoder=EncoderSettings(width=10, memory="both"), embedding=6)
    assert (both.memory_width, both.code_width) == (16, 10)
    mean = ModelSettings(encoder=EncoderSettings(width=10, memory="both"), embedding=6, fixed="mean")
    assert mean.code_width == 16
    transformer = ModelSettings(encoder=EncoderSettings(kind="transformer", width=10, memory="both"), embedding=6)
    assert transformer.memory_width == 20
    assert ModelSettings(embedding=6).memory_width == 256


def test_words_alone_are_looked_up() -> None:
    made = model(settings("lstm, words"))
    encoded = made.encode(TOKENS, LENGTHS)
    observed = made.decoder(torch.tensor([[1, 4], [1, 5]]), encoded, {"cross"})
    embedded = made.encoder.embedding(TOKENS)
    expected = observed.observed["cross", 0][:, 0] @ embedded
    torch.testing.assert_close(observed.context, expected)


def test_hidden_tokens_leave_their_places() -> None:
    torch.manual_seed(0)
    embedding = TokenEmbedding(11, 8, position="sinusoidal", hidden=0.3)
    tokens = torch.randint(4, 11, (40, 50))
    places = sinusoids(0, 50, 8)
    whole = embedding.eval()(tokens)
    assert torch.equal(whole, embedding.tokens(tokens) * 8**0.5 + places)
    found = embedding.train()(tokens)
    hidden = (found == places).all(-1)
    assert torch.equal(found[~hidden], whole[~hidden])
    assert abs(float(hidden.double().mean()) - 0.3) < 0.05


@pytest.mark.parametrize("kind", ["recurrent", "transformer"])
def test_the_decoder_alone_forgets_words(kind: str) -> None:
    chosen = ModelSettings(
        encoder=EncoderSettings(width=8),
        decoder=DecoderSettings(kind=kind, width=8, word_dropout=0.4),  # type: ignore[arg-type]
    )
    made = model(chosen)
    assert made.decoder.embedding.hidden == 0.4
    assert made.encoder.embedding.hidden == 0.0
