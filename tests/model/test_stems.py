"""Images and sound: every stem with every body. Layout, padding, gradients, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tiny_models import BOS, EOS, VOCABULARY
from torch import Tensor

from regard.errors import RegardError
from regard.model import PLACES, Band, Encoder, EncoderDecoder, search
from regard.model.convolution import Convolutions
from regard.settings import AttentionSettings, EncoderSettings, ModelSettings, SearchSettings

CHANNELS, BANDS = 2, 6
BODIES: dict[str, dict[str, Any]] = {
    "lstm": {},
    "gru one way, 2 layers": {"cell": "gru", "directions": 1, "layers": 2},
    "transformer": {"kind": "transformer"},
    "transformer post learned": {"kind": "transformer", "norm": "post", "position": "learned"},
    "none": {"kind": "none"},
    "lstm, words": {"memory": "words"},
    "transformer, both": {"kind": "transformer", "memory": "both"},
    "pyramid of 2 in 3": {"layers": 3, "pyramid": 2},
    "pyramid alone": {"cell": "gru", "layers": 1, "pyramid": 1},
}
STEMS: dict[str, dict[str, Any]] = {
    "convolution": {"stem": "convolution", "place": "4x2", "channels": 4},
    "convolution of rows": {"stem": "convolution", "place": "16x2", "channels": 2},
    "convolution of pixels": {"stem": "convolution", "place": "1x1", "channels": 4},
    "patches": {"stem": "patches", "place": "3x5"},
    "frames": {"stem": "frames", "place": "4", "channels": 4},
    "frames one by one": {"stem": "frames", "place": "1"},
}
COMBINED = {f"{stem} > {body}": {**STEMS[stem], **BODIES[body]} for stem in STEMS for body in BODIES}
COMBINED |= {
    f"frames > transformer {position}": {**STEMS["frames"], "kind": "transformer", "position": position}
    for position in ("rotary", "relative", "alibi")
}
every_encoder = pytest.mark.parametrize("chosen", COMBINED.values(), ids=COMBINED.keys())

IMAGE_SIZES = [(13, 9), (5, 21), (1, 1), (16, 2)]
LINE_SIZES = [(3, 9), (3, 21), (2, 1), (1, 4)]  # of one row each
SOUND_SIZES = [(17,), (4,), (1,), (9,)]


def settings(chosen: dict[str, Any], **others: Any) -> ModelSettings:
    return ModelSettings(
        encoder=EncoderSettings(**{"width": 8, "feedforward": 12, **chosen}),
        dropout=0.0,
        embedding=6,
        longest=32,
        self_attention=AttentionSettings(heads=2),
        **others,
    )


def model(chosen: ModelSettings, seed: int = 0) -> EncoderDecoder:
    torch.manual_seed(seed)
    size = BANDS if chosen.encoder.stem == "frames" else CHANNELS
    return EncoderDecoder(chosen, size, VOCABULARY).double().eval()


def encoder(chosen: dict[str, Any]) -> Encoder:
    return model(settings(chosen)).encoder


def sources(chosen: dict[str, Any], sizes: list[tuple[int, ...]] | None = None) -> list[Tensor]:
    """Random images (C, H, W) or recordings (S, bands)."""
    draw = torch.Generator().manual_seed(1)
    if sizes is None:
        sizes = list(SOUND_SIZES if chosen["stem"] == "frames" else IMAGE_SIZES)
    shapes = [(*size, BANDS) if chosen["stem"] == "frames" else (CHANNELS, *size) for size in sizes]
    return [torch.randn(shape, generator=draw, dtype=torch.float64) for shape in shapes]


def pad(some: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Sources side by side, as `search` and batches want them."""
    whole = torch.stack([torch.tensor(each.shape) for each in some]).amax(0).tolist()
    padded = torch.zeros(len(some), *whole, dtype=torch.float64)
    for row, each in enumerate(some):
        padded[row][tuple(slice(length) for length in each.shape)] = each
    if some[0].dim() == 3:
        return padded, torch.tensor([each.shape[1:] for each in some])
    return padded, torch.tensor([len(each) for each in some])


def further(padded: Tensor, by: int) -> Tensor:
    """The same with more padding."""
    more = (0, 0, 0, by) if padded.dim() == 3 else (0, by, 0, by)
    return torch.nn.functional.pad(padded, more)


@every_encoder
@pytest.mark.parametrize("lines", [False, True], ids=["any sizes", "lines"])
def test_padding_and_the_batch_change_nothing(chosen: dict[str, Any], lines: bool) -> None:
    made = encoder(chosen)
    given_sources = sources(chosen, list(LINE_SIZES) if lines and chosen["stem"] != "frames" else None)
    padded, sizes = pad(given_sources)
    with torch.no_grad():
        together, more = made(padded, sizes), made(further(padded, 7), sizes)
        for row, source in enumerate(given_sources):
            alone = made(*pad([source]))
            places = int(alone.mask.sum())
            assert alone.mask.all()
            for batch in (together, more):
                assert torch.equal(batch.mask[row], torch.arange(batch.mask.shape[1]) < places)
                assert torch.allclose(batch.source[row, :places], alone.source[0], rtol=0, atol=1e-12)
                assert torch.allclose(batch.final[row], alone.final[0], rtol=0, atol=1e-12)


@every_encoder
def test_every_place_and_parameter_matters(chosen: dict[str, Any]) -> None:
    made = model(settings(chosen))
    padded, sizes = pad(sources(chosen))
    padded.requires_grad_()
    encoded = made.encode(padded, sizes)
    (encoded.source.masked_fill(~encoded.mask[..., None], 0.0).square().sum() + encoded.final.sum()).backward()
    assert padded.grad is not None
    matters = []
    for row, source in enumerate(sources(chosen)):
        inside = padded.grad[row][tuple(slice(length) for length in source.shape)]
        matters.append((inside != 0).any(-1 if chosen["stem"] == "frames" else 0).flatten())
        padded.grad[row][tuple(slice(length) for length in source.shape)] = 0.0
    assert torch.cat(matters).double().mean() > 0.8  # rectifiers leave out some
    assert not padded.grad.any()
    for name, parameter in made.encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@every_encoder
@given(data=st.data())
@hypothesis_settings(max_examples=8)
def test_the_layout_is_what_comes_out(chosen: dict[str, Any], data: st.DataObject) -> None:
    numbers = st.integers(1, 40)
    size = data.draw(st.tuples(numbers) if chosen["stem"] == "frames" else st.tuples(numbers, numbers))
    made = encoder({**chosen, "position": "none"})
    with torch.no_grad():
        found = made(*pad(sources(chosen, [size])))
    layout = made.layout(size)
    assert layout == EncoderSettings(**chosen).layout(size)
    assert found.source.shape[1] == torch.tensor(layout).prod()


@pytest.mark.parametrize("stem", ["convolution of pixels", "patches"])
@pytest.mark.parametrize("position", ["sinusoidal", "learned", "none"])
@pytest.mark.parametrize("kind", ["none", "transformer"])
def test_positions_tell_rows_from_columns(stem: str, position: str, kind: str) -> None:
    chosen = {**STEMS[stem], "kind": kind, "position": position, "place": "2x2"}
    made = encoder(chosen)
    one = torch.ones(1, CHANNELS, 1, 1, dtype=torch.float64)
    with torch.no_grad():
        found = made(one.expand(-1, -1, 12, 12), torch.tensor([[12, 12]])).source[0].view(6, 6, -1)[1:-1, 1:-1]
    different = {
        way: bool((found - other).abs().max() > 1e-3)
        for way, other in {"down": found.roll(1, 0), "across": found.roll(1, 1), "turned": found.mT}.items()
        if other.shape == found.shape
    } | {"mirrored": bool((found - found.transpose(0, 1)).abs().max() > 1e-3)}
    assert set(different.values()) == {position != "none"}


@pytest.mark.parametrize("down", [0, 1, 3, 5])
@pytest.mark.parametrize("across", [0, 2])
def test_a_place_is_made_of_what_is_around_its_middle(down: int, across: int) -> None:
    strides = [(1 + (layer < down), 1 + (layer < across)) for layer in range(max(down, across, 1))]
    torch.manual_seed(0)
    stack = Convolutions(1, 16, strides, norm=False).double()
    image = torch.rand(1, 256, 64, 1, dtype=torch.float64, requires_grad=True)
    made = stack(image, torch.tensor([[256, 64]]))
    row, column = made.shape[1] // 2, made.shape[2] // 2
    (seen,) = torch.autograd.grad(made[0, row, column].sum(), image)
    for side, place, halved in ((0, row, down), (1, column, across)):
        (there,) = seen[0, ..., 0].abs().sum(1 - side).nonzero(as_tuple=True)
        middle = (int(there.min()) + int(there.max()) + 1) / 2
        assert abs(middle - 2**halved * (place + 0.5)) == (0.5 if halved else 0)


def test_a_row_is_read_by_itself() -> None:
    chosen = {**STEMS["patches"], "place": "2x2", "position": "none"}
    made = encoder(chosen)
    image = sources(chosen, [(4, 10)])[0]
    with torch.no_grad():
        whole = made(*pad([image]))
        rows = made(*pad([image[:, :2], image[:, 2:]]))
    assert torch.allclose(whole.source[0], rows.source.flatten(0, 1), rtol=0, atol=1e-14)
    assert torch.allclose(whole.final[0], rows.final.mean(0), rtol=0, atol=1e-14)


def test_a_pyramid_reads_pairs_of_states() -> None:
    made = encoder({**STEMS["frames one by one"], "layers": 2, "pyramid": 1})
    padded, sizes = pad(sources(STEMS["frames"], [(5,)]))
    with torch.no_grad():
        states, _ = made.layers(made.embedding.read(padded, sizes).vectors)
        pairs = torch.cat([states, torch.zeros_like(states[:, :1])], 1).reshape(1, 3, -1)
        expected, (last, _) = made.pyramid[0](pairs)
        found = made(padded, sizes)
    assert torch.allclose(found.source, expected, rtol=0, atol=1e-14)
    assert torch.allclose(found.final[0], last.flatten(), rtol=0, atol=1e-14)


@pytest.mark.parametrize("context", ["attention", "fixed"])
@pytest.mark.parametrize("decoder", ["lstm", "transformer"])
@pytest.mark.parametrize("stem", ["convolution", "frames"])
def test_models_are_searched_as_they_are_forced(stem: str, decoder: str, context: str) -> None:
    chosen = settings(STEMS[stem], context=context, fixed="mean")
    kind = "transformer" if decoder == "transformer" else "recurrent"
    made = model(chosen.__class__(**{**chosen.__dict__, "decoder": type(chosen.decoder)(kind=kind, width=8)}))
    some = sources(STEMS[stem])
    found = search(made, some, SearchSettings(beam=3, max_length=6, batch=3), pad=pad, longest=[4, 3, 2, 1])
    for source, (best, *_) in zip(some, found, strict=True):
        said = torch.tensor([best.tokens], dtype=torch.int64)
        pair = _Pair(
            *pad([source]),
            torch.cat([torch.tensor([[BOS]]), said], 1),
            torch.cat([said, torch.tensor([[EOS]])], 1),
            torch.tensor([said.shape[1] + 1]),
        )
        with torch.no_grad():
            forced = made.forced(pair, PLACES)
        assert best.log_prob == pytest.approx(float(forced.log_probs.sum()), abs=1e-9)
        if context == "attention":
            weights = torch.from_numpy(best.attention["cross", 0])
            places = torch.tensor(made.encoder.layout(tuple(pair.source_lengths.flatten().tolist()))).prod()
            assert weights.shape[-1] == places
            assert torch.allclose(weights, forced.observed["cross", 0][0], rtol=0, atol=1e-9)


class _Pair:
    def __init__(self, source: Tensor, sizes: Tensor, target_in: Tensor, target_out: Tensor, lengths: Tensor) -> None:
        self.source, self.source_lengths = source, sizes
        self.target_in, self.target_out, self.target_lengths = target_in, target_out, lengths


def test_half_precision_learns_about_the_same() -> None:
    for name in ("convolution > lstm", "patches > transformer", "frames > pyramid of 2 in 3", "frames > none"):
        made = model(settings(COMBINED[name])).float()
        padded, sizes = pad(sources(COMBINED[name]))
        with torch.autocast("cpu", torch.bfloat16):
            half = made.encode(padded.float(), sizes).source
        half.square().sum().backward()
        whole = made.encode(padded.float(), sizes).source
        assert torch.allclose(half.float(), whole, rtol=0.1, atol=0.1), name


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"stem": "convolution", "place": "6x4"}, "model.encoder.place: came 6x4, .* take 4 or 8 instead of 6"),
        ({"stem": "convolution", "place": "8"}, "model.encoder.place: came 8; .* high x wide"),
        ({"stem": "frames"}, "model.encoder.place: came 8x8; .* frames"),
        ({"stem": "frames", "place": "3"}, "model.encoder.place: came 3, .* take 2 or 4"),
        ({"stem": "patches", "position": "rotary", "kind": "transformer"}, "model.encoder.position: rotary knows one"),
        ({"stem": "convolution", "position": "alibi"}, "model.encoder.position: alibi knows one"),
        ({"kind": "none", "position": "relative"}, "model.encoder.position: relative is for a Transformer"),
        (
            {"stem": "frames", "place": "4", "memory": "both", "pyramid": 1},
            "model.encoder.memory: both .* with model.encoder.pyramid 1",
        ),
        ({"kind": "none", "memory": "words"}, "model.encoder.memory: words .* with model.encoder.kind none"),
        ({"stem": "patches", "kind": "transformer", "pyramid": 1}, r"model.encoder.pyramid: 1 .*\.kind transformer"),
        ({"pyramid": 1}, r"model.encoder.pyramid: 1 .*\.stem embedding"),
        ({"stem": "frames", "place": "4", "pyramid": 2}, r"model.encoder.pyramid: 2 layers .*\.layers is 1"),
    ],
)
def test_settings_that_do_not_fit_are_refused_by_name(chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(RegardError, match=message):
        encoder(chosen)


def test_images_share_no_embeddings() -> None:
    with pytest.raises(RegardError, match=r"model.share_embeddings: all needs texts"):
        model(settings(STEMS["patches"], share_embeddings="all"))


def test_long_recordings_take_memory_in_their_length_alone() -> None:
    cross = AttentionSettings(score="location_aware", window=3)
    chosen = settings({**STEMS["frames one by one"], "kind": "none", "position": "none"}, cross=cross)
    made = model(chosen)
    recording = torch.randn(400, BANDS, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    asked = SearchSettings(beam=2, min_length=300, max_length=300)
    found = search(made, [recording], asked, pad=pad)[0][0].attention["cross", 0]
    assert isinstance(found, Band)
    assert found.weights.shape == (1, 301, 7)
    assert found.shape == (1, 301, 400)
    whole = found.dense()
    assert whole.shape == found.shape
    assert torch.allclose(torch.from_numpy(whole).sum(-1), torch.ones(1, 301, dtype=torch.float64))
