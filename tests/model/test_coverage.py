"""Looking at every source word once in all."""

from __future__ import annotations

import pytest
import torch
from tiny_models import batch, model, settings, texts

from regard.errors import RegardError
from regard.model.coverage import coverage

# As many looks, the mark's with them, as there are words to look at: it can come down to 0.
SOURCES = texts(6, 1, 6)
PAIRS = batch(SOURCES, [source[1:] for source in SOURCES])


def test_the_formula() -> None:
    torch.manual_seed(0)
    weights = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    sources, targets = torch.ones(2, 5, dtype=torch.bool), torch.ones(2, 4, dtype=torch.bool)
    sources[1, 3:], targets[1, 2:] = False, False
    expected = 0.0
    for b, (words, places) in enumerate([(5, 4), (3, 2)]):
        for j in range(words):
            expected += (1 - sum(float(weights[b, :, i, j].mean()) for i in range(places))) ** 2
    assert float(coverage({("cross", 0): weights}, sources, targets)) == pytest.approx(expected)
    within = {("cross", 0): weights, ("decoder.self", 0): torch.rand(2, 3, 4, 4)}
    assert float(coverage(within, sources, targets)) == pytest.approx(expected)


@pytest.mark.parametrize("decoder", ["lstm feeding", "gru after", "transformer pre"])
def test_it_is_learned_from(decoder: str) -> None:
    torch.manual_seed(0)
    made = model(settings("lstm", decoder)).train()
    optimizer = torch.optim.Adam(made.parameters(), 0.02)
    costs = []
    for _ in range(60):
        loss = made.loss(PAIRS, coverage=1.0)
        costs.append(float(loss.auxiliary["coverage"].detach()))
        optimizer.zero_grad()
        loss.auxiliary["coverage"].backward()
        optimizer.step()
    assert costs[-1] < 0.7 * costs[0]


def test_a_fixed_context_has_none() -> None:
    with pytest.raises(RegardError, match="coverage"):
        model(settings("lstm", context="fixed")).loss(PAIRS, coverage=0.1)
