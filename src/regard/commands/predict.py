"""`regard predict`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regard.commands.parsing import add_settings, given_on, parser
from regard.commands.predicting import add_model, add_texts, check_drawn, folders_of, show_attention, sources_from
from regard.commands.showing import PICTURES, add_views, check_views, pictures_of, write_html, write_picture
from regard.errors import RegardError
from regard.settings import Medium, SearchSettings

if TYPE_CHECKING:
    from regard.maps import AttentionMap
    from regard.predictor import Prediction

_TOP = 4


def run(arguments: Sequence[str]) -> int:
    """Print what a model makes of texts, a line for each, in their order."""
    given = _parser().parse_intermixed_args(list(arguments))
    search = given_on(given, SearchSettings)
    from regard.data.corpora import has_features
    from regard.folder import load_settings

    settings = load_settings(Path(given.model))
    data = settings.data
    medium = data.medium or "text"
    check_drawn(search, settings.search)
    texts = sources_from(given, medium, has_features(data))
    wanted = [name for name in ("alignments", "maps", "times", *PICTURES, "html") if name in given]
    _check_outputs(given, len(texts) * (search.get("sample") or search.get("n_best", 1)), medium)
    from regard.predictor import load

    model = load(*folders_of(given), device=given.device)
    if wanted and not model.has_attention:
        raise RegardError(f"{given.model}: this model has a fixed context, so there is no attention to write")
    if model.medium != "text" and "alignments" in given:
        raise RegardError(f"--alignments: sources are no texts ({model.medium}), so no words are linked; use --maps")
    found = model.predict(texts, **_outputs_asked(given, len(texts)), **search)
    try:
        for number, prediction in enumerate(found, start=1):
            _tell_notes(number, prediction, len(found))
            if given.json:
                print(json.dumps(_plain(prediction), ensure_ascii=False))
            else:
                if given.show and number > 1:
                    print()
                _print(prediction, given)
    finally:  # also where what reads the outputs, such as `head`, has seen enough
        if wanted:
            _write(found, given)
    unread = sum(not prediction.read for prediction in found)
    if unread:
        print(f"regard: {unread:,} of {len(found):,} files could not be read", file=sys.stderr)
    return 1 if found and unread == len(found) else 0


def _parser() -> argparse.ArgumentParser:
    made = parser("predict", "What a model makes of texts: an output a line, in the order of the texts.")
    add_model(made, several=True)
    add_texts(made)
    made.add_argument(
        "--show", action="store_true", default=False, help="print what each output token looked at, and a heat map"
    )
    made.add_argument(
        "--json",
        action="store_true",
        default=False,
        help="print a JSON object a line: text, log_prob, attention, alternatives",
    )
    made.add_argument(
        "--alignments", metavar="FILE", help="write word alignments, source-target from 0, a line for each text"
    )
    made.add_argument(
        "--words",
        choices=("text", "tokens"),
        default="text",
        help="what --alignments counts: the words of the text, or the model's own tokens, such as letters "
        "(default: text)",
    )
    made.add_argument("--prefix", metavar="TEXT", help="what every output begins with, whatever the model would say")
    made.add_argument(
        "--prefixes",
        metavar="FILE",
        help="what each output begins with: a line for each text, empty for nothing",
    )
    made.add_argument(
        "--replace-unknown",
        action="store_true",
        default=False,
        help="put the source word that weighs most in the place of each unknown word of an output",
    )
    made.add_argument(
        "--dictionary",
        metavar="FILE",
        help="the same, but with what this file has for that word, if anything: lines of source word TAB target word",
    )
    made.add_argument(
        "--maps", metavar="FILE", help="write the attention maps to FILE.npz or FILE.jsonl; see `regard show`"
    )
    made.add_argument(
        "--maps-budget",
        metavar="MB",
        type=float,
        help="so many megabytes for the weights in --maps: they become half floats, then bytes, then only the heaviest "
        "of each row are kept, and each map says what it left out",
    )
    made.add_argument(
        "--times", metavar="FILE", help="write when each word was said in a recording: FILE.json, or subtitles FILE.srt"
    )
    add_views(made)
    add_settings(made, SearchSettings)
    return made


def _check_outputs(given: argparse.Namespace, count: int, medium: Medium) -> None:
    """See before the work whether what it finds can be written. Raises RegardError."""
    options = vars(given)
    check_views(count, given, "use --maps, and `regard show --map N`")
    if "maps" in options:
        from regard.maps import check_ending

        if check_ending(given.maps) != ".npz" and "maps_budget" in options:
            raise RegardError(f"{given.maps}: --maps-budget is for .npz files")
    elif "maps_budget" in options:
        raise RegardError("--maps-budget is for --maps; give that too")
    if "times" in options:
        from regard.maps import check_times

        check_times(given.times, count)
        if medium != "sound":
            raise RegardError(f"--times: {given.model} is no model of recordings")
    for name in ("alignments", "maps", "times"):
        if name in options:
            from regard.files import check_place

            check_place(options[name])


def _outputs_asked(given: argparse.Namespace, count: int) -> dict[str, Any]:
    """What the outputs begin with, and what becomes of unknown words. Raises RegardError."""
    options, found = vars(given), dict[str, Any]()
    if "prefix" in options and "prefixes" in options:
        raise RegardError("--prefix is for all outputs, and --prefixes has one for each; give one of them")
    if "prefix" in options:
        found["prefix"] = given.prefix
    if "prefixes" in options:
        from regard.data.lines import text_lines

        lines = list(text_lines(given.prefixes))
        if len(lines) != count:
            raise RegardError(
                f"{given.prefixes}: {len(lines):,} lines for {count:,} texts; give a line for each, empty for none"
            )
        if None in lines:
            raise RegardError(f"{given.prefixes}, line {lines.index(None) + 1}: not UTF-8; save it as UTF-8")
        found["prefix"] = lines
    if "dictionary" in options:
        from regard.predictor.unknown import read_dictionary

        found["replace_unknown"], report = read_dictionary(given.dictionary)
        if report.left_out_count:
            print(f"regard: {report}".replace("\n", "\nregard: "), file=sys.stderr)
    elif given.replace_unknown:
        found["replace_unknown"] = True
    return found


def _print(prediction: Prediction, given: argparse.Namespace) -> None:
    if given.show:
        print(f"{prediction.source}  ->  {prediction.text}   (log-probability {prediction.log_prob:.3f})")
    elif prediction.alternatives:
        print(f"{prediction.text}  ({prediction.log_prob:.3f})")
    else:
        print(prediction.text)
    if given.show:
        show_attention(prediction.attention, _TOP)
        _show_copied(prediction)
    for place, other in enumerate(prediction.alternatives, start=2):
        print(f"  {place}. {other.text}  ({other.log_prob:.3f})")
        if given.show:
            show_attention(other.attention, _TOP)
            _show_copied(other)


def _show_copied(prediction: Prediction) -> None:
    """Which share of each token was copied, of models that copy."""
    if prediction.copied and prediction.attention is not None:
        shares = zip(prediction.attention.target.labels, prediction.copied, strict=False)
        print("  copied: " + ", ".join(f"{label} {share:.2f}" for label, share in shares))


def _tell_notes(number: int, prediction: Prediction, of: int) -> None:
    where = f"text {number}: " if of > 1 and prediction.read else ""
    if prediction.note:
        print(f"regard: {where}{prediction.note}", file=sys.stderr)


def _plain(prediction: Prediction) -> dict[str, Any]:
    found: dict[str, Any] = {"source": prediction.source, **_output(prediction)}
    if prediction.alternatives:
        found["alternatives"] = [_output(other) for other in prediction.alternatives]
    if prediction.note:
        found["note"] = prediction.note
    return found


def _output(prediction: Prediction) -> dict[str, Any]:
    """One output, with its own map."""
    found: dict[str, Any] = {"text": prediction.text, "log_prob": round(prediction.log_prob, 6)}
    if prediction.attention is not None:
        found["attention"] = {
            "source": prediction.attention.source.pieces,
            "target": prediction.attention.target.pieces,
            "weights": [[round(float(weight), 6) for weight in row] for row in prediction.attention.matrix],
        }
    if prediction.copied:
        found["copied"] = [round(share, 6) for share in prediction.copied]
    if prediction.replaced:
        found["replaced"] = [
            {"place": each.place, "source": each.source, "text": each.text, "known": each.known}
            for each in prediction.replaced
        ]
    return found


def _outputs(found: Sequence[Prediction]) -> Iterator[tuple[str, Prediction]]:
    """Every output with its place among those for its source, where there are several: the first, then the others."""
    for best in found:
        count = 1 + len(best.alternatives)
        for place, each in enumerate((best, *best.alternatives), start=1):
            yield "" if count == 1 else f"output {place} of {count}", each


def _write(found: Sequence[Prediction], given: argparse.Namespace) -> None:
    from dataclasses import replace

    from regard.maps import pharaoh, save_maps

    pictured = [each.attention for _, each in _outputs(found) if each.attention is not None]
    options = vars(given)
    if not pictured and "times" not in options:
        raise RegardError("there is no attention to write, since all texts are empty or too long for a map")

    def every() -> Iterator[AttentionMap]:
        for place, each in _outputs(found):
            if (map := each.every_attention) is not None:
                yield replace(map, note="; ".join(filter(None, (map.note, place)))) if place else map

    if "alignments" in options:
        from regard.data.lines import write_lines

        tokens = given.words == "tokens"
        shown = [each.attention for each in found if each.attention is not None]
        counted = [map if tokens else map.merged() for map in shown]
        if not tokens and all(len(map.source) - sum(map.source.special) == 1 for map in counted):
            print("regard: every source is one word; count the model's tokens by --words tokens", file=sys.stderr)
        maps = iter(counted)
        links = (next(maps).links() if each.attention is not None else () for each in found)
        write_lines(given.alignments, map(pharaoh, links))
    if "maps" in options:
        budget = round(1e6 * given.maps_budget) if "maps_budget" in options else None
        count = save_maps(every(), Path(given.maps), budget=budget)
        print(
            f"regard: {count} attention maps in {given.maps}; `regard show {given.maps}` prints them", file=sys.stderr
        )
    if "times" in options:
        from regard.maps import save_times
        from regard.predictor.pieces import heard

        save_times([(each.source, heard(each)) for each in found], given.times)
    for picture in pictures_of(given):
        write_picture(pictured, picture)
    if "html" in options:
        write_html(every(), given.html, Path(given.model).resolve().name)
