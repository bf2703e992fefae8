"""Predicting while the source arrives is the greedy prediction of all of it, and needs no more than was looked at."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from tiny_models import model, settings, texts

from regard.errors import RegardError
from regard.model import EncoderDecoder, search
from regard.model.streaming import check_streaming, stream
from regard.settings import AttentionSettings, SearchSettings

DECODERS = {
    "lstm, fed": ("lstm feeding", 1),
    "gru before": ("gru before, 2 layers", 1),
    "transformer": ("transformer pre", 2),
}


def made_of(decoder: str, offset: float, memory: str = "gru one way, 2 layers") -> EncoderDecoder:
    name, heads = DECODERS[decoder]
    cross = AttentionSettings("bilinear", heads=heads)
    made = model(settings(encoder=memory, decoder=name, context="online", cross=cross))
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith("kind.offset"):
                parameter.fill_(offset)
    return made


def longest(places: int) -> int:
    return 2 * places + 2


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("offset", [-3.0, 0.0, 1.0, 10.0])
def test_what_leaves_is_the_greedy_prediction_and_no_later_than_it_can(decoder: str, offset: float) -> None:
    made = made_of(decoder, offset)
    early = 0
    for source in texts(6, 3, 7):
        arrived: list[int] = []

        def arriving(tokens: np.ndarray = source, into: list[int] = arrived) -> Iterator[int]:
            for token in tokens.tolist():
                into.append(token)
                yield token

        left, seen = [], []
        for one in stream(made, arriving(), longest):
            left.append(one)
            seen.append(len(arrived))
        (found,) = search(made, [source], SearchSettings(beam=1), longest=[longest(len(source))])[0]
        assert tuple(one.token for one in left) == found.tokens
        rows = np.stack([found.attention[key] for key in sorted(found.attention)])  # (layers, H, T + 1, S)
        for step, (one, count) in enumerate(zip(left, seen, strict=True)):
            weights = rows[:, :, step]
            there = weights.sum(-1) > 0
            assert one.arrived == count
            assert one.place == (int(weights.sum((0, 1)).nonzero()[0][-1]) if there.any() else -1)
            if there.all():  # with one more place than was looked at, or more for what may be said so far
                room = next(n for n in range(1, len(source) + 1) if longest(n) > step)
                assert count == max(one.place + 1, room, seen[step - 1] if step else 0)
                early += count < len(source)
            else:
                assert count == len(source)
    assert early or offset < 1.0


def test_a_source_of_nothing_says_nothing() -> None:
    assert not list(stream(made_of("gru before", 0.0), [], longest))


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (settings(), "model.context attention looks at all of the source"),
        (settings(context="online"), "model.encoder.directions 1"),
        (settings("transformer pre", context="online"), "model.encoder.kind recurrent"),
    ],
)
def test_models_that_can_not_begin_early(chosen: object, message: str) -> None:
    with pytest.raises(RegardError, match=message):
        check_streaming(chosen)  # type: ignore[arg-type]
