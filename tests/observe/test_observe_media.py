"""Images and recordings: the places of a medium as columns, and Whisper's word times without eager attention."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

tf = pytest.importorskip("transformers")

import regard  # noqa: E402
from observe_models import cases  # noqa: E402
from regard.errors import RegardError  # noqa: E402
from regard.maps import NO_WORD, AttentionMap, Picture, Sound, Tokens  # noqa: E402
from regard.observe import warped_times  # noqa: E402
from regard.observe.whisper import token_begins, warp  # noqa: E402

CASES = {case.name: case for case in cases()}


def test_an_image_and_its_patches() -> None:
    torch.manual_seed(0)
    case = CASES["ViT"]
    model, inputs = case.make("sdpa"), case.inputs()
    with regard.observe(model, dense=True) as seen, torch.no_grad():
        model(**inputs)
    plain = seen.map(None, inputs)
    assert plain.source.pieces[:3] == ("[CLS]", "1,1", "1,2")
    assert plain.weights.shape == (2, 4, 10, 10)
    picture = Picture(np.zeros((24, 24, 3), np.uint8), 3, 3)
    found = seen.map(None, inputs, medium=picture)
    assert found.source.pieces[0] == "1,1"
    assert found.target.pieces[:2] == ("[CLS]", "1,1")
    np.testing.assert_array_equal(found.weights, plain.weights[..., 1:])
    np.testing.assert_allclose(found.left_out, plain.weights[..., 0], rtol=1e-6)
    with pytest.raises(RegardError, match="10 keys for the 16 places"):
        seen.map(None, inputs, medium=Picture(np.zeros((24, 24, 3), np.uint8), 4, 4))


def whisper() -> tuple[Any, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    model = CASES["Whisper"].make("sdpa")
    model.generation_config.alignment_heads = [[0, 1], [1, 2], [1, 3]]
    model.generation_config.no_timestamps_token_id = 98
    model.generation_config.update(suppress_tokens=None, begin_suppress_tokens=None)
    return model, {"input_features": torch.randn(2, 8, 40)}


def test_whispers_times_are_those_it_gives_with_eager_attention() -> None:
    model, inputs = whisper()
    settings = {"max_new_tokens": 9, "min_new_tokens": 9, "eos_token_id": None, "pad_token_id": 0}
    with regard.observe(model, dense=True, places="cross") as seen, torch.no_grad():
        output = model.generate(**inputs, **settings, return_dict_in_generate=True)
    assert model.config._attn_implementation == "sdpa"
    eager, _ = whisper()
    eager.set_attn_implementation("eager")
    with torch.no_grad():
        right = eager.generate(**inputs, **settings, return_token_timestamps=True)
    sound = Sound(np.zeros(20 * 320, np.int16), 16_000, 20, 0.02)
    for item in range(2):
        sequence = getattr(output, "sequences", output)[item]
        assert torch.equal(sequence[2:], right["sequences"][item])
        found = seen.map(None, inputs, output, item=item, medium=sound)
        pieces, words = found.target.pieces, found.target.words
        found = replace(found, target=Tokens(pieces, (NO_WORD, *words[1:])))  # the rest of the prompt
        times = warped_times(found, model.generation_config.alignment_heads)
        expected = right["token_timestamps"][item][:-1]  # without the last, which was never read
        assert len(times) == len(expected)
        np.testing.assert_allclose([word.start for word in times], expected, atol=1e-6)
        assert all(word.start <= word.end and 0 <= word.confidence <= 1 for word in times)


def test_the_path_is_the_cheapest_of_all() -> None:
    random = np.random.default_rng(0)
    for rows, columns in ((1, 4), (4, 1), (3, 4), (4, 3)):
        cost = random.normal(size=(rows, columns))
        sums = []
        for length in range(max(rows, columns), rows + columns):
            for steps in itertools.product(((0, 1), (1, 0), (1, 1)), repeat=length - 1):
                path = np.cumsum([(0, 0), *steps], 0)
                if tuple(path[-1]) == (rows - 1, columns - 1):
                    sums.append(cost[path[:, 0], path[:, 1]].sum())
        i, j = warp(cost)
        assert cost[i, j].sum() == pytest.approx(min(sums))


def test_words_said_one_after_the_other() -> None:
    weights = np.full((2, 2, 3, 30), 0.001)
    for row, start in enumerate((2, 9, 20)):
        weights[..., row, start : start + 6] = 0.16
    sound = Sound(np.zeros(9600, np.int16), 16_000, 30, 0.02)
    text = Tokens(("one", "two", "three"), (0, 1, 1), "one twothree", ((0, 3), (4, 7), (7, 12)))
    map = AttentionMap(weights, sound.tokens("a.wav"), text, convention="reading", medium=sound)
    first, second = warped_times(map)
    assert (first.word, second.word) == ("one", "twothree")
    assert first.end == second.start
    assert 0.1 < second.start <= 0.18
    assert second.end == pytest.approx(0.6)
    assert token_begins(weights[:, 0], 1)[2] in range(15, 21)
    with pytest.raises(RegardError, match="no head 7"):
        warped_times(map, [(0, 7)])
    with pytest.raises(RegardError, match="needed"):
        warped_times(map.mean())
