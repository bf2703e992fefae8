"""OpenNMT-py 3.5: its own training and inference, under a torch that it was not made for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

# Its checkpoints hold an argparse.Namespace, which torch 2.6 and later load only if told so.
os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"

import onmt.utils.loss
import yaml
from driver import (
    DATA,
    DECODED_AT_ONCE,
    ENDLESS,
    FORCED,
    RUNS,
    TO_MAKE,
    Meter,
    Task,
    family,
    measure_decoding,
    task,
)
from onmt.bin.train import main as train_main
from onmt.bin.translate import _get_parser
from onmt.inference_engine import InferenceEnginePY
from onmt.utils.parse import ArgumentParser

PACKAGES = ("OpenNMT-py",)
ATTENTIONS = {"additive": "mlp", "bilinear": "general"}


def config(asked: Task, updates: int) -> dict[str, Any]:
    common = {
        "data": {"corpus": {"path_src": str(DATA / "train.pieces.en"), "path_tgt": str(DATA / "train.pieces.de")}},
        "src_vocab": str(DATA / "counts.txt"),
        "tgt_vocab": str(DATA / "counts.txt"),
        "share_vocab": True,
        "src_vocab_size": 8000,
        "tgt_vocab_size": 8000,
        "vocab_size_multiple": 1,
        "save_model": str(checkpoint(asked, updates))[: -len(f"_step_{updates}.pt")],
        "save_data": str(RUNS),
        "overwrite": True,
        "n_sample": 0,
        "seed": asked.seed,
        **family(asked, updates),
        "world_size": 1,
        "report_every": 50,
    }
    if asked.model == "A":
        return common | {
            "encoder_type": "brnn",
            "decoder_type": "rnn",
            "rnn_type": "LSTM",
            "enc_layers": 1,
            "dec_layers": 1,
            "word_vec_size": 256,
            "hidden_size": 512,
            "input_feed": 1,
            "global_attention": ATTENTIONS[asked.attention],
            "dropout": [0.2],
        }
    return common | {
        "encoder_type": "transformer",
        "decoder_type": "transformer",
        "self_attn_type": "scaled-dot",
        "position_encoding": True,
        "enc_layers": 4,
        "dec_layers": 4,
        "heads": 4,
        "word_vec_size": 128,
        "hidden_size": 128,
        "transformer_ff": 256,
        "share_embeddings": True,
        "share_decoder_embeddings": True,
        "dropout": [0.3],
        "attention_dropout": [0.1],
        "label_smoothing": 0.1,
        "param_init": 0.0,
        "param_init_glorot": True,
    }


def checkpoint(asked: Task, updates: int = TO_MAKE) -> Any:
    return RUNS / f"opennmt-{asked.name}_step_{updates}.pt"


def train(asked: Task, updates: int) -> None:
    path = RUNS / f"opennmt-{asked.name}-{updates}.yaml"
    path.write_text(yaml.safe_dump(config(asked, updates)), encoding="utf-8")
    sys.argv[1:] = ["-config", str(path)]
    train_main()


def measure_training(asked: Task) -> None:
    meter = Meter(asked.seconds, PACKAGES)
    compute = onmt.utils.loss.LossCompute

    def counted(self: Any, batch: dict[str, Any], *rest: Any, **named: Any) -> Any:
        meter.saw((batch["tgt"][:, 1:, 0] != self.padding_idx).sum())
        return forward(self, batch, *rest, **named)

    forward, compute.forward = compute.forward, counted
    train(asked, ENDLESS)


def decoder(asked: Task, beam: int) -> Callable[[list[str]], list[int]]:
    wanted = {
        "model": checkpoint(asked),
        "src": DATA / "test.pieces.en",
        "output": RUNS / "opennmt.txt",
        "beam_size": beam,
        "batch_size": DECODED_AT_ONCE,
        "batch_type": "sents",
        "min_length": FORCED,
        "max_length": FORCED,
        "max_length_ratio": 0,
        "gpu": -1,
    }
    arguments = [part for name, value in wanted.items() for part in (f"-{name}", str(value))]
    options = _get_parser().parse_args(arguments)
    ArgumentParser.validate_translate_opts(options)
    ArgumentParser._get_all_transform_translate(options)
    ArgumentParser._validate_transforms_opts(options)
    ArgumentParser.validate_translate_opts_dynamic(options)
    engine = InferenceEnginePY(options)

    def decode(sentences: list[str]) -> list[int]:
        _, found = engine.infer_list(sentences)
        return [len(best.split()) for best, *_ in found]

    return decode


def main() -> None:
    asked = task()
    if asked.action == "train":
        measure_training(asked)
    elif asked.action == "make":
        train(asked, TO_MAKE)
    else:
        measure_decoding(asked, PACKAGES, decoder)


if __name__ == "__main__":
    main()
