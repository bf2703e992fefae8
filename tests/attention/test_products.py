"""Products by the other library equal torch's own, whatever way matrices are stored."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from regard.attention import products
from regard.attention.products import Linear, Packed, linear, product

needs_onednn = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_linear_pointwise"),
    reason="this torch has no such operation",
)


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even the smallest products go to oneDNN, on every processor."""
    monkeypatch.setattr(products, "_half_idle", lambda: True)
    monkeypatch.setattr(products, "_LEAST_PRODUCTS", 1)
    monkeypatch.setattr(products, "_LEAST_PRODUCTS_OF_BLOCKS", 1)


def stored(matrix: Tensor, way: str) -> Tensor:
    """The same numbers: by rows, by columns, as a part of something wider, or with one row for all."""
    if way == "columns":
        return matrix.t().contiguous().t()
    if way == "part":
        return torch.cat([matrix, matrix], 1)[:, : matrix.shape[1]]
    return matrix


@needs_onednn
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("of_weight", ["rows", "columns", "part"])
@pytest.mark.parametrize("of_x", ["rows", "columns", "part"])
def test_product_equals_torchs_own(of_x: str, of_weight: str, biased: bool) -> None:
    x, weight = stored(torch.randn(7, 5), of_x), stored(torch.randn(6, 5), of_weight)
    bias = torch.randn(6) if biased else None
    torch.testing.assert_close(product(x, weight, bias), F.linear(x, weight, bias))


@needs_onednn
@pytest.mark.parametrize("lead", [(3,), (2, 4), (1, 3, 2)])
def test_linear_has_torchs_gradients(lead: tuple[int, ...]) -> None:
    leaves = [torch.randn(*lead, 5), torch.randn(6, 5), torch.randn(6)]
    ours, theirs = ([leaf.clone().requires_grad_() for leaf in leaves] for _ in range(2))
    grad = torch.randn(*lead, 6)
    found, wanted = linear(*ours), F.linear(*theirs)
    torch.testing.assert_close(found, wanted)
    got, right = torch.autograd.grad(found, ours, grad), torch.autograd.grad(wanted, theirs, grad)
    torch.testing.assert_close(got, right)


@needs_onednn
def test_linear_can_be_differentiated_twice() -> None:
    def penalty(multiply: object) -> Tensor:
        x, weight = (torch.full(shape, 0.5, requires_grad=True) for shape in ((4, 3), (2, 3)))
        (grad,) = torch.autograd.grad(multiply(x, weight).square().sum(), x, create_graph=True)  # type: ignore[operator]
        return torch.autograd.grad(grad.square().sum(), weight)[0]

    torch.testing.assert_close(penalty(linear), penalty(F.linear))


def test_other_dtypes_stay_with_torch() -> None:
    x, weight = torch.randn(4, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    assert torch.equal(linear(x, weight), F.linear(x, weight))


def test_a_layer_computes_what_torchs_does() -> None:
    ours, theirs = Linear(3, 2), torch.nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(5, 3)
    torch.testing.assert_close(ours(x), theirs(x))
    for nothing in (torch.zeros(0, 3), torch.zeros(2, 0, 3)):
        assert ours(nothing).shape == theirs(nothing).shape


@needs_onednn
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 2, 70])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_packed_weight_multiplies_as_it_did(dtype: torch.dtype, rows: int, biased: bool) -> None:
    x, weight = torch.randn(rows, 5, dtype=dtype), torch.randn(6, 5, dtype=dtype)
    bias = torch.randn(6, dtype=dtype) if biased else None
    torch.testing.assert_close(Packed(weight, bias)(x), F.linear(x, weight, bias))
    torch.testing.assert_close(Packed(weight, bias)(torch.cat([x, x], 1)[:, :5]), F.linear(x, weight, bias))
