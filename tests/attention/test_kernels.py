"""The choice of a kernel and its reasons; the fused kernels against the definition."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from attending import attended, three, tiles
from torch import Tensor

from regard.attention import alibi, attend, causal, explain, function, gaussian, lengths, reference, softmax, window
from regard.attention.kernels import flex

_BIG = {"q": 600, "k": 600}  # times 4 slices: more weights than whole matrices are chosen for


def _chosen(*lead: int, q: int = 5, k: int = 7, grad: bool = False, **settings: Any) -> tuple[str, dict[str, str]]:
    query, key, value = three(*lead, q=q, k=k)
    choice = explain(query.requires_grad_(grad), key, value, **settings)
    return choice.kernel, dict(choice.passed_over)


def test_dot_products_under_softmax_are_fused() -> None:
    for settings in (
        {},
        {"score": "cosine:0.3"},
        {"score": "distance"},
        {"position": "rotary"},
        {"normalizer": "softmax:2"},
        {"mask": lengths(torch.tensor([[3], [7]]))},
        {"mask": [causal(), lengths(torch.tensor([[3], [7]]))]},
        {"mask": torch.ones(5, 7) > 0},
        {"bias": torch.ones(7)},
    ):
        assert _chosen(2, 2, **settings) == ("fused", {})  # type: ignore[arg-type]
    assert _chosen(2, 2, grad=True, **_BIG)[0] == "fused"


def test_small_training_and_small_sizes_are_dense_and_the_rest_is_tiled() -> None:
    kernel, why = _chosen(2, 2, grad=True)
    assert kernel == "dense"
    assert "training" in why["fused"]
    kernel, why = _chosen(2, 2, normalizer="entmax15")
    assert kernel == "dense"
    assert "entmax" in why["fused"]
    assert "one tile" in why["tiled"]
    kernel, why = _chosen(2, 2, normalizer="entmax15", **_BIG)
    assert kernel == "tiled"
    assert "Q x K" in why["dense"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"score": function(lambda q, k: q @ k.mT)}, "the score is function"),
        ({"normalizer": "sigmoid"}, "the normalizer is sigmoid"),
        ({"normalizer": softmax(sink=torch.zeros(2))}, "sink"),
        ({"dropout": 0.1}, "dropout"),
        ({"filter": lambda seen: seen.scores > 0}, "filter"),
        ({"mask": gaussian(torch.zeros(5), 1.0)}, "Gaussian"),
        ({"mask": window(2)}, "window"),
        ({"mask": causal(), "offset": 1}, "causal from an offset"),
        ({"position": "alibi"}, "position term"),
        ({"bias": torch.zeros(7, requires_grad=True)}, "a bias is learned"),
        ({"bias": torch.zeros(5, 7), "mask": torch.ones(5, 7) > 0}, "several masks"),
    ],
)
def test_what_a_fused_kernel_can_not_do_is_said_and_refused(settings: dict[str, Any], reason: str) -> None:
    kernel, why = _chosen(2, 2, **settings)
    assert kernel == "dense"
    assert reason in why["fused"]
    assert reason in str(explain(*three(2, 2), **settings))
    with pytest.raises(ValueError, match=f"kernel: fused can't run here: .*{reason}"):
        attend(*three(2, 2), kernel="fused", **settings)


def test_a_kernel_of_another_device_is_refused() -> None:
    with pytest.raises(ValueError, match="kernel: flex can't run here: it is not for cpu"):
        attend(*three(), kernel="flex")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("width", [2, 4, 9])
@pytest.mark.parametrize("lead", [(), (3,), (2, 3), (2, 1, 3)], ids=str)
def test_fused_is_the_definition_for_any_width_and_leading_dimensions(
    lead: tuple[int, ...], width: int, dtype: torch.dtype
) -> None:
    tensors = [x.requires_grad_() for x in three(*lead, v=width, dtype=dtype)]
    exact = [x.detach().double().requires_grad_() for x in tensors]
    boolean = torch.rand(5, 7, generator=torch.Generator().manual_seed(0)) < 0.7
    rising = torch.arange(7) <= torch.arange(5)[:, None]
    masks: list[tuple[Any, Tensor]] = [(None, torch.ones(5, 7) > 0), (causal(), rising)]
    if len(lead) < 3:  # a mask over more than two leading dimensions is refused
        length = torch.tensor(4)
        masks += [
            (lengths(length), (torch.arange(7) < 4).expand(5, 7)),
            (boolean, boolean),
            ([boolean, causal()], boolean & rising),
            ([lengths(length), causal()], (torch.arange(7) < 4) & rising),
        ]
    close = {"rtol": 5e-2, "atol": 5e-2} if dtype == torch.bfloat16 else {"rtol": 1e-4, "atol": 1e-5}
    for mask, allowed in masks:
        context, weights = attended(*tensors, mask=mask, kernel="fused")
        scores = reference.scaled_dot(exact[0], exact[1])
        wanted, all_weights = reference.attend(scores, allowed.expand(scores.shape), exact[2], reference.softmax)
        assert context.dtype == dtype
        torch.testing.assert_close(context.double(), wanted, **close)
        torch.testing.assert_close(weights.double(), all_weights, **close)
        found = torch.autograd.grad(context.square().sum() + weights.square().sum(), tensors)
        expected = torch.autograd.grad(wanted.square().sum() + all_weights.square().sum(), exact)
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a.double(), b, **close)


@pytest.mark.parametrize("kernel", ["fused", "tiled", "dense", "auto"])
@pytest.mark.parametrize("shape", [(0, 2, 5), (2, 0, 5), (2, 2, 0)], ids=str)
def test_nothing_comes_of_nothing(shape: tuple[int, ...], kernel: str) -> None:
    """No examples, no heads, or no queries."""
    query, (_, key, value) = torch.zeros(*shape, 4), three(*shape[:2], dtype=torch.float32)
    if kernel == "fused":
        with pytest.raises(ValueError, match="kernel: fused can't run here: there are no queries"):
            attend(query, key, value, kernel=kernel)
    else:
        context, weights = attended(query, key, value, kernel=kernel)
        assert context.shape == (*shape, 4)
        assert weights.shape == (*shape, 7)


@pytest.mark.parametrize("score", ["cosine", "distance"])
def test_half_precision_is_fused_with_scores_prepared_in_fp32(score: str) -> None:
    tensors = three(2, 2, dtype=torch.bfloat16)
    context, weights = attended(*tensors, score=score, kernel="fused")
    wanted, all_weights = attended(*(x.double() for x in tensors), score=score, kernel="dense")
    assert context.dtype == torch.bfloat16
    torch.testing.assert_close(context.double(), wanted, rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(weights.double(), all_weights, rtol=1e-5, atol=1e-5)


def test_a_bias_stays_exact_beside_half_precision() -> None:
    tensors = three(2, 2, dtype=torch.bfloat16)
    bias = 200 + torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    _, weights = attended(*tensors, bias=bias, kernel="fused")
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, 5), rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile:UserWarning")
@pytest.mark.parametrize("width", [4, 6])
@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("shape", [None, (1, 1, 5, 7), (2, 1, 1, 7), (1, 2, 1, 7)], ids=str)
def test_the_fused_kernel_of_a_gpu_uncompiled(shape: tuple[int, ...] | None, is_causal: bool, width: int) -> None:
    query, key, value = three(2, 2, v=width, dtype=torch.float32)
    bias, added, allowed = None, torch.zeros(()), torch.ones(2, 2, 5, 7) > 0
    if shape is not None:
        added = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        forbidden = torch.zeros(shape) > 0
        forbidden[..., :2] = True  # with a causal mask two queries have nothing to attend to
        bias, allowed = added.masked_fill(forbidden, -torch.inf), allowed & ~forbidden
    if is_causal:
        allowed = allowed & (torch.arange(7) <= torch.arange(5)[:, None])
    context, lse = flex.attend(query, key, value, 0.5, is_causal, bias)
    scores = query @ key.mT * 0.5 + added
    wanted, _ = reference.attend(scores, allowed, value, reference.softmax)
    torch.testing.assert_close(context, wanted)
    sums = scores.masked_fill(~allowed, -torch.inf).logsumexp(-1)
    torch.testing.assert_close(lse, sums.masked_fill(~allowed.any(-1), torch.inf))


@pytest.mark.parametrize("normalizer", ["softmax", "entmax15", "top_k:3", "argmax"])
def test_results_do_not_depend_on_the_size_of_tiles(normalizer: str) -> None:
    found = []
    for elements in (1, 10, 25, 64, 1 << 20):
        with tiles(elements):
            tensors = [x.requires_grad_() for x in three(2, 3)]
            context, weights = attended(*tensors, normalizer=normalizer, kernel="tiled", position=alibi(torch.ones(3)))
            found.append((context, weights, *torch.autograd.grad(context.sin().sum(), tensors)))
    for one in found[1:]:
        for a, b in zip(one, found[0], strict=True):
            torch.testing.assert_close(a, b)
