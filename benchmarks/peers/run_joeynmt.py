"""JoeyNMT 2.3: its own training and prediction.

It does not sort by length; so it is given training pairs in blocks of like length, one to a batch, and keeps their
order. Its prediction does not hand the least length on to its search, so that is done here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joeynmt.prediction
import joeynmt.training
import yaml
from driver import DATA, DECODED_AT_ONCE, ENDLESS, FORCED, RUNS, SENTENCES, Meter, Task, blocks, measure_decoding, task
from joeynmt.config import load_config, parse_global_args
from joeynmt.datasets import StreamDataset
from joeynmt.helpers import make_model_dir

PACKAGES = ("joeynmt",)
ATTENTIONS = {"additive": "bahdanau", "bilinear": "luong"}


def config(asked: Task) -> dict[str, Any]:
    size = SENTENCES[asked.model]
    sides = {
        name: {
            "lang": language,
            "max_length": 200,
            "lowercase": False,
            "level": "word",
            "voc_file": str(DATA / "vocabulary.txt"),
            "tokenizer_cfg": {"pretokenizer": "none"},
        }
        for name, language in (("src", "en"), ("trg", "de"))
    }
    special = {"unk": "<unk>", "pad": "<pad>", "bos": "<s>", "eos": "</s>"}
    symbols = {f"{name}_token": text for name, text in special.items()}
    symbols |= {f"{name}_id": number for number, name in enumerate(special)}  # type: ignore[misc]
    data = {
        "train": str(sorted_pairs(asked) if asked.action == "train" else DATA / "val.pieces"),
        "dev": str(DATA / "val.pieces"),
        "dataset_type": "plain",
        "special_symbols": symbols,
        **sides,
    }
    training = {
        "optimizer": "adam",
        "adam_betas": [0.9, 0.98],
        "learning_rate": 0.001,
        "scheduling": "decaying",  # after so many epochs: never. To name none is refused.
        "decaying_step_size": ENDLESS,
        "clip_grad_norm": 5.0,
        "batch_size": size,
        "batch_type": "sentence",
        "shuffle": False,
        "normalization": "tokens",
        "loss": "crossentropy",
        "label_smoothing": 0.0 if asked.model == "A" else 0.1,
        "epochs": ENDLESS,
        "updates": ENDLESS,
        "validation_freq": ENDLESS,
        "logging_freq": 50,
        "early_stopping_metric": "loss",
        "overwrite": True,
    }
    testing = {
        "beam_size": 1,
        "batch_size": DECODED_AT_ONCE,
        "batch_type": "sentence",
        "max_output_length": FORCED,
        "eval_metrics": [],
    }
    return {
        "name": asked.name,
        "joeynmt_version": "2.3.0",
        "model_dir": str(RUNS / f"joeynmt-{asked.name}"),
        "use_cuda": False,
        "fp16": False,
        "random_seed": asked.seed,
        "data": data,
        "training": training,
        "testing": testing,
        "model": recurrent(asked) if asked.model == "A" else transformer(),
    }


def sorted_pairs(asked: Task) -> Path:
    """The beginning of the names of the files of the training pairs in blocks."""
    path = RUNS / f"joeynmt-{asked.name}.train"
    sides = [(DATA / f"train.pieces.{side}").read_text(encoding="utf-8").splitlines() for side in ("en", "de")]
    ordered = blocks(list(zip(*sides, strict=True)), SENTENCES[asked.model], asked.seed)
    for side, lines in zip(("en", "de"), zip(*ordered, strict=True), strict=True):
        path.with_suffix(f".train.{side}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def recurrent(asked: Task) -> dict[str, Any]:
    common = {
        "type": "recurrent",
        "rnn_type": "lstm",
        "num_layers": 1,
        "dropout": 0.2,
        "embeddings": {"embedding_dim": 256, "scale": False, "dropout": 0.0},
    }
    decoder = {
        "hidden_size": 512,
        "hidden_dropout": 0.2,
        "input_feeding": True,
        "init_hidden": "bridge",
        "attention": ATTENTIONS[asked.attention],
    }
    return {
        "tied_embeddings": False,
        "tied_softmax": False,
        "encoder": {**common, "hidden_size": 256, "bidirectional": True},
        "decoder": {**common, **decoder},
    }


def transformer() -> dict[str, Any]:
    side = {
        "type": "transformer",
        "num_layers": 4,
        "num_heads": 4,
        "embeddings": {"embedding_dim": 128, "scale": True, "dropout": 0.0},
        "hidden_size": 128,
        "ff_size": 256,
        "dropout": 0.3,  # of attention too: it knows no other
        "layer_norm": "pre",
    }
    return {"tied_embeddings": True, "tied_softmax": True, "encoder": dict(side), "decoder": dict(side)}


def loaded(asked: Task) -> dict[str, Any]:
    path = RUNS / f"joeynmt-{asked.name}.yaml"
    path.write_text(yaml.safe_dump(config(asked)), encoding="utf-8")
    found: dict[str, Any] = load_config(path)
    return found


def measure_training(asked: Task) -> None:
    meter = Meter(asked.seconds, PACKAGES)
    manager = joeynmt.training.TrainManager

    def counted(self: Any, batch: Any) -> Any:
        meter.saw(batch.ntokens)
        return step(self, batch)

    step, manager._train_step = manager._train_step, counted
    settings = loaded(asked)
    make_model_dir(Path(settings["model_dir"]), overwrite=True)
    joeynmt.training.train(rank=0, world_size=None, cfg=settings, skip_test=True)


def decoder(asked: Task, beam: int) -> Callable[[list[str]], list[int]]:
    settings = loaded(asked)
    make_model_dir(Path(settings["model_dir"]), overwrite=True)
    arguments = parse_global_args(settings, rank=0, mode="train")
    model, _, known, _ = joeynmt.prediction.prepare(arguments, rank=0, mode="train")
    search = joeynmt.prediction.search
    while isinstance(search, functools.partial):  # of the decoder before
        search = search.func
    joeynmt.prediction.search = functools.partial(search, min_output_length=FORCED)
    stream = StreamDataset(
        path=None,
        src_lang="en",
        trg_lang="de",
        has_prompt={"en": False, "de": False},
        tokenizer=known.tokenizer,
        sequence_encoder=known.sequence_encoder,
    )

    def decode(sentences: list[str]) -> list[int]:
        stream.reset_cache()
        for sentence in sentences:
            stream.set_item(sentence)
        found = joeynmt.prediction.predict(
            model=model,
            data=stream,
            device=arguments.device,
            n_gpu=0,
            normalization="none",
            args=arguments.test._replace(beam_size=beam),
            autocast=arguments.autocast,
        )
        return [len(tokens) for tokens in found[3]]

    return decode


def main() -> None:
    asked = task()
    if asked.action == "train":
        measure_training(asked)
    elif asked.action == "decode":
        measure_decoding(asked, PACKAGES, decoder)  # with fresh weights: the length is forced


if __name__ == "__main__":
    main()
