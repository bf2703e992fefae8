"""Weights asked for afterwards, and observed during the call, against the whole matrix."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from attending import NORMALIZERS, attended, three, tiles
from beartype import beartype
from jaxtyping import Float, Int64, jaxtyped
from torch import Tensor

from regard.attention import Observe, Observed, Weights, attend, causal, gaussian, lengths, reference

_WAYS = [(name, kernel) for name in NORMALIZERS for kernel in ("dense", "tiled")]
_WAYS += [("softmax", "fused"), ("softmax:2", "fused")]
_MASK = lengths(torch.tensor([[7, 6], [0, 2]]))
_EVERYTHING = Observe(top=3, entropy=True, argmax=True, received=True, support=True, mass=True, rows=(1, 4))


@jaxtyped(typechecker=beartype)
def same_as_the_matrix(weights: Float[Tensor, "*lead q k"], seen: Observed, top: int) -> None:
    """Every field of an observation of everything, rows 1 to 4, against the matrix that it is of."""
    value, place = weights.sort(dim=-1, descending=True, stable=True)
    place = place.masked_fill(value == 0, -1)
    shown, keys = _shapes(seen.top_weights, seen.top_keys)
    count = min(top, weights.shape[-1])
    torch.testing.assert_close(shown, value[..., :count])
    # Equal weights may come in either order where one kernel's last bits differ from another's.
    found = weights.gather(-1, keys.clamp(min=0)).masked_fill(keys < 0, 0.0)
    torch.testing.assert_close(found, shown)
    assert torch.equal(keys < 0, place[..., :count] < 0)
    assert seen.argmax is not None
    assert torch.equal(seen.argmax, keys[..., 0])
    torch.testing.assert_close(seen.entropy, torch.special.entr(weights).sum(-1))
    torch.testing.assert_close(seen.received, weights.sum(-2))
    torch.testing.assert_close(seen.support, (weights > 0).sum(-1))
    torch.testing.assert_close(seen.mass, weights.sum(-1))
    torch.testing.assert_close(seen.rows, weights[..., 1:4, :])


@jaxtyped(typechecker=beartype)
def _shapes(
    weights: Float[Tensor, "*lead q top"] | None, keys: Int64[Tensor, "*lead q top"] | None
) -> tuple[Float[Tensor, "*lead q top"], Int64[Tensor, "*lead q top"]]:
    assert weights is not None
    assert keys is not None
    return weights, keys


@pytest.mark.parametrize(("normalizer", "kernel"), _WAYS)
@pytest.mark.usefixtures("small_tiles")
def test_answers_are_those_of_the_matrix(normalizer: str, kernel: str) -> None:
    query, key, value = three(2, 2)
    settings: dict[str, Any] = {"normalizer": NORMALIZERS[normalizer], "mask": _MASK}
    wanted = attended(query, key, value, kernel="dense", **settings)[1]
    context, weights = attend(query, key, value, kernel=kernel, **settings)
    seeing, observed = attend(query, key, value, kernel=kernel, observe=_EVERYTHING, **settings)
    assert torch.equal(context, seeing)
    assert weights.shape == (2, 2, 5, 7)
    torch.testing.assert_close(weights.dense(), wanted)
    torch.testing.assert_close(weights.rows(2, 4), wanted[..., 2:4, :])
    assert observed.observed is not None
    assert weights.observed is None
    same_as_the_matrix(wanted, observed.observed, 3)
    same_as_the_matrix(wanted, weights.collect(_EVERYTHING), 3)
    one_by_one = Observed(
        *weights.top(3), weights.entropy(), weights.argmax(), weights.received(), weights.support(), weights.mass(),
        weights.rows(1, 4),
    )  # fmt: skip
    same_as_the_matrix(wanted, one_by_one, 3)
    assert weights.top(50)[0].shape == (2, 2, 5, 7)
    scores = (query @ key.mT / 2).masked_fill(torch.arange(7) >= _MASK.length[..., None, None], -torch.inf)
    torch.testing.assert_close(weights.scores(0, 5), scores)
    torch.testing.assert_close(weights.scores(3, 5), scores[..., 3:5, :])


@pytest.mark.parametrize("kernel", ["dense", "tiled"])
@pytest.mark.usefixtures("small_tiles")
def test_answers_with_a_gaussian_and_tiles_that_leave_keys_out(kernel: str) -> None:
    query, key, value = three(2, 2)
    masks = [causal(), gaussian(torch.arange(5.0), 1.0)]
    _, weights = attend(query, key, value, mask=masks, kernel=kernel)
    wanted = attended(query, key, value, mask=masks, kernel="dense")[1]
    same_as_the_matrix(wanted, weights.collect(_EVERYTHING), 3)


@pytest.mark.parametrize("lead", [(), (3,), (2, 1, 2)], ids=str)
@pytest.mark.parametrize("kernel", ["dense", "tiled", "fused"])
def test_answers_have_the_leading_dimensions_of_the_call(kernel: str, lead: tuple[int, ...]) -> None:
    tensors = three(*lead)
    _, weights = attend(*tensors, kernel=kernel)
    same_as_the_matrix(attended(*tensors, kernel="dense")[1], weights.collect(_EVERYTHING), 3)


def test_only_what_was_asked_for_is_answered() -> None:
    names = [name for name in vars(_EVERYTHING) if name not in ("top", "rows")]
    for name in names:
        seen = attend(*three(), observe=Observe(**{name: True}))[1].observed
        assert seen is not None
        assert [field for field, found in vars(seen).items() if found is not None] == [name]
    seen = attend(*three(), kernel="tiled", observe=Observe(rows=(0, 1)))[1].observed
    assert seen is not None
    assert [field for field, found in vars(seen).items() if found is not None] == ["rows"]


def test_of_equal_weights_the_first_key_is_named() -> None:
    query, key, value = torch.zeros(1, 3, 4), torch.zeros(1, 600, 4), torch.zeros(1, 600, 4)
    for kernel in ("dense", "tiled", "fused"):
        _, weights = attend(query[None], key[None], value[None], kernel=kernel)
        assert weights.argmax().unique().tolist() == [0]
        assert weights.top(4)[1].flatten(0, -2).unique(dim=0).tolist() == [[0, 1, 2, 3]]


@pytest.mark.parametrize(("normalizer", "kernel"), [(n, k) for n, k in _WAYS if n != "argmax"])
@pytest.mark.usefixtures("small_tiles")
def test_gradients_flow_through_shown_weights(normalizer: str, kernel: str) -> None:
    """Through the matrix and through some rows of it, as through the dense kernel's."""
    above = torch.randn(2, 2, 5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    found = []
    for one in (kernel, "dense"):
        tensors = [x.requires_grad_() for x in three(2, 2)]
        _, weights = attend(*tensors, kernel=one, normalizer=NORMALIZERS[normalizer], mask=_MASK)
        loss = (weights.dense() * above).sum() + (weights.rows(1, 3) * above[..., 2:4, :]).square().sum()
        found.append(torch.autograd.grad(loss, tensors[:2]))
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("kernel", ["fused", "tiled", "auto"])
@pytest.mark.parametrize("changed", ["query", "key", "bias", "mask"])
def test_a_change_in_place_is_noticed(changed: str, kernel: str) -> None:
    query, key, value = three(2, 2)
    bias, allowed = torch.zeros(7), torch.ones(7, dtype=torch.bool)
    settings: dict[str, Any] = (
        {} if kernel == "auto" and changed in ("query", "key") else {"bias": bias, "mask": allowed}
    )
    _, weights = attend(query, key, value, kernel=kernel, **settings)
    weights.dense()
    value.add_(1)  # the weights do not depend on it
    before = weights.dense()
    {"query": query, "key": key, "bias": bias, "mask": allowed}[changed].zero_()
    for ask in (weights.dense, weights.entropy, lambda: weights.scores(0, 2), lambda: weights.rows(0, 2)):
        with pytest.raises(RuntimeError, match="changed in place"):
            ask()
    assert before.shape == (2, 2, 5, 7)


def test_a_kept_matrix_outlives_changes_in_place() -> None:
    query, key, value = three(2, 2)
    _, weights = attend(query, key, value, kernel="dense")
    before = weights.dense().clone()
    query.zero_()
    assert torch.equal(weights.dense(), before)
    torch.testing.assert_close(weights.mass(), torch.ones(2, 2, 5, dtype=torch.float64))


@pytest.mark.parametrize("kernel", ["dense", "tiled", "fused"])
def test_weights_without_gradients(kernel: str) -> None:
    for quiet in (torch.no_grad(), torch.inference_mode()):
        with quiet:
            query, key, value = three(2, 2)
            _, weights = attend(query, key, value, kernel=kernel)
            torch.testing.assert_close(weights.dense(), reference.scaled_dot(query, key).softmax(-1))
            assert isinstance(weights, Weights)


def test_ranges_of_rows_and_numbers_that_are_none() -> None:
    _, weights = attend(*three())
    for first, last in ((-1, 2), (2, 2), (0, 6), (3, 1)):
        for ask in (weights.rows, weights.scores, lambda a, b: weights.collect(Observe(rows=(a, b)))):
            with pytest.raises(ValueError, match=r"rows: .* is not a range within 0 to 5 queries"):
                ask(first, last)
    with pytest.raises(ValueError, match="top: k must be 1 or more, came 0"):
        weights.top(0)
    with pytest.raises(ValueError, match="observe: top must be 0 or more, came -1"):
        Observe(top=-1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("kernel", ["dense", "tiled", "fused"])
def test_weights_of_half_precision_are_fp32(kernel: str, dtype: torch.dtype) -> None:
    tensors = three(2, 2, dtype=dtype)
    with tiles(32):
        context, weights = attend(*tensors, kernel=kernel, observe=Observe(mass=True))
        assert context.dtype == dtype
        assert weights.dense().dtype == torch.float32
        assert weights.observed is not None
        torch.testing.assert_close(weights.observed.mass, torch.ones(2, 2, 5))


def test_weights_are_short_in_an_interpreter() -> None:
    query, key = torch.randn(2, 3, 5, 4), torch.randn(2, 3, 7, 4)
    _, weights = attend(query, key, key, observe=Observe(top=2, entropy=True), kernel="tiled")
    assert repr(weights) == (
        "Weights((2, 3, 5, 7), as statistics of each row, observed: top_weights, top_keys, entropy)"
    )
    _, weights = attend(query, key, key, kernel="dense")
    assert repr(weights) == "Weights((2, 3, 5, 7), as a matrix)"
