"""`regard info`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from regard.commands.parsing import parser


def run(arguments: Sequence[str]) -> int:
    """Print what a model's folder holds."""
    given = _parser().parse_args(list(arguments))
    from regard.configuration import flatten
    from regard.data.features import FeaturedTokeniser
    from regard.data.media import Images, Sounds
    from regard.folder import WEIGHTS, load_facts, load_settings, load_sides, load_weights

    folder = Path(given.model)
    settings, facts = load_settings(folder), load_facts(folder)
    source, target = load_sides(folder, settings)
    print(f"{folder}: trained on {facts.pairs:,} pairs")
    if (folder / WEIGHTS).exists():
        weights = load_weights(folder / WEIGHTS)
        print(f"{sum(weight.numel() for weight in weights.values()):,} numbers in {len(weights)} tensors")
        if facts.score is not None:
            print(f"best at update {facts.update:,}: {facts.metric} {facts.score:.4f} on the pairs for validation")
    else:
        print("no weights yet: its training was stopped before its first validation; the same command goes on")
    for name, side in (("source", source), ("target", target)):
        if isinstance(side, (Images, Sounds)):
            print(f"{name}: {side.described()}")
        else:
            print(f"{name}: {side.kind}, {len(side.vocabulary):,} pieces, casing {side.casing}")
            if isinstance(side, FeaturedTokeniser):
                print(f"{name}: {len(side.features):,} of them features: {', '.join(side.features)}")
    if facts.shown_reason:
        print(f"attention shown: {facts.shown_reason}")
    print("settings:")
    for name, value in flatten(asdict(settings)).items():
        reason = f"   # chosen: {facts.chosen[name]}" if name in facts.chosen else ""
        print(f"  {name}: {'none' if value is None else value}{reason}")
    return 0


def _parser() -> argparse.ArgumentParser:
    made = parser("info", "What a model's folder holds: its settings, sizes, and how its training went.")
    made.add_argument("model", help="the folder of a model")
    return made
