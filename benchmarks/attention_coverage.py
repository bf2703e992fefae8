"""What works with what: runs every pair of score and normalizer and writes docs/attention-coverage.md.

    python benchmarks/attention_coverage.py                 all that has not been run yet, and the document
    python benchmarks/attention_coverage.py --minutes 9     the same in pieces: repeat until nothing is left
    python benchmarks/attention_coverage.py --only compile --again

A cell says what happened: `yes` where the pair ran and agreed with its comparison, or why it did not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from measure import HERE, RESULTS, arguments, drive, provenance, records, table

SCORES = (
    "dot", "scaled_dot", "bilinear", "additive", "cosine", "cosine (learned temperature)", "distance", "location",
    "function", "function (learned)",
)  # fmt: skip
NORMALIZERS = (
    "softmax", "softmax (learned temperature)", "softmax (sink)", "sparsemax", "entmax15", "entmax:1.3",
    "entmax (learned alpha)", "sigmoid", "top_k:4", "threshold:0.1", "argmax",
)  # fmt: skip
MASKS = (
    "none", "lengths", "boolean", "additive", "causal", "window", "window (centres)", "gaussian", "several",
    "nothing allowed", "filter", "bias (learned)", "alibi", "relative (learned)", "rotary", "dropout",
)  # fmt: skip
DTYPES = ("float64", "float32", "bfloat16", "float16")
GRAPH_SCORES = ("scaled_dot", "additive", "cosine", "distance", "function")
GRAPH_NORMALIZERS = (
    "softmax", "sparsemax", "entmax15", "entmax:1.3", "sigmoid", "top_k:4", "threshold:0.1", "argmax",
)  # fmt: skip
GRAPH_KERNELS = ("auto", "tiled")
DEVICES = ("cuda", "mps")

JOBS = (
    "kernels",
    *(f"masks/{score}" for score in SCORES),
    *(f"dtypes/{score}" for score in SCORES),
    *(f"device/{name}" for name in DEVICES),
    *(
        f"{how}/{score}/{normalizer}/{kernel}"
        for how in ("compile", "export")
        for kernel in GRAPH_KERNELS
        for score in GRAPH_SCORES
        for normalizer in GRAPH_NORMALIZERS
    ),
)
DOCUMENT = HERE.parent / "docs" / "attention-coverage.md"
Result = dict[str, Any]


def main() -> None:
    parser = arguments("What works with what in attention.", "attention_coverage.py")
    settings = parser.parse_args()
    if settings.job:
        kind, *rest = settings.job.split("/")
        print(json.dumps(KINDS[kind](*rest)))
        return
    path = RESULTS / "attention_coverage.jsonl"
    drive("attention_coverage.py", JOBS, path, settings)
    if not settings.list:
        report(path)


# --- what is run, each in a process of its own ---


def _outcome(run: Callable[[], str]) -> str:
    """What `run` says, or the error in a few words."""
    try:
        return run()
    except Exception as error:  # whatever happens is the result
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        inner = re.search(
            r"got (\w+)\(['\"](.{,60}?)['\"][,)]", str(error)
        )  # what a compiler wraps in words of its own
        text = f"{inner[1]}: {inner[2]}" if inner else f"{type(error).__name__}: {lines[0] if lines else ''}"
        return text if len(text) <= 100 else text[:97] + "..."


def kernels() -> Result:
    """Which kernel runs for a large problem in training, and why not a faster one."""
    import regard.attention as ra
    from attention_recipes import Sizes, tensors
    from attention_recipes import arguments as make

    sizes = Sizes(8, 2048, 2048, 64)
    query, key, value = tensors(sizes)
    found: Result = {}
    for score in SCORES:
        for normalizer in NORMALIZERS:
            choice = ra.explain(query, key, value, **make(score, normalizer, "none", sizes).settings)
            found[f"{score}/{normalizer}"] = [choice.kernel, *choice.passed_over[:1]]
    return found


def masks(score: str) -> Result:
    """Context and gradients of the tiled and fused kernels beside whole matrices, for every normalizer and mask."""
    return {mask: {name: _outcome(lambda m=mask, n=name: _mask(score, n, m)) for name in NORMALIZERS} for mask in MASKS}


def _mask(score: str, normalizer: str, mask: str) -> str:
    wanted = _run(score, normalizer, mask, "dense")
    able = ["dense"]
    for kernel in ("tiled", "fused"):
        try:
            found = _run(score, normalizer, mask, kernel)
        except ValueError as refused:
            if "can't run here" not in str(refused):
                raise
            continue
        if mask != "dropout":  # each kernel draws for itself
            _compare(found, wanted, 1e-4, f"{kernel} and dense")
        able.append(kernel)
    return ", ".join(able)


def _run(score: str, normalizer: str, mask: str, kernel: str, dtype: str = "float32", device: str = "cpu") -> list[Any]:
    """Context and gradients of everything that is learned."""
    import torch

    import regard.attention as ra
    from attention_recipes import Sizes, tensors
    from attention_recipes import arguments as make

    sizes = Sizes(2, 24, 24, 8)
    torch.set_default_dtype(getattr(torch, dtype))
    with torch.device(device):
        made, inputs = make(score, normalizer, mask, sizes), tensors(sizes, getattr(torch, dtype))
    context = ra.attend(*inputs, **made.settings, kernel=kernel)[0]
    if context.dtype != inputs[2].dtype:
        raise TypeError(f"the context came as {context.dtype}")
    wanted = [*inputs, *made.learned]
    gradients = torch.autograd.grad(context.sum(), wanted, allow_unused=True)
    return [context, *(torch.zeros_like(x) if g is None else g for g, x in zip(gradients, wanted, strict=True))]


def _compare(found: list[Any], wanted: list[Any], tolerance: float, what: str) -> None:
    for number, (a, b) in enumerate(zip(found, wanted, strict=True)):
        a, b = a.detach().double().cpu(), b.detach().double().cpu()
        error = float((a - b).abs().max()) / max(1.0, float(b.abs().max()))
        if not error <= tolerance:
            raise ArithmeticError(
                f"{what} differ by {error:.1e} in {f'gradient {number}' if number else 'the context'}"
            )


def dtypes(score: str) -> Result:
    """Forward and gradients in every dtype, for all normalizers, by whole matrices and by tiles."""
    return {
        dtype: {name: _outcome(lambda d=dtype, n=name: _dtype(score, n, d)) for name in NORMALIZERS} for dtype in DTYPES
    }


def _dtype(score: str, normalizer: str, dtype: str) -> str:
    import torch

    tolerance = {"float64": 1e-9, "float32": 1e-4, "bfloat16": 3e-2, "float16": 5e-3}[dtype]
    dense, tiled = (_run(score, normalizer, "none", kernel, dtype) for kernel in ("dense", "tiled"))
    if not all(bool(torch.isfinite(x).all()) for x in (*dense, *tiled)):
        raise ArithmeticError("not finite")
    _compare(tiled, dense, tolerance, "tiled and dense")
    return "yes"


def device(name: str) -> Result:
    """Every pair on a device beside the CPU, by the kernel that is chosen there; nothing where there is none."""
    import torch

    available = torch.cuda.is_available() if name == "cuda" else torch.backends.mps.is_available()
    if not available:
        return {"available": False}

    def beside_cpu(score: str, normalizer: str) -> str:
        found = _run(score, normalizer, "none", "auto", device=name)
        cpu = _run(score, normalizer, "none", "dense")
        # Devices draw differently, so that only what is finite and of the same shape can be told here.
        if not all(bool(torch.isfinite(a).all()) and a.shape == b.shape for a, b in zip(found, cpu, strict=True)):
            raise ArithmeticError("not finite")
        _compare(found, _run(score, normalizer, "none", "tiled", device=name), 1e-3, "auto and tiled")
        return "yes"

    pairs = {s: {n: _outcome(lambda s=s, n=n: beside_cpu(s, n)) for n in NORMALIZERS} for s in SCORES}
    return {"available": True, "name": torch.cuda.get_device_name() if name == "cuda" else "Apple GPU", "pairs": pairs}


def _graph_call(score: str, normalizer: str, kernel: str) -> tuple[Callable[..., Any], list[Any]]:
    """A function of query, key, value and a weight, and inputs for it."""
    import torch

    import regard.attention as ra
    from attention_recipes import Sizes, city_block, tensors

    weight = torch.linspace(0.5, 1.5, 8).requires_grad_()

    def call(query: Any, key: Any, value: Any, weight: Any) -> Any:
        chosen = ra.additive(weight) if score == "additive" else city_block if score == "function" else score
        return ra.attend(query, key, value, score=chosen, normalizer=normalizer, kernel=kernel)[0]

    return call, [*tensors(Sizes(2, 16, 16, 8)), weight]


def _gradients(call: Callable[..., Any], inputs: list[Any]) -> list[Any]:
    import torch

    context = call(*inputs)
    found = torch.autograd.grad(context.square().sum(), inputs, allow_unused=True)
    return [context, *(torch.zeros_like(x) if g is None else g for g, x in zip(found, inputs, strict=True))]


def compiled(score: str, normalizer: str, kernel: str) -> Result:
    """Forward and backward of the graph compiled whole, beside eager."""
    import torch

    call, inputs = _graph_call(score, normalizer, kernel)

    def run() -> str:
        compiled = torch.compile(call, fullgraph=True)
        _compare(_gradients(compiled, inputs), _gradients(call, inputs), 1e-4, "compiled and eager")
        return "yes"

    return {"outcome": _outcome(run)}


def exported(score: str, normalizer: str, kernel: str) -> Result:
    """The exported program beside eager, forward."""
    import torch

    call, inputs = _graph_call(score, normalizer, kernel)

    class Wrapped(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(inputs[3].detach())

        def forward(self, query: Any, key: Any, value: Any) -> Any:
            return call(query, key, value, self.weight)

    def run() -> str:
        module, three = Wrapped(), tuple(x.detach() for x in inputs[:3])
        with torch.no_grad():
            program = torch.export.export(module, three).module()
            _compare([program(*three)], [module(*three)], 1e-4, "exported and eager")
        return "yes"

    return {"outcome": _outcome(run)}


KINDS: dict[str, Callable[..., Result]] = {
    "kernels": kernels,
    "masks": masks,
    "dtypes": dtypes,
    "device": device,
    "compile": compiled,
    "export": exported,
}


# --- the document ---


def report(path: Path) -> None:
    found = {job: record for job, record in records(path).items() if job in JOBS}
    done = {job: record["result"] for job, record in found.items() if "result" in record}
    failed = {job: record["failed"] for job, record in found.items() if "failed" in record}
    parts = [
        "# What works with what in `regard.attention`",
        "Written by `python benchmarks/attention_coverage.py`, which ran every cell; do not edit. Correctness beside "
        "the definition, case by case, is in `benchmarks/results/attention_correctness.md`.",
        provenance(found),
        *_kernels(done),
        *_masks(done),
        *_dtypes(done),
        *_devices(done),
        *_graphs(done, failed),
    ]
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print(f"wrote {DOCUMENT}")


def _kernels(done: Result) -> Iterator[str]:
    if found := done.get("kernels"):
        yield "## Kernels"
        yield (
            "The kernel that `auto` chooses on a CPU for 8 heads of 64, 2,048 queries and keys, in training. Problems "
            "of up to about a million elements run as whole matrices (`dense`); `explain(...)` says it for any call."
        )
        rows = [(score, *(found[f"{score}/{name}"][0] for name in NORMALIZERS)) for score in SCORES]
        yield table(("score", *NORMALIZERS), rows)
        reasons = sorted({reason[1] for _, *why in found.values() for reason in why})
        yield "Why not the fused kernel:\n\n" + "\n".join(f"- {reason}" for reason in reasons)


def _masks(done: Result) -> Iterator[str]:
    tables = {score: done[f"masks/{score}"] for score in SCORES if f"masks/{score}" in done}
    if not tables:
        return
    yield "## Masks, filters, biases and positions"
    yield (
        "The kernels that can do it, each run forward and backward and compared with whole matrices; for all "
        f"normalizers ({', '.join(NORMALIZERS)}). `fused` is among them for plain softmax alone."
    )
    rows = [(mask, *(_every(tables[score][mask]) for score in tables)) for mask in MASKS]
    yield table(("mask", *tables), rows)


def _every(cells: dict[str, str]) -> str:
    """One cell for all normalizers: what they have in common, or what went wrong with which."""
    wrong = {name: cell for name, cell in cells.items() if not cell.startswith(("dense", "yes"))}
    if wrong:
        return "; ".join(f"{name}: {cell}" for name, cell in wrong.items())
    return max(cells.values(), key=len)


def _dtypes(done: Result) -> Iterator[str]:
    tables = {score: done[f"dtypes/{score}"] for score in SCORES if f"dtypes/{score}" in done}
    if tables:
        yield "## Precisions"
        yield (
            "Forward and gradients for all normalizers, by whole matrices and by tiles, which agree; half precisions "
            "are computed in fp32."
        )
        yield table(("score", *DTYPES), [(s, *(_every(tables[s][d]) for d in DTYPES)) for s in tables])


def _devices(done: Result) -> Iterator[str]:
    yield "## Devices"
    rows = [("cpu", "measured: all tables of this page")]
    details = []
    for name in DEVICES:
        found = done.get(f"device/{name}", {"available": False})
        if not found["available"]:
            rows.append((name, "not measured"))
            continue
        cells = [cell for row in found["pairs"].values() for cell in row.values()]
        rows.append((name, f"measured on {found['name']}: {cells.count('yes')} of {len(cells)} pairs"))
        pairs = [(score, *(row[n] for n in NORMALIZERS)) for score, row in found["pairs"].items()]
        details += [f"### {name}", table(("score", *NORMALIZERS), pairs)]
    yield table(("device", "state"), rows)
    yield from details


def _graphs(done: Result, failed: Result) -> Iterator[str]:
    titles = {
        "compile": ("`torch.compile(fullgraph=True)`", "Forward and backward, compared with eager."),
        "export": ("`torch.export`", "Forward of the exported program, compared with eager."),
    }
    for how, (title, text) in titles.items():
        yield f"## {title}"
        yield text + " 2 heads, 16 queries and keys."
        for kernel in GRAPH_KERNELS:
            rows = []
            for score in GRAPH_SCORES:
                cells = []
                for normalizer in GRAPH_NORMALIZERS:
                    job = f"{how}/{score}/{normalizer}/{kernel}"
                    cells.append(done[job]["outcome"] if job in done else failed.get(job, "not run"))
                rows.append((score, *cells))
            yield f"`kernel='{kernel}'`:"
            yield table(("score", *GRAPH_NORMALIZERS), rows)


if __name__ == "__main__":
    main()
