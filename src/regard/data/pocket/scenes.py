"""The corpus `scenes`: pictures of coloured shapes, to be described.

Two or three shapes lie on light ground. The largest is named first, and then where it lies: "a red circle left of a
blue square", "a green cross above a red circle and right of a blue triangle". Of three, the upper one of the others
comes first. The gold is the box of each object, and which words name it. Some combinations of colour and shape are in
no picture of train, dev and test: in the part `unseen`, each picture has one or more of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from regard.data.pocket.draw import Draw
from regard.data.pocket.pictures import Pictured, Pixels, need_pillow, noisy, write_pictures

Part = Literal["train", "dev", "test", "unseen"]
SIZES: dict[Part, int] = {"train": 5500, "dev": 100, "test": 300, "unseen": 300}

COLOURS = {
    "red": (214, 48, 40),
    "yellow": (232, 214, 50),
    "green": (52, 150, 62),
    "blue": (44, 84, 200),
    "purple": (136, 60, 160),
    "black": (40, 40, 40),
}
SHAPES = ("circle", "square", "triangle", "cross")
#: No picture to learn from has one of these: each shape is one of them, and each colour but one.
UNSEEN = frozenset({("red", "cross"), ("yellow", "triangle"), ("green", "square"), ("blue", "circle")})
#: Height and width of a picture, and the radius of the largest object, in pixels.
HIGH, WIDE, RADIUS = (48, 60), (56, 72), (11.0, 12.0)
#: How much smaller the others are.
_SMALLER = (0.64, 0.74)
_APART = 2.0
#: How many times as far two objects lie apart in the direction that is named as in the other.
_CLEARLY = 1.8
_FINER = 4

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Thing:
    """One object: the place of its middle and its radius in pixels, how far it is turned, and its very colour."""

    colour: str
    shape: str
    x: float
    y: float
    radius: float
    turned: float
    ink: tuple[float, float, float]

    @property
    def box(self) -> Box:
        """Its top, left, bottom and right in pixels."""
        return self.y - self.radius, self.x - self.radius, self.y + self.radius, self.x + self.radius


@dataclass(frozen=True)
class Scene:
    """One picture: its objects in the order in which they are named, and what lies behind them."""

    part: Part
    things: tuple[Thing, ...]
    high: int
    wide: int
    ground: float
    noise: float
    seed: int

    @cached_property
    def words(self) -> tuple[tuple[str, int | None], ...]:
        """The words of the caption, each with the number of the object whose colour or shape it is, if it is one."""
        first = self.things[0]
        words: list[tuple[str, int | None]] = [("a", None), (first.colour, 0), (first.shape, 0)]
        for number, thing in enumerate(self.things[1:], 1):
            where = "and " * (number > 1) + relation(first, thing)
            words += [(word, None) for word in (*where.split(), "a")]
            words += [(thing.colour, number), (thing.shape, number)]
        return tuple(words)

    @property
    def caption(self) -> str:
        return " ".join(word for word, _ in self.words)

    def pixels(self) -> Pixels:
        """The picture, uint8 (H, W, 3)."""
        from PIL import Image, ImageDraw

        image = Image.new("RGB", (self.wide * _FINER, self.high * _FINER), (round(self.ground),) * 3)
        draw = ImageDraw.Draw(image)
        for thing in self.things:
            _draw(draw, thing)
        small = image.resize((self.wide, self.high), Image.Resampling.BOX)
        return noisy(np.asarray(small, np.float32), self.noise, self.seed)


def relation(first: Thing, second: Thing) -> str:
    """Where the first lies, seen from the second."""
    across, down = first.x - second.x, first.y - second.y
    if abs(across) > abs(down):
        return "left of" if across < 0 else "right of"
    return "above" if down < 0 else "below"


def scenes(seed: int = 0) -> list[Scene]:
    """The whole corpus of a seed, the pictures of a part one after the other."""
    draw = Draw(seed)
    return [_scene(part, draw) for part, size in SIZES.items() for _ in range(size)]


def write(folder: str | Path, seed: int = 0) -> list[tuple[Path, Scene]]:
    """Write the corpus to a folder, and return its scenes, each with its file.

    `train.tsv`, `dev.tsv`, `test.tsv` and `unseen.tsv` have lines `FILE TAB CAPTION`, the files named as seen from the
    folder; `gold.jsonl` has the boxes of the objects of each file (top, left, bottom, right), and for each word of its
    caption the number of the object that it names, or null. Raises RegardError where it can't be written.
    """
    corpus = scenes(seed)
    need_pillow()
    examples = (
        Pictured(
            scene.part,
            scene.caption,
            scene.pixels(),
            {"boxes": [thing.box for thing in scene.things], "objects": [number for _, number in scene.words]},
        )
        for scene in corpus
    )
    return list(zip(write_pictures(Path(folder), examples), corpus, strict=True))


def _scene(part: Part, draw: Draw) -> Scene:
    count = 3 if draw.chance(0.3) else 2
    while True:
        high, wide = draw.between(*HIGH), draw.between(*WIDE)
        combinations = [(draw.pick(tuple(COLOURS)), draw.pick(SHAPES)) for _ in range(count)]
        things = _placed(combinations, high, wide, draw)
        new = UNSEEN.intersection(combinations)
        if things and len(set(combinations)) == count and bool(new) == (part == "unseen"):
            seed = draw.between(0, 2**31)
            return Scene(part, things, high, wide, _within(draw, (200.0, 250.0)), _within(draw, (2.0, 12.0)), seed)


def _placed(combinations: list[tuple[str, str]], high: int, wide: int, draw: Draw) -> tuple[Thing, ...]:
    """The objects at places where none touches another and what is said is plain; nothing where that failed."""
    radius = _within(draw, RADIUS)
    radii = [radius] + [radius * _within(draw, _SMALLER) for _ in combinations[1:]]
    things = [
        Thing(
            colour,
            shape,
            _within(draw, (size + 1, wide - size - 1)),
            _within(draw, (size + 1, high - size - 1)),
            size,
            _within(draw, (-0.15, 0.15)),
            _tinted(colour, draw),
        )
        for (colour, shape), size in zip(combinations, radii, strict=True)
    ]
    first, *others = things
    apart = all(
        math.hypot(a.x - b.x, a.y - b.y) > a.radius + b.radius + _APART
        for number, a in enumerate(things)
        for b in things[:number]
    )
    # Of three, the others lie one clearly above the other, so that their order is plain.
    ordered = all(abs(a.y - b.y) > a.radius for number, a in enumerate(others) for b in others[:number])
    if not (apart and ordered and all(_plain(first, other) for other in others)):
        return ()
    return (first, *sorted(others, key=lambda thing: thing.y))


def _plain(first: Thing, second: Thing) -> bool:
    """Whether one of the four relations is the right one beyond doubt."""
    near, far = sorted((abs(first.x - second.x), abs(first.y - second.y)))
    return far > _CLEARLY * near


def _tinted(colour: str, draw: Draw) -> tuple[float, float, float]:
    red, green, blue = (min(255.0, max(0.0, value + _within(draw, (-15.0, 15.0)))) for value in COLOURS[colour])
    return red, green, blue


def _draw(draw: object, thing: Thing) -> None:
    from PIL import ImageDraw

    assert isinstance(draw, ImageDraw.ImageDraw)
    ink = tuple(round(value) for value in thing.ink)

    def corners(*places: tuple[float, float]) -> list[tuple[float, float]]:
        """Places in radii off the middle, turned, as places of the finer picture."""
        sine, cosine = math.sin(thing.turned), math.cos(thing.turned)
        return [
            (
                _FINER * (thing.x + thing.radius * (cosine * x - sine * y)),
                _FINER * (thing.y + thing.radius * (sine * x + cosine * y)),
            )
            for x, y in places
        ]

    if thing.shape == "circle":
        x, y, r = _FINER * thing.x, _FINER * thing.y, _FINER * thing.radius
        draw.ellipse((x - r, y - r, x + r, y + r), fill=ink)
    elif thing.shape == "square":
        draw.polygon(corners((-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)), fill=ink)
    elif thing.shape == "triangle":
        draw.polygon(corners((0.0, -1.0), (0.95, 0.8), (-0.95, 0.8)), fill=ink)
    else:
        for a, b in ((0.33, 1.0), (1.0, 0.33)):
            draw.polygon(corners((-a, -b), (a, -b), (a, b), (-a, b)), fill=ink)


def _within(draw: Draw, limits: tuple[float, float]) -> float:
    return limits[0] + (limits[1] - limits[0]) * draw.fraction()
