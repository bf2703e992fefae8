"""Beside Yoyodyne (pip package): hard monotonic attention, words to phones, and inflection.

    benchmarks/peers/install.sh yoyodyne
    python benchmarks/papers/yoyodyne.py --minutes 9

Each side tries as many settings; accuracy on the development list alone chooses one of them, which is trained with two
more seeds and scored on the test list. Widths, dropout, clipping, and the numbers of updates in an epoch and of
validations are the same; Regard's trainings have two or three times as many epochs, and take less
time. Epochs are timed in turn.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

import hard_attention
from runner import Job, Record, main, records, spread
from yoyodyne_peer import configuration, run, unvalidated
from yoyodyne_tasks import (
    CLIP,
    DROPOUT,
    EMBEDDING,
    OURS,
    PAIRS_AT_ONCE,
    SMOOTHING,
    TASKS,
    THEIRS,
    VALIDATIONS,
    WIDTH,
    settings,
    texts,
)

from regard.evaluation import statistics
from regard.predictor import Predictor
from regard.training.interrupts import TrainingStopped
from regard.training.progress import Pace, Reporter, Silent
from regard.training.run import train

TABLE, VERSION = "yoyodyne", "0.5.27"
SEEDS = (1, 2, 3)
TIMED_EPOCHS, ROUNDS = 3, 3
METRICS = ("accuracy", "per")


def jobs() -> list[Job]:
    """Task by task: every setting of both sides, the times of epochs, the best with more seeds."""
    return [
        job
        for task in TASKS
        for job in (
            *(job for setting in range(len(settings(task, OURS))) for job in _tried(task, setting)),
            _timed(task),
            *(_chosen(task, side, seed) for seed in SEEDS[1:] for side in (OURS, THEIRS)),
        )
    ]


# Jobs -----------------------------------------------------------------------------------------------------------------


def _tried(task: str, number: int) -> list[Job]:
    """The setting of that number of either side, with the first seed."""
    made = []
    for side in (OURS, THEIRS):
        name, given = settings(task, side)[number]
        about = {"setting": name, "settings": given, "seed": SEEDS[0]}
        made.append(_training(task, side, f"{number + 1}-{SEEDS[0]}", about, lambda found=(name, given): found))
    return made


def _chosen(task: str, side: str, seed: int) -> Job:
    """What was best on the development list, with another seed."""
    about = {"setting": "the best of", "settings": dict(settings(task, side)), "seed": seed}
    return _training(task, side, f"best-{seed}", about, partial(best, task, side))


def best(task: str, side: str) -> tuple[str, dict[str, Any]]:
    """The setting of a side that was best on the development list, the first of equals. Raises TrainingStopped."""
    found = _of(list(records(TABLE).values()), task, side)
    if len(found) < len(settings(task, side)):
        raise TrainingStopped(f"not every setting of {side} has been tried", 0)
    chosen = _best_of(found)
    return chosen["setting"], chosen["settings"]


def _of(found: Sequence[Record], task: str, side: str) -> list[Record]:
    """The results of all settings that a side has tried, in their order."""
    digests = [each.digest for number in range(len(settings(task, side))) for each in _tried(task, number)]
    known = {record["digest"]: record for record in found if record["side"] == side}
    return [known[digest] for digest in digests if digest in known]


def _best_of(tried: Sequence[Record]) -> Record:
    return max(tried, key=lambda record: float(record["training"]["best"]))


def _training(
    task: str, side: str, name: str, about: Mapping[str, Any], setting: Callable[[], tuple[str, dict[str, Any]]]
) -> Job:
    described = {"task": task, "pairs": TASKS[task].pairs, "side": side, "validations": VALIDATIONS, **about}

    def ours(folder: Path, report: Reporter) -> Predictor:
        parts = {part: texts(task, part) for part in ("train", "dev")}
        seeded = {"training": {"seed": about["seed"]}}
        return train(parts["train"], dev=parts["dev"], out=folder, report=report, **setting()[1], **seeded)

    def theirs(folder: Path, report: Reporter) -> Fitted:
        config = configuration(task, folder, setting()[1], about["seed"])
        run("fit", folder, config)
        found = json.loads((folder / "fitted.json").read_text(encoding="utf-8"))
        lines = (folder / "test.txt").read_text(encoding="utf-8").splitlines()
        return Fitted(lines, {key: found[key] for key in ("parameters", "updates", "epochs", "best")})

    def score_ours(predictor: Predictor) -> dict[str, Any]:
        sources = [source for source, _ in texts(task, "test")]
        greedy, beam = ([each.text for each in predictor.predict(sources, beam=beam)] for beam in (1, 5))
        return {"setting": setting()[0], **_scores(task, greedy), "beam 5": _scores(task, beam)}

    def score_theirs(fitted: Fitted) -> dict[str, Any]:
        return {"setting": setting()[0], **_scores(task, fitted.outputs)}

    job = f"{task}-{name}-{side}"
    if side == OURS:
        return Job(job, described, ours, score_ours)
    return Job(job, described, theirs, score_theirs, told=lambda _, fitted: fitted.told)


@dataclass(frozen=True)
class Fitted:
    """What Yoyodyne says of the test list, and what it told of its training."""

    outputs: list[str]
    told: Mapping[str, Any]


def _scores(task: str, outputs: list[str]) -> dict[str, Any]:
    targets = [target for _, target in texts(task, "test")]
    found: dict[str, Any] = {
        name: round(statistics(name, outputs, [[target] for target in targets]).score().value, 2) for name in METRICS
    }
    right = "".join(str(int(output == target)) for output, target in zip(outputs, targets, strict=True))
    return found | {"right": right}


# Times ----------------------------------------------------------------------------------------------------------------


def _timed(task: str) -> Job:
    """Rounds of a few epochs of each side in turn, with the best settings; the first epoch of each is left out."""
    given = {side: dict(settings(task, side)) for side in (OURS, THEIRS)}
    about = {"task": task, "side": "both", "settings": given, "epochs": TIMED_EPOCHS, "rounds": ROUNDS, "seed": 1}

    def measure(folder: Path, report: Reporter) -> list[Record]:
        folder.mkdir(parents=True, exist_ok=True)
        stored = folder / "rounds.jsonl"
        rounds = [json.loads(line) for line in stored.read_text().splitlines()] if stored.exists() else []
        while len(rounds) < ROUNDS:
            one = {side: (_our_epochs if side == OURS else _their_epochs)(task, folder) for side in (OURS, THEIRS)}
            rounds.append(one)
            with stored.open("a", encoding="utf-8") as file:
                file.write(json.dumps(one) + "\n")
            report.say(f"{task}: round {len(rounds)} of {ROUNDS}: {one}")
        return rounds

    def score(rounds: list[Record]) -> dict[str, Any]:
        return {
            side: {
                "setting": best(task, side)[0],
                **{f"{clock} seconds": _median_of(rounds, side, clock) for clock in ("cpu", "wall")},
                "updates": rounds[0][side]["updates"],
            }
            for side in (OURS, THEIRS)
        } | {"rounds": rounds}

    return Job(f"{task}-times", about, measure, score, told=lambda folder, _: {})


def _median_of(rounds: Sequence[Record], side: str, clock: str) -> float:
    return round(median(seconds for one in rounds for seconds in one[side][clock]), 3)


class _Epochs(Silent):
    """Keeps the seconds of the clock and of this process, and the number of updates, at the end of each epoch."""

    def __init__(self) -> None:
        self.ends: list[tuple[float, float, int]] = []

    def pace(self, pace: Pace) -> None:
        if pace.epoch == int(pace.epoch):
            self.ends.append((time.perf_counter(), time.process_time(), pace.update))


def _our_epochs(task: str, folder: Path) -> Record:
    timed = {
        **best(task, OURS)[1],
        # Some more than so many epochs have.
        "training.updates": (TIMED_EPOCHS + 2) * -(-TASKS[task].pairs // PAIRS_AT_ONCE),
        "training.validate_every": 10**6,
        "training.metric": "loss",
    }
    epochs = _Epochs()
    train(texts(task, "train"), dev=texts(task, "dev")[:1], out=folder / "ours", restart=True, report=epochs, **timed)
    ends = epochs.ends[: TIMED_EPOCHS + 1]
    wall, cpu, updates = (
        [round(after[which] - before[which], 4) for before, after in itertools.pairwise(ends)] for which in range(3)
    )
    return {"wall": wall, "cpu": cpu, "updates": median(updates)}


def _their_epochs(task: str, folder: Path) -> Record:
    inner = folder / "theirs"
    (inner / "epochs.jsonl").unlink(missing_ok=True)
    run("time", inner, unvalidated(configuration(task, inner, best(task, THEIRS)[1], seed=1), TIMED_EPOCHS + 1))
    found = [json.loads(line) for line in (inner / "epochs.jsonl").read_text().splitlines()][1:]
    return {**{clock: [each[clock] for each in found] for clock in ("wall", "cpu")}, "updates": found[0]["updates"]}


# What is told --------------------------------------------------------------------------------------------------------

_OPENING = """## Beside Yoyodyne

Regard and Yoyodyne {version} (pip package) on the same pairs. Each side tried {settings} settings with one seed; the
one that was best on the development list, and nothing else, was chosen, and trained with more seeds. Both are a
bidirectional LSTM encoder and an LSTM decoder of width {width}, with embeddings of {embedding}, dropout {dropout} (in
Regard of states too), Adam at a rate that falls to 0, gradients clipped at {clip:g}, label smoothing of {smoothing}
(which Yoyodyne's monotonic models do not have), and batches of {batch} pairs (of Regard's, on an average: as many
updates in an epoch); the best of {validations} validations is kept. Regard's memory has embeddings beside the states
(`model.encoder.memory both`), and its trainings have two or three times as many epochs, which still take less
time. What all settings have in common was sought on the development list of the first task, in 20 trials of
Regard's and 3 of Yoyodyne's, and on that of the third, in 6 of Regard's, where its decoder is fed the mixed state
(`model.decoder.input_feeding`); that is no equal chance. One thread each. The lists are in alphabetical order;
training pairs are taken from them at even distances.

WER is the percentage of words (or forms) with any error, on the whole test list, PER that of wrong symbols; both decode
greedily, which is all that Yoyodyne's monotonic models know. Epochs are timed in {rounds} rounds of both sides in turn,
{timed} epochs each, training alone: the medians of the seconds that the process worked on a core, and of those that
passed, on a machine with other work. (A second process, which reads Yoyodyne's batches, counts in the latter alone.)

    benchmarks/peers/install.sh yoyodyne
    python benchmarks/papers/yoyodyne.py --minutes 9"""


def sections(found: Sequence[Record], table: Callable[[Sequence[str], Iterable[Sequence[str]]], str]) -> list[str]:
    """What the page of results says of the tasks whose settings have all been tried, in Markdown."""
    tasks = [
        task
        for task in TASKS
        if all(len(_of(found, task, side)) == len(settings(task, side)) for side in (OURS, THEIRS))
    ]
    if not tasks:
        return []
    numbers = {"width": WIDTH, "embedding": EMBEDDING, "dropout": DROPOUT, "smoothing": SMOOTHING, "clip": CLIP}
    numbers |= {"batch": PAIRS_AT_ONCE, "validations": VALIDATIONS, "rounds": ROUNDS, "timed": TIMED_EPOCHS}
    count = len(settings(tasks[0], OURS))
    return [
        _OPENING.format(version=VERSION, settings=count, **numbers),
        *(part for task in tasks for part in _section(task, found, table)),
    ]


def _section(task: str, found: Sequence[Record], table: Callable[..., str]) -> list[str]:
    of = {side: [_best_of(_of(found, task, side)), *_seeds_of(found, task, side)] for side in (OURS, THEIRS)}
    times = next((each["scores"] for each in found if (each["task"], each["side"]) == (task, "both")), None)
    heads = (TASKS[task].title, "chosen", "dev accuracy", "WER", "PER", "seeds", "parameters", "epochs")
    heads += ("updates an epoch", "epoch, of a core", "epoch, passed", "all epochs, of a core")
    less = hard_attention.compared(of[THEIRS], of[OURS])
    said = [f"Accuracy of Regard less that of Yoyodyne, with 95 % on resampled words, over the seeds of both: {less}."]
    if times:
        cpu, wall = (times[THEIRS][f"{clock} seconds"] / times[OURS][f"{clock} seconds"] for clock in ("cpu", "wall"))
        said.append(
            f"An epoch of Yoyodyne's takes {cpu:.2f} times Regard's seconds of a core, {wall:.2f} times in all."
        )
    said.append(f"Regard's WER with beam 5: {spread(100 - each['scores']['beam 5']['accuracy'] for each in of[OURS])}.")
    for side in of:
        tried = (f"{each['setting']}: {each['training']['best']:.1f}" for each in _of(found, task, side))
        said.append(f"Accuracy on the development list of all that {side} tried: {'; '.join(tried)}.")
    return [table(heads, [_row(side, of[side], times) for side in of]), "\n".join(said)]


def _seeds_of(found: Sequence[Record], task: str, side: str) -> list[Record]:
    digests = {_chosen(task, side, seed).digest for seed in SEEDS[1:]}
    return [each for each in found if each["digest"] in digests]


def _row(side: str, found: Sequence[Record], times: Record | None) -> tuple[str, ...]:
    timed, epochs = times[side] if times else None, fmean(each["training"]["epochs"] for each in found)
    return (
        side,
        found[0]["setting"],
        spread(each["training"]["best"] for each in found),
        spread(100 - each["scores"]["accuracy"] for each in found),
        spread(each["scores"]["per"] for each in found),
        str(len(found)),
        f"{found[0]['training']['parameters'] / 1e3:.0f} k",
        f"{epochs:.0f}",
        f"{timed['updates']:.0f}" if timed else "",
        *(f"{timed[f'{clock} seconds']:.2f} s" if timed else "" for clock in ("cpu", "wall")),
        f"{epochs * timed['cpu seconds'] / 60:.1f} min" if timed else "",
    )


if __name__ == "__main__":
    sys.exit(main(TABLE, jobs(), str(__doc__).splitlines()[0]))
