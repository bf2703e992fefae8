"""`regard observe`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from regard.commands.parsing import parser
from regard.commands.predicting import add_model
from regard.commands.showing import add_views, check_views, chosen, pictures_of, write_html, write_picture
from regard.errors import RegardError

if TYPE_CHECKING:
    from regard.maps import AttentionMap
    from regard.observe.pretrained import Asked


def run(arguments: Sequence[str]) -> int:
    """Run a Hugging Face model and show what it attends to, by its own kernels."""
    given = _parser().parse_intermixed_args(list(arguments))
    options = vars(given)
    check_views(1, given, "")
    if "maps" in options:
        from regard.files import check_place
        from regard.maps import check_ending

        check_ending(given.maps)
        check_place(given.maps)
    if "times" in options:
        from regard.files import check_place
        from regard.maps import check_times

        check_times(given.times, 1)
        check_place(given.times)
    from regard.observe.pretrained import Pretrained

    model = Pretrained(given.model, given.device)
    if "times" in options and model.medium != "sound":
        raise RegardError(f"--times: {given.model} is no model of recordings")
    found = model.ask(given.source, options.get("target"), given.beam, options.get("new"))
    every = found.map(options.get("place"))
    if found.text is not None:
        print(f"{found.source}  ->  {found.text}")
    _write(found, every, given)
    return 0


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "observe",
        "What a Hugging Face model attends to, while it runs its own fused kernels. The source is a text, or the file "
        "of an image or a recording, by the kind of the model.",
    )
    add_model(made)
    made.add_argument("source", help="a text, or the file of an image or a recording")
    made.add_argument("--target", metavar="TEXT", help="the output of an encoder-decoder, given instead of searched")
    made.add_argument("--new", type=int, metavar="N", help="generate so many tokens at most")
    made.add_argument("--beam", type=int, default=1, metavar="N", help="hypotheses of the search (default: 1)")
    made.add_argument(
        "--place", metavar="PLACE", help="cross, decoder.self or encoder.self (default: cross, or the only one)"
    )
    made.add_argument("--layer", type=int, metavar="N", help="a layer, from 0 (default: the mean of all)")
    made.add_argument("--head", type=int, metavar="N", help="a head, from 0 (default: the mean of all)")
    made.add_argument("--words", action="store_true", default=False, help="words instead of pieces")
    made.add_argument("--top", type=int, default=4, metavar="N", help="tokens to name for each token (default: 4)")
    made.add_argument("--maps", metavar="FILE", help="write the map of all layers and heads to FILE.npz or FILE.jsonl")
    made.add_argument("--times", metavar="FILE", help="write when each word was said: FILE.json, or subtitles FILE.srt")
    add_views(made)
    return made


def _write(found: Asked, every: AttentionMap, given: argparse.Namespace) -> None:
    options = vars(given)
    map = chosen(every, given)
    shown = map.merged() if given.words else map
    if "maps" in options:
        from regard.maps import save_maps

        save_maps([every], given.maps)
    if "times" in options:
        from regard.maps import save_times

        save_times([(found.source, found.times())], given.times)
    for picture in pictures_of(given):
        write_picture([shown], picture)
    if "html" in options:
        write_html([map], given.html, Path(given.model).resolve().name, given.words)
    if not pictures_of(given) and not {"html", "maps", "times"} & options.keys():
        flat = shown.mean() if shown.axes else shown
        print(flat.description)
        print(flat.reading(given.top))
        flat.show()
