"""The convolutional encoder: its definition place by place, how far it sees, and every medium."""

from __future__ import annotations

import pytest
import torch
from tiny_models import FIRST, VOCABULARY, model, settings

from regard.errors import RegardError
from regard.model import EncoderDecoder
from regard.model.encoders import ConvolutionalEncoder, GatedConvolution
from regard.settings import AttentionSettings, DecoderSettings, EncoderSettings, ModelSettings

LAYERS = 2


def test_a_layer_is_its_definition() -> None:
    torch.manual_seed(0)
    layer = GatedConvolution(3, 0.0).double().eval()
    with torch.no_grad():
        assert layer.convolution.bias is not None
        layer.convolution.bias.normal_()
        x, mask = torch.randn(2, 5, 3).double(), torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
        found = layer(x, mask)
        weight, bias = layer.convolution.weight, layer.convolution.bias
        for row, count in enumerate((5, 3)):
            for place in range(count):
                total = bias.clone()
                for step in (-1, 0, 1):
                    if 0 <= place + step < count:
                        total += weight[:, :, step + 1] @ x[row, place + step]
                wanted = (x[row, place] + total[:3] * torch.sigmoid(total[3:])) / 2**0.5
                assert torch.allclose(found[row, place], wanted, rtol=0, atol=1e-12)


def test_a_state_sees_as_many_places_as_there_are_layers() -> None:
    made = model(settings(encoder="convolution", dropout=0.0))
    texts = torch.full((2, 9), FIRST)
    texts[1, 4] = VOCABULARY - 1
    with torch.no_grad():
        states = made.encode(texts, torch.tensor([9, 9])).source
    differs = (states[0] - states[1]).abs().amax(-1) > 1e-12
    assert differs.tolist() == [abs(place - 4) <= LAYERS for place in range(9)]


def test_states_begin_as_large_as_their_embeddings() -> None:
    torch.manual_seed(0)
    encoder = EncoderSettings(kind="convolution", width=256, layers=6)
    made = EncoderDecoder(ModelSettings(encoder=encoder, dropout=0.1), 50, 50).eval()
    source = torch.randint(4, 50, (8, 20))
    with torch.no_grad():
        embedded, states = made.encoder.embedding(source), made.encode(source, torch.full((8,), 20)).source  # type: ignore[operator]
    assert 0.5 < float(states.std() / embedded.std()) < 2


@pytest.mark.parametrize(("stem", "place"), [("convolution", "4x4"), ("patches", "4x4"), ("frames", "4")])
def test_images_and_recordings(stem: str, place: str) -> None:
    """Rows of an image are read one by one; padding and other sources change nothing."""
    torch.manual_seed(0)
    encoder = EncoderSettings(kind="convolution", stem=stem, place=place, width=16, channels=4, layers=2)  # type: ignore[arg-type]
    chosen = ModelSettings(encoder=encoder, decoder=DecoderSettings(width=16), cross=AttentionSettings("additive"))
    made = EncoderDecoder(chosen, 3, VOCABULARY).double().eval()
    assert isinstance(made.encoder, ConvolutionalEncoder)
    large, small = (
        (torch.randn(24, 3), torch.randn(11, 3)) if stem == "frames" else (torch.randn(3, 16, 20), torch.randn(3, 8, 9))
    )
    whole = torch.zeros(2, *large.shape).double()
    whole[0] = large
    if stem == "frames":
        whole[1, :11], sizes = small, torch.tensor([24, 11])
    else:
        whole[1, :, :8, :9], sizes = small, torch.tensor([[16, 20], [8, 9]])
    with torch.no_grad():
        together = made.encode(whole, sizes)
        alone = made.encode(small[None].double(), sizes[1:])
    count = int(alone.mask.sum())
    assert int(together.mask[1].sum()) == count
    assert torch.allclose(together.source[1, :count], alone.source[0, :count], rtol=0, atol=1e-12)
    assert torch.allclose(together.final[1], alone.final[0], rtol=0, atol=1e-12)
    assert not together.source[1, count:].any()


def test_positions_of_attention_are_refused() -> None:
    with pytest.raises(RegardError, match=r"with model\.encoder\.kind convolution take sinusoidal, learned or none"):
        EncoderDecoder(ModelSettings(encoder=EncoderSettings(kind="convolution", position="rotary")), 9, 9)
