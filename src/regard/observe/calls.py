"""One call of attention, as the model's own backend got it, and what is to be seen of its weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from regard.attention import Observe, Observed, causal, function, observed, softmax, window
from regard.attention.observe import observe_dense

#: Up to so many weights of a call the whole matrix is made at once: there is no memory to be saved.
DENSE = 1 << 20


@dataclass(frozen=True)
class Call:
    """What determines the weights of one call: softmax(cap(scale q k) + mask), B sequences, H heads.

    query (B, H, Q, D) and key (B, G, K, D), H a multiple of G. `mask` broadcasts over (B, H, Q, K): boolean, True = may
    be attended to, or to be added. `offset` is the position of the first query on the axis of the keys under a causal
    mask, None without one. `before` is how many keys before itself a query sees at most. `sinks` (H) take weight and
    give none. `matrix` (B, H, Q, K) holds the weights themselves where the backend gave them.
    """

    query: Tensor
    key: Tensor
    scale: float
    mask: Tensor | None = None
    offset: int | None = None
    before: int | None = None
    softcap: float | None = None
    sinks: Tensor | None = None
    matrix: Tensor | None = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """B, H, Q, K."""
        if self.matrix is not None:
            return tuple(self.matrix.shape)  # type: ignore[return-value]
        batch, heads, queries, _ = self.query.shape
        return max(batch, self.key.shape[0]), heads, queries, self.key.shape[2]

    @property
    def small(self) -> bool:
        """Whether the whole matrix may be made: because it is small, or because it is a single row of each head."""
        batch, heads, queries, keys = self.shape
        return self.matrix is not None or queries == 1 or batch * heads * queries * keys <= DENSE

    def of_heads(self, heads: list[int]) -> Call:
        """The call of some heads alone; negative numbers count from the end."""
        count = self.shape[1]
        heads = [head % count for head in heads]
        if self.matrix is not None:
            return replace(self, matrix=self.matrix[:, heads])
        group = count // self.key.shape[1]
        mask, sinks = self.mask, self.sinks
        if mask is not None and mask.dim() >= 3 and mask.shape[-3] != 1:
            mask = mask[..., heads, :, :]
        return replace(
            self,
            query=self.query[:, heads],
            key=self.key[:, [head // group for head in heads]],
            mask=mask,
            sinks=None if sinks is None else sinks[heads],
        )


@torch.no_grad()
def weights(call: Call) -> Tensor:
    """The matrix (B, H, Q, K) in fp32 (fp64 for fp64); a row with nothing to attend to is zero."""
    if call.matrix is not None:
        return _wide(call.matrix)
    batch, heads, queries, keys = call.shape
    query, key = _wide(call.query), _wide(call.key)
    group = heads // key.shape[1]
    scores = torch.matmul((query * call.scale).reshape(-1, key.shape[1], group * queries, query.shape[-1]), key.mT)
    scores = scores.view(batch, heads, queries, keys)
    if call.softcap is not None:
        scores = scores.div_(call.softcap).tanh_().mul_(call.softcap)
    forbids = call.offset is not None or call.before is not None
    if forbids:
        scores.masked_fill_(~_positions(call, scores.device), float("-inf"))
    if call.mask is not None:
        forbids = True
        if call.mask.dtype == torch.bool:
            scores = scores.masked_fill_(~call.mask, float("-inf"))
        else:
            scores = scores.add_(call.mask)
    if call.sinks is not None:
        sinks = _wide(call.sinks).view(1, heads, 1, 1).expand(batch, heads, queries, 1)
        found = torch.softmax(torch.cat([scores, sinks], -1), -1)[..., :-1]
    else:
        found = torch.softmax(scores, -1)
    return found.nan_to_num_(0.0) if forbids else found


@torch.no_grad()
def reduced(call: Call, request: Observe) -> Observed:
    """What is asked for, (B, H, ...), without the matrix wherever that would be large."""
    if call.small:
        return reduced_matrix(weights(call), request)
    batch, heads = call.shape[:2]
    groups = call.key.shape[1]
    lead = (batch, groups, heads // groups)

    def spread_out(tensor: Tensor) -> Tensor:  # (B, H or 1, Q, K) over (B, G, H / G, Q, K)
        tensor = tensor.reshape((1,) * (4 - tensor.dim()) + tuple(tensor.shape))
        return tensor[:, :, None] if tensor.shape[1] == 1 else tensor.unflatten(1, lead[1:])

    masks: list[Any] = []
    if call.offset is not None:
        masks.append(causal())
    if call.before is not None:
        masks.append(window(call.before))
    if call.mask is not None:
        masks.append(spread_out(call.mask))
    query = (call.query * call.scale).expand(batch, -1, -1, -1).unflatten(1, lead[1:])
    key = call.key.expand(batch, -1, -1, -1)[:, :, None]
    found = observed(
        query,
        key,
        request,
        score="dot" if call.softcap is None else function(_capped(call.softcap)),
        normalizer=softmax(sink=None if call.sinks is None else _wide(call.sinks).view(lead[1:])),
        mask=masks,
        offset=call.offset or 0,
    )
    return _changed(found, lambda tensor: tensor.reshape(batch, heads, *tensor.shape[3:]))


def reduced_matrix(matrix: Tensor, request: Observe) -> Observed:
    """The same from a matrix of weights (B, H, Q, K)."""
    return observe_dense(matrix.flatten(0, 1), request, tuple(matrix.shape[:2]))


def _changed(found: Observed, change: Any) -> Observed:
    """Every tensor of what was found, changed."""
    names = ("top_weights", "top_keys", "entropy", "argmax", "received", "support", "mass", "rows")
    return Observed(**{name: None if (part := getattr(found, name)) is None else change(part) for name in names})


def _positions(call: Call, device: torch.device) -> Tensor:
    """What the causal mask and the window allow, (Q, K)."""
    _, _, queries, keys = call.shape
    query = torch.arange(queries, device=device)[:, None] + (call.offset or 0)
    key = torch.arange(keys, device=device)
    allowed = torch.ones(queries, keys, dtype=torch.bool, device=device)
    if call.offset is not None:
        allowed &= key <= query
    if call.before is not None:
        allowed &= (query - key).abs() <= call.before
    return allowed


def _capped(cap: float) -> Any:
    def score(query: Tensor, key: Tensor) -> Tensor:
        return torch.tanh(torch.matmul(query, key.mT) / cap) * cap

    return score


def _wide(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor
