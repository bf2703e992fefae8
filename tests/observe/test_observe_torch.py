"""Plain torch: modules that call the fused function, and those that torch runs as one operation."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import regard
from regard.errors import RegardError
from regard.observe import Observe

BATCH, LENGTH, WIDTH, HEADS = 2, 6, 16, 4
PADDING = torch.zeros(BATCH, LENGTH, dtype=torch.bool)
PADDING[1, 4:] = True


def weights_of(module: nn.MultiheadAttention, query: Tensor, key: Tensor, **masks: Tensor) -> Tensor:
    """What torch itself says, one head at a time."""
    return module(query, key, key, average_attn_weights=False, **masks)[1]


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape)


def seen_of(model: nn.Module, run: Callable[[], Tensor]) -> tuple[regard.observe.Seen, Tensor]:
    """Run a model observed, after it has run plainly: the outputs must be the same to the bit."""
    with torch.no_grad():
        before = run()
        with regard.observe(model, dense=True) as seen:
            output = run()
    assert torch.equal(before, output)
    return seen, output


class Own(nn.Module):
    """A module that calls the function itself."""

    def __init__(self) -> None:
        super().__init__()
        self.queries, self.keys = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)

    def forward(self, x: Tensor, causal: bool = False, mask: Tensor | None = None) -> Tensor:
        q, k = self.split(self.queries(x)), self.split(self.keys(x))
        return F.scaled_dot_product_attention(q, k, k, attn_mask=mask, is_causal=causal, scale=0.5)


def test_a_module_of_ones_own() -> None:
    torch.manual_seed(0)
    inner = Own()
    model, x = nn.Sequential(nn.Linear(WIDTH, WIDTH), inner), drawn(BATCH, LENGTH, WIDTH)
    seen, _ = seen_of(model, lambda: model(x))
    with torch.no_grad():
        hidden = model[0](x)
        q, k = inner.split(inner.queries(hidden)), inner.split(inner.keys(hidden))
    torch.testing.assert_close(seen["1"].weights, torch.softmax(0.5 * q @ k.mT, -1))
    with regard.observe(inner, dense=True) as seen, torch.no_grad():
        inner(hidden, causal=True)
    above = torch.ones(LENGTH, LENGTH).triu(1).bool()
    right = torch.softmax((0.5 * q @ k.mT).masked_fill(above, -torch.inf), -1)
    torch.testing.assert_close(seen[""].weights, right)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("mask", ["none", "padding", "causal", "both"])
def test_multihead_attention(fast: bool, mask: str) -> None:
    torch.manual_seed(0)
    model = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True).eval()
    x = drawn(BATCH, LENGTH, WIDTH)
    masks = {}
    if mask in ("padding", "both"):
        masks["key_padding_mask"] = PADDING
    if mask in ("causal", "both"):
        masks["attn_mask"] = torch.ones(LENGTH, LENGTH).triu(1).bool()
    other = x if fast else x.clone()  # torch's own fast path wants one and the same tensor
    with torch.no_grad():
        before = model(x, other, other, need_weights=False, **masks)[0]
        with regard.observe(model, dense=True) as seen:
            after = model(x, other, other, need_weights=False, **masks)[0]
        torch.testing.assert_close(seen[""].weights, weights_of(model, x, other, **masks))
    assert torch.equal(before, after)


def test_multihead_attention_of_every_form() -> None:
    torch.manual_seed(0)
    forms = [
        nn.MultiheadAttention(WIDTH, HEADS, kdim=12, vdim=12),
        nn.MultiheadAttention(WIDTH, HEADS, kdim=12, vdim=12, bias=False, add_bias_kv=True, add_zero_attn=True),
    ]
    query, key = drawn(LENGTH, BATCH, WIDTH), drawn(5, BATCH, 12)
    for model in forms:
        with torch.no_grad(), regard.observe(model, dense=True) as seen:
            right = model(query, key, key, average_attn_weights=False, key_padding_mask=PADDING[:, :5])[1]
        torch.testing.assert_close(seen[""].weights, right)
    with torch.no_grad(), regard.observe(forms[0], dense=True) as seen:
        right = forms[0](query[:, 0], key[:, 0], key[:, 0], average_attn_weights=False)[1]
    torch.testing.assert_close(seen[""].weights[0], right)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("padded", [True, False])
def test_an_encoder_that_torch_runs_as_one_operation(norm_first: bool, padded: bool) -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 32, batch_first=True, norm_first=norm_first)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=not norm_first).eval()
    x = drawn(BATCH, LENGTH, WIDTH)
    padding = PADDING if padded else None
    seen, _ = seen_of(model, lambda: model(x, src_key_padding_mask=padding))
    assert list(seen) == ["layers.0.self_attn", "layers.1.self_attn"]
    inside = model.layers[0].norm1(x) if norm_first else x
    masks = {} if padding is None else {"key_padding_mask": padding}
    right = weights_of(model.layers[0].self_attn, inside, inside, **masks)
    found = seen["layers.0.self_attn"].weights
    alive = ~PADDING if padded else torch.ones_like(PADDING)
    torch.testing.assert_close(found.transpose(1, 2)[alive], right.transpose(1, 2)[alive])


def test_a_whole_transformer_has_its_places() -> None:
    torch.manual_seed(0)
    model = nn.Transformer(WIDTH, HEADS, 1, 1, 32, batch_first=True).eval()
    source, target = drawn(BATCH, 5, WIDTH), drawn(BATCH, LENGTH, WIDTH)
    causal = nn.Transformer.generate_square_subsequent_mask(LENGTH)
    seen, _ = seen_of(model, lambda: model(source, target, tgt_mask=causal, tgt_is_causal=True))
    assert {name: layer.place for name, layer in seen.items()} == {
        "encoder.layers.0.self_attn": "encoder.self",
        "decoder.layers.0.self_attn": "decoder.self",
        "decoder.layers.0.multihead_attn": "cross",
    }
    assert seen["decoder.layers.0.self_attn"].weights.triu(1).abs().max() == 0
    map = seen.map()
    assert map.place == "cross"
    assert map.weights.shape == (1, HEADS, LENGTH, 5)


def test_all_is_as_before_afterwards() -> None:
    function, forward, layer = (
        F.scaled_dot_product_attention,
        nn.MultiheadAttention.forward,
        nn.TransformerEncoderLayer.forward,
    )
    model, x = Own(), drawn(BATCH, LENGTH, WIDTH)
    observer = regard.observe(model)
    seen = observer.__enter__()
    model(x)
    assert F.scaled_dot_product_attention is not function
    observer.__exit__(KeyError, KeyError(), None)
    assert F.scaled_dot_product_attention is function
    assert nn.MultiheadAttention.forward is forward
    assert nn.TransformerEncoderLayer.forward is layer
    assert "forward" not in vars(model)
    assert seen[""].entropy.shape == (BATCH, HEADS, LENGTH)
    model(x)
    assert len(seen.passes) == 1


def test_observers_nest_and_see_their_own_models_alone() -> None:
    model, other, x = Own(), Own(), drawn(BATCH, LENGTH, WIDTH)
    with regard.observe(model, Observe(entropy=True)) as outer:
        with regard.observe(model, Observe(received=True)) as inner, regard.observe(other) as apart:
            model(x)
        model(x[:1])
    assert len(outer.passes) == 2
    assert len(inner.passes) == 1
    assert not apart.passes
    assert inner[""].received.sum().item() == pytest.approx(BATCH * HEADS * LENGTH, rel=1e-5)
    assert outer.passes[1][""].entropy.shape[0] == 1
    with pytest.raises(RegardError, match=r"choose one, as in seen.passes\[0\]"):
        _ = outer[""]


def test_observers_may_leave_in_any_order() -> None:
    model, x = Own(), drawn(BATCH, LENGTH, WIDTH)
    first, second = regard.observe(model), regard.observe(model)
    early, late = first.__enter__(), second.__enter__()
    model(x)
    first.__exit__(None, None, None)
    model(x)
    second.__exit__(None, None, None)
    assert (len(early.passes), len(late.passes)) == (1, 2)
    assert "forward" not in vars(model)


def test_every_thread_has_its_own_passes() -> None:
    model = nn.Sequential(Own(), nn.Flatten(2), nn.Linear(LENGTH * WIDTH // HEADS, LENGTH * WIDTH // HEADS))
    lengths = torch.arange(2, 2 + 6).tolist()
    with regard.observe(model[0], Observe(entropy=True)) as seen:
        threads = [threading.Thread(target=lambda n=n: model[0](drawn(1, n, WIDTH))) for n in lengths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(one[""].entropy.shape[2] for one in seen.passes) == lengths


def test_what_cannot_be_observed_is_refused() -> None:
    model = Own()
    with pytest.raises(RegardError, match="expected a model"):
        regard.observe("bert")  # type: ignore[arg-type]
    with pytest.raises(RegardError, match="is no place and matches no module"):
        regard.observe(model, places="crosses")
    with pytest.raises(RegardError, match="nothing is asked for"):
        regard.observe(model, Observe())
    compiled = nn.Module()
    compiled._orig_mod = model  # as torch.compile holds it
    with pytest.raises(RegardError, match="compiled"):
        regard.observe(compiled)
    with pytest.raises(RegardError, match="has no head 9"), regard.observe(model, heads=[9]):
        model(drawn(1, LENGTH, WIDTH))
    observer = regard.observe(model)
    with observer:
        pass
    with pytest.raises(RegardError, match="used already"), observer:
        pass
    with regard.observe(nn.Linear(2, 2)) as seen:
        pass
    with pytest.raises(RegardError, match="no attention was observed"):
        seen.map()
