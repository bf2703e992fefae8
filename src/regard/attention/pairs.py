"""Pair kernels: the three ways in which a prepared query meets a prepared key.

`scores(query, key, weight, out, work)` gives a tile (n, R, C), mostly in `out`; `gradients(query, key, weight, grad,
work)` returns
those of query, key and weight. `dense` is the same formula in plain differentiable operations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from regard.attention.products import product
from regard.attention.tiles import Spread, Workspace
from regard.attention.trees import static, tree

# Elements of one (queries x keys x score dim) block: large enough to hide the cost of a call, small enough for a cache.
BLOCK = 1 << 19

# The same for a user's function, which is called once for each: more, since the cost of a call is not ours to know.
FUNCTION_BLOCK = 1 << 23

Grads = tuple[Tensor, Tensor, tuple[Tensor, ...]]


@tree
class Dot:
    """s_ij = scale * q_i . k_j"""

    scale: float = static(default=1.0)

    @property
    def weights(self) -> tuple[Spread, ...]:
        return ()

    def dense(self, query: Tensor, key: Tensor, weights: tuple[Tensor, ...]) -> Tensor:
        return torch.matmul(query * self.scale if self.scale != 1.0 else query, key.mT)

    def scores(self, query: Tensor, key: Tensor, weights: tuple[Tensor, ...], out: Tensor, work: Workspace) -> Tensor:
        if self.scale != 1.0:
            query = torch.mul(query, self.scale, out=work.get("query", query.shape))
        if len(query) == 1:  # one slice: there may be a faster library for it than for many
            return product(query[0], key[0])[None]
        return torch.bmm(query, key.mT.expand(query.shape[0], -1, -1), out=out)

    def gradients(
        self, query: Tensor, key: Tensor, weights: tuple[Tensor, ...], grad: Tensor, work: Workspace
    ) -> Grads:
        key = key.expand(grad.shape[0], -1, -1)
        d_query = torch.bmm(grad, key, out=work.get("d_query", (*grad.shape[:2], key.shape[-1])))
        d_key = torch.bmm(grad.mT, query.expand(grad.shape[0], -1, -1), out=work.get("d_key", key.shape))
        if self.scale != 1.0:
            d_query.mul_(self.scale)
            d_key.mul_(self.scale)
        return d_query, d_key, ()


@tree
class Additive:
    """s_ij = w . tanh(q_i + k_j)   (Bahdanau, Cho & Bengio 2015, A.1.2; Luong's `concat` is the same function).

    tanh(q + k) = 1 - 2 r with r = 1 / (1 + e^(2q) e^(2k)): the exponentials are taken once per query and key, so that a
    pair costs a multiplication, a division and no transcendental. The block is recomputed in the backward pass.
    """

    weight: Spread  # (n, D)

    @property
    def weights(self) -> tuple[Spread, ...]:
        return (self.weight,)

    def dense(self, query: Tensor, key: Tensor, weights: tuple[Tensor, ...]) -> Tensor:
        return torch.matmul(torch.tanh(query[:, :, None] + key[:, None]), weights[0][:, None, :, None]).squeeze(-1)

    def scores(self, query: Tensor, key: Tensor, weights: tuple[Tensor, ...], out: Tensor, work: Workspace) -> Tensor:
        (weight,) = weights
        factors = _Factors(query, key)
        for n, q, k in _blocks(out.shape, query.shape[-1], BLOCK):
            part = out[n, q, k]
            block = factors.halves(n, q, k, work)
            column = _slices(weight, n)[:, :, None]
            sums = torch.matmul(block.flatten(1, 2), column).view(part.shape)
            torch.sub(column.sum(1, keepdim=True), sums, alpha=2.0, out=part)
        return out

    def gradients(
        self, query: Tensor, key: Tensor, weights: tuple[Tensor, ...], grad: Tensor, work: Workspace
    ) -> Grads:
        (weight,) = weights
        factors = _Factors(query, key)
        slices, rows, columns = grad.shape
        d_query = query.new_zeros(slices, rows, query.shape[-1])
        d_key = query.new_zeros(slices, columns, query.shape[-1])
        sums = query.new_zeros(slices, 1, query.shape[-1])  # of grad * r, for the gradient of the weight
        for n, q, k in _blocks(grad.shape, query.shape[-1], BLOCK):
            block = factors.halves(n, q, k, work)
            part = grad[n, q, k].contiguous()
            sums[n] += torch.bmm(part.flatten(1)[:, None], block.flatten(1, 2))
            # d tanh = 4 (r - r^2), times the gradient of the score; the weight itself is multiplied in at the end.
            block.addcmul_(block, block, value=-1.0).mul_(part[..., None])
            d_query[n, q] += block.sum(2)
            d_key[n, k] += block.sum(1)
        d_query *= 4.0 * weight[:, None]
        d_key *= 4.0 * weight[:, None]
        d_weight = grad.sum((1, 2), keepdim=True) - 2.0 * sums
        return d_query, d_key, (d_weight.squeeze(1),)


class _Factors:
    """r = 1 / (1 + e^(2q) e^(2k)) block by block; where the exponentials might overflow, from the tanh itself."""

    def __init__(self, query: Tensor, key: Tensor) -> None:
        limit = 40.0 if query.dtype == torch.float32 else 300.0
        # On a GPU looking at the data costs more than it saves, and a compiled graph can not.
        looking = query.is_cpu and not torch.compiler.is_compiling()
        self.separable = looking and all(x.numel() == 0 or float(x.abs().max()) < limit for x in (query, key))
        self.one = query.new_ones(())
        self.query, self.key = ((2.0 * x).exp_() if self.separable else x for x in (query, key))

    def halves(self, n: slice, q: slice, k: slice, work: Workspace) -> Tensor:
        query, key = _slices(self.query, n)[:, q, None], _slices(self.key, n)[:, None, k]
        shape = torch.broadcast_shapes(query.shape, key.shape)
        block = work.get("block", (n.stop - n.start, *shape[1:]))
        if self.separable:
            return torch.addcmul(self.one, query, key, out=block).reciprocal_()
        return torch.add(query, key, out=block).tanh_().mul_(-0.5).add_(0.5)


@tree
class Function:
    """s_ij = f(q_i, k_j): a user's function of a query tile (n, R, Dq) and a key tile (n, C, Dk), giving (n, R, C).

    It must compare pairs one by one, since it is called with different tiles of the same sequences. Tensors that it
    learns are its further arguments, `parameters`.
    """

    parameters: tuple[Spread, ...]
    function: Callable[..., Tensor] = static()

    @property
    def weights(self) -> tuple[Spread, ...]:
        return self.parameters

    def dense(self, query: Tensor, key: Tensor, weights: tuple[Tensor, ...]) -> Tensor:
        found = self.function(query, key, *weights)
        wanted = (max(query.shape[0], key.shape[0]), query.shape[1], key.shape[1])
        if not isinstance(found, Tensor) or not _fits(found.shape, wanted):
            gave = f"a tensor of shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(
                f"score: the function gave {gave} for a query tile {tuple(query.shape)} "
                f"and a key tile {tuple(key.shape)}; expected {wanted}"
            )
        return found.expand(wanted)  # a function that looks at the keys alone gives one slice for all

    def scores(self, query: Tensor, key: Tensor, weights: tuple[Tensor, ...], out: Tensor, work: Workspace) -> Tensor:
        for n, q, k in _blocks(out.shape, max(query.shape[-1], key.shape[-1]), FUNCTION_BLOCK):
            parts = tuple(_slices(w, n) for w in weights)
            out[n, q, k] = self.dense(_slices(query, n)[:, q], _slices(key, n)[:, k], parts)
        return out

    def check(self, query: Tensor, key: Tensor) -> None:
        """Refuse a function that closes over a tensor that would silently get no gradient from tiles."""
        parts = tuple(part.flat[:1].detach() for part in self.parameters)
        with torch.enable_grad():
            found = self.function(query[:1, :1].detach(), key[:1, :1].detach(), *parts)
            if isinstance(found, Tensor) and found.requires_grad:
                raise ValueError(
                    "score: the function uses a tensor that requires grad; "
                    "pass it by score=function(f, parameters=(...)) so that it gets its gradient"
                )

    def gradients(
        self, query: Tensor, key: Tensor, weights: tuple[Tensor, ...], grad: Tensor, work: Workspace
    ) -> Grads:
        inputs = (query, key, *weights)
        totals = [torch.zeros_like(x) for x in inputs]
        for n, q, k in _blocks(grad.shape, max(query.shape[-1], key.shape[-1]), FUNCTION_BLOCK):
            ranges = [(q,), (k,), *([()] * len(weights))]
            # What all slices share stays one, as the function saw it when it gave the scores.
            cuts = [(n if len(x) > 1 else slice(None), *more) for x, more in zip(inputs, ranges, strict=True)]
            leaves = [x[cut].detach().requires_grad_() for x, cut in zip(inputs, cuts, strict=True)]
            with torch.enable_grad():
                found = self.dense(leaves[0], leaves[1], tuple(leaves[2:]))
            if not found.requires_grad:
                continue
            parts = torch.autograd.grad(found, leaves, grad[n, q, k].sum_to_size(found.shape), allow_unused=True)
            for total, cut, part in zip(totals, cuts, parts, strict=True):
                if part is not None:
                    total[cut] += part
        return totals[0], totals[1], tuple(totals[2:])


def _fits(shape: tuple[int, ...], wanted: tuple[int, int, int]) -> bool:
    return len(shape) == 3 and shape[0] in (1, wanted[0]) and shape[1:] == wanted[1:]


Pair = Dot | Additive | Function


def _slices(tensor: Tensor, n: slice) -> Tensor:
    return tensor if tensor.shape[0] == 1 else tensor[n]


def _blocks(shape: tuple[int, ...], width: int, size: int) -> Iterator[tuple[slice, slice, slice]]:
    """Cut (slices, queries, keys) so that a block times `width` has about `size` elements; keys whole if they fit."""
    slices, queries, keys = shape
    room = max(size // max(width, 1), 1)
    k = min(keys, room)
    q = max(1, min(queries, room // max(k, 1)))
    n = max(1, min(slices, room // max(q * k, 1))) if (q, k) == (queries, keys) else 1
    for a in range(0, slices, n):
        for b in range(0, queries, q):
            for c in range(0, keys, max(k, 1)):
                yield (
                    slice(a, min(a + n, slices)),
                    slice(b, min(b + q, queries)),
                    slice(c, min(c + k, keys)),
                )
