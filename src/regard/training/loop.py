"""The training, from its first update to its last."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from regard.allocation import keep_freed_memory
from regard.data.batches import Plan, plan
from regard.errors import RegardError, one_line
from regard.files import remove_file
from regard.folder import STATE, WEIGHTS, load_weights, save_metrics, save_weights, weights_of
from regard.model.sampling import set_sampling
from regard.settings import Settings
from regard.training.corpus import Corpus, sample
from regard.training.feeding import Feeder, cut_of
from regard.training.gradients import gradients, leave_out
from regard.training.interrupts import TrainingStopped, heard
from regard.training.mixing import mixed, parsed_weights, parts_of
from regard.training.processes import greatest, on_first, share_gradients
from regard.training.processes import total as summed
from regard.training.progress import Pace, Reporter
from regard.training.sampling import next_baseline, sampling_at
from regard.training.schedules import rate_at
from regard.training.state import Progress, State, load_state, save_state
from regard.training.validation import Validation, is_better, samples, validate

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from regard.predictor import Predictor

_SAVE_SECONDS = 60.0
_SAMPLES = 3
_AHEAD = 3


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
    feeder: Feeder
    divided: int = 0
    """How many batches had to be done in halves."""

    @property
    def model(self) -> Any:
        return self.predictor.model

    @property
    def writes(self) -> bool:
        """Whether this process is the one that writes files and tells news."""
        return bool(self.fabric.is_global_zero)


def start(
    predictor: Predictor,
    corpus: Corpus,
    settings: Settings,
    folder: Path,
    fabric: Fabric,
    report: Reporter,
    state: State | None = None,
) -> Training:
    """A training at its beginning, or where the one stopped whose `state` this is."""
    keep_freed_memory()
    kind = torch.optim.AdamW if settings.training.optimizer == "adamw" else torch.optim.Adam
    optimizer = kind(
        predictor.model.parameters(),
        lr=settings.training.rate,
        betas=(0.9, 0.98),
        eps=1e-9,
        weight_decay=settings.training.decay,
        fused=predictor.device.type in ("cpu", "cuda"),
    )
    feeder = Feeder(corpus, settings.training.seed, cut=cut_of(corpus, settings))
    training = Training(predictor, corpus, settings, folder, fabric, optimizer, report, Progress(), feeder)
    if state is None:
        return training
    try:
        predictor.model.load_state_dict(state.weights)
        optimizer.load_state_dict(dict(state.optimizer))
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RegardError(
            f"{folder / STATE}: is of another model ({one_line(error)}); give another --out, or --restart"
        ) from None
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
    (progress.seconds,) = greatest(training.fabric, progress.seconds)
    progress.reason = _reason_to_end(training) if progress.update else ""
    training.model.train()
    with heard() as requests:
        while not progress.reason:
            steps = _steps(training, progress.epoch)
            for step in steps[progress.step :]:
                _make_ahead(training, steps)
                _update(training, step)
                progress.step += 1
                progress.seconds = clock.seconds
                training.report.pace(_pace(training, len(steps), clock))
                if progress.update % settings.validate_every == 0 or progress.update >= settings.updates:
                    clock.outside(lambda: _validate(training))
                    last_save = time.monotonic()
                elif time.monotonic() - last_save > _SAVE_SECONDS:
                    if training.writes:
                        save(training)
                    last_save = time.monotonic()
                # All processes go by one clock, and stop together.
                progress.seconds, asked = greatest(training.fabric, progress.seconds, requests.signal)
                _stop_if_asked(training, int(asked))
                progress.reason = _reason_to_end(training)
                if progress.reason:
                    break
            else:
                progress.epoch, progress.step = progress.epoch + 1, 0
        training.feeder.close()
        if training.feeder.seconds and progress.seconds:
            share = training.feeder.seconds / progress.seconds
            training.report.say(
                f"features took {training.feeder.seconds:.1f} seconds of a processor, {share:.1%} of the training"
            )
        _finish(training)


def save(training: Training) -> None:
    """Write what going on needs, in the process that writes."""
    state = State(
        training.progress,
        training.model.state_dict(),
        training.optimizer.state_dict(),
        training.corpus.fingerprint,
    )
    save_state(training.folder, state)


# One update -----------------------------------------------------------------------------------------------------------


def _steps(training: Training, epoch: int) -> list[Plan]:
    """The updates of an epoch, each with the batches of all processes."""
    examples, settings = training.corpus.train, training.settings.training
    assert settings.batch is not None
    files = training.corpus.texts.files
    weights = parsed_weights(training.settings.data.weights, len(files))
    chosen = np.arange(len(examples))
    if weights is not None:
        chosen = mixed(parts_of(examples, files), weights, settings.seed, epoch)
    batches = plan(
        examples.source_lengths[chosen],
        examples.target_lengths[chosen],
        size=settings.batch,
        unit=settings.batch_unit,
        seed=settings.seed,
        epoch=epoch,
    )
    batches = [chosen[batch].tolist() for batch in batches]
    size = settings.accumulate * training.fabric.world_size
    return [batches[at : at + size] for at in range(0, len(batches), size)]


def _make_ahead(training: Training, steps: Sequence[Plan]) -> None:
    """Begin to make the batches of this process for this update and the next ones."""
    fabric, at = training.fabric, training.progress.step
    coming = [batch for step in steps[at : at + _AHEAD] for batch in step[fabric.global_rank :: fabric.world_size]]
    training.feeder.ahead(coming, training.progress.epoch)


def _update(training: Training, batches: Sequence[Sequence[int]]) -> None:
    """One update: the gradient of the loss summed over all batches, by the number of their target tokens.

    So neither accumulation nor the number of processes changes what is learned. The randomness is that of the
    update's number.
    """
    fabric, progress = training.fabric, training.progress
    settings = training.settings.training
    progress.update += 1
    rate = rate_at(
        settings,
        progress.update,
        updates=settings.updates or 0,
        width=training.settings.model.decoder.width,
        reductions=progress.reductions,
    )
    for group in training.optimizer.param_groups:
        group["lr"] = rate
    tokens = training.feeder.target_tokens(batches, progress.epoch)
    set_sampling(training.model, sampling_at(settings, progress.update, progress.baseline or 0.0))
    own = gradients(training, batches[fabric.global_rank :: fabric.world_size], tokens)
    share_gradients(fabric, list(training.model.parameters()))
    (total,) = summed(fabric, own)
    parameters = [parameter for parameter in training.model.parameters() if parameter.grad is not None]
    norm = torch.nn.utils.clip_grad_norm_(parameters, settings.clip or float("inf"))
    if bool(norm.isfinite()):
        training.optimizer.step()
        progress.baseline = next_baseline(progress.baseline, -total / tokens)
        progress.since_loss += total
        progress.since_tokens += tokens
        progress.skipped = 0
    else:
        leave_out(training, total / tokens)


# Between updates ------------------------------------------------------------------------------------------------------


def _validate(training: Training) -> None:
    """Measure, tell, keep what is best, and save."""
    progress, settings = training.progress, training.settings.training
    training.model.eval()
    # Measured once, so that all processes agree on what is best even where their devices round differently.
    found = on_first(training.fabric, lambda: validate(training.predictor, training.corpus.dev, settings.metric))
    better = is_better(settings.metric, found.score, progress.best)
    _record(training, found)
    if better:
        progress.best, progress.best_update, progress.stale = found.score, progress.update, 0
    else:
        progress.stale += 1
        progress.reductions += 1
    on_first(training.fabric, lambda: _keep(training, found, better))
    training.model.train()


def _keep(training: Training, found: Validation, better: bool) -> None:
    """Tell what was found, and write what came of it. The state comes last: if it is not reached, all of this is done
    again, with the same result."""
    progress, settings = training.progress, training.settings.training
    train_loss = progress.records[-1].get("train_loss", float("nan"))
    mark = " (the best so far)" if better else ""
    smoothed = " (smoothed)" if settings.smoothing else ""
    training.report.say(f"update {progress.update:,}: training loss {train_loss:.3f}{smoothed}, {found}{mark}")
    chosen = sample(training.corpus.dev.source_lengths, _SAMPLES)
    training.report.sample(samples(training.predictor, training.corpus.dev, chosen))
    if better:
        save_weights(training.folder / WEIGHTS, training.model.state_dict())
    _keep_for_average(training)
    save_metrics(training.folder, progress.records)
    save(training)


def _record(training: Training, found: Validation) -> None:
    progress = training.progress
    record: dict[str, Any] = {"step": progress.update, "epoch": progress.epoch, "seconds": round(progress.seconds, 2)}
    if progress.since_tokens:
        record["train_loss"] = progress.since_loss / progress.since_tokens
    progress.records.append(record | found.record)
    progress.since_loss, progress.since_tokens = 0.0, 0


def _keep_for_average(training: Training) -> None:
    """Keep the weights of the last validations, as many as are to be averaged."""
    progress, count = training.progress, training.settings.training.average
    if count == 1:
        return
    save_weights(weights_of(training.folder, progress.update), training.model.state_dict())
    progress.averaged = [*(update for update in progress.averaged if update != progress.update), progress.update]
    for update in progress.averaged[:-count]:
        remove_file(weights_of(training.folder, update))
    progress.averaged = progress.averaged[-count:]


def _stop_if_asked(training: Training, asked: int) -> None:
    if asked and not (training.progress.update >= (training.settings.training.updates or 0)):
        on_first(training.fabric, lambda: save(training))
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
    progress = training.progress
    if not progress.records or progress.records[-1]["step"] != progress.update:
        _validate(training)
    training.model.eval()
    if progress.best is None:
        raise RegardError("no validation gave a number; a lower training.rate may help")
    if progress.left_out:
        training.report.say(f"{progress.left_out:,} updates were left out, since their gradient was no number")
    training.model.load_state_dict(on_first(training.fabric, lambda: _best_weights(training)))


def _best_weights(training: Training) -> dict[str, Tensor]:
    progress, settings = training.progress, training.settings.training
    if len(progress.averaged) > 1:
        weights = [load_weights(weights_of(training.folder, update)) for update in progress.averaged]
        mean = {
            name: torch.stack([each[name].double() for each in weights]).mean(0).to(weight.dtype)
            for name, weight in weights[0].items()
        }
        training.model.load_state_dict(mean)
        found = validate(training.predictor, training.corpus.dev, settings.metric)
        better = is_better(settings.metric, found.score, progress.best)
        verdict = "kept" if better else f"not kept, update {progress.best_update:,} is better"
        training.report.say(f"average of the last {len(weights)} validations: {found} ({verdict})")
        if better:
            progress.best = found.score
            save_weights(training.folder / WEIGHTS, mean)
    return load_weights(training.folder / WEIGHTS)


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

    def speed(self, tokens: int) -> float | None:
        """Tokens a second over the last half minute, given the tokens so far; None at first, and after a validation."""
        now = time.monotonic()
        self._recent.append((now, tokens))
        while now - self._recent[0][0] > 30:
            self._recent.pop(0)
        then, before = self._recent[0]
        return (tokens - before) / (now - then) if now > then else None


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
    if state is not None:
        save_state(training.folder, dataclasses.replace(state, progress=training.progress))
