"""What the commands that use a model share: their options, and the texts they are given."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regard.errors import RegardError
from regard.settings import Medium, SearchSettings

if TYPE_CHECKING:
    from regard.maps import AttentionMap


def add_model(to: argparse.ArgumentParser, optional: bool = False, several: bool = False) -> None:
    """The model's folder, and where it runs; `several`: others may predict with it."""
    to.add_argument("model", nargs="?" if optional else None, help="the folder of a model")
    if several:
        to.add_argument(
            "--with",
            dest="others",
            action="append",
            metavar="FOLDER",
            help="another model with the same target vocabulary, or more, each with its own --with: they predict "
            "together, by the mean of their probabilities",
        )
    to.add_argument("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda or mps (default: auto)")


def folders_of(given: argparse.Namespace) -> list[str]:
    """The folders of all models that are to predict together, mostly one."""
    return [given.model, *vars(given).get("others", [])]


def check_drawn(search: Mapping[str, Any], usual: SearchSettings) -> None:
    """Raises RegardError for options of a search where outputs are drawn, and the other way round."""
    if "beam" in search and "sample" in search:
        raise RegardError("--beam: outputs are drawn with --sample, not searched for; give one of them")
    if "seed" in search and usual.sample is None and "sample" not in search:
        raise RegardError("--seed: nothing is drawn; give --sample, how many outputs are to be")


def add_texts(to: argparse.ArgumentParser) -> None:
    """Texts as arguments or from a file, or the files of images and recordings."""
    to.add_argument(
        "texts",
        nargs="*",
        metavar="TEXT",
        help="texts, or the files of images or recordings; without any, and without --input: standard input",
    )
    to.add_argument(
        "--input",
        metavar="FILE",
        help="a file of texts, one a line, .gz too, - for standard input; for images and recordings such a file "
        "itself, or a list of paths",
    )


def sources_from(given: argparse.Namespace, medium: Medium, features: bool = False) -> list[str]:
    """What was given to predict from: texts, or for other media the paths of files.

    With `features`, those of a text in a file follow it after a tab. Lines without text are told of on standard error,
    and kept. Paths in a list count from its folder.
    """
    path, texts = getattr(given, "input", None), getattr(given, "texts", [])
    if medium != "text":
        from regard.data.media import ENDINGS

        if path is None or Path(path).suffix.lower() in ENDINGS[medium]:
            return _some([*([path] if path else []), *texts], medium)
        folder = Path() if path == "-" else Path(path).parent
        return _some([*(str(folder / each) for each in _lines(path)), *texts], medium)
    if texts and path:
        raise RegardError("texts were given as arguments and by --input; give one of them")
    if not features and any("\t" in text.strip() for text in texts):
        print("regard: what follows a tab is read as text: this model was trained without features", file=sys.stderr)
    return list(texts) if texts else _lines(path or "-", features)


def _some(paths: list[str], medium: Medium) -> list[str]:
    if not paths:
        raise RegardError(f"this model predicts from files ({medium}); name one or more, or give a list with --input")
    return paths


def _lines(path: str, features: bool = False) -> list[str]:
    from regard.data.reading import read_texts

    texts, report = read_texts(path, features)
    if report.noted or report.remarks:
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
