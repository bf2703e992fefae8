"""The gradients of one update: summed over its batches, whatever memory and numbers there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from regard.errors import RegardError
from regard.folder import WEIGHTS
from regard.memory import halves, ran_out
from regard.training.guidance import guide_of

if TYPE_CHECKING:
    from regard.training.loop import Training


def gradients(training: Training, batches: Sequence[Sequence[int]], tokens: int) -> float:
    """The gradients of the loss of these batches, by the number of `tokens`; returns the sum of their losses.

    A batch that the memory does not suffice for is done in halves. Everything is then done again: what the attempt
    that failed has added to the gradients can't be taken away.
    """
    progress, settings = training.progress, training.settings.training
    # With the number of each among the batches of all processes.
    first, step = training.fabric.global_rank, training.fabric.world_size
    parts = [(first + place * step, list(batch)) for place, batch in enumerate(batches)]
    while True:
        place, total, seeded = 0, 0.0, None
        training.optimizer.zero_grad(set_to_none=True)
        try:
            for place, (number, indices) in enumerate(parts):  # noqa: B007
                if number != seeded:  # the halves of a batch share its randomness
                    torch.manual_seed(_seed_of(settings.seed, progress.update, number))
                    seeded = number
                total += _backward(training, indices, tokens)
            return total
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
        training.optimizer.zero_grad(set_to_none=True)
        number, indices = parts[place]
        parts[place : place + 1] = [(number, half) for half in _divided(training, indices)]


def _backward(training: Training, indices: Sequence[int], tokens: int) -> float:
    """Add the gradients of a batch; returns the sum of its tokens' losses, without auxiliary ones."""
    corpus = training.corpus
    batch = training.feeder.take(indices, training.progress.epoch).to(training.predictor.device)
    settings = training.settings.training
    guide = guide_of(corpus, training.settings, batch)
    with training.fabric.autocast():
        loss = training.model.loss(batch, settings.smoothing, settings.coverage, guide)
    (sum(loss.auxiliary.values(), loss.nll) / tokens).backward()
    return float(loss.nll.detach())


def _divided(training: Training, indices: Sequence[int]) -> tuple[list[int], list[int]]:
    """The halves of a batch that was too large, told ever more rarely; RegardError for a single pair."""
    examples = training.corpus.train
    if len(indices) < 2:
        pair = examples.pairs[indices[0]]
        lengths = f"{len(examples.sources[indices[0]]):,} and {len(examples.targets[indices[0]]):,} tokens"
        limit = {"image": "data.image.longest", "sound": "data.sound.seconds"}.get(
            training.settings.data.medium or "", "data.max_source_tokens"
        )
        raise RegardError(
            f"{pair.origin}: the memory does not suffice to learn from this pair alone ({lengths}); lower {limit} "
            "and data.max_target_tokens, or give the model a smaller width"
        )
    training.divided += 1
    if training.divided & (training.divided - 1) == 0:
        training.report.say(
            f"update {training.progress.update:,}: memory ran out for a batch of {len(indices):,} pairs, which is done "
            f"in halves (so far {training.divided:,} times; a lower training.batch would be faster)"
        )
    return halves(indices)


def leave_out(training: Training, loss: float) -> None:
    """Count an update whose gradient is no number; the weights stay as they were.

    Raises RegardError, with what is known of the cause, where that happened too often in a row.
    """
    progress, settings = training.progress, training.settings.training
    progress.skipped += 1
    progress.left_out += 1
    training.report.say(f"update {progress.update:,} left out: its gradient is no number (loss {loss:.3g})")
    if progress.skipped < settings.max_skipped:
        return
    named = list(training.model.named_parameters())
    weights = [name for name, parameter in named if not bool(parameter.isfinite().all())]
    found = [name for name, each in named if each.grad is not None and not bool(each.grad.isfinite().all())]
    what, wrong = ("weights", weights) if weights else ("gradients", found)
    where = f"no numbers are in the {what} of {len(wrong)} of {len(named)} tensors, {wrong[0]} first"
    if not wrong:
        where = "every number is finite, and their norm is not"
    kept = (
        f"{WEIGHTS} keeps update {progress.best_update:,}, the best" if progress.best_update else "nothing is kept yet"
    )
    raise RegardError(
        f"the gradient was no number {progress.skipped} updates in a row, to update {progress.update:,} "
        f"(training.max_skipped): {where}; {kept}; begin anew (--restart) with a lower training.rate (now "
        f"{settings.rate:g}) or training.clip"
    )


def _seed_of(seed: int, update: int, number: int) -> int:
    """A different seed for every batch of every update, and for neighbouring seeds too (a step of SplitMix64).

    It does not depend on the process: what a batch teaches is the same wherever it is done.
    """
    mixed = (seed * 0x9E3779B97F4A7C15 + update * 0xBF58476D1CE4E5B9 + number * 0x94D049BB133111EB) % 2**64
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    return (mixed ^ (mixed >> 31)) % 2**63
