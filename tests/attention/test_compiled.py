"""Compiled and exported graphs give what eager calls give. (No shape checks here: they would be traced.)"""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor, nn

from regard.attention import additive, attend, causal, softmax, sparsemax
from regard.attention.trees import describe, rebuild

WEIGHT = torch.linspace(-1, 1, 8)
PAIRS = {
    "fused": {},
    "fused causal": {"mask": causal()},
    "dense entmax15": {"normalizer": "entmax15", "kernel": "dense"},
    "tiled entmax15": {"normalizer": "entmax15", "kernel": "tiled"},
    "tiled top_k": {"normalizer": "top_k:2", "kernel": "tiled"},
    "tiled additive": {"score": additive(WEIGHT), "kernel": "tiled"},
    "user's function": {"score": lambda q, k: -(q[:, :, None] - k[:, None]).abs().sum(-1)},
}


class Call(nn.Module):
    def __init__(self, settings: dict[str, object]) -> None:
        super().__init__()
        self.settings = settings

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return attend(query, key, value, **self.settings)[0]  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _their_warnings():
    """Torch's compiler warns about its own use of deprecated parts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch._dynamo.reset()
        yield


def inputs(grad: bool) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 2, 5, 8, generator=generator).requires_grad_(grad) for _ in range(3)]


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS)
def test_compiled_without_a_break(pair: str) -> None:
    grad = not pair.startswith("fused")
    call, tensors = Call(PAIRS[pair]), inputs(grad)
    expected, found = call(*tensors), torch.compile(call, fullgraph=True)(*tensors)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    if grad:
        ours = torch.autograd.grad(found.square().sum(), tensors)
        torch.testing.assert_close(ours, torch.autograd.grad(expected.square().sum(), tensors), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("pair", PAIRS)
def test_exported(pair: str) -> None:
    call, tensors = Call(PAIRS[pair]), inputs(grad=False)
    program = torch.export.export(call, tuple(tensors))
    torch.testing.assert_close(program.module()(*tensors), call(*tensors), atol=1e-6, rtol=1e-6)


def test_compiled_dropout_is_drawn_anew() -> None:
    call = Call({"normalizer": "entmax15", "kernel": "tiled", "dropout": 0.5})
    compiled, tensors = torch.compile(call, fullgraph=True), inputs(grad=False)
    assert not torch.equal(compiled(*tensors), compiled(*tensors))


def test_the_operator_keeps_torchs_rules() -> None:
    from regard.attention.operator import _call

    query, key, value = inputs(grad=True)
    call = _call(query, key, value, "dot", "entmax15", causal(), None, None, None, 0, 0.0, False)
    leaves: list[Tensor] = []
    description = repr(describe((call.problem, call.value), leaves))
    torch.library.opcheck(torch.ops.regard.tiled, (leaves, description, 0.0, torch.zeros((), dtype=torch.int64)))


def test_a_description_rebuilds_its_tree() -> None:
    tree = (softmax(temperature=WEIGHT).bind(torch.Size([8])), sparsemax().bind(torch.Size([8])))
    leaves: list[Tensor] = []
    rebuilt = rebuild(repr(describe(tree, leaves)), [leaf * 2 for leaf in leaves])
    assert torch.equal(rebuilt[0].parts[0].flat, WEIGHT * 2)
    assert rebuilt[0].learned
    assert rebuilt[1].alpha == 2.0
