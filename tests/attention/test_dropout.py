"""Dropout of weights: in expectation nothing changes, forward and backward drop the same, what is shown is whole."""

from __future__ import annotations

import pytest
import torch
from attending import KERNELS, attended, identity, three, tiles

from regard.attention import attend, gaussian


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("normalizer", ["softmax", "entmax15", "top_k:3"])
def test_a_weight_is_dropped_with_its_probability_and_the_rest_is_raised(normalizer: str, kernel: str) -> None:
    scores = torch.randn(40, 30, 12, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(1)
    with tiles(1000):
        dropped, weights = attended(*identity(scores), score="dot", normalizer=normalizer, dropout=0.3, kernel=kernel)
    torch.testing.assert_close(weights, attended(*identity(scores), score="dot", normalizer=normalizer)[1])
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], (weights / 0.7)[kept])
    some = weights > 0
    share = float((kept & some).sum() / some.sum())
    assert abs(share - 0.7) < 4 * (0.21 / int(some.sum())) ** 0.5
    assert not torch.equal(kept[0] & some[0], kept[1] & some[1])


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_same_seed_drops_the_same(kernel: str) -> None:
    found = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        found.append(attend(*three(2, 3), dropout=0.5, kernel=kernel)[0])
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    again = attend(*three(2, 3), dropout=0.5, kernel=kernel)[0]
    assert not torch.equal(again, found[2])


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("normalizer", ["softmax", "entmax15", "top_k:3", "sigmoid"])
def test_backward_drops_what_forward_dropped(normalizer: str, kernel: str) -> None:
    """The context is linear in the value; and everything else has the gradients of its differences."""
    leaves = [x.requires_grad_() for x in three(2, q=3, k=4)]
    mask = gaussian(torch.arange(3.0, dtype=torch.float64), 2.0)

    def run(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(7)
        return attend(query, key, value, normalizer=normalizer, dropout=0.4, kernel=kernel, mask=mask)[0]

    with tiles(8):
        context = run(*leaves)
        (gradient,) = torch.autograd.grad(context.sum(), leaves[2])
        torch.testing.assert_close((gradient * leaves[2]).sum(), context.sum())
        assert torch.autograd.gradcheck(run, leaves)


def test_dropout_leaves_the_generator_of_others_alone_when_it_is_0() -> None:
    torch.manual_seed(0)
    attend(*three(), dropout=0.0, kernel="tiled")
    drawn = torch.rand(())
    torch.manual_seed(0)
    assert torch.equal(drawn, torch.rand(()))
