"""What it costs to observe models of transformers, and whether the weights are right.

    python benchmarks/observe.py [--peers PYTHON] [--only NAME] [--quick]

Weights and outputs are compared for small models of many architectures (`observe_models.py`); times are of real sizes,
with weights drawn at random. `--peers` names an interpreter that has bertviz, inseq and attnread besides transformers.
Results are kept in `results/observe.jsonl`, the tables of them in `results/observe.md`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import measure

RESULTS = measure.RESULTS / "observe.jsonl"
PEERS = ("eager", "bertviz", "inseq", "attnread")
_LAYERS, _HEADS, _WIDTH = 12, 12, 64


def jobs() -> Iterator[str]:
    yield "architectures"
    yield from (f"attention/{length}/{kind}" for length in (1024, 4096) for kind in ("all", "causal"))
    yield from (f"memory/{side}" for side in ("plain", "observed"))
    yield "bert/1024"
    yield from (f"generate/{request}" for request in ("top and entropy", "dense"))
    yield from (f"peer/{side}/256" for side in ("regard", *PEERS))


def measured(job: str, quick: bool) -> dict[str, Any]:
    kind, *rest = job.split("/")
    if kind == "architectures":
        return architectures()
    if kind == "attention":
        return attention(256 if quick else int(rest[0]), rest[1] == "causal", quick)
    if kind == "memory":
        return memory(rest[0] == "observed", 512 if quick else 4096)
    if kind == "bert":
        return bert(128 if quick else int(rest[0]), quick)
    if kind == "generate":
        return generate(rest[0] == "dense", 20 if quick else 200)
    from observe_peers import measured_peer

    return measured_peer(rest[0], 64 if quick else int(rest[1]))


# --- values ---


def architectures() -> dict[str, Any]:
    """Every architecture: places, the greatest difference of any weight from eager's, whether outputs are the same."""
    import transformers

    from observe_compared import compared
    from observe_models import cases

    transformers.logging.set_verbosity_error()
    rows = []
    for case in cases():
        found = compared(case)
        rows.append(
            {
                "name": case.name,
                "backend": found.backend,
                "places": found.places,
                "difference": found.difference if found.places else None,
                "same": found.same_outputs,
                "complete": found.layers == found.expected_layers,
                "refusal": found.refusal,
            }
        )
    return {"transformers": transformers.__version__, "rows": rows}


# --- time of attention alone ---


def _attention(length: int, causal: bool) -> tuple[Any, Any]:
    """A module of 12 layers that does nothing but attend, and its inputs."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Layer(nn.Module):
        def forward(self, query: Any, key: Any, value: Any) -> Any:
            return F.scaled_dot_product_attention(query, key, value, is_causal=causal)

    class Layers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(Layer() for _ in range(_LAYERS))

        def forward(self, query: Any, key: Any, value: Any) -> Any:
            context = None
            for layer in self.layers:
                context = layer(query, key, value)
            return context

    torch.manual_seed(0)
    return Layers(), [torch.randn(1, _HEADS, length, _WIDTH) for _ in range(3)]


def attention(length: int, causal: bool, quick: bool) -> dict[str, Any]:
    """The attention of 12 layers plainly, observed, and eagerly with the same statistics taken of its weights."""
    import torch

    import regard
    from regard.observe import Observe

    model, inputs = _attention(length, causal)
    query, key, value = inputs
    above = torch.ones(length, length).triu(1).bool() if causal else None

    def observed() -> object:
        with regard.observe(model, Observe(top=8, entropy=True, received=True)) as seen:
            model(*inputs)
        return seen

    def eager() -> object:
        found = []
        for _ in range(_LAYERS):
            scores = query @ key.mT * _WIDTH**-0.5
            weights = torch.softmax(scores if above is None else scores.masked_fill(above, -torch.inf), -1)
            found.append((weights.topk(8), torch.special.entr(weights).sum(-1), weights.sum(-2), weights @ value))
        return found

    sides: dict[str, Callable[[], object]] = {"plain": lambda: model(*inputs), "observed": observed}
    if length <= 1024:
        sides["eager"] = eager
    with torch.no_grad():
        times = measure.alternate(sides, seconds=1.0 if quick else 40.0, least=2 if quick else 5, most=15)
    found = {**times.summary(1.0), "cost": round(times.ratio("observed", "plain") - 1, 3)}
    if "eager" in sides:
        found["eager_over_observed"] = round(times.ratio("eager", "observed"), 2)
    return found


def memory(watched: bool, length: int) -> dict[str, Any]:
    """By how much the process grows at most, in MB, and what is kept in the end."""
    import torch

    import regard
    from regard.observe import Observe

    model, inputs = _attention(length, False)
    _, few = _attention(64, False)
    kept = 0

    def run(given: Any) -> None:
        nonlocal kept
        with torch.no_grad():
            if not watched:
                model(*given)
                return
            with regard.observe(model, Observe(top=8, entropy=True, received=True)) as seen:
                model(*given)
            kept = seen.bytes

    peak, _ = measure.peak_mb(lambda: run(inputs), lambda: run(few))
    return {"peak_mb": round(peak, 1), "kept_mb": round(kept / 1e6, 1)}


# --- whole models ---


def bert(length: int, quick: bool) -> dict[str, Any]:
    """BERT-base with weights at random: plainly, observed, and with eager attention and the same statistics."""
    import torch
    import transformers as tf

    import regard
    from regard.observe import Observe

    torch.manual_seed(0)
    config = tf.BertConfig(max_position_embeddings=max(512, length))
    model = tf.BertModel(config).eval()
    inputs = torch.randint(1000, 20_000, (1, length))

    def plain() -> object:
        model.set_attn_implementation("sdpa")
        return model(inputs)

    def observed() -> object:
        model.set_attn_implementation("sdpa")
        with regard.observe(model, Observe(top=8, entropy=True, received=True)) as seen:
            model(inputs)
        return seen

    def eager() -> object:
        model.set_attn_implementation("eager")
        weights = model(inputs, output_attentions=True).attentions
        return [(w.topk(8), torch.special.entr(w).sum(-1), w.sum(-2)) for w in weights]

    with torch.no_grad():
        sides = {"plain": plain, "observed": observed, "eager": eager}
        times = measure.alternate(sides, seconds=1.0 if quick else 60.0, least=2 if quick else 5, most=15)
    return {**times.summary(1.0), "cost": round(times.ratio("observed", "plain") - 1, 3)}


def generate(dense: bool, steps: int) -> dict[str, Any]:
    """5 beams and 200 tokens of a Marian of the usual size (6 + 6 layers, 512, 8 heads), a source of 60 tokens."""
    import torch
    import transformers as tf

    import regard
    from regard.observe import Observe

    tf.logging.set_verbosity_error()
    torch.manual_seed(0)
    config = tf.MarianConfig(
        vocab_size=32_000, d_model=512, encoder_layers=6, decoder_layers=6, encoder_attention_heads=8,
        decoder_attention_heads=8, encoder_ffn_dim=2048, decoder_ffn_dim=2048, max_position_embeddings=512,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=0, forced_eos_token_id=None,
    )  # fmt: skip
    model = tf.MarianMTModel(config).eval()
    given = {"input_ids": torch.randint(3, 30_000, (1, 60)), "attention_mask": torch.ones(1, 60, dtype=torch.long)}
    settings = {"num_beams": 5, "max_new_tokens": steps, "min_new_tokens": steps, "return_dict_in_generate": True}

    def plain() -> object:
        return model.generate(**given, **settings)

    def observed() -> object:
        request = None if dense else Observe(top=8, entropy=True)
        with regard.observe(model, request, dense=dense, places="cross" if dense else None):
            return model.generate(**given, **settings)

    with torch.no_grad():
        times = measure.alternate({"plain": plain, "observed": observed}, seconds=60.0, least=3, most=9)
    return {**times.summary(1.0), "cost": round(times.ratio("observed", "plain") - 1, 3)}


# --- the tables ---


def written(found: dict[str, dict[str, Any]]) -> str:
    """The results as a page."""
    from observe_tables import page

    return page(found)


def main() -> None:
    parser = measure.arguments(__doc__ or "", "observe.py")
    parser.add_argument("--peers", default="", help="an interpreter with bertviz, inseq and attnread")
    settings = parser.parse_args()
    if settings.job:
        print(json.dumps(measured(settings.job, settings.quick)))
        return
    if settings.peers:
        os.environ["REGARD_PEERS"] = settings.peers
    names = [job for job in jobs() if "REGARD_PEERS" in os.environ or not job.startswith("peer/") or "regard" in job]
    if settings.list:
        measure.drive("observe.py", names, RESULTS, settings)
        return
    measure.drive("observe.py", names, RESULTS, settings)
    if not settings.quick:
        (measure.RESULTS / "observe.md").write_text(written(measure.records(RESULTS)), encoding="utf-8")


if __name__ == "__main__":
    main()
