"""Yoyodyne as it is run: its configuration, its files of pairs, and its own environment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from runner import HERE
from yoyodyne_tasks import VALIDATIONS, rows

PEERS = HERE.parent / "peers"


def run(action: str, folder: Path, config: Mapping[str, Any]) -> None:
    """Run Yoyodyne in its own environment, on one thread."""
    python = PEERS / ".venvs" / "yoyodyne" / "bin" / "python"
    if not python.exists():
        raise SystemExit(f"{python}: missing; benchmarks/peers/install.sh yoyodyne makes it")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(dict(config)), encoding="utf-8")
    command = [str(python), str(PEERS / "run_yoyodyne.py"), action, str(folder)]
    with (folder / "log.txt").open("a") as log:
        subprocess.run(
            command, cwd=folder, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=log, stderr=log, check=True
        )


def configuration(task: str, folder: Path, model: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """A configuration of Yoyodyne's, whose files stand beside the job's folder."""
    paths = {part: str(_file(task, part, folder.parent)) for part in ("train", "dev", "test")}
    with_features = any(features for _, features, _ in rows(task, "train"))
    own = ("enforce_monotonic", "attention_context", "label_smoothing")
    sizes = {"embedding_size": model["embedding"], "dropout": model["dropout"]}
    encoder = {
        "class_path": "yoyodyne.models.modules.LSTMEncoder",
        "init_args": {**sizes, "hidden_size": model["width"] // 2},  # of each of two directions
    }
    features = {
        "class_path": "yoyodyne.models.modules.LinearEncoder",
        "init_args": {**sizes, "output_size": model["width"]},
    }
    return {
        "seed_everything": seed,
        "data": {
            "model_dir": str(folder),
            "train": paths["train"],
            "val": paths["dev"],
            "test": paths["test"],
            "features_col": 3 if with_features else 0,
            "target_sep": "" if with_features else " ",
            "batch_size": model["batch_size"],
        },
        "model": {
            "class_path": f"yoyodyne.models.{model['class']}",
            "init_args": {
                **{name: model[name] for name in own if name in model},
                "embedding_size": model["embedding"],
                "decoder_hidden_size": model["width"],
                "decoder_dropout": model["dropout"],
                "source_encoder": encoder,
                "features_encoder": features if with_features else False,
                "optimizer": {"class_path": "yoyodyne.optimizers.Adam", "init_args": {"lr": model["lr"]}},
                "scheduler": {
                    "class_path": "torch.optim.lr_scheduler.LinearLR",
                    "init_args": {"start_factor": 1.0, "end_factor": 0.0, "total_iters": model["epochs"]},
                },
            },
        },
        "checkpoint": {
            "dirpath": str(folder / "checkpoints"),
            "filename": "best",
            "monitor": "val_accuracy",
            "mode": "max",
            "save_last": True,
        },
        "trainer": {
            "accelerator": "cpu",
            "devices": 1,
            "default_root_dir": str(folder),
            "max_epochs": model["epochs"],
            "check_val_every_n_epoch": model["epochs"] // VALIDATIONS,
            "gradient_clip_val": model["clip"],
            "num_sanity_val_steps": 0,
            "log_every_n_steps": 1000,
            "enable_progress_bar": False,
            "callbacks": [{"class_path": "run_yoyodyne.EpochTimer", "init_args": {"folder": str(folder)}}],
        },
    }


def unvalidated(config: Mapping[str, Any], epochs: int) -> dict[str, Any]:
    """The same for so many epochs without validation."""
    kept = {name: given for name, given in config.items() if name != "checkpoint"}
    return kept | {"trainer": config["trainer"] | {"max_epochs": epochs, "limit_val_batches": 0}}


def _file(task: str, part: str, folder: Path) -> Path:
    """The rows of a part as Yoyodyne reads them: source, target, and features where there are any."""
    path = folder / f"{task}-{part}.tsv"
    lines = [
        "\t".join([source, target, *([features] if features else [])]) for source, features, target in rows(task, part)
    ]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path
