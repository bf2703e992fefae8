"""What each job of `attention.py` measures, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

import regard.attention as ra
from attention_kernels import crossover, spike
from attention_recipes import Sizes, arguments, drawn, tensors, train
from measure import alternate, peak_mb

Result = dict[str, Any]


def measure(job: str, quick: bool) -> Result:
    """The result of a job by its name, `kind/argument/...`."""
    kind, *rest = job.split("/")
    return KINDS[kind](*rest, quick=quick)


# --- bar 2: what Regard adds to the fused call ---


def overhead(size: str, *, quick: bool) -> Result:
    shape = {"tiny": (1, 1, 2, 4), "small": (32, 8, 64, 32), "large": (1, 8, 2048, 64)}[size]
    inputs = drawn(*shape)
    calls = {"tiny": 100, "small": 1, "large": 1}[size]
    with torch.no_grad():
        times = alternate(
            {
                "sdpa": lambda: F.scaled_dot_product_attention(*inputs),
                "regard": lambda: ra.attend(*inputs),
            },
            seconds=0.3 if quick else 20.0,
            most=20 if quick else 5000,
            calls=calls,
        )
        context, weights = ra.attend(*inputs)
        eager = torch.softmax(inputs[0] @ inputs[1].mT * shape[-1] ** -0.5, -1)
        wrong = float((weights.dense() - eager).abs().max())
    added, low, high = (1e6 * x for x in times.added("regard", "sdpa"))
    return {
        **times.summary(),
        "added_us": round(1e6 * (times.median("regard") - times.median("sdpa")), 2),
        "least_added_us": round(1e6 * (times.least("regard") - times.least("sdpa")), 2),
        "paired_us": round(added, 2),
        "paired_us_95": [round(low, 2), round(high, 2)],
        "fused_calls": _fused_calls(inputs),
        "error_of_weights": wrong,
        "error_of_context": float((context - F.scaled_dot_product_attention(*inputs)).abs().max()),
    }


class _Count(TorchDispatchMode):
    """How often the fused kernel is called, and everything else."""

    def __init__(self) -> None:
        super().__init__()
        self.fused = self.others = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "scaled_dot_product" in str(function):
            self.fused += 1
        else:
            self.others += 1
        return function(*args, **(kwargs or {}))


def _fused_calls(inputs: list[Tensor]) -> dict[str, int]:
    with torch.no_grad(), _Count() as count:
        ra.attend(*inputs)
    return {"fused": count.fused, "others": count.others}


# --- bars 3 and 4: against naive broadcasting, and eager attention with the `entmax` package ---


def _sides_of_additive(shape: tuple[int, int, int]) -> tuple[dict[str, Callable[[], object]], list[Tensor]]:
    inputs = drawn(*shape)
    weight = torch.randn(shape[-1]).requires_grad_()

    def naive() -> Tensor:
        scores = torch.tanh(inputs[0][:, :, None] + inputs[1][:, None]) @ weight
        return torch.softmax(scores, -1) @ inputs[2]

    def ours() -> Tensor:
        return ra.attend(*inputs, score=ra.additive(weight))[0]

    wanted = [*inputs, weight]
    return {"regard": lambda: train(ours, wanted), "naive": lambda: train(naive, wanted)}, wanted


def _sides_of_sparse(shape: tuple[int, ...], name: str) -> tuple[dict[str, Callable[[], object]], list[Tensor]]:
    import entmax

    inputs = drawn(*shape)
    query, key, value = inputs

    def package() -> Tensor:
        scores = query @ key.mT * shape[-1] ** -0.5
        return getattr(entmax, name)(scores, dim=-1) @ value

    def ours() -> Tensor:
        return ra.attend(query, key, value, normalizer=name)[0]

    return {"regard": lambda: train(ours, inputs), "entmax package": lambda: train(package, inputs)}, inputs


ADDITIVE = {"512": (4, 512, 256), "30": (64, 30, 256)}


def additive(what: str, size: str, side: str = "", *, quick: bool) -> Result:
    shape = ADDITIVE[size] if not quick else (2, 64, 64)
    sides, _ = _sides_of_additive(shape)
    return _compared(what, sides, side, lambda: _sides_of_additive((1, 4, 8))[0], "naive", quick)


def sparse(what: str, name: str, side: str = "", *, quick: bool) -> Result:
    shape = (1, 8, 2048, 64) if not quick else (1, 2, 256, 16)
    sides, _ = _sides_of_sparse(shape, name)
    return _compared(what, sides, side, lambda: _sides_of_sparse((1, 1, 8, 4), name)[0], "entmax package", quick)


def _compared(
    what: str,
    sides: dict[str, Callable[[], Any]],
    side: str,
    tiny: Callable[[], dict[str, Callable[[], object]]],
    peer: str,
    quick: bool,
) -> Result:
    """Time of all sides in turn, or the peak memory of one."""
    if what == "memory":
        mb, seconds = peak_mb(sides[side], tiny()[side])
        return {"mb": round(mb, 1), "seconds": round(seconds, 3)}
    pairs = zip(sides["regard"](), sides[peer](), strict=True)
    wrong = max(float((a - b).abs().max()) / max(1.0, float(b.abs().max())) for a, b in pairs)
    times = alternate(sides, seconds=0.5 if quick else 30.0, least=2 if quick else 7, most=200)
    return {**times.summary(), "ratio": round(times.ratio(peer, "regard"), 2), "greatest_difference": wrong}


def empty_row(name: str, *, quick: bool) -> Result:
    """What becomes of a query that may attend to nothing: ours, the package's exact function, and its bisection."""
    import entmax

    inputs = drawn(1, 1, 4, 8)
    allowed = torch.ones(4, 4, dtype=torch.bool)
    allowed[1] = False
    exact = getattr(entmax, name)
    alpha = {"entmax15": 1.5, "sparsemax": 2.0}[name]

    def eager(normalize: Callable[[Tensor], Tensor]) -> Tensor:
        scores = (inputs[0] @ inputs[1].mT * 8**-0.5).masked_fill(~allowed, float("-inf"))
        return normalize(scores) @ inputs[2]

    return {
        "regard": _outcome(lambda: ra.attend(*inputs, normalizer=name, mask=allowed)[0], inputs),
        "entmax package, exact": _outcome(lambda: eager(lambda s: exact(s, dim=-1)), inputs),
        "entmax package, bisection": _outcome(
            lambda: eager(lambda s: entmax.entmax_bisect(s, alpha=alpha, dim=-1)), inputs
        ),
    }


def _outcome(attention: Callable[[], Tensor], inputs: list[Tensor]) -> str:
    try:
        context = attention()
        gradients = torch.autograd.grad(context.sum(), inputs)
    except (RuntimeError, ValueError, IndexError) as error:
        return f"raises {type(error).__name__}: {str(error).splitlines()[0]}"
    bad = [
        name
        for name, tensor in zip(("context", "d query", "d key", "d value"), (context, *gradients), strict=True)
        if bool(tensor.isnan().any())
    ]
    if bad:
        return f"NaN in {', '.join(bad)}"
    zero = not bool(context[..., 1, :].any()) and not bool(gradients[0][..., 1, :].any())
    return "zeros, and gradients of zero" if zero else "weights that were forbidden"


# --- bar 5: long sequences ---


def long(score: str, normalizer: str, *, quick: bool) -> Result:
    """Forward and backward of 16,384 queries and keys, 8 heads of 64 (additive: score dim 16), once."""
    length = 2048 if quick else 16384
    torch.manual_seed(0)
    width = 16 if score == "additive" else 64
    query, key = (torch.randn(1, 8, length, width).requires_grad_() for _ in "qk")
    value = torch.randn(1, 8, length, 64).requires_grad_()
    weight = torch.randn(8, width).requires_grad_()
    inputs = [query, key, value, *([weight] if score == "additive" else [])]
    chosen = ra.additive(weight) if score == "additive" else score

    settings = {"score": chosen, "normalizer": normalizer}
    kernel = ra.explain(query, key, value, **settings).kernel

    def run() -> object:
        return train(lambda: ra.attend(query, key, value, **settings)[0], inputs)

    def warm_up() -> object:
        few = [x[..., :16, :].detach().requires_grad_() for x in (query, key, value)]
        return train(lambda: ra.attend(*few, **settings, kernel=kernel)[0], few)

    mb, seconds = peak_mb(run, warm_up)
    return {"mb": round(mb, 1), "seconds": round(seconds, 1), "kernel": kernel}


def linear(score: str, normalizer: str, mask: str, *, quick: bool) -> Result:
    """Extra memory of one training step with 2,048 and with 4,096 queries and keys, 2 heads, dim 16."""
    lengths = {"2k": 512, "4k": 1024} if quick else {"2k": 2048, "4k": 4096}
    few = Sizes(2, 8, 8, 16)
    found: Result = {}
    for name, length in lengths.items():
        sizes = Sizes(2, length, length, 16)
        kernel = ra.explain(*tensors(sizes), **arguments(score, normalizer, mask, sizes).settings).kernel
        steps = (_step(score, normalizer, mask, one, kernel) for one in (sizes, few))
        found[name] = round(peak_mb(*steps)[0], 1)
        found["kernel"] = kernel
    return {**found, "ratio": round(found["4k"] / max(found["2k"], 0.1), 2)}


def _step(score: str, normalizer: str, mask: str, sizes: Sizes, kernel: str) -> Callable[[], object]:
    made, inputs = arguments(score, normalizer, mask, sizes), tensors(sizes)
    wanted = [*inputs, *made.learned]

    def run() -> object:
        context = ra.attend(*inputs, **made.settings, kernel=kernel)[0]
        return torch.autograd.grad(context, wanted, torch.ones_like(context), allow_unused=True)

    return run


# --- bar 6: observation ---

REQUEST = ra.Observe(top=8, entropy=True, argmax=True, received=True)


def _eager_statistics(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
    weights = torch.softmax(query @ key.mT * query.shape[-1] ** -0.5, -1)
    top = weights.topk(8)
    entropy = torch.special.entr(weights).sum(-1)
    return weights @ value, top.values, top.indices, entropy, weights.argmax(-1), weights.sum(-2)


def observe(what: str, side: str = "", *, quick: bool) -> Result:
    inputs = drawn(1, 8, 4096, 64) if not quick else drawn(1, 2, 512, 16)
    few = drawn(1, 1, 16, 4)

    @torch.no_grad()
    def observed(three: list[Tensor]) -> object:
        return ra.attend(*three, observe=REQUEST)

    @torch.no_grad()
    def eager(three: list[Tensor]) -> object:
        return _eager_statistics(*three)

    if what == "memory":
        run = {"regard": observed, "eager": eager}[side]
        mb, seconds = peak_mb(lambda: run(inputs), lambda: run(few))
        return {"mb": round(mb, 1), "seconds": round(seconds, 3)}
    with torch.no_grad():
        weights = ra.attend(*inputs)[1]
        times = alternate(
            {
                "sdpa": lambda: F.scaled_dot_product_attention(*inputs),
                "observation": lambda: weights.collect(REQUEST),
                "attend and observe": lambda: observed(inputs),
                "eager": lambda: eager(inputs),
            },
            seconds=0.5 if quick else 60.0,
            least=2 if quick else 7,
            most=100,
        )
        found, wanted = weights.collect(REQUEST), _eager_statistics(*inputs)
    assert found.entropy is not None
    assert found.received is not None
    assert found.top_weights is not None
    same = ((found.top_weights, wanted[1]), (found.entropy, wanted[3]), (found.received, wanted[5]))
    return {
        **times.summary(),
        "observation_over_sdpa": round(times.ratio("observation", "sdpa"), 2),
        "eager_over_ours": round(times.ratio("eager", "attend and observe"), 2),
        "greatest_difference": max(float((a - b).abs().max()) for a, b in same),
    }


# --- a step of a decoder ---


def step(batch: str, masked: str, *, quick: bool) -> Result:
    """One query for each example, 20 places, dim 256: the module's step against its bare tensor operations."""
    torch.manual_seed(0)
    count, places, dim = int(batch), 20, 256
    module = ra.Attention(dim, score="additive", project="scores")
    source, query = torch.randn(count, places, dim), torch.randn(count, 1, dim)
    allowed = torch.arange(places) < torch.randint(5, places + 1, (count, 1)) if masked == "mask" else None
    queries, vector = module.query_projection, module.score_weight[0]

    @torch.no_grad()
    def ours() -> Tensor:
        return module.step(query, memory)[0]

    @torch.no_grad()
    def bare() -> Tensor:
        scores = torch.tanh(nn.functional.linear(query, queries.weight, queries.bias) + projected) @ vector
        if allowed is not None:
            scores = scores.masked_fill(~allowed, float("-inf"))
        return torch.softmax(scores, -1)[:, None] @ source

    with torch.no_grad():
        memory, projected = module.prepare(source, allowed), module.key_projection(source)
    wrong = float((ours() - bare()).abs().max())
    times = alternate(
        {"regard": ours, "bare": bare}, seconds=0.3 if quick else 10.0, most=20 if quick else 2000, calls=20
    )
    added, low, high = (1e6 * x for x in times.added("regard", "bare"))
    return {
        **times.summary(unit=1e6),
        "added_us": round(added, 2),
        "added_us_95": [round(low, 2), round(high, 2)],
        "greatest_difference": wrong,
    }


KINDS: dict[str, Callable[..., Result]] = {
    "overhead": overhead,
    "additive": additive,
    "sparse": sparse,
    "empty_row": empty_row,
    "long": long,
    "linear": linear,
    "observe": observe,
    "spike": spike,
    "step": step,
    "crossover": crossover,
}
