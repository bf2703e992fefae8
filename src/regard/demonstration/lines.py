"""Lines of text in pictures: a model that reads them, and how well what it looks at follows the characters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from regard.data.pocket.lines import Line, write
from regard.demonstration.media import Demonstration, Example, Measure, exact_match
from regard.evaluation import statistics
from regard.maps import AttentionMap, Picture

if TYPE_CHECKING:
    from regard.predictor import Predictor

SETTINGS: dict[str, Any] = {
    "data": {"image": {"colours": "grey", "height": 32, "augment": 0.3}, "target_tokens": "character"},
    "model": {
        "encoder": {"stem": "convolution", "place": "32x4", "channels": 16, "kind": "none", "width": 128},
        "decoder": {"width": 128},
        "embedding": 64,
        "dropout": 0.1,
    },
    "training": {
        "updates": 4000,
        "batch": 24,
        "smoothing": 0.0,
        "batch_unit": "sentences",
        "rate": 3e-3,
        "schedule": "linear",
        "warmup": 100,
        "validate_every": 1000,
    },
    "search": {"beam": 1},
}


def examples(folder: Path) -> list[Example[Line]]:
    """The corpus, written to a folder."""
    return [Example(path, line.text, line.part, line) for path, line in write(folder)]


def measure(model: Predictor, corpus: Sequence[Example[Line]]) -> list[Measure]:
    """Of the lines of the part test: how many are read rightly, and how well the attention follows the characters."""
    test = [example for example in corpus if example.part == "test"]
    found = [each.text for each in model.predict([str(example.path) for example in test])]
    errors = statistics("cer", found, [example.target for example in test]).score()
    maps = model.align([str(example.path) for example in test], [example.target for example in test])
    follows = [
        follow(model.shown(map), example.gold) for map, example in zip(maps, test, strict=True) if map is not None
    ]
    return [
        exact_match(model, test, "exactly right, of {} unseen lines"),
        Measure("wrong characters", errors.value, sum(len(example.target) for example in test)),
        Measure("the centre of the attention follows the characters of {} lines, rank correlation",
                float(np.mean(follows)), len(follows), ""),
    ]  # fmt: skip


def follow(map: AttentionMap, line: Line) -> float:
    """Spearman's rank correlation between where the characters of a line are and where the weights lie, both in x.

    Where the weights lie is the mean of the places' middles, weighted.
    """
    picture = map.medium
    assert isinstance(picture, Picture)
    weights = map.weights[: len(line.text)]
    middles = np.array([picture.centre(place)[1] for place in range(picture.places)])
    centres = weights @ middles / weights.sum(-1)
    return spearman(centres, np.array([(left + right) / 2 for left, right in line.extents()]))


def spearman(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The correlation of ranks, equal values sharing theirs; 1 for a single value, 0 where all of a side are equal."""
    if len(first) < 2:
        return 1.0
    one, other = (_ranks(each) - (len(each) - 1) / 2 for each in (first, second))
    spread = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / spread if spread else 0.0


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    above, same = values[:, None] > values, values[:, None] == values
    found: NDArray[np.float64] = above.sum(1) + (same.sum(1) - 1) / 2
    return found


DEMONSTRATION = Demonstration("reading lines of text", examples, SETTINGS, measure)
