"""`regard demo` of images and recordings."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regard.commands.predicting import show_attention
from regard.commands.showing import write_html, write_picture
from regard.demonstration.media import CORPUS, Demonstration, Example, exact_match, learn
from regard.training.progress import Brief, reporter

if TYPE_CHECKING:
    from regard.maps import AttentionMap
    from regard.predictor import Predictor

_TOP = 3


def run(given: argparse.Namespace, demonstration: Demonstration[Any]) -> int:
    """Write the corpus, train on it, show the attention of some examples, and measure."""
    folder = Path(given.out or f"regard-demo-{given.name}")
    print(f"Regard's demonstration: {demonstration.title}, from a corpus made on the spot.", flush=True)
    begin = time.monotonic()
    examples = demonstration.write(folder / CORPUS)
    train = [example for example in examples if example.part == "train"]
    print(f"{len(train):,} pairs to learn from, such as: {train[0].path}  ->  {train[0].target}", flush=True)
    with reporter() as report:
        model = learn(demonstration, folder, Brief(report), restart=given.restart)
    shown = [example for example in examples if example.part == "test"][: demonstration.shown]
    maps = [seen for example in shown if (seen := _show(model, example)) is not None]
    views = _views(maps, folder, demonstration.title)
    print(f"\ntrained and shown in {time.monotonic() - begin:.0f} seconds; now what it has never seen:", flush=True)
    for measure in demonstration.measure(model, examples):
        print(f"  {measure}", flush=True)
    if given.compare:
        _compare(demonstration, model, examples, folder, given)
    print(f"\n{time.monotonic() - begin:.0f} seconds in all. The model is in {folder / 'model'}:")
    print(f"  regard predict {folder / 'model'} --show {shown[0].path}")
    print(f"What it looked at for each word: {', '.join(str(path) for path in views)}")
    return 0


def _show(model: Predictor, example: Example[Any]) -> AttentionMap | None:
    found = model.predict(str(example.path))
    print(f"\n{example.path}  ->  {found.text}   (log-probability {found.log_prob:.3f}; right: {example.target})")
    show_attention(found.attention, _TOP)
    return found.attention


def _views(maps: Sequence[AttentionMap], folder: Path, title: str) -> list[Path]:
    """A page of the maps, and a picture where matplotlib is there."""
    views = [folder / "attention.html"]
    write_html(maps, str(views[0]), title)
    if find_spec("matplotlib") is not None:
        views.append(folder / "attention.png")
        write_picture(maps, str(views[1]))
    return views


def _compare(
    demonstration: Demonstration[Any], model: Predictor, examples: Sequence[Example[Any]], folder: Path, given: Any
) -> None:
    print("\nNow the same model without attention:", flush=True)
    with reporter() as report:
        fixed = learn(demonstration, folder, Brief(report), context="fixed", restart=given.restart)
    test = [example for example in examples if example.part == "test"]
    print(f"  {exact_match(model, test, 'exactly right, of {} with attention')}")
    print(f"  {exact_match(fixed, test, 'exactly right, of {} with one fixed context C for all steps')}")
