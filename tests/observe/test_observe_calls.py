"""What determines the weights of a call: every form in which masks and keys arrive, whole and by tiles."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from regard.attention import Observe
from regard.observe import calls
from regard.observe.calls import Call, reduced, weights
from regard.observe.patches import flash_call

B, H, G, Q, K, D = 2, 4, 2, 7, 9, 5
EVERYTHING = Observe(top=3, entropy=True, received=True, mass=True, rows=(0, Q))


def drawn() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(B, H, Q, D), torch.randn(B, G, K, D)


def expected(call: Call) -> Tensor:
    """The definition: one head after the other."""
    found = torch.zeros(B, H, Q, K)
    for b in range(B):
        for h in range(H):
            scores = call.query[b, h] @ call.key[b, h // (H // G)].T * call.scale
            if call.softcap is not None:
                scores = torch.tanh(scores / call.softcap) * call.softcap
            for q in range(Q):
                for k in range(K):
                    if call.offset is not None and k > q + call.offset:
                        scores[q, k] = -torch.inf
                    if call.before is not None and abs(q + (call.offset or 0) - k) > call.before:
                        scores[q, k] = -torch.inf
            if call.mask is not None:
                mask = call.mask.expand(B, H, Q, K)[b, h]
                scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
            if call.sinks is not None:
                scores = torch.cat([scores, call.sinks[h].expand(Q, 1)], 1)
            alive = (scores > -torch.inf).any(1)
            found[b, h, alive] = torch.softmax(scores[alive], 1)[:, :K]
    return found


def forms() -> dict[str, Call]:
    query, key = drawn()
    some = torch.rand(B, 1, Q, K) > 0.4
    some[0, 0, 2] = False  # a row with nothing to attend to
    return {
        "plain": Call(query, key, 0.3),
        "boolean": Call(query, key, 0.3, some),
        "added": Call(query, key, 1.0, torch.randn(1, H, Q, K)),
        "padding": Call(query, key, 0.3, torch.rand(B, 1, 1, K) > 0.3),
        "causal": Call(query, key, 0.3, offset=0),
        "continued": Call(query, key, 0.3, offset=K - Q),
        "window": Call(query, key, 0.3, offset=K - Q, before=2),
        "cap": Call(query, key, 2.0, some, softcap=1.5),
        "sinks": Call(query, key, 0.3, some, sinks=torch.randn(H)),
    }


@pytest.mark.parametrize("name", forms())
@pytest.mark.parametrize("tiled", [False, True])
def test_a_call_weighs_as_its_definition(name: str, tiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if tiled:
        monkeypatch.setattr(calls, "DENSE", 0)
    call = forms()[name]
    assert call.small is not tiled
    right = expected(call)
    found = reduced(call, EVERYTHING)
    torch.testing.assert_close(found.rows, right)
    torch.testing.assert_close(found.entropy, torch.special.entr(right).sum(-1))
    torch.testing.assert_close(found.received, right.sum(-2))
    torch.testing.assert_close(found.mass, right.sum(-1))
    torch.testing.assert_close(found.top_weights, right.topk(3).values)


@pytest.mark.parametrize("name", forms())
def test_heads_of_a_call(name: str) -> None:
    call = forms()[name]
    torch.testing.assert_close(weights(call.of_heads([2, 0])), expected(call)[:, [2, 0]])


def test_arguments_of_flash_attention_are_read() -> None:
    query, key = drawn()
    module = nn.Identity()
    padding = torch.ones(B, K, dtype=torch.long)
    padding[1, :2] = 0
    sinks = torch.randn(H)
    given = {"is_causal": True, "sliding_window": 3, "softcap": 2.0, "s_aux": sinks}
    found = flash_call(module, query, key, padding, 0.3, given)
    assert found is not None
    right = Call(query, key, 0.3, padding[:, None, None].bool(), offset=K - Q, before=2, softcap=2.0, sinks=sinks)
    torch.testing.assert_close(weights(found), expected(right))
    assert flash_call(module, query, key, object(), 0.3, {}) is None


def test_long_rows_equal_the_platforms_kernel() -> None:
    torch.manual_seed(0)
    query, key = torch.randn(1, 2, 1100, 16), torch.randn(1, 2, 1300, 16)
    call = Call(query, key, 0.25)
    assert not call.small
    found = reduced(call, Observe(rows=(0, 1100)))
    assert found.rows is not None
    value = torch.randn(1, 2, 1300, 16)
    torch.testing.assert_close(
        found.rows @ value, F.scaled_dot_product_attention(query, key, value, scale=0.25), atol=1e-5, rtol=1e-4
    )
