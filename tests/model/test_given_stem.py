"""A torch module of one's own as the stem of images, from Python alone: trained, kept in the folder, loaded again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import regard
from regard.errors import RegardError
from regard.model import EncoderDecoder
from regard.model.given import GivenStem, place_of, reads
from regard.settings import EncoderSettings, ModelSettings


def network(channels: int = 3) -> nn.Sequential:
    """Features (B, 5, h, w) of every 4 x 2 pixels, by a network with a norm over the batch."""
    torch.manual_seed(4)
    first = nn.Conv2d(channels, 6, 3, (2, 2), padding=1)
    return nn.Sequential(first, nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 5, 3, (2, 1), padding=1))


def model(module: nn.Module | None, **encoder: Any) -> EncoderDecoder:
    chosen = {"stem": "module", "place": "4x2", "width": 8, **encoder}
    settings = ModelSettings(encoder=EncoderSettings(**chosen), embedding=6, dropout=0.0)
    return EncoderDecoder(settings, 3, 11, stem=module).eval()


@pytest.mark.parametrize("kind", ["recurrent", "transformer", "convolution", "none"])
def test_padding_and_the_batch_change_nothing(kind: str) -> None:
    made = model(network().double(), kind=kind).double()
    sizes = torch.tensor([[9, 7], [4, 12], [9, 7], [1, 1]])
    images = torch.zeros(4, 3, 9, 12, dtype=torch.float64)
    for image, (height, width) in zip(images, sizes.tolist(), strict=True):
        image[:, :height, :width] = torch.randn(3, height, width, dtype=torch.float64)
    together = made.encode(images, sizes)
    for row, (height, width) in enumerate(sizes.tolist()):
        alone = made.encode(images[row : row + 1, :, :height, :width], sizes[row : row + 1])
        rows, columns = made.encoder.layout((height, width))
        assert alone.source.shape[1] == rows * columns == int(together.mask[row].sum())
        assert torch.allclose(together.source[row, : rows * columns], alone.source[0], rtol=0, atol=1e-12)
    together.source.sum().backward()
    assert all(each.grad is not None for each in made.encoder.parameters())


def test_what_is_not_to_be_learned_stays_in_evaluation_mode() -> None:
    module = network()
    made = model(module).train()
    assert module.training
    module.requires_grad_(False)
    made.train()
    assert not module.training
    assert made.encoder.training


def test_a_module_says_what_it_reads() -> None:
    assert place_of(network(), 3) == "4x2"
    assert reads(network(), 3)
    assert not reads(network(), 1)
    state = network().state_dict()
    module = network()
    place_of(module, 3)
    assert module.training
    assert all(torch.equal(each, state[name]) for name, each in module.state_dict().items())


class Flat(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def test_modules_that_do_not_fit_are_refused_by_name() -> None:
    with pytest.raises(RegardError, match=r"model.encoder.stem: the module made a tensor of shape \(1, 3\); it should"):
        model(Flat())
    with pytest.raises(RegardError, match=r"model.encoder.stem: the module can't read images of 3 channels"):
        model(network(1))
    with pytest.raises(RegardError, match=r"model.encoder.stem: .* regard.load\(folder, stem=module\)"):
        model(None)
    with pytest.raises(RegardError, match=r"model.encoder.stem: a module was given, but it is patches"):
        model(network(), stem="patches")
    with pytest.raises(
        RegardError, match=r"model.encoder.place: of 8 x 8 pixels the module made 2 x 4 places, .* 1 x 1"
    ):
        model(network(), place="8x8").encode(torch.zeros(1, 3, 8, 8), torch.tensor([[8, 8]]))
    with pytest.raises(RegardError, match=r"training.devices: a module .* take 1"):
        regard.train([], dev=[], stem=network(), training={"devices": 2})


def test_a_trained_one_is_kept_with_the_model(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    pairs = [
        (np.where(label, 200, 20) + draw.integers(0, 30, (8 + 4 * (number % 2), 8, 3)), "ab"[label])
        for number, label in enumerate(draw.integers(0, 2, 24).tolist())
    ]
    pairs = [(image.astype(np.uint8), label) for image, label in pairs]
    module = network()
    before = module[0].weight.detach().clone()
    made = regard.train(
        pairs,
        dev=pairs[:4],
        out=tmp_path / "model",
        stem=module,
        data={"target_tokens": "character"},
        model={"encoder": {"width": 8}, "decoder": {"width": 8}, "embedding": 6, "dropout": 0.0},
        training={"updates": 4, "validate_every": 2, "average": 2},
    )
    assert not torch.equal(module[0].weight, before)
    assert isinstance(made.model.encoder.embedding, GivenStem)
    assert made.settings.model.encoder.place == "4x2"
    images = [image for image, _ in pairs[:5]]
    expected = made.predict(images)
    with pytest.raises(RegardError, match=r"regard.load\(folder, stem=module\)"):
        regard.load(tmp_path / "model")
    other = network()
    loaded = regard.load(tmp_path / "model", stem=other)
    assert torch.equal(other[1].running_mean, module[1].running_mean)
    assert other[1].num_batches_tracked == module[1].num_batches_tracked
    for one, two in zip(expected, loaded.predict(images), strict=True):
        assert (one.text, one.log_prob) == (two.text, two.log_prob)
    with pytest.raises(RegardError, match=r"does not fit config.yaml"):
        regard.load(tmp_path / "model", stem=nn.Sequential(*network(), nn.Conv2d(5, 4, 1)))
