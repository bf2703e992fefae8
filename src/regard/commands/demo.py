"""`regard demo`: finds the demonstration that is asked for."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

from regard.commands.parsing import parser
from regard.errors import RegardError, did_you_mean

#: Each demonstration, and what it shows.
DEMONSTRATIONS = {
    "english-chinese": "translates English to Chinese, and shows which source words each word came from",
    "lines": "reads lines of text in pictures, and shows where each character is",
    "scenes": "describes pictures of coloured shapes, and shows what each word names",
    "tones": "hears which keys of a telephone were dialled, and shows when",
}


def run(arguments: Sequence[str]) -> int:
    """Make a corpus, train on it, show what the model attends to, and measure how good it is."""
    given = _parser().parse_args(list(arguments))
    if given.name not in DEMONSTRATIONS:
        raise RegardError(f"there is no demonstration {given.name!r}{did_you_mean(given.name, DEMONSTRATIONS)}")
    if given.name == "english-chinese":
        from regard.commands import demo_english_chinese

        return demo_english_chinese.run(given)
    from regard.commands import demo_media

    return demo_media.run(given, import_module(f"regard.demonstration.{given.name}").DEMONSTRATION)


def _parser() -> argparse.ArgumentParser:
    names = "; ".join(f"{name} {what}" for name, what in DEMONSTRATIONS.items())
    made = parser(
        "demo",
        f"Train a small model in a minute or two on a corpus made on the spot, and see what it attends to: {names}.",
    )
    made.add_argument(
        "name", nargs="?", default="english-chinese", help=f"{', '.join(DEMONSTRATIONS)} (default: english-chinese)"
    )
    made.add_argument(
        "--compare",
        action="store_true",
        default=False,
        help="train the same model without attention, equally long, too",
    )
    made.add_argument(
        "--out",
        metavar="FOLDER",
        default=None,
        help="where the model is kept (default: regard-demo, followed by the name of another than english-chinese)",
    )
    made.add_argument("--restart", action="store_true", default=False, help="begin anew where --out holds the model")
    return made
