"""`regard train`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from regard.commands.parsing import add_settings, add_target, given_on, parser
from regard.errors import RegardError


def run(arguments: Sequence[str]) -> int:
    """Train a model on a file of pairs, or several on parts of it for a curve."""
    given = _parser().parse_args(list(arguments))
    settings = given_on(given)
    options = vars(given)
    if "curve" in options:
        return _curve(given, settings)
    for name in ("seeds", "test"):
        if name in options:
            raise RegardError(f"--{name} is for a curve; give --curve too")
    from regard.training.preparing import dry_run, gather, prepare, read
    from regard.training.progress import Brief, reporter
    from regard.training.run import device_for, train

    target, dev, dev_target, guided = (options.get(name) for name in ("target", "dev", "dev_target", "guided"))
    start_from = options.get("start_from")
    with reporter() as report:
        if given.dry_run:
            values = gather(options.get("config"), settings, start_from)
            device = device_for(options.get("out", "model"), values)
            told: list[str] = []
            texts = read(_pairs(given), target, dev, dev_target, values, guided)
            prepared = prepare(texts, values, tell=told.append, start_from=start_from)
            print("\n".join([*texts.news, *told, *dry_run(prepared, device)]))
            return 0
        train(
            _pairs(given),
            out=options.get("out", "model"),
            target=target,
            dev=dev,
            dev_target=dev_target,
            guided=guided,
            start_from=start_from,
            config=options.get("config"),
            restart=given.restart,
            report=Brief(report) if given.brief else report,
            **settings,
        )
    return 0


def _pairs(given: argparse.Namespace) -> str | list[str]:
    """The file of pairs, or several."""
    return str(given.pairs[0]) if len(given.pairs) == 1 else list(given.pairs)


def _curve(given: argparse.Namespace, settings: dict[str, Any]) -> int:
    options = vars(given)
    if given.dry_run:
        raise RegardError("--dry-run is for one training; leave out --curve")
    if len(given.pairs) > 1:
        raise RegardError("--curve is for one file of pairs; join them to one")
    for name, flag in (("guided", "--guided"), ("start_from", "--from")):
        if name in options:
            raise RegardError(f"{flag} is for one training; leave out --curve")
    from regard.training.curve import PICTURE, SEEDS, curve, summary
    from regard.training.progress import Brief, reporter

    out = Path(options.get("out", "curve"))
    with reporter() as report:
        points = curve(
            given.pairs[0],
            out=out,
            sizes=_sizes(given.curve),
            seeds=options.get("seeds", SEEDS),
            test=options.get("test"),
            target=options.get("target"),
            dev=options.get("dev"),
            dev_target=options.get("dev_target"),
            config=options.get("config"),
            restart=given.restart,
            report=Brief(report) if given.brief else report,
            **settings,
        )
    print(summary(points))
    if (out / PICTURE).exists():
        print(f"the picture: {out / PICTURE}")
    return 0


def _sizes(text: str) -> list[int] | None:
    """`100,300,1000` as numbers; None for the usual sizes. Raises RegardError for anything else."""
    if not text:
        return None
    try:
        return [int(size) for size in text.split(",")]
    except ValueError:
        raise RegardError(f"--curve {text}: sizes are numbers separated by commas, such as 100,300,1000") from None


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "train",
        "Train a model on pairs of texts. Nothing but the pairs is needed: what is not given is chosen from the data, "
        "and told with the reason. The same command again goes on with a training that was stopped.",
    )
    made.add_argument(
        "pairs",
        nargs="+",
        help="TSV (a header of source and target, src and tgt, or input and output is recognised) or JSONL, .gz "
        "too; - for standard input; a folder of images or recordings with texts beside them; or, with --target, the "
        "source file; several such files are learned from together, each as much as --data.weights says. Sources that "
        "are images or recordings are paths, from the folder of the file that names them",
    )
    add_target(made)
    made.add_argument("--dev", metavar="FILE", help="pairs to validate on (default: some of the pairs are held out)")
    made.add_argument("--dev-target", metavar="FILE", help="the target file of --dev, where that is a source file")
    made.add_argument(
        "--guided",
        metavar="FILE",
        help="word alignments (`0-0 1-2`), line by line beside the pairs, that teach the attention where to look",
    )
    made.add_argument(
        "--from",
        metavar="FOLDER",
        dest="start_from",
        help="begin with this model's weights, as far as they fit, and its settings where no others are given",
    )
    made.add_argument("--out", metavar="FOLDER", help="the model's folder (default: model, or curve with --curve)")
    made.add_argument("--config", metavar="FILE", help="a YAML file of settings, by the names below; flags override it")
    made.add_argument(
        "--dry-run", action="store_true", default=False, help="show settings, counts and an estimate; train nothing"
    )
    made.add_argument(
        "--brief", action="store_true", default=False, help="one line for each validation: no samples of what is said"
    )
    made.add_argument("--restart", action="store_true", default=False, help="begin anew where --out holds a model")
    made.add_argument(
        "--curve",
        metavar="SIZES",
        nargs="?",
        const="",
        help="train on so many pairs, on more, on all, and draw how good the models are; sizes as 100,300,1000 "
        "(default: 100, 300, 1000, 3000, ... and all)",
    )
    made.add_argument("--seeds", metavar="N", type=int, help="with --curve: trainings of each size (default: 3)")
    made.add_argument("--test", metavar="FILE", help="with --curve: pairs to score on (default: those to validate on)")
    add_settings(made)
    return made
