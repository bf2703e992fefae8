"""Ways to the weights of one model: a GPT-2 of the usual size (12 layers, 12 heads, 768), its weights at random.

Run by itself with an interpreter that has the peer: `PYTHON benchmarks/observe_peers.py SIDE TOKENS`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

import measure

_VOCABULARY = 1000


def measured_peer(side: str, length: int) -> dict[str, Any]:
    """Seconds, peak MB, and the greatest difference of any weight from eager's."""
    if side in ("regard", "eager"):
        return run(side, length)
    command = [os.environ["REGARD_PEERS"], str(measure.HERE / "observe_peers.py"), side, str(length)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.strip().splitlines()[-1])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def run(side: str, length: int) -> dict[str, Any]:
    import torch
    import transformers as tf

    tf.logging.set_verbosity_error()
    torch.manual_seed(0)
    config = tf.GPT2Config(vocab_size=_VOCABULARY, bos_token_id=0, eos_token_id=0, pad_token_id=0)
    ids = torch.randint(3, _VOCABULARY, (1, length))
    found: Any = None

    def made(backend: str) -> Any:
        torch.manual_seed(0)
        return tf.GPT2LMHeadModel._from_config(config, attn_implementation=backend).eval()

    fused = made("sdpa")
    model = fused if side in ("regard", "attnread") else made("eager")
    ask = _SIDES[side](model)

    def work(given: Any) -> None:
        nonlocal found
        with torch.no_grad():
            found = ask(given)

    peak, seconds = measure.peak_mb(lambda: work(ids), lambda: work(ids[:, :8]))
    for _ in range(10 if seconds < 5 else 0):
        begin = time.perf_counter()
        work(ids)
        seconds = min(seconds, time.perf_counter() - begin)
    with torch.no_grad():
        right = made("eager")(ids, output_attentions=True).attentions
        before, after = fused(ids).logits, model(ids).logits
    result: dict[str, Any] = {"seconds": round(seconds, 3), "peak_mb": round(peak, 1)}
    if side != "inseq":
        result["difference"] = max(float((a - b).abs().max()) for a, b in zip(found, right, strict=True))
    else:
        result["steps"] = found
    result["same_outputs"] = bool(torch.equal(before, after))
    return result


def _regard(model: Any) -> Any:
    import regard

    def ask(ids: Any) -> Any:
        with regard.observe(model, dense=True) as seen:
            model(ids)
        return [layer.weights for layer in seen.at("decoder.self")]

    return ask


def _eager(model: Any) -> Any:
    return lambda ids: model(ids, output_attentions=True).attentions


def _bertviz(model: Any) -> Any:
    """As its examples do: all weights of eager attention, put into one tensor for the page."""
    from bertviz.util import format_attention

    return lambda ids: format_attention(model(ids, output_attentions=True).attentions)[:, None]


def _attnread(model: Any) -> Any:
    import torch
    from attnread import extract_attention

    def ask(ids: Any) -> Any:
        found = extract_attention(model, {"input_ids": ids})
        return [torch.stack([found["text", layer, head] for head in range(12)], 1) for layer in range(12)]

    return ask


def _inseq(model: Any) -> Any:
    """Attention as an attribution: a step of the model for each token of the output, here the second half."""
    import inseq
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {"<pad>": 0, **{f"w{number}": number for number in range(1, _VOCABULARY)}}
    made = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", bos_token="<pad>", eos_token="<pad>")
    tokenizer.name_or_path = model.config.name_or_path = "random"
    attributor = inseq.load_model(model, "attention", tokenizer=tokenizer)

    def ask(ids: Any) -> Any:
        text = [f"w{number}" for number in ids[0].tolist()]
        found = attributor.attribute(
            " ".join(text[: len(text) // 2]), " ".join(text), show_progress=False, pretty_progress=False
        )
        return int(found.sequence_attributions[0].target_attributions.shape[1])

    return ask


_SIDES = {"regard": _regard, "eager": _eager, "bertviz": _bertviz, "attnread": _attnread, "inseq": _inseq}


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], int(sys.argv[2]))))
