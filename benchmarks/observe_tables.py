"""The page of what observing costs, from the kept results."""

from __future__ import annotations

from typing import Any

import measure

_WAYS = {
    "regard": "`regard.observe(model, dense=True)`",
    "eager": "eager attention, `output_attentions=True`",
    "bertviz": "BertViz: eager attention, its weights put into one tensor",
    "inseq": "inseq: `attention` attribution of the second half, a token at a time",
    "attnread": "attnread: a pass of the model for each layer and each 64 keys",
}


def page(found: dict[str, dict[str, Any]]) -> str:
    """All tables, in Markdown."""
    done = {job: record["result"] for job, record in found.items() if "result" in record}
    parts = [
        "# Measured: observing models of transformers",
        "Written by `python benchmarks/observe.py` from `observe.jsonl`; `--peers PYTHON` for the last table.",
        measure.provenance(found),
    ]
    if "architectures" in done:
        parts += _architectures(done["architectures"])
    parts += _attention(done)
    parts += _models(done)
    parts += _peers(done, found)
    return "\n\n".join(parts) + "\n"


def _architectures(result: dict[str, Any]) -> list[str]:
    rows = []
    for row in result["rows"]:
        places = ", ".join(f"{place} {count}" for place, count in row["places"].items())
        if row["places"]:
            whole = "yes" if row["complete"] else "in part"
            rows.append((row["name"], row["backend"], places, f"{row['difference']:.1e}", _yes(row["same"]), whole))
        else:
            rows.append((row["name"], row["backend"], "-", "-", _yes(row["same"]), "can't be observed"))
    seen = sum(bool(row["places"]) for row in result["rows"])
    worst = max(row["difference"] for row in result["rows"] if row["places"])
    return [
        "## Architectures",
        f"transformers {result['transformers']}; small configurations, weights at random, a batch of two with padding "
        "where the kind has any. The greatest difference of any weight from what the same model returns with "
        "`attn_implementation='eager'` and `output_attentions=True`, over all layers; rows with nothing to attend to "
        "are zero here and left out (eager makes them even). Backend: what transformers chooses by itself; where that "
        f"is `eager`, its own weights are reduced. {seen} of {len(result['rows'])} architectures can be observed; the "
        f"greatest difference of all is {worst:.1e} (bar: 1e-5).",
        measure.table(
            ("model", "backend", "layers seen", "difference", "outputs the same to the bit", "all layers"), rows
        ),
        "Those that can't be observed compute their attention themselves; `regard.observe` names them, and eager "
        "attention with `output_attentions=True` is what remains.",
    ]


def _yes(true: bool) -> str:
    return "yes" if true else "NO"


def _attention(done: dict[str, Any]) -> list[str]:
    rows = []
    for job, result in done.items():
        if job.startswith("attention/"):
            _, length, kind = job.split("/")
            plain, observed = result["plain"]["median"], result["observed"]["median"]
            eager = result["eager"]["median"] if "eager" in result else "-"
            rows.append((int(length), kind, plain, observed, eager, float(result["cost"])))
    if not rows:
        return []
    kept = {side: done.get(f"memory/{side}", {}) for side in ("plain", "observed")}
    memory = ""
    if all(kept.values()):
        memory = (
            f" At 4,096 tokens the process grows by {kept['observed']['peak_mb']:.0f} MB at most, of which "
            f"{kept['observed']['kept_mb']:.0f} MB are the results; unobserved by {kept['plain']['peak_mb']:.0f} MB "
            "(bar: under 300 MB; all weights would be 9.7 GB)."
        )
    return [
        "## Attention alone",
        "12 layers of 12 heads of 64 that do nothing but attend, fp32: seconds for all of them plainly, observed "
        "(top 8, entropy, received), and eagerly with the same statistics taken of the weights by torch. The cost is "
        "what observing adds, as a multiple of the plain attention (bar at 4,096: 2; at 1,024: faster than eager)."
        + memory,
        measure.table(("tokens", "mask", "plain, s", "observed, s", "eager, s", "cost"), sorted(rows)),
    ]


def _models(done: dict[str, Any]) -> list[str]:
    rows = []
    if "bert/1024" in done:
        result = done["bert/1024"]
        rows.append(
            ("BERT-base, 1,024 tokens, top 8, entropy, received", result["plain"]["median"],
             result["observed"]["median"], result["eager"]["median"], f"{100 * result['cost']:.0f} %")
        )  # fmt: skip
    for request in ("top and entropy", "dense"):
        if f"generate/{request}" in done:
            result = done[f"generate/{request}"]
            what = "top 8 and entropy of all places" if request != "dense" else "all weights of the cross-attention"
            rows.append(
                (f"Marian 6 + 6, 5 beams, 200 new tokens, {what}", result["plain"]["median"],
                 result["observed"]["median"], "-", f"{100 * result['cost']:.0f} %")
            )  # fmt: skip
    if not rows:
        return []
    head = ("model", "plain, s", "observed, s", "eager, same statistics, s", "slower by")
    return ["## Whole models", "Bar for `generate`: at most 25 % slower.", measure.table(head, rows)]


def _peers(done: dict[str, Any], found: dict[str, dict[str, Any]]) -> list[str]:
    rows = []
    for side, way in _WAYS.items():
        job = f"peer/{side}/256"
        if job in done:
            result = done[job]
            wrong = f"{result['difference']:.1e}" if "difference" in result else "-"
            rows.append((way, result["seconds"], result["peak_mb"], wrong, _yes(result["same_outputs"])))
        elif job in found:
            rows.append((way, "-", "-", found[job].get("failed", ""), "-"))
    if not rows:
        return []
    head = ("way", "s", "MB", "difference from eager", "outputs those of sdpa, to the bit")
    return [
        "## Beside other tools",
        "All weights of a GPT-2 of the usual size (12 layers, 12 heads, 768; at random) for 256 tokens, fp32. "
        "The least seconds of 11 calls (of 1 where it takes over 5); by how many MB the process grew (weights: 38 MB). "
        "attnread pins other versions of torch and transformers; it ran here with those named above.",
        measure.table(head, rows),
    ]
