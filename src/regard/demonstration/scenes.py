"""Coloured shapes in pictures: a model that describes them, and whether it looks at what it names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regard.data.pocket.scenes import Scene, write
from regard.demonstration.media import Demonstration, Example, Measure, exact_match
from regard.maps import AttentionMap, Picture

if TYPE_CHECKING:
    from regard.predictor import Predictor

SETTINGS: dict[str, Any] = {
    "data": {"image": {"colours": "rgb"}, "target_tokens": "symbols"},
    "model": {
        "encoder": {
            "stem": "convolution",
            "place": "8x8",
            "channels": 16,
            "kind": "transformer",
            "layers": 1,
            "width": 128,
            "feedforward": 256,
        },
        "decoder": {"width": 128, "input_feeding": False},
        "embedding": 64,
        "dropout": 0.1,
    },
    "training": {
        "updates": 3300,
        "batch": 24,
        "batch_unit": "sentences",
        "rate": 2e-3,
        "smoothing": 0.0,
        "schedule": "linear",
        "warmup": 200,
        "validate_every": 1100,
    },
    "search": {"beam": 1},
}


def examples(folder: Path) -> list[Example[Scene]]:
    """The corpus, written to a folder."""
    return [Example(path, scene.caption, scene.part, scene) for path, scene in write(folder)]


def measure(model: Predictor, corpus: Sequence[Example[Scene]]) -> list[Measure]:
    """Which scenes are described rightly, those of unseen combinations apart, and how often the model looks at what it
    names."""
    test, unseen = ([example for example in corpus if example.part == part] for part in ("test", "unseen"))
    found = []
    for part in (test, unseen):
        maps = model.align([str(example.path) for example in part], [example.target for example in part])
        found.append(
            [
                hit
                for map, of in zip(maps, part, strict=True)
                if map is not None
                for hit in hits(model.shown(map), of.gold)
            ]
        )
    return [
        exact_match(model, test, "exactly right, of {} new scenes"),
        exact_match(model, unseen, "exactly right, of {} scenes with combinations of colour and shape never seen"),
        *(
            Measure(f"of {{}} colours and shapes{where}, said while looking most at the object itself",
                    100 * sum(part) / len(part), len(part))
            for where, part in zip(("", " with such combinations"), found, strict=True)
        ),
    ]  # fmt: skip


def hits(map: AttentionMap, scene: Scene) -> list[bool]:
    """For each colour and shape of the caption, whether the middle of the place that weighs most lies in the object."""
    picture = map.medium
    assert isinstance(picture, Picture)
    found = []
    for row, (_, number) in enumerate(scene.words):
        if number is not None:
            y, x = picture.centre(int(map.weights[row].argmax()))
            top, left, bottom, right = scene.things[number].box
            found.append(top <= y <= bottom and left <= x <= right)
    return found


DEMONSTRATION = Demonstration("describing scenes of coloured shapes", examples, SETTINGS, measure)
