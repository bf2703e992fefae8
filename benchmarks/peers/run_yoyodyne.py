"""Yoyodyne 0.5: its own command line, with a timer of epochs.

    python run_yoyodyne.py fit FOLDER       train, or go on, and predict the test list with the best checkpoint
    python run_yoyodyne.py time FOLDER      train, and nothing else

`FOLDER/config.yaml` is a configuration of Yoyodyne's. Fitting leaves `fitted.json` and `test.txt` there; a line of JSON
for each epoch goes to `epochs.jsonl`, with the seconds of its training, validation apart.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from yoyodyne.cli.main import python_interface

EPOCHS, FITTED, PREDICTED = "epochs.jsonl", "fitted.json", "test.txt"


class EpochTimer(Callback):
    """Seconds of every epoch from its start to its last update: of the clock, and of this process on a processor (the
    process that reads batches is another, and not counted there)."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.began = self.ended = (0.0, 0.0)

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        self.began = self.ended = time.perf_counter(), time.process_time()

    def on_train_batch_end(self, *_: Any) -> None:
        self.ended = time.perf_counter(), time.process_time()

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        if self.ended == self.began:  # a training that goes on ends the epoch in which its checkpoint was made
            return
        wall, cpu = (round(end - begin, 4) for begin, end in zip(self.began, self.ended, strict=True))
        found = {"epoch": trainer.current_epoch, "wall": wall, "cpu": cpu, "updates": trainer.num_training_batches}
        with (self.folder / EPOCHS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")
        self.began = self.ended

    def on_fit_end(self, trainer: Trainer, module: LightningModule) -> None:
        keeper = trainer.checkpoint_callback
        if not isinstance(keeper, ModelCheckpoint) or keeper.best_model_score is None:
            return
        found = {
            "best": round(100 * float(keeper.best_model_score), 4),
            "checkpoint": keeper.best_model_path,
            "epochs": trainer.current_epoch,
            "updates": trainer.global_step,
            "parameters": sum(parameter.numel() for parameter in module.parameters()),
        }
        (self.folder / FITTED).write_text(json.dumps(found), encoding="utf-8")


def fit(folder: Path) -> None:
    config = ["--config", str(folder / "config.yaml")]
    last = folder / "checkpoints" / "last.ckpt"
    if not (folder / FITTED).exists():
        python_interface(["fit", *config, *(["--ckpt_path", str(last)] if last.exists() else [])])
    best = json.loads((folder / FITTED).read_text(encoding="utf-8"))["checkpoint"]
    data = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))["data"]
    asked = ["--ckpt_path", best, "--data.predict", data["test"], "--prediction.path", str(folder / PREDICTED)]
    python_interface(["predict", *config, *asked])


def main() -> None:
    action, folder = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(1)
    for name in ("lightning.pytorch", "yoyodyne"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if action == "fit":
        fit(folder)
    else:
        python_interface(["fit", "--config", str(folder / "config.yaml")])


if __name__ == "__main__":
    main()
