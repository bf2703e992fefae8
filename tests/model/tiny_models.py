"""Models and batches small enough to be compared number by number."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from regard.data.collate import Batch, collate
from regard.model import EncoderDecoder
from regard.settings import AttentionSettings, DecoderSettings, EncoderSettings, ModelSettings

PAD, BOS, EOS, FIRST = 0, 2, 3, 4
VOCABULARY = 11

ENCODERS: dict[str, dict[str, Any]] = {
    "lstm": {},
    "gru one way, 2 layers": {"cell": "gru", "directions": 1, "layers": 2},
    "transformer pre": {"kind": "transformer"},
    "transformer post learned": {"kind": "transformer", "norm": "post", "position": "learned"},
    "transformer rotary": {"kind": "transformer", "position": "rotary"},
    "transformer relative": {"kind": "transformer", "position": "relative"},
    "transformer alibi": {"kind": "transformer", "position": "alibi"},
    "convolution": {"kind": "convolution", "layers": 2},
    "lstm, both": {"memory": "both"},
    "transformer, both": {"kind": "transformer", "memory": "both"},
    "lstm, words": {"memory": "words"},
    "convolution learned, words": {"kind": "convolution", "position": "learned", "memory": "words"},
    "transformer, words": {"kind": "transformer", "memory": "words"},
}
DECODERS: dict[str, dict[str, Any]] = {
    "lstm feeding": {"input_feeding": True},
    "lstm after, 2 layers": {"input_feeding": False, "layers": 2},
    "gru before, 2 layers": {"cell": "gru", "attends": "before", "layers": 2},
    "lstm before": {"attends": "before"},
    "gru after": {"cell": "gru", "input_feeding": False},
    "transformer pre": {"kind": "transformer", "layers": 2},
    "transformer post learned": {"kind": "transformer", "norm": "post", "position": "learned"},
    "transformer rotary": {"kind": "transformer", "position": "rotary", "layers": 2},
    "transformer relative": {"kind": "transformer", "position": "relative"},
    "transformer alibi": {"kind": "transformer", "position": "alibi"},
}


def settings(
    encoder: str = "lstm",
    decoder: str = "lstm feeding",
    cross: AttentionSettings | None = None,
    width: int = 8,
    **others: Any,
) -> ModelSettings:
    """One of the named encoders and decoders in a model of one width, without dropout."""
    others = {"dropout": 0.0, "embedding": 6, "longest": 32, "self_attention": AttentionSettings(heads=2), **others}
    return ModelSettings(
        encoder=EncoderSettings(**{"width": width, "feedforward": 2 * width, **ENCODERS[encoder]}),
        decoder=DecoderSettings(**{"width": width, "feedforward": 2 * width, **DECODERS[decoder]}),
        cross=cross or AttentionSettings(score="additive"),
        **others,
    )


def model(chosen: ModelSettings, seed: int = 0, vocabulary: int = VOCABULARY, sharpness: float = 3.0) -> EncoderDecoder:
    """A model in double precision, its parameters grown so that no part of it is almost constant."""
    torch.manual_seed(seed)
    made = EncoderDecoder(chosen, vocabulary, vocabulary).double().eval()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if "norm" not in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)
        made.readout.project.weight.mul_(sharpness)
        made.readout.project.bias[EOS] += 1.0  # so that texts of many lengths are probable
    return made


def texts(count: int, seed: int, longest: int, vocabulary: int = VOCABULARY) -> list[np.ndarray]:
    """Random token ids of random lengths from 1."""
    chance = np.random.default_rng(seed)
    return [chance.integers(FIRST, vocabulary, chance.integers(1, longest + 1)) for _ in range(count)]


def batch(sources: list[np.ndarray], targets: list[np.ndarray]) -> Batch:
    """All of these pairs side by side."""
    return collate(sources, targets, range(len(sources)), source_pad=PAD, target_pad=PAD, bos=BOS, eos=EOS)
