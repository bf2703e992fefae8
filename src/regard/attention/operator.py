"""The operator: compare queries with keys, normalise, take the weighted sum of the values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from regard.attention import masks as mask_kinds
from regard.attention import positions as position_kinds
from regard.attention.choice import SMALL, Choice, choose, fused_inputs
from regard.attention.kernels import dense as dense_kernel
from regard.attention.kernels import flex as flex_kernel
from regard.attention.kernels import fused as fused_kernel
from regard.attention.kernels import tiled as tiled_kernel
from regard.attention.masks import Mask
from regard.attention.names import NORMALIZERS, POSITIONS, SCORES, named
from regard.attention.normalizers import Normalizer
from regard.attention.observe import Observe, Observed, observe_tiles
from regard.attention.pairs import Function
from regard.attention.positions import Bias, Position, rotary_positions
from regard.attention.problem import Filter, Problem, raised, widen
from regard.attention.scores import Score, dot, function, scaled_dot
from regard.attention.tiles import Spread, spread
from regard.attention.weights import Weights, plain_weights, versions

_DEFAULTS: dict[str, Any] = {
    "score": "scaled_dot", "normalizer": "softmax", "mask": None, "filter": None, "bias": None,
    "position": None, "offset": 0, "check": False,
}  # fmt: skip


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    score: str | Score | Any = "scaled_dot",
    normalizer: str | Normalizer = "softmax",
    mask: Tensor | Mask | Sequence[Tensor | Mask] | None = None,
    filter: Filter | Sequence[Filter] | None = None,
    bias: Tensor | None = None,
    position: str | Position | rotary_positions | None = None,
    offset: int = 0,
    dropout: float = 0.0,
    observe: Observe | None = None,
    kernel: str = "auto",
    check: bool = False,
) -> tuple[Tensor, Weights]:
    """Attention: scores = F(query, key), weights = normalizer(scores), context = weights @ value.

    Args:
        query: (..., Q, D).
        key: (..., K, D); its leading dimensions broadcast with those of query and value.
        value: (..., K, V).
        score: `dot`, `scaled_dot`, `cosine:TEMPERATURE`, `distance:BANDWIDTH`; an object of `regard.attention.scores`
            (`bilinear(W)`, `additive(w)`, `location(W)`, ...); or a function of a query tile (n, R, D) and a key tile
            (n, C, D) that gives (n, R, C).
        normalizer: `softmax:TEMPERATURE`, `sparsemax`, `entmax15`, `entmax:ALPHA`, `sigmoid`, `top_k:K`,
            `threshold:P`, `argmax`; or an object of `regard.attention.normalizers`.
        mask: what may be attended to. A boolean tensor that broadcasts over (..., Q, K), True = may; a float tensor to
            be added, -inf = may not; `lengths(...)`, `causal()`, `window(...)`; `gaussian(...)`; or several of these.
        filter: hard attention by a condition: a function of `Scored` (scores, query, key, positions) that gives a
            boolean tile; what fails it weighs exactly 0, before the normalizer.
        bias: a tensor added to the scores, broadcasting over (..., Q, K); it gets a gradient.
        position: `rotary`, `alibi`, or `rotary_positions(...)`, `alibi(slopes)`, `relative(table)`.
        offset: the position of the first query on the axis of the keys, for masks and positions that compare them.
        dropout: the probability with which a weight is left out of the context; the weights that are shown are whole.
        observe: what is to be seen, answered in `weights.observed`.
        kernel: `auto`, or one of `dense`, `tiled`, `fused`, `flex` (see `explain`).
        check: whether to look for NaN in query, key and value.

    Returns:
        context (..., Q, V) in the dtype of value, and the weights (`Weights`), which are made only when asked for. A
        query with nothing to attend to has zero weights, context and gradients.

    Raises:
        ValueError: an argument does not fit; the message names it, what came, and what was expected.
    """
    if (
        kernel == "auto"
        and score == "scaled_dot"
        and normalizer == "softmax"
        and mask is None
        and filter is None
        and bias is None
        and position is None
        and not dropout
        and not check
        and _plain(query, key, value)
    ):
        scale = query.shape[3] ** -0.5
        context, lse = fused_kernel.flash(query, key, value, 0.0, False, attn_mask=None, scale=scale)
        weights = plain_weights(query, key, scale, lse)
        return context, weights if observe is None else _observed(weights, observe)
    call = _call(query, key, value, score, normalizer, mask, filter, bias, position, offset, dropout, check)
    chosen = choose(call.problem, call.value, dropout, kernel)
    problem = call.problem
    matrix = None
    row: tuple[Tensor, ...] = ()
    if chosen.kernel in ("fused", "flex"):
        fast = fused_kernel if chosen.kernel == "fused" else flex_kernel
        context, lse = fast.attend(*fused_inputs(problem, call.value))
        row = (lse,)
    else:
        problem, values = widen(problem), replace(call.value, flat=raised(call.value.flat))
        if chosen.kernel == "dense":
            context, matrix = dense_kernel.attend(problem, values, dropout)
        else:
            seed = torch.randint(1 << 62, ()) if dropout else torch.zeros((), dtype=torch.int64)
            context, row = tiled_kernel.attend(problem, values, dropout, seed)
    context = context.reshape(*problem.lead, *context.shape[-2:]).to(value.dtype)
    weights = Weights(matrix, problem, row, None, versions(problem))
    return context, weights if observe is None else _observed(weights, observe)


def observed(query: Tensor, key: Tensor, request: Observe, **settings: Any) -> Observed:
    """What `attend(..., observe=request)` would show of the weights, with no context computed.

    For weights that somebody else's kernel makes of the same queries and keys. The other arguments are those of
    `attend`; nothing is differentiable.
    """
    settings = {**_DEFAULTS, **settings}
    with torch.no_grad():
        problem = _call(query.detach(), key.detach(), key.detach(), dropout=0.0, **settings).problem
        return observe_tiles(widen(problem), None, request)


def _observed(weights: Weights, request: Observe) -> Weights:
    if not isinstance(request, Observe):
        raise ValueError(f"observe: came {_kind(request)}; expected Observe(...)")
    return Weights(weights.matrix, weights.source, weights.row, weights.collect(request), weights.versions)


def _plain(query: Tensor, key: Tensor, value: Tensor) -> bool:
    """Whether this is the common case, (B, H, n, D) throughout on the CPU, that goes straight to the fused kernel.

    It is what the general way would come to; only the time to find that out is spared.
    """
    if not (type(query) is type(key) is type(value) is Tensor and query.dim() == 4):
        return False
    shape, other = query.shape, key.shape
    if not (
        (other == shape or (shape[:2] == other[:2] and shape[3:] == other[3:]))
        and value.shape == other
        and 0 not in shape
        and other[2] > 0
        and query.is_cpu
        and query.dtype == key.dtype == value.dtype
        and query.device == key.device == value.device
        and query.is_floating_point()
    ):
        return False
    if torch.is_grad_enabled() and (query.requires_grad or key.requires_grad or value.requires_grad):
        return shape[0] * shape[1] * shape[2] * other[2] > SMALL
    return True


def explain(query: Tensor, key: Tensor, value: Tensor, **settings: Any) -> Choice:
    """Which kernel `attend` would run with these arguments, and why not a faster one; nothing is computed.

    The arguments are those of `attend`.
    """
    kernel, dropout = settings.pop("kernel", "auto"), settings.pop("dropout", 0.0)
    settings.pop("observe", None)
    call = _call(query, key, value, dropout=dropout, **{**_DEFAULTS, **settings})
    return choose(call.problem, call.value, dropout, kernel)


@dataclass(frozen=True)
class _Call:
    problem: Problem
    value: Spread


def _call(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    score: Any,
    normalizer: Any,
    mask: Any,
    filter: Any,
    bias: Tensor | None,
    position: Any,
    offset: int,
    dropout: float,
    check: bool,
) -> _Call:
    """Check the arguments and put them into the terms of a problem."""
    lead = _lead(query, key, value)
    if not 0.0 <= dropout < 1.0:
        raise ValueError(f"dropout: came {dropout}; expected a probability, at least 0 and under 1")
    if check:
        for name, tensor in (("query", query), ("key", key), ("value", value)):
            if bool(tensor.isnan().any()):
                raise ValueError(f"{name}: holds NaN")
    score = _score(score)
    if isinstance(normalizer, str):
        normalizer = named("normalizer", normalizer, NORMALIZERS)
    _expect("normalizer", normalizer, "bind", "a name, or an object like top_k(8)")
    queries, keys = query.shape[-2], key.shape[-2]
    if isinstance(position, str):
        position = _position(position, lead, query.device)
    if not isinstance(score, dot | scaled_dot):
        query, key = raised(query), raised(key)
    if isinstance(position, rotary_positions):
        query, key = position.rotate(query, key, offset)
        position = None
    prepared = score.keys(key)
    query = score.queries(query, prepared)
    terms = []
    if position is not None:
        _expect("position", position, "term", "a name, or an object like alibi(slopes)")
        terms.append(position.term(lead, queries, keys, offset))
    if bias is not None:
        if not isinstance(bias, Tensor) or not bias.is_floating_point():
            came = f"a tensor of {bias.dtype}" if isinstance(bias, Tensor) else type(bias).__name__
            raise ValueError(f"bias: came {came}; expected a floating-point tensor to be added")
        terms.append(Bias(_over_scores("bias", raised(bias), lead, queries, keys)))
    bound: list[mask_kinds.BoundMask] = []
    factors: list[mask_kinds.Gaussian] = []
    for one in mask if isinstance(mask, list | tuple) else (() if mask is None else (mask,)):
        if not isinstance(one, Tensor):
            _expect("mask", one, "bind", "a tensor, or lengths(...), causal(), window(...), gaussian(...)")
            part = one.bind(lead, query.device)
            for centre in part.parts:
                if "q" in centre.axes and centre.flat.shape[-1] not in (1, queries):
                    raise ValueError(
                        f"mask: {type(one).__name__} came with {centre.flat.shape[-1]} centres; "
                        f"expected one for each of the {queries} queries"
                    )
            (factors if isinstance(part, mask_kinds.Gaussian) else bound).append(part)
        elif one.dtype == torch.bool:
            bound.append(mask_kinds.Boolean(_over_scores("mask", one, lead, queries, keys)))
        elif one.is_floating_point():
            terms.append(Bias(_over_scores("mask", raised(one), lead, queries, keys)))
        else:
            raise ValueError(f"mask: came a tensor of {one.dtype}; expected torch.bool, or floating point to be added")
    filters = () if filter is None else tuple(filter) if isinstance(filter, list | tuple) else (filter,)
    for one in filters:
        _expect("filter", one, "__call__", "a function of Scored")
    problem = Problem(
        query=spread(query, lead, "qd", "score"),
        key=spread(prepared.key, lead, "kd", "score"),
        pair=score.pair(lead, prepared.key.shape[-1]),
        terms=tuple(terms),
        masks=tuple(bound),
        normalizer=normalizer.bind(lead),
        factors=tuple(factors),
        filters=filters,
        lead=tuple(lead),
        offset=offset,
    )
    if isinstance(problem.pair, Function) and torch.is_grad_enabled() and not torch.compiler.is_compiling():
        problem.pair.check(problem.query.flat, problem.key.flat)
    return _Call(problem, spread(value, lead, "kd"))


def _lead(query: Tensor, key: Tensor, value: Tensor) -> torch.Size:
    """The common leading dimensions, after a check of all shapes and kinds."""
    for name, tensor in (("query", query), ("key", key), ("value", value)):
        if not isinstance(tensor, Tensor) or tensor.dim() < 2 or not tensor.is_floating_point():
            came = f"a {tensor.dtype} of shape {tuple(tensor.shape)}" if isinstance(tensor, Tensor) else _kind(tensor)
            raise ValueError(f"{name}: came {came}; expected a floating-point tensor (..., length, dim)")
        if tensor.dtype != query.dtype or tensor.device != query.device:
            raise ValueError(
                f"{name}: came as {tensor.dtype} on {tensor.device}; "
                f"expected the query's {query.dtype} on {query.device}"
            )
    if key.shape[-2] != value.shape[-2]:
        raise ValueError(
            f"value: came with {value.shape[-2]} values; expected one for each of the {key.shape[-2]} keys"
        )
    if key.shape[-2] == 0:
        raise ValueError("key: came with no keys at all; mask them instead")
    lead = query.shape[:-2]
    if key.shape[:-2] == lead and value.shape[:-2] == lead:
        return lead
    try:
        return torch.Size(torch.broadcast_shapes(lead, key.shape[:-2], value.shape[:-2]))
    except RuntimeError:
        raise ValueError(
            f"key: the leading dimensions of query {tuple(query.shape)}, key {tuple(key.shape)} and value "
            f"{tuple(value.shape)} do not broadcast"
        ) from None


def _score(score: Any) -> Score:
    if isinstance(score, str):
        return named("score", score, SCORES)  # type: ignore[no-any-return]
    if hasattr(score, "pair") and not isinstance(score, type):
        return score  # type: ignore[no-any-return]
    if callable(score) and not isinstance(score, type):
        return function(score)
    raise ValueError(f"score: came {_kind(score)}; expected a name, a score, or a function of two tiles")


def _expect(argument: str, came: Any, method: str, expected: str) -> None:
    """ValueError unless `came` is an object (not a class) with this method."""
    if isinstance(came, type) or not hasattr(came, method):
        raise ValueError(f"{argument}: came {_kind(came)}; expected {expected}")


def _kind(came: Any) -> str:
    return f"the class {came.__name__}" if isinstance(came, type) else type(came).__name__


def _position(name: str, lead: torch.Size, device: torch.device) -> Any:
    if name == "alibi":
        return position_kinds.alibi(position_kinds.alibi_slopes(lead[-1] if lead else 1).to(device))
    return named("position", name, {**POSITIONS, "alibi": position_kinds.alibi})


def _over_scores(name: str, tensor: Tensor, lead: torch.Size, queries: int, keys: int) -> Spread:
    """A tensor that broadcasts over the scores, as a spread."""
    wanted = (*lead, queries, keys)
    try:
        fits = tuple(torch.broadcast_shapes(tensor.shape, wanted)) == wanted
    except RuntimeError:
        fits = False
    if not fits:
        raise ValueError(f"{name}: came with shape {tuple(tensor.shape)}; expected one that broadcasts over {wanted}")
    while tensor.dim() < 2:
        tensor = tensor[None]
    return spread(tensor, lead, "qk")
