"""Attention maps as one HTML file that needs nothing else, and that nothing in the maps can change.

The file holds a small program (its source is in `web/`), a style sheet, and the maps: their weights in blocks (see
`regard.view.packing`), their images and recordings (`regard.view.embedding`), their labels as one compressed JSON text.
All of it but the title is base64, so that no text can end the element that it stands in. A Content-Security-Policy
allows the one script and the one style sheet by their digests and forbids everything else, every connection included:
pixels are drawn and samples played by the script itself.

The page unpacks with the browser's own `DecompressionStream` (Chrome and Edge 103, Firefox 113, Safari 16.4, or later).
"""

from __future__ import annotations

import hashlib
import html
import json
import zlib
from base64 import b64encode
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from unicodedata import category

from regard.files import written_beside
from regard.maps import AttentionMap, Tokens, visible
from regard.view.embedding import ROOM, embedded
from regard.view.packing import EXACT, packed

#: The form of what is embedded; the program refuses another.
_FORM = 2
_TITLE = "Attention"


def page(maps: AttentionMap | Iterable[AttentionMap], title: str = _TITLE, words: bool = False) -> str:
    """The text of an HTML file that shows the maps, one at a time, with a list of them where there are several.

    Weights are kept exactly as long as they are few (`regard.view.packing`), else to 1/510 of the largest of their row.
    With `words` the page opens with pieces merged into words.
    """
    return "".join(_parts(maps, title, words))


def write_page(
    maps: AttentionMap | Iterable[AttentionMap], path: str | Path, title: str = _TITLE, words: bool = False
) -> int:
    """Write `page` to a file, which replaces an older one only when it is complete; returns the number of maps.

    Maps are written as they come, and only their labels are kept. Raises `RegardError` where it can't be written.
    """
    count = 0

    def counted() -> Iterator[AttentionMap]:
        nonlocal count
        for count, map in enumerate([maps] if isinstance(maps, AttentionMap) else maps, start=1):  # noqa: B007
            yield map

    with written_beside(Path(path)) as file:
        for part in _parts(counted(), title, words):
            file.write(part.encode("utf-8"))
    return count


def frame(map: AttentionMap) -> str:
    """The page of one map as an element of another page, which it can neither read nor change."""
    # What stands above and below the matrix, and its rows at their largest.
    height = min(max(520 + 44 * len(map.target), 640), 900)
    return (
        f'<iframe title="{_TITLE}" sandbox="allow-scripts allow-downloads" loading="lazy" '
        f'style="width: 100%; height: {height}px; border: 0; color-scheme: normal; resize: vertical; overflow: auto" '
        f'srcdoc="{html.escape(page(map))}"></iframe>'
    )


def _parts(maps: AttentionMap | Iterable[AttentionMap], title: str, words: bool) -> Iterator[str]:
    script, style = _asset("attention.js"), _asset("attention.css")
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    shown = _line(title)
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{html.escape(shown)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        '<div id="app"></div>\n<noscript>The weights are drawn by a script, and scripts are switched off.</noscript>\n'
    )
    described = []
    exact, room = EXACT, ROOM
    for map in [maps] if isinstance(maps, AttentionMap) else maps:
        blocks = []
        exact -= map.weights.size
        for block in packed(map, exact=exact >= 0):
            blocks.append([block.matrices, block.form])
            yield f'<script type="text/plain" class="block">{b64encode(block.data).decode("ascii")}</script>\n'
        described.append(_described(map) | {"blocks": blocks})
        medium = embedded(map, room)
        if medium is not None:
            described[-1]["medium"] = medium.said
            for data in medium.blocks:
                room -= len(data)
                yield f'<script type="text/plain" class="medium">{b64encode(data).decode("ascii")}</script>\n'
    header = {"form": _FORM, "title": shown, "unit": "word" if words else "piece", "maps": described}
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = packer.compress(json.dumps(header, ensure_ascii=False).encode("utf-8")) + packer.flush()
    yield f'<script type="text/plain" id="header">{b64encode(data).decode("ascii")}</script>\n'
    yield f"<script>{script}</script>\n</body>\n</html>\n"


def _described(map: AttentionMap) -> dict[str, Any]:
    """Everything of a map but its weights."""
    return {
        "place": _line(map.place),
        "convention": map.convention,
        "note": _line(map.note),
        "axes": [_line(axis) for axis in map.axes],
        "shape": map.weights.shape,
        "leftOut": map.left_out is not None,
        "source": _side(map.source),
        "target": _side(map.target),
    }


def _side(tokens: Tokens) -> dict[str, Any]:
    """The labels of the pieces and of the words that they make, with the pieces of each; text only for reading."""
    groups = tokens.groups()
    # The joined text of the words, where the sentence itself is unknown.
    text = tokens.text if tokens.text is not None else " ".join(tokens.labels)
    return {
        "text": _line(text),
        "pieces": tokens.labels,
        "words": tokens.merged().labels,
        "sizes": [len(group) for group in groups],
        "special": [i for i, special in enumerate(tokens.special) if special],
    }


def _line(text: str) -> str:
    """A text with its spaces, and with signs for all else that can't be seen or that steers how it is shown."""
    return "".join(
        " " if character == "\t" or category(character) == "Zs" else visible(character) for character in text
    )


def _digest(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"


@cache
def _asset(name: str) -> str:
    return resources.files("regard.view").joinpath("assets", name).read_text(encoding="utf-8")
