"""The training, from its first update to its last."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from regard.data.batches import Plan, plan
from regard.errors import RegardError
from regard.folder import WEIGHTS, load_weights, save_metrics, save_weights
from regard.settings import Settings
from regard.training.corpus import Corpus, sample
from regard.training.interrupts import Requests, TrainingStopped, heard
from regard.training.progress import Pace, Reporter
from regard.training.schedules import rate_at
from regard.training.state import Progress, State, load_state, save_state
from regard.training.validation import Validation, is_better, make_batch, samples, validate

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from regard.predictor import Predictor

_SAVE_SECONDS = 60.0
_MOST_SKIPPED = 20
_SAMPLES = 3


@dataclass
class Training:
    """Everything that a training works on. `progress` changes with every update."""

    predictor: Predictor
    corpus: Corpus
    settings: Settings
    folder: Path
    fabric: Fabric
    optimizer: torch.optim.Optimizer
    report: Reporter
    progress: Progress

    @property
    def model(self) -> Any:
        return self.predictor.model

    @property
    def writes(self) -> bool:
        """Whether this process is the one that writes files and tells news."""
        return bool(self.fabric.is_global_zero)


def start(
    predictor: Predictor, corpus: Corpus, settings: Settings, folder: Path, fabric: Fabric, report: Reporter
) -> Training:
    """A training at its beginning, or where the one in `folder` stopped.

    Raises RegardError where that one learned from other pairs, or its state is damaged.
    """
    kind = torch.optim.AdamW if settings.training.optimizer == "adamw" else torch.optim.Adam
    optimizer = kind(
        predictor.model.parameters(),
        lr=settings.training.rate,
        betas=(0.9, 0.98),
        eps=1e-9,
        weight_decay=settings.training.decay,
    )
    training = Training(predictor, corpus, settings, folder, fabric, optimizer, report, Progress())
    state = load_state(folder)
    if state is None:
        return training
    if state.fingerprint != corpus.texts.fingerprint:
        raise RegardError(f"{folder}: its training learned from other pairs; give another --out, or --restart")
    predictor.model.load_state_dict(state.weights)
    optimizer.load_state_dict(dict(state.optimizer))
    training.progress = state.progress
    if training.progress.finished and not _reason_to_end(training):  # it may be lengthened
        training.progress.finished = False
    if not training.progress.finished:
        report.say(f"going on after update {state.progress.update:,}")
    return training


def run(training: Training) -> None:
    """Train until the last update, the last minute, or until patience ends; then average, and keep the best.

    Raises TrainingStopped, after saving, on Ctrl-C or SIGTERM; RegardError where the loss stays no number.
    """
    progress, settings = training.progress, training.settings.training
    if progress.finished:
        return
    assert settings.updates is not None
    assert settings.validate_every is not None
    clock = _Clock(progress.seconds)
    last_save = time.monotonic()
    progress.reason = _reason_to_end(training) if progress.update else ""
    training.model.train()
    with heard() as requests:
        while not progress.reason:
            steps = _steps(training, progress.epoch)
            for step in steps[progress.step :]:
                _update(training, step)
                progress.step += 1
                progress.seconds = clock.seconds
                training.report.pace(_pace(training, len(steps), clock))
                if progress.update % settings.validate_every == 0 or progress.update >= settings.updates:
                    clock.outside(lambda: _validate(training))
                    last_save = time.monotonic()
                elif time.monotonic() - last_save > _SAVE_SECONDS:
                    save(training)
                    last_save = time.monotonic()
                _stop_if_asked(training, requests)
                progress.reason = _reason_to_end(training)
                if progress.reason:
                    break
            else:
                progress.epoch, progress.step = progress.epoch + 1, 0
        _finish(training)


def save(training: Training) -> None:
    """Write what going on needs."""
    if training.writes:
        state = State(
            training.progress,
            training.model.state_dict(),
            training.optimizer.state_dict(),
            training.corpus.texts.fingerprint,
        )
        save_state(training.folder, state)


# One update -----------------------------------------------------------------------------------------------------------


def _steps(training: Training, epoch: int) -> list[Plan]:
    """The updates of an epoch, each with the batches of all processes."""
    examples, settings = training.corpus.train, training.settings.training
    assert settings.batch is not None
    batches = plan(
        examples.source_lengths,
        examples.target_lengths,
        size=settings.batch,
        unit=settings.batch_unit,
        seed=settings.seed,
        epoch=epoch,
    )
    size = settings.accumulate * training.fabric.world_size
    return [batches[at : at + size] for at in range(0, len(batches), size)]


def _update(training: Training, batches: Sequence[Sequence[int]]) -> None:
    """One update: the gradient of the loss summed over all batches, by the number of their target tokens.

    So neither accumulation nor the number of processes changes what is learned. The randomness is that of the
    update's number.
    """
    fabric, corpus, progress = training.fabric, training.corpus, training.progress
    settings = training.settings.training
    progress.update += 1
    torch.manual_seed(_seed_of(settings.seed, progress.update, fabric.global_rank))
    rate = rate_at(
        settings,
        progress.update,
        updates=settings.updates or 0,
        width=training.settings.model.decoder.width,
        reductions=progress.reductions,
    )
    for group in training.optimizer.param_groups:
        group["lr"] = rate
    tokens = sum(len(corpus.train.targets[index]) + 1 for batch in batches for index in batch)
    training.optimizer.zero_grad(set_to_none=True)
    total = 0.0
    for indices in batches[fabric.global_rank :: fabric.world_size]:
        batch = make_batch(corpus.train, indices, corpus.source, corpus.target).to(training.predictor.device)
        with fabric.autocast():
            loss = training.model.loss(batch, smoothing=settings.smoothing)[0]
        (loss / tokens).backward()
        total += float(loss.detach())
    total = _sum_over_processes(training, total)
    parameters = [parameter for parameter in training.model.parameters() if parameter.grad is not None]
    norm = torch.nn.utils.clip_grad_norm_(parameters, settings.clip or float("inf"))
    if bool(norm.isfinite()):
        training.optimizer.step()
        progress.since_loss += total
        progress.since_tokens += tokens
        progress.skipped = 0
        return
    progress.skipped += 1
    training.report.say(f"update {progress.update:,} left out: its gradient is no number (loss {total / tokens:.3g})")
    if progress.skipped >= _MOST_SKIPPED:
        raise RegardError(
            f"the gradient was no number {_MOST_SKIPPED} updates in a row, to update {progress.update:,}; "
            f"a lower training.rate (now {settings.rate:g}) or training.clip may help"
        )


def _seed_of(seed: int, update: int, rank: int) -> int:
    """A different seed for every update and process, and for neighbouring seeds too (a step of SplitMix64)."""
    mixed = (seed * 0x9E3779B97F4A7C15 + update * 0xBF58476D1CE4E5B9 + rank * 0x94D049BB133111EB) % 2**64
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    return (mixed ^ (mixed >> 31)) % 2**63


def _sum_over_processes(training: Training, loss: float) -> float:
    """Make every process's gradients the sum of all; returns the sum of the losses."""
    fabric = training.fabric
    if fabric.world_size == 1:
        return loss
    for parameter in training.model.parameters():
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        parameter.grad = _reduced(fabric, parameter.grad, "sum")
    return float(_reduced(fabric, torch.tensor(loss, dtype=torch.float64), "sum"))


def _reduced(fabric: Fabric, value: Tensor, how: str) -> Tensor:
    found = fabric.all_reduce(value, reduce_op=how)
    assert isinstance(found, Tensor)
    return found


# Between updates ------------------------------------------------------------------------------------------------------


def _validate(training: Training) -> None:
    """Measure, tell, keep what is best, and save."""
    progress, settings = training.progress, training.settings.training
    training.model.eval()
    found = validate(training.predictor, training.corpus.dev, settings.metric)
    better = is_better(settings.metric, found.score, progress.best)
    _record(training, found)
    if better:
        progress.best, progress.best_update, progress.stale = found.score, progress.update, 0
    else:
        progress.stale += 1
        progress.reductions += 1
    train_loss = progress.records[-1].get("train_loss", float("nan"))
    if training.writes:
        mark = " (the best so far)" if better else ""
        smoothed = " (smoothed)" if settings.smoothing else ""
        training.report.say(
            f"update {progress.update:,}: training loss {train_loss:.3f}{smoothed}, {found}{mark}\n"
            + samples(training.predictor, sample(training.corpus.texts.dev, _SAMPLES))
        )
        # The state comes last: if it is not reached, all of this is done again, with the same result.
        if better:
            save_weights(training.folder / WEIGHTS, training.model.state_dict())
        _keep_for_average(training)
        save_metrics(training.folder, progress.records)
    training.model.train()
    save(training)


def _record(training: Training, found: Validation) -> None:
    progress = training.progress
    record: dict[str, Any] = {"step": progress.update, "epoch": progress.epoch, "seconds": round(progress.seconds, 2)}
    if progress.since_tokens:
        record["train_loss"] = progress.since_loss / progress.since_tokens
    progress.records.append(record | found.record)
    progress.since_loss, progress.since_tokens = 0.0, 0


def _averaged(folder: Path, update: int) -> Path:
    return folder / "training" / f"weights-{update}.safetensors"


def _keep_for_average(training: Training) -> None:
    """Keep the weights of the last validations, as many as are to be averaged."""
    progress, count = training.progress, training.settings.training.average
    if count == 1:
        return
    save_weights(_averaged(training.folder, progress.update), training.model.state_dict())
    progress.averaged = [*(update for update in progress.averaged if update != progress.update), progress.update]
    for update in progress.averaged[:-count]:
        _averaged(training.folder, update).unlink(missing_ok=True)
    progress.averaged = progress.averaged[-count:]


def _stop_if_asked(training: Training, requests: Requests) -> None:
    asked = requests.signal
    if training.fabric.world_size > 1:
        asked = int(_reduced(training.fabric, torch.tensor(asked), "max"))
    if asked and not (training.progress.update >= (training.settings.training.updates or 0)):
        save(training)
        raise TrainingStopped(
            f"stopped and saved after update {training.progress.update:,}; the same command again goes on from there",
            asked,
        )


def _reason_to_end(training: Training) -> str:
    progress, settings = training.progress, training.settings.training
    if progress.update >= (settings.updates or 0):
        return f"all {settings.updates:,} updates are done"
    if settings.minutes is not None and progress.seconds >= 60 * settings.minutes:
        return f"the time of {settings.minutes:g} minutes is over"
    if settings.patience and progress.stale >= settings.patience:
        return f"{settings.patience} validations in a row were not better"
    return ""


def _finish(training: Training) -> None:
    """Put the best weights into the model: those of the best validation, or the average where that is better."""
    progress, settings = training.progress, training.settings.training
    if not progress.records or progress.records[-1]["step"] != progress.update:
        _validate(training)
    training.model.eval()
    if progress.best is None:
        raise RegardError("no validation gave a number; a lower training.rate may help")
    if len(progress.averaged) > 1:
        weights = [load_weights(_averaged(training.folder, update)) for update in progress.averaged]
        mean = {
            name: torch.stack([each[name].double() for each in weights]).mean(0).to(weight.dtype)
            for name, weight in weights[0].items()
        }
        training.model.load_state_dict(mean)
        found = validate(training.predictor, training.corpus.dev, settings.metric)
        better = is_better(settings.metric, found.score, progress.best)
        verdict = "kept" if better else f"not kept, update {progress.best_update:,} is better"
        training.report.say(f"average of the last {len(weights)} validations: {found} ({verdict})")
        if better and training.writes:
            progress.best = found.score
            save_weights(training.folder / WEIGHTS, mean)
    training.fabric.barrier()
    training.model.load_state_dict(load_weights(training.folder / WEIGHTS))


# Time -----------------------------------------------------------------------------------------------------------------


class _Clock:
    """Seconds of training, validations left out, counted on from an earlier run."""

    def __init__(self, before: float) -> None:
        self._start = time.monotonic() - before
        self._recent: list[tuple[float, int]] = []

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def outside(self, work: Any) -> None:
        """Do what is no training."""
        begin = time.monotonic()
        work()
        self._start += time.monotonic() - begin
        self._recent.clear()

    def speed(self, tokens: int) -> float:
        """Tokens a second over the last half minute, given the tokens so far."""
        now = time.monotonic()
        self._recent.append((now, tokens))
        while now - self._recent[0][0] > 30:
            self._recent.pop(0)
        then, before = self._recent[0]
        return (tokens - before) / (now - then) if now > then else 0.0


def _pace(training: Training, steps: int, clock: _Clock) -> Pace:
    progress, settings = training.progress, training.settings.training
    updates = settings.updates or 0
    left = progress.seconds / progress.update * (updates - progress.update)
    if settings.minutes is not None:
        left = min(left, 60 * settings.minutes - progress.seconds)
    return Pace(
        progress.update,
        updates,
        progress.epoch + progress.step / steps,
        progress.since_loss / max(progress.since_tokens, 1),
        training.optimizer.param_groups[0]["lr"],
        clock.speed(progress.since_tokens),
        max(left, 0.0),
    )


def finished(training: Training) -> None:
    """Note that the training is done, when everything about it is written."""
    training.progress.finished = True
    # The state keeps the weights of the last update, not the best ones, so that the training can be lengthened.
    state = load_state(training.folder)
    if state is not None and training.writes:
        save_state(training.folder, dataclasses.replace(state, progress=training.progress))
