"""Weights taught by links."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from tiny_models import batch, model, settings, texts

from regard.errors import RegardError
from regard.model.guided import Guide, guide_place, guided
from regard.settings import AttentionSettings

SOURCES = texts(5, 1, 6)
PAIRS = batch(SOURCES, [source[::-1] for source in SOURCES])


def _gold() -> torch.Tensor:
    """Backwards, and nothing for the mark."""
    gold = torch.zeros(*PAIRS.target_out.shape, PAIRS.source.shape[1], dtype=torch.float64)
    for row, source in enumerate(SOURCES):
        for place in range(len(source)):
            gold[row, place, len(source) - 1 - place] = 1.0
    return gold


def test_the_formula() -> None:
    weights = torch.tensor([[[[0.5, 0.5, 0.0], [0.1, 0.2, 0.7]], [[0.1, 0.1, 0.8], [0.3, 0.6, 0.1]]]])
    gold = torch.tensor([[[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]])
    observed = {("cross", 1): weights, ("cross", 0): torch.full_like(weights, 1 / 3)}
    log = torch.tensor([0.5, 0.1, 0.3]).log()
    assert float(guided(observed, Guide(gold, 1.0, 1, 0))) == pytest.approx(-float(log[0]))
    assert float(guided(observed, Guide(gold, 1.0, 1, 1))) == pytest.approx(-float(log[1]))
    assert float(guided(observed, Guide(gold, 1.0, 1, -1))) == pytest.approx(-float(log[2]))


def test_words_without_links_may_be_taught_to_look_at_nothing() -> None:
    weights = torch.tensor([[[[0.5, 0.25], [0.5, 0.3], [0.2, 0.2]]]])
    guide = Guide(torch.zeros(1, 3, 2), 1.0, 0, 0, nothing=torch.tensor([[True, False, True]]))
    # 1 - 0.75, and 1 - 0.4; the row between is free.
    assert float(guided({("cross", 0): weights}, guide)) == pytest.approx(-math.log(0.25) - math.log(0.6))


@pytest.mark.parametrize(
    ("decoder", "heads"), [("lstm feeding", 1), ("gru before, 2 layers", 1), ("transformer pre", 2)]
)
def test_it_is_learned_and_leads_no_other_head(decoder: str, heads: int) -> None:
    cross = AttentionSettings(score="scaled_dot", heads=heads)
    chosen = settings("lstm", decoder, cross)
    made = model(chosen).train()
    layer, head = guide_place(chosen, None, heads - 1)
    guide = Guide(_gold(), 2.0, layer, head)
    optimizer = torch.optim.Adam(made.parameters(), 0.02)
    costs = []
    for _ in range(60):
        loss = made.loss(PAIRS, guide=guide)
        costs.append(float(loss.auxiliary["guided"].detach()))
        optimizer.zero_grad()
        loss.auxiliary["guided"].backward()
        optimizer.step()
    assert costs[-1] < 0.6 * costs[0]
    assert set(made.loss(PAIRS).auxiliary) == set()


def test_places() -> None:
    transformer = settings("lstm", "transformer pre")
    assert guide_place(transformer, None, 0) == (0, 0)
    four = replace(transformer, decoder=replace(transformer.decoder, layers=4))
    assert guide_place(four, None, -1) == (2, -1)
    assert guide_place(settings(), None, 0) == (0, 0)
    with pytest.raises(RegardError, match="guided_layer is 1"):
        guide_place(settings(), 1, 0)
    with pytest.raises(RegardError, match="guided_head is 1"):
        guide_place(settings(), None, 1)
    with pytest.raises(RegardError, match="fixed looks at no word"):
        guide_place(settings(context="fixed"), None, 0)
    sink = settings(cross=AttentionSettings(normalizer="softmax:sink"))
    assert guide_place(sink, None, 0, "nothing") == (0, 0)
    with pytest.raises(RegardError, match="guided_unlinked: nothing needs"):
        guide_place(settings(), None, 0, "nothing")
    with pytest.raises(RegardError, match="links can't guide argmax"):
        guide_place(settings(cross=AttentionSettings(normalizer="argmax")), None, 0)
