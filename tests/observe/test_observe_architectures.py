"""Weights as eager attention gives them, outputs as if nobody had looked: architectures of transformers."""

from __future__ import annotations

from typing import Any

import pytest
import torch

tf = pytest.importorskip("transformers")

import regard  # noqa: E402
from observe_compared import compared  # noqa: E402
from observe_models import Case, cases, text  # noqa: E402
from regard.errors import RegardError  # noqa: E402
from regard.observe import Observe  # noqa: E402

CASES = {case.name: case for case in cases()}
OUTSIDE = ("Bloom", "GPT-Neo", "FSMT", "DeBERTa-v2", "XLNet", "Longformer")


@pytest.mark.parametrize("name", [name for name in CASES if name not in OUTSIDE])
def test_weights_equal_those_of_eager_attention(name: str) -> None:
    if name == "GPT-J" and tf.__version__.startswith("5.23."):
        pytest.skip("GPT-J goes through the interface from transformers 5.24 on")
    found = compared(CASES[name])
    assert found.same_outputs
    assert found.layers == found.expected_layers
    assert found.difference < 1e-5


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_model_with_attention_of_its_own_is_named(name: str) -> None:
    case = CASES[name]
    model = case.make("eager")
    with regard.observe(model) as seen, torch.no_grad():
        model(**case.inputs())
    with pytest.raises(RegardError, match=r"attn_implementation='eager'.*output_attentions=True"):
        seen.map()
    assert len(seen.unseen) in (2, 6)


def observed(case: Case, request: Observe, **settings: Any) -> regard.observe.Seen:
    torch.manual_seed(1)
    model, inputs = case.make("sdpa"), case.inputs()
    with regard.observe(model, request, **settings) as seen, torch.no_grad():
        model(**inputs)
    return seen


def test_statistics_are_those_of_the_weights() -> None:
    model_of = {"Marian": "sdpa", "Gemma 2": "eager", "gpt-oss": "eager"}
    request = Observe(top=3, entropy=True, argmax=True, received=True, support=True, mass=True)
    for name, backend in model_of.items():
        torch.manual_seed(1)
        case = CASES[name]
        model, inputs = case.make(backend), case.inputs()
        with regard.observe(model, request, dense=True) as seen, torch.no_grad():
            model(**inputs)
        for layer in seen.values():
            weights = layer.weights
            torch.testing.assert_close(layer.entropy, torch.special.entr(weights).sum(-1))
            torch.testing.assert_close(layer.mass, weights.sum(-1))
            torch.testing.assert_close(layer.received, weights.sum(-2))
            torch.testing.assert_close(layer.top_weights, weights.topk(3).values)
            assert torch.equal(layer.support, (weights > 0).sum(-1))
            assert torch.equal(layer.argmax, layer.top_keys[..., 0])
            keys = layer.top_keys  # -1 where there is no third key
            torch.testing.assert_close(weights.gather(-1, keys.clamp(min=0)) * (keys >= 0), layer.top_weights)


def test_only_what_is_chosen_is_kept() -> None:
    seen = observed(CASES["Marian"], Observe(entropy=True), places="cross", layers=[1], heads=[0, -1])
    assert list(seen) == ["model.decoder.layers.1.encoder_attn"]
    every = observed(CASES["Marian"], Observe(entropy=True))
    chosen = every["model.decoder.layers.1.encoder_attn"].entropy[:, [0, 3]]
    torch.testing.assert_close(seen["model.decoder.layers.1.encoder_attn"].entropy, chosen)
    assert {layer.place for layer in every.values()} == {"cross", "decoder.self", "encoder.self"}
    assert list(observed(CASES["Marian"], Observe(top=1), places="*.layers.0.encoder_attn")) == [
        "model.decoder.layers.0.encoder_attn"
    ]


def test_heads_of_grouped_keys_are_chosen_with_their_keys() -> None:
    every = observed(CASES["Llama"], Observe(entropy=True))
    some = observed(CASES["Llama"], Observe(entropy=True), heads=[3, 1])
    for name, layer in some.items():
        torch.testing.assert_close(layer.entropy, every[name].entropy[:, [3, 1]])


def test_a_budget_is_kept_and_what_is_left_out_is_told() -> None:
    case = CASES["Marian"]
    model, inputs = case.make("sdpa"), case.inputs()
    told = pytest.warns(UserWarning, match=r"calls of . modules were left out")
    with told, regard.observe(model, Observe(entropy=True), dense=True, budget=6_000) as seen, torch.no_grad():
        model(**inputs)
    assert 0 < seen.bytes <= 6_000
    assert seen.left_out


def test_statistics_that_were_not_asked_for_are_named() -> None:
    seen = observed(CASES["BERT"], Observe(entropy=True))
    with pytest.raises(RegardError, match=r"ask for it by Observe\(received=...\)"):
        _ = next(iter(seen.values())).received
    with pytest.raises(RegardError, match="dense=True"):
        _ = next(iter(seen.values())).weights
    with pytest.raises(RegardError, match="did you mean"):
        _ = seen["encoder.layer.0.attention.slf"]


def test_a_backend_of_ones_own_is_read_by_its_arguments() -> None:
    """One that is given no matrix as a mask and gives no weights, as those of flash attention."""

    def backend(module: Any, query: Any, key: Any, value: Any, mask: Any, scaling: float, **_: Any) -> Any:
        assert mask is None
        key, value = (x.repeat_interleave(module.num_key_value_groups, 1) for x in (key, value))
        scores = (query @ key.mT * scaling).masked_fill(torch.ones(11, 11).triu(1).bool(), -torch.inf)
        return (torch.softmax(scores, -1) @ value).transpose(1, 2), None

    tf.AttentionInterface.register("of_ones_own", backend)
    torch.manual_seed(1)
    case = CASES["Llama"]
    ids = text(padded=False)["input_ids"]
    model, eager = case.make("of_ones_own"), case.make("eager")
    with regard.observe(model, dense=True) as seen, torch.no_grad():
        model(ids)
        expected = eager(ids, output_attentions=True).attentions
    for layer, right in zip(seen.at("decoder.self"), expected, strict=True):
        torch.testing.assert_close(layer.weights, right, atol=1e-5, rtol=1e-4)


def test_a_mask_that_is_a_program_is_told_of() -> None:
    case = CASES["Llama"]
    model = case.make("of_programs")
    module = model.model.layers[0].self_attn
    query, key = torch.randn(1, 4, 3, 8), torch.randn(1, 2, 3, 8)
    told = pytest.warns(UserWarning, match="1 modules could not be read")
    with told, regard.observe(model) as seen:
        attend = tf.modeling_utils.ALL_ATTENTION_FUNCTIONS["of_programs"]
        attend(module, query, key, key, object(), scaling=1.0)
    with pytest.raises(
        RegardError, match="masks by a object, which is not read; load it with attn_implementation='sdpa'"
    ):
        seen.map()


tf.AttentionInterface.register("of_programs", lambda module, query, *_, **__: (query.transpose(1, 2), None))
