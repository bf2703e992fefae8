"""What was written for speed, beside the plain definition of the same thing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from regard.model import output
from regard.model.cells import Cell
from regard.model.deferred import deferred
from regard.model.dropout import Dropout
from regard.model.output import cross_entropy


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("rows", [1, 4, 100])
def test_the_loss_in_slices_is_the_loss(smoothing: float, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(output, "_SLICE", rows * 11)
    parts = random(13, 5), random(11, 5), random(11)
    target = torch.randint(0, 11, (13,))
    wanted = F.cross_entropy(F.linear(*parts), target, reduction="sum", label_smoothing=smoothing)
    found = cross_entropy(*parts, target, smoothing)
    assert torch.allclose(found, wanted, rtol=1e-13)
    with torch.no_grad():
        assert torch.equal(cross_entropy(*parts, target, smoothing), found)
    for ours, theirs in zip(
        torch.autograd.grad(0.3 * found, parts), torch.autograd.grad(0.3 * wanted, parts), strict=True
    ):
        assert torch.allclose(ours, theirs, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_in_slices_of_half_precision_differs_by_the_rounding_of_its_products(smoothing: float) -> None:
    torch.manual_seed(0)
    parts = [torch.randn(shape, requires_grad=True) for shape in ((13, 64), (110, 64), (110,))]
    target = torch.randint(0, 110, (13,))
    wanted = F.cross_entropy(F.linear(*parts), target, reduction="sum", label_smoothing=smoothing)
    with torch.autocast("cpu", torch.bfloat16):
        found = cross_entropy(*parts, target, smoothing)
    assert found.dtype == torch.float32
    assert found != wanted
    assert torch.allclose(found, wanted, rtol=1e-2)
    for ours, theirs in zip(torch.autograd.grad(found, parts), torch.autograd.grad(wanted, parts), strict=True):
        assert ours.dtype == torch.float32
        assert (ours - theirs).norm() < 2e-2 * theirs.norm()


@pytest.mark.parametrize("bias", [True, False])
def test_a_deferred_gradient_is_the_gradient_also_the_second_time(bias: bool) -> None:
    torch.manual_seed(1)
    weight, first = random(4, 4), random(3, 4)
    offset = random(4) if bias else None
    learned = [weight, first, *([] if offset is None else [offset])]

    def chain(step: nn.Module) -> Tensor:
        x = first
        for _ in range(5):
            x = torch.tanh(step(x))
        return x.square().sum()

    wanted = torch.autograd.grad(chain(lambda x: F.linear(x, weight, offset)), learned)  # type: ignore[arg-type]
    total = chain(deferred(weight, offset))  # type: ignore[arg-type]
    for again in (True, False):
        for ours, theirs in zip(torch.autograd.grad(total, learned, retain_graph=again), wanted, strict=True):
            assert torch.allclose(ours, theirs, rtol=1e-12, atol=1e-13)
    with torch.no_grad():
        assert torch.equal(chain(deferred(weight, offset)), total)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("known", [0, 2, 5])
def test_a_cell_is_the_layer_step_by_step(kind: type[nn.RNNBase], known: int) -> None:
    torch.manual_seed(2)
    layer = kind(5, 3, batch_first=True).double()  # type: ignore[call-arg,arg-type]
    x, hidden, kept = random(4, 6, 5), random(1, 4, 3), random(1, 4, 3)
    learned = [*layer.parameters(), x, hidden, *([kept] if kind is nn.LSTM else [])]
    wanted, _ = layer(x, (hidden, kept) if kind is nn.LSTM else hidden)
    cell, states = Cell(layer, known), []
    h, c = hidden[0], kept[0] if kind is nn.LSTM else None
    ahead = cell.ahead(x[..., :known]) if known else None
    for place in range(6):
        fed = x[:, place, known:] if known < 5 else None
        h, c = cell.update(None if ahead is None else ahead[:, place], fed, h, c)
        states.append(h)
    found = torch.stack(states, 1)
    assert torch.allclose(found, wanted, rtol=0, atol=1e-14)
    weights = torch.randn_like(found)
    for ours, theirs in zip(
        torch.autograd.grad((found * weights).sum(), learned),
        torch.autograd.grad((wanted * weights).sum(), learned),
        strict=True,
    ):
        assert torch.allclose(ours, theirs, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5])
def test_dropout_leaves_out_its_share_and_keeps_the_mean(p: float) -> None:
    torch.manual_seed(3)
    dropout = Dropout(p)
    x = torch.ones(1001, 999, requires_grad=True)
    found = dropout(x)
    dropped = found == 0
    deviation = (p * (1 - p) / x.numel()) ** 0.5
    assert abs(float(dropped.double().mean()) - p) < 5 * deviation + 2**-16
    assert abs(float(found.detach().double().mean()) - 1.0) < 5 * deviation / (1 - p) ** 2
    # The four elements that share a random word know nothing of each other.
    for lag in (1, 2, 3):
        both = (dropped.flatten()[:-lag] & dropped.flatten()[lag:]).double().mean()
        assert abs(float(both) - p * p) < 5 * (p * p * (1 - p * p) * 3 / x.numel()) ** 0.5 + 2**-15
    (grad,) = torch.autograd.grad(found.sum(), x)
    assert torch.equal(grad, found.detach())
    torch.manual_seed(3)
    assert torch.equal(dropout(x), found)
    assert dropout.eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_all_can_be_dropped() -> None:
    assert not Dropout(1.0)(torch.ones(100)).any()
