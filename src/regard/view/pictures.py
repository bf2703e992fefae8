"""One picture of maps, whatever they are over: texts, images, recordings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from regard.errors import RegardError
from regard.maps import AttentionMap, Picture, visible
from regard.view import overlay, spectrogram
from regard.view.drawing import blank, check_picture, drawing
from regard.view.figure import heat_map


def picture(maps: AttentionMap | Sequence[AttentionMap], path: str | Path, titles: Sequence[str] | None = None) -> None:
    """Draw attention over texts as `heat_map` does; over images and recordings one below the other, each in its way.

    An image has the weights of each word over it (`regard.view.overlay`), a recording its wave, spectrogram and weights
    (`regard.view.spectrogram`); of layers and heads the mean is drawn. `titles`, one for each map, default to the name
    of the source and the output.

    Raises `RegardError` as `heat_map` does, and where maps over texts and others are mixed.
    """
    listed = [maps] if isinstance(maps, AttentionMap) else list(maps)
    path = check_picture(path)
    if not any(map.medium for map in listed):
        heat_map(maps, path, titles)
        return
    if not all(map.medium for map in listed):
        raise RegardError(f"{path}: maps over texts and over images or sound don't go into one picture")
    if any(map.weights.size == 0 for map in listed):
        raise RegardError(f"{path}: there is nothing to draw, the attention map is empty")
    names = [_named(map) for map in listed] if titles is None else list(titles)
    if len(names) != len(listed):
        raise RegardError(f"{path}: {len(names)} titles for {len(listed)} attention maps")
    flat = [map.mean() if map.axes else map for map in listed]
    text = "".join([*names, *(label for map in flat for label in (*map.target.labels, map.note, map.place))])
    with drawing(path, f"{text}…") as save:
        sections = [
            (overlay if isinstance(map.medium, Picture) else spectrogram).section(map, name)
            for map, name in zip(flat, names, strict=True)
        ]
        figure = blank(max(each.width for each in sections), sum(each.height for each in sections))
        top = 0.0
        for each in sections:
            each.draw(figure, top)
            top += each.height
        save(figure)


def _named(map: AttentionMap) -> str:
    output = map.target.text if map.target.text is not None else " ".join(map.target.labels)
    return f"{_line(map.source.text or 'source')} → {_line(output)}"


def _line(text: str) -> str:
    return " ".join(visible(word) for word in text.split())
