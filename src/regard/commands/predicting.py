"""What the commands that use a model share: their options, and the texts they are given."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from regard.errors import RegardError

if TYPE_CHECKING:
    from regard.maps import AttentionMap


def add_model(to: argparse.ArgumentParser, optional: bool = False) -> None:
    """The model's folder, and where it runs."""
    to.add_argument("model", nargs="?" if optional else None, help="the folder of a model")
    to.add_argument("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda or mps (default: auto)")


def add_texts(to: argparse.ArgumentParser) -> None:
    """Texts as arguments or from a file."""
    to.add_argument("texts", nargs="*", metavar="TEXT", help="texts; without any, and without --input: standard input")
    to.add_argument("--input", metavar="FILE", help="a file of texts, one a line, .gz too; - for standard input")


def texts_from(given: argparse.Namespace) -> list[str]:
    """The texts that were given. Lines without text are told of on standard error, and kept."""
    path, texts = getattr(given, "input", None), getattr(given, "texts", [])
    if texts and path:
        raise RegardError("texts were given as arguments and by --input; give one of them")
    if texts:
        return list(texts)
    from regard.data.reading import read_texts

    texts, report = read_texts(path or "-")
    if report.noted:
        print(f"regard: {report}".replace("\n", "\nregard: "), file=sys.stderr)
    return texts


def show_attention(map: AttentionMap | None, top: int) -> None:
    """Print a distribution a line, the `top` heaviest source tokens of each, and the heat map."""
    if map is None:
        print("  (no attention to show)")
        return
    from regard.view.terminal import show

    print("\n".join(f"  {line}" for line in map.reading(top).splitlines()))
    show(map)
