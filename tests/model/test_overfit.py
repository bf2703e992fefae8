"""Twenty pairs are learned by heart: every encoder, decoder and context, attention or none."""

from __future__ import annotations

import pytest
import torch
from tiny_models import VOCABULARY, batch, texts

from regard.model import EncoderDecoder, search
from regard.settings import AttentionSettings, DecoderSettings, EncoderSettings, ModelSettings, SearchSettings

DECODERS = {
    "recurrent feeding": DecoderSettings(width=64),
    "recurrent before": DecoderSettings(width=64, cell="gru", attends="before"),
    "transformer": DecoderSettings(kind="transformer", width=64, feedforward=128),
}


@pytest.mark.slow
@pytest.mark.parametrize("context", ["attention", "fixed"])
@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("encoder", ["recurrent", "transformer"])
def test_twenty_pairs_are_learned_by_heart(encoder: str, decoder: str, context: str) -> None:
    sources, targets = [text[:7] for text in texts(20, 11, 20)], texts(20, 12, 7)
    assert len({tuple(source) for source in sources}) == 20
    pairs = batch(sources, targets)
    torch.manual_seed(0)
    made = EncoderDecoder(
        ModelSettings(
            encoder=EncoderSettings(kind=encoder, width=64, feedforward=128),  # type: ignore[arg-type]
            decoder=DECODERS[decoder],
            context=context,  # type: ignore[arg-type]
            cross=AttentionSettings(score="additive" if "recurrent" in decoder else "scaled_dot"),
            embedding=32,
            dropout=0.0,
        ),
        VOCABULARY,
        VOCABULARY,
    )
    optimizer = torch.optim.Adam(made.parameters(), 3e-3)
    for _ in range(400):
        loss = made.loss(pairs)
        optimizer.zero_grad()
        (loss.nll / loss.tokens).backward()
        optimizer.step()
        if loss.nll / loss.tokens < 0.005:
            break
    found = search(made, sources, SearchSettings(beam=2))
    assert [one[0].tokens for one in found] == [tuple(target.tolist()) for target in targets]
