"""`regard train`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from regard.commands.parsing import add_settings, given_on, parser


def run(arguments: Sequence[str]) -> int:
    """Train a model on a file of pairs."""
    given = _parser().parse_args(list(arguments))
    settings = given_on(given)
    options = vars(given)
    from regard.training.progress import reporter
    from regard.training.run import dry_run, gather, prepare, read, train

    target, dev, dev_target = (options.get(name) for name in ("target", "dev", "dev_target"))
    with reporter() as report:
        if given.dry_run:
            values = gather(options.get("config"), settings)
            texts = read(given.pairs, target, dev, dev_target, values)
            print("\n".join([*texts.news, *dry_run(prepare(texts, values))]))
            return 0
        train(
            given.pairs,
            out=given.out,
            target=target,
            dev=dev,
            dev_target=dev_target,
            config=options.get("config"),
            restart=given.restart,
            report=report,
            **settings,
        )
    return 0


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "train",
        "Train a model on pairs of texts. Nothing but the pairs is needed: what is not given is chosen from the data, "
        "and told with the reason. The same command again goes on with a training that was stopped.",
    )
    made.add_argument("pairs", help="TSV or JSONL, .gz too; - for standard input; or, with --target, the source file")
    made.add_argument("--target", metavar="FILE", help="the target file, line by line beside the source file")
    made.add_argument("--dev", metavar="FILE", help="pairs to validate on (default: some of the pairs are held out)")
    made.add_argument("--dev-target", metavar="FILE", help="the target file of --dev, where that is a source file")
    made.add_argument("--out", metavar="FOLDER", default="model", help="the model's folder (default: model)")
    made.add_argument(
        "--config", metavar="FILE", help="a YAML file of settings, by the names below; flags go before it"
    )
    made.add_argument(
        "--dry-run", action="store_true", default=False, help="show settings, counts and an estimate; train nothing"
    )
    made.add_argument("--restart", action="store_true", default=False, help="begin anew where --out holds a model")
    add_settings(made)
    return made
