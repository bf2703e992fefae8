"""Eole 0.6: its own training and inference."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import eole.utils.loss
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
from eole.bin.main import main as eole_main
from eole.config.run import PredictConfig
from eole.inference_engine import InferenceEnginePY

PACKAGES = ("eole",)
ATTENTIONS = {"additive": "mlp", "bilinear": "general"}


def config(asked: Task, updates: int) -> dict[str, Any]:
    # `filtertoolong`, a default of OpenNMT-py, needs a tokeniser of its own here; no pair is too long.
    corpus = {"path_src": str(DATA / "train.pieces.en"), "path_tgt": str(DATA / "train.pieces.de"), "transforms": []}
    training = {
        "model_path": str(folder(asked, updates)),
        **family(asked, updates),
        "compute_dtype": "fp32",
        "world_size": 1,
        "gpu_ranks": [],
    }
    if asked.model == "A":
        training |= {"dropout": [0.2], "label_smoothing": 0.0}
        rnn = {"layers": 1, "hidden_size": 512, "rnn_type": "LSTM"}
        model: dict[str, Any] = {
            "architecture": "rnn",
            "hidden_size": 512,
            "embeddings": {"word_vec_size": 256},
            "encoder": {"encoder_type": "brnn", **rnn},
            "decoder": {"decoder_type": "rnn", "global_attention": ATTENTIONS[asked.attention], **rnn},
        }
    else:
        training |= {
            "dropout": [0.3],
            "attention_dropout": [0.1],
            "label_smoothing": 0.1,
            "param_init_method": "xavier_uniform",
        }
        model = {
            "architecture": "transformer",
            "layers": 4,
            "heads": 4,
            "hidden_size": 128,
            "transformer_ff": 256,
            "share_embeddings": True,
            "share_decoder_embeddings": True,
            "embeddings": {"word_vec_size": 128, "position_encoding_type": "SinusoidalInterleaved"},
        }
    return {
        "data": {"corpus": corpus},
        "transforms": [],
        "src_vocab": str(DATA / "counts.txt"),
        "tgt_vocab": str(DATA / "counts.txt"),
        "share_vocab": True,
        "src_vocab_size": 8000,
        "tgt_vocab_size": 8000,
        "vocab_size_multiple": 1,
        "save_data": str(RUNS / "eole-data"),
        "overwrite": True,
        "n_sample": 0,
        "report_every": 50,
        "seed": asked.seed,
        "training": training,
        "model": model,
    }


def folder(asked: Task, updates: int = TO_MAKE) -> Path:
    return RUNS / f"eole-{asked.name}-{updates}"


def train(asked: Task, updates: int) -> None:
    path = folder(asked, updates).with_suffix(".yaml")
    path.write_text(yaml.safe_dump(config(asked, updates)), encoding="utf-8")
    sys.argv[1:] = ["train", "-config", str(path)]
    eole_main()


def measure_training(asked: Task) -> None:
    meter = Meter(asked.seconds, PACKAGES)
    compute = eole.utils.loss.LossCompute

    def counted(self: Any, batch: dict[str, Any], *rest: Any, **named: Any) -> Any:
        if self.training:
            meter.saw((batch["tgt"][:, 1:] != self.padding_idx).sum())
        return forward(self, batch, *rest, **named)

    forward, compute.forward = compute.forward, counted
    train(asked, ENDLESS)


def decoder(asked: Task, beam: int) -> Callable[[list[str]], list[int]]:
    settings = PredictConfig(
        model_path=[str(folder(asked))],
        src=str(DATA / "test.pieces.en"),
        output=str(RUNS / "eole.txt"),
        beam_size=beam,
        batch_size=DECODED_AT_ONCE,
        batch_type="sents",
        min_length=FORCED,
        max_length=FORCED,
        max_length_ratio=0,
        compute_dtype="fp32",
        world_size=1,
        gpu_ranks=[],
    )
    engine = InferenceEnginePY(settings)

    def decode(sentences: list[str]) -> list[int]:
        return [len(best.split()) for best, *_ in engine.infer_list(sentences)[-1]]

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
