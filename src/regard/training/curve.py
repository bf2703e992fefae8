"""How good a model becomes with how many pairs: trainings on nested parts of one corpus, scored alike."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import statistics as numbers
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from regard.data.corpora import read_any
from regard.data.detection import detect_kind
from regard.data.features import parted
from regard.data.reading import Pair
from regard.data.text import word_spans
from regard.errors import RegardError
from regard.evaluation import METRICS, statistics, table
from regard.files import write_bytes
from regard.folder import CONFIG
from regard.predictor import Predictor
from regard.settings import DataSettings
from regard.training.choices import choose_columns, complete
from regard.training.corpus import Texts
from regard.training.preparing import Pairs, gather, read
from regard.training.progress import Reporter, spoken, told_to
from regard.training.run import train

CURVE, PICTURE = "curve.jsonl", "curve.png"
SEEDS = 3
_FOLDER = "{pairs}-pairs-seed-{seed}"
# Where a training runs may change when it goes on.
_ANYWHERE = ("training.device", "training.threads")
_FOLDERS = re.compile(r"\d+-pairs-seed-\d+")


@dataclass(frozen=True)
class Point:
    """One training: on how many pairs with which seed, what it scored, and what it took.

    `digest` is that of all that determines the scores: pairs, settings, test.
    """

    pairs: int
    seed: int
    scores: Mapping[str, float]
    updates: int
    epochs: float
    seconds: float
    digest: str


def curve(
    pairs: Pairs,
    *,
    out: str | Path = "curve",
    sizes: Sequence[int] | None = None,
    seeds: int = SEEDS,
    test: str | Path | Sequence[Pair] | None = None,
    target: str | Path | None = None,
    dev: Pairs | None = None,
    dev_target: str | Path | None = None,
    config: str | Path | None = None,
    restart: bool = False,
    report: Reporter | Literal[False] | None = None,
    **settings: Any,
) -> list[Point]:
    """Train on so many pairs, on more, on all, several times over, and score every model on the same pairs.

    What is not given is chosen anew for each size. The folder `out` gets a model's folder for each training, the
    points in `curve.jsonl`, and their picture, `curve.png`. The same call again goes on where it was stopped.

    Args:
        pairs, target, dev, dev_target, config, restart, report, settings: as for `train`.
        out: the folder of all of it.
        sizes: numbers of pairs; by default 100, 300, 1,000, 3,000, ... and all.
        seeds: how many trainings of each size, from `training.seed` on; each seed draws its own pairs too.
        test: what is scored, a file or pairs; by default what is validated on.

    Raises RegardError as `train` does, for sizes that the corpus has not, and for a folder with another curve.
    """
    with told_to(report) as told:
        given = gather(config, settings)
        folder = Path(out)
        texts = read(pairs, target, dev, dev_target, given)
        for line in texts.news:
            told.say(line)
        wanted = checked_sizes(sizes, len(texts.train))
        if seeds < 1:
            raise RegardError(f"--seeds {seeds}: there must be one training of each size at least")
        tested = _tested(test, texts, given, told)
        metrics = usual_metrics(texts, given)
        if restart:
            _clear(folder)
        points = load_points(folder)
        first = int(given.get("training.seed") or 1)
        todo = [(size, seed) for seed in range(first, first + seeds) for size in wanted]
        order: list[int] = []
        for number, (size, seed) in enumerate(todo, 1):
            values = {**given, "training.seed": seed}
            if size == wanted[0]:  # the first training of a seed
                order = drawing(texts.train, seed)
            chosen = subset(texts.train, order, size)
            digest = _digest(replace(texts, train=tuple(chosen)), values, tested, metrics)
            known = next((point for point in points if (point.pairs, point.seed) == (size, seed)), None)
            if known is not None:
                if known.digest != digest:
                    raise RegardError(
                        f"{folder / CURVE}: is of other pairs or settings; give another --out, or --restart"
                    )
                continue
            told.say(f"\ntraining {number} of {len(todo)}: {size:,} pairs, seed {seed}")
            place = folder / _FOLDER.format(pairs=size, seed=seed)
            predictor = train(_texts(chosen), dev=_texts(texts.dev), out=place, report=told, **values)
            scores = score(predictor, tested, metrics)
            points.append(_point(size, seed, scores, place, digest))
            save_points(folder, points)
            draw(points, metrics[0], folder / PICTURE)
            told.say(f"{size:,} pairs, seed {seed}: " + ", ".join(f"{name} {scores[name]:.2f}" for name in scores))
        return [point for point in points if (point.pairs, point.seed) in todo]


# What is trained on ---------------------------------------------------------------------------------------------------


def checked_sizes(sizes: Sequence[int] | None, pairs: int) -> list[int]:
    """Those given, in rising order, or 100, 300, 1,000, 3,000, ... and all. Raises RegardError for any out of range."""
    if sizes is None:
        ladder = (leading * 10**power for power in range(2, 12) for leading in (1, 3))
        return [*(size for size in ladder if size < pairs), pairs]
    for size in sizes:
        if not 2 <= size <= pairs:
            raise RegardError(f"--curve {size}: there are {pairs:,} pairs to train on; sizes are from 2 to that")
    return sorted(set(sizes))


def drawing(pairs: Sequence[Pair], seed: int) -> list[int]:
    """The places of the pairs in the order in which a seed draws them.

    That is the order of a hash of the seed and their texts, so that the order of the file does not matter.
    """
    keys = [
        hashlib.sha256(f"{seed}\t{pair.source}\t{pair.target}".encode("utf-8", "surrogatepass")).digest()
        for pair in pairs
    ]
    return sorted(range(len(pairs)), key=lambda index: (keys[index], index))


def subset(pairs: Sequence[Pair], order: Sequence[int], size: int) -> list[Pair]:
    """The `size` pairs that are drawn first, as they stand in the file; larger subsets have the smaller in them."""
    return [pairs[index] for index in sorted(order[:size])]


def _texts(pairs: Sequence[Pair]) -> list[tuple[Any, str]]:
    """Pairs as they are given, sources with features as such."""
    sides = [(parted(pair.source), pair.target) for pair in pairs]
    return [(text if features is None else (text, features), target) for (text, features), target in sides]


# What is scored -------------------------------------------------------------------------------------------------------


def usual_metrics(texts: Texts, given: Mapping[str, Any]) -> tuple[str, ...]:
    """The metrics that suit the targets, the one that is drawn first.

    Whole outputs that are right, and the rate of wrong symbols or characters, for symbols and for single words; chrF
    and BLEU for sentences. A metric that decides what is best (`training.metric`) goes before these.
    """
    targets = [pair.target for pair in (*texts.train, *texts.dev)]
    kind = given.get("data.target_tokens") or detect_kind(targets).kind
    words = numbers.fmean(len(word_spans(target)) for target in targets)
    usual = ("accuracy", "per") if kind == "symbols" else ("accuracy", "cer") if words < 1.5 else ("chrf", "bleu")
    decisive = given.get("training.metric")
    return usual if decisive in (None, "loss") else (decisive, *(name for name in usual if name != decisive))


def score(predictor: Predictor, pairs: Sequence[Pair], metrics: Sequence[str]) -> dict[str, float]:
    """Each metric of a model's outputs for all of the pairs, in per cent."""
    outputs = [found.text for found in predictor.predict([pair.source for pair in pairs], n_best=1)]
    return {name: statistics(name, outputs, [pair.targets for pair in pairs]).score().value for name in metrics}


def _tested(
    test: str | Path | Sequence[Pair] | None, texts: Texts, given: Mapping[str, Any], report: Reporter
) -> Sequence[Pair]:
    if test is None or not isinstance(test, (str, Path)):
        return texts.dev if test is None else test
    like = complete(given, choose_columns(given, texts)[0]).data
    pairs, account, _ = read_any(test, None, DataSettings(medium=texts.medium), like=like)
    if account.left_out_count or account.noted or account.remarks:
        report.say(str(account))
    return pairs


# What is kept ---------------------------------------------------------------------------------------------------------


def load_points(folder: Path) -> list[Point]:
    """The points of `curve.jsonl`, none where there is no such file. Raises RegardError where it is damaged."""
    path = folder / CURVE
    if not path.exists():
        return []
    try:
        return [Point(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except (ValueError, TypeError) as error:
        raise RegardError(f"{path}: damaged ({error}); --restart begins anew") from None


def save_points(folder: Path, points: Sequence[Point]) -> None:
    """Write `curve.jsonl`, a line for each point."""
    lines = "".join(json.dumps(asdict(point), ensure_ascii=False) + "\n" for point in points)
    write_bytes(folder / CURVE, lines.encode("utf-8"))


def _point(size: int, seed: int, scores: Mapping[str, float], place: Path, digest: str) -> Point:
    last = json.loads((place / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    return Point(size, seed, scores, last["step"], last["epoch"], last["seconds"], digest)


def _digest(texts: Texts, given: Mapping[str, Any], tested: Sequence[Pair], metrics: Sequence[str]) -> str:
    known = {
        "texts": texts.fingerprint,
        "given": {name: value for name, value in given.items() if value is not None and name not in _ANYWHERE},
        "tested": [[pair.source, *pair.targets] for pair in tested],
        "metrics": list(metrics),
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:12]


def _clear(folder: Path) -> None:
    """Remove the points and the models of an earlier curve, and nothing else."""
    (folder / CURVE).unlink(missing_ok=True)
    for place in folder.glob("*-pairs-seed-*"):
        if _FOLDERS.fullmatch(place.name) and (place / CONFIG).is_file():
            shutil.rmtree(place)


# What is shown --------------------------------------------------------------------------------------------------------


def summary(points: Sequence[Point]) -> str:
    """A line for each number of pairs: the mean of each metric over the seeds, and their standard deviation."""
    metrics = list(points[0].scores)
    rows = []
    for size in sorted({point.pairs for point in points}):
        same = [point for point in points if point.pairs == size]
        cells = [spread([point.scores[name] for point in same]) for name in metrics]
        rows.append([str(size), str(len(same)), *cells, spoken(numbers.fmean(point.seconds for point in same))])
    return table(("pairs", "seeds", *metrics, "training time"), rows)


def spread(values: Sequence[float]) -> str:
    """`31.25 ± 0.40`: the mean and the standard deviation of a sample; the value alone where there is only one."""
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{numbers.fmean(values):.2f} ± {numbers.stdev(values):.2f}"


def draw(points: Sequence[Point], metric: str, path: Path) -> None:
    """The picture: the mean score against the number of pairs, with the range of the seeds; none without matplotlib."""
    if find_spec("matplotlib") is None:
        return
    from regard.view.figure import curves

    sizes = sorted({point.pairs for point in points})
    scores = [[point.scores[metric] for point in points if point.pairs == size] for size in sizes]
    better = "higher" if METRICS[metric].higher_is_better else "lower"
    curves(
        {metric: (sizes, [numbers.fmean(values) for values in scores])},
        path,
        "pairs trained on",
        f"{metric} ({better} is better)",
        log_x=True,
        ranges={metric: ([min(values) for values in scores], [max(values) for values in scores])},
    )
