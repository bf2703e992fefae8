"""Generation: caches, beams, prompts; each hypothesis has the weights of forced decoding of its tokens."""

from __future__ import annotations

from typing import Any

import pytest
import torch

tf = pytest.importorskip("transformers")

import regard  # noqa: E402
from observe_models import Case, cases, text  # noqa: E402
from regard.errors import RegardError  # noqa: E402
from regard.observe import Observe  # noqa: E402

CASES = {case.name: case for case in cases()}
STEPS = {"max_new_tokens": 8, "min_new_tokens": 3, "return_dict_in_generate": True}


def made(case: Case) -> tuple[Any, dict[str, torch.Tensor]]:
    torch.manual_seed(1)
    model, inputs = case.make("sdpa"), case.inputs()
    inputs.pop("decoder_input_ids", None)
    return model, inputs


def generated(name: str, request: Observe | None = None, **settings: Any) -> tuple[Any, Any, Any, dict[str, Any]]:
    model, inputs = made(CASES[name])
    with torch.no_grad():
        plain = model.generate(**inputs, **STEPS, **settings)
        with regard.observe(model, request, dense=True) as seen:
            output = model.generate(**inputs, **STEPS, **settings)
    assert torch.equal(plain.sequences, output.sequences)
    return model, seen, output, inputs


@pytest.mark.parametrize("name", ["Marian", "T5", "Whisper"])
@pytest.mark.parametrize("beams", [1, 4])
def test_the_map_of_a_hypothesis_is_that_of_forced_decoding(name: str, beams: int) -> None:
    model, seen, output, inputs = generated(name, num_beams=beams, num_return_sequences=min(beams, 2))
    count = len(output.sequences) // 2
    for item in range(len(output.sequences)):
        sequence = output.sequences[item]
        one = {key: value[item // count : item // count + 1] for key, value in inputs.items()}
        with regard.observe(model, dense=True) as forced, torch.no_grad():
            model(**one, decoder_input_ids=sequence[None])
        for place in ("cross", "decoder.self"):
            found = seen.map(None, inputs, output, place=place, item=item)
            right = torch.stack([layer.weights[0] for layer in forced.at(place)])
            rows = found.weights.shape[2]
            kept = [
                j
                for j in range(right.shape[-1])
                if place != "cross" or bool(inputs.get("attention_mask", torch.ones(2, 99))[item // count][j])
            ]
            columns = kept if place == "cross" else range(rows)
            right = right[:, :, :rows][..., list(columns)]
            torch.testing.assert_close(torch.from_numpy(found.weights), right, atol=2e-5, rtol=1e-4)
            assert rows >= 3
            assert found.convention == ("predicting" if place == "cross" else "reading")


def test_a_decoder_alone_with_padding_and_beams() -> None:
    model, _ = made(CASES["Llama"])
    inputs = text(7)
    inputs["attention_mask"] = torch.ones(2, 7, dtype=torch.long)
    inputs["attention_mask"][1, :3] = 0
    with regard.observe(model, dense=True) as seen, torch.no_grad():
        output = model.generate(**inputs, **STEPS, num_beams=3)
    for item in range(2):
        start = int((inputs["attention_mask"][item] == 0).sum())
        found = seen.map(None, inputs, output, item=item)
        tokens = output.sequences[item][start:]
        with regard.observe(model, dense=True) as forced, torch.no_grad():
            model(input_ids=tokens[None])
        rows = found.weights.shape[2]
        right = torch.stack([layer.weights[0] for layer in forced.at("decoder.self")])[:, :, :rows, :rows]
        torch.testing.assert_close(torch.from_numpy(found.weights), right, atol=2e-5, rtol=1e-4)
        assert found.source.pieces[: 7 - start] == tuple(map(str, tokens[: 7 - start].tolist()))


def test_beams_that_nobody_can_follow_are_refused() -> None:
    model, inputs = made(CASES["Marian"])
    with regard.observe(model) as seen, torch.no_grad():
        sequences = model.generate(**inputs, max_new_tokens=4, num_beams=3, num_return_sequences=3)
    with pytest.raises(RegardError, match="return_dict_in_generate=True"):
        seen.map(None, inputs, sequences)


def test_top_weights_make_a_map_that_says_what_it_left_out() -> None:
    model, inputs = made(CASES["Marian"])
    with regard.observe(model, Observe(top=2, mass=True)) as seen, torch.no_grad():
        output = model.generate(**inputs, **STEPS)
    found = seen.map(None, inputs, output)
    assert found.left_out is not None
    sums = found.weights.sum(-1) + found.left_out
    assert abs(sums - 1).max() < 1e-5
    assert ((found.weights > 0).sum(-1) <= 2).all()
    assert "2 heaviest" in found.note


def test_statistics_of_all_steps_are_those_of_their_weights() -> None:
    request = Observe(top=2, entropy=True, received=True, mass=True)
    _, seen, _, _ = generated("T5", request, num_beams=3)
    for layer in seen.values():
        weights = layer.weights
        torch.testing.assert_close(layer.entropy, torch.special.entr(weights).sum(-1))
        torch.testing.assert_close(layer.received, weights.sum(-2))
        torch.testing.assert_close(layer.top_weights, weights.topk(min(2, weights.shape[-1])).values)
    selfs = seen["decoder.block.0.layer.0.SelfAttention"].weights
    assert selfs.shape[2] == selfs.shape[3]
    assert selfs.triu(1).abs().max() == 0


def test_generation_in_a_thread_is_observed() -> None:
    import threading

    model, inputs = made(CASES["GPT-2"])
    with regard.observe(model) as seen:
        thread = threading.Thread(target=lambda: model.generate(**inputs, max_new_tokens=3))
        thread.start()
        thread.join()
    assert len(seen.passes) == 1
    assert seen.at("decoder.self")[0].entropy.shape[2] == inputs["input_ids"].shape[1] + 2


def test_two_generations_are_two_passes() -> None:
    model, inputs = made(CASES["Marian"])
    with regard.observe(model, Observe(entropy=True)) as seen, torch.no_grad():
        model.generate(**inputs, max_new_tokens=3)
        model.generate(**inputs, max_new_tokens=5)
    assert [one["model.decoder.layers.0.encoder_attn"].entropy.shape[2] for one in seen.passes] == [3, 5]
    assert "generate" not in vars(model)
