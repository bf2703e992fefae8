"""The corpus `lines`: lines of text in a picture, to be read.

The words are made up of syllables, so that none can be guessed from its beginning: every letter has to be looked at.
They are drawn with the DejaVu fonts that come with matplotlib, with serifs, without, or of one width, in a size of
their own, slanted, on a wavy base line, in more or less contrast, blurred, unevenly lit and with noise. The target is
the text, and the gold is where each of its characters begins and ends from left to right. A quarter of the lines to
learn from has one or two letters: letters are learned before where to look. All others have three to ten, and none of
dev or test is in another part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from regard.data.pocket.draw import Draw
from regard.data.pocket.pictures import Pictured, Pixels, need_pillow, noisy, write_pictures
from regard.errors import RegardError

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

Part = Literal["train", "dev", "test"]
SIZES: dict[Part, int] = {"train": 4500, "dev": 100, "test": 300}
#: How many letters a line has, and one of the quarter of short ones.
LETTERS_OF_A_LINE, SHORT = (3, 3, 4, 4, 5, 6, 7, 8, 9, 10), (1, 2, 2)
FONTS = ("DejaVuSans", "DejaVuSerif", "DejaVuSansMono")
#: The height of a picture in pixels, and the size of its letters by that height.
HEIGHT, LETTERS = (26, 44), (0.64, 0.76)

_ONSETS = (*"bcdfghjklmnpqrstvwxyz", "", "", "", "bl", "cr", "st", "th")
_VOWELS = (*"aeiou", *"aeiou", "ea", "ou")
_CODAS = ("", "", "", "", "", *"bdgklmnprstx", "nd", "rt")


@dataclass(frozen=True)
class Style:
    """How a line is drawn; lengths are in parts of its height.

    Args:
        font: the name of a font file of matplotlib's, without its ending, or the path of another.
        height: of the picture, in pixels.
        letters: the size of the font.
        margins: what is left free before and after the text.
        raised: how far the text lies above the middle.
        slant: how far the top lies to the right of the bottom.
        wave: how far the base line swings up and down.
        wave_length: of one swing.
        wave_begin: in radians, at the left.
        paper: how light the paper is, from 0 to 255.
        ink: how light the ink is.
        shade: how much lighter the paper is at the right than at the left.
        blur: the radius of a blur, in pixels.
        noise: the standard deviation of white noise.
        seed: of the noise.
    """

    font: str = "DejaVuSans"
    height: int = 32
    letters: float = 0.6
    margins: tuple[float, float] = (0.2, 0.2)
    raised: float = 0.0
    slant: float = 0.0
    wave: float = 0.0
    wave_length: float = 4.0
    wave_begin: float = 0.0
    paper: float = 255.0
    ink: float = 0.0
    shade: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Line:
    """One line of the corpus: a text and how it is drawn."""

    part: Part
    text: str
    style: Style

    def extents(self) -> tuple[tuple[float, float], ...]:
        """The left and the right end of each character, in pixels, at half of the height."""
        return extents(self.text, self.style)

    def pixels(self) -> Pixels:
        """The picture, uint8 (H, W): the same on every machine with the same FreeType."""
        return drawn(self.text, self.style)


def lines(seed: int = 0) -> list[Line]:
    """The whole corpus of a seed, the lines of a part one after the other."""
    draw = Draw(seed)
    texts: dict[str, None] = {}  # in order, unlike a set
    while len(texts) < sum(SIZES.values()):
        texts[_letters(draw, draw.pick(LETTERS_OF_A_LINE))] = None
    supply, found = iter(texts), list[Line]()
    for part, size in SIZES.items():
        for number in range(size):
            short = part == "train" and number % 4 == 0
            text = _letters(draw, draw.pick(SHORT)) if short else next(supply)
            found.append(Line(part, text, drawn_style(draw)))
    return found


def write(folder: str | Path, seed: int = 0) -> list[tuple[Path, Line]]:
    """Write the corpus to a folder, and return its lines, each with its file.

    `train.tsv`, `dev.tsv` and `test.tsv` have lines `FILE TAB TEXT`, the files named as seen from the folder;
    `gold.jsonl` has the extents of the characters of each file. Raises RegardError where it can't be written.
    """
    corpus = lines(seed)
    need_pillow()
    gold = ({"extents": [[round(x, 2) for x in extent] for extent in line.extents()]} for line in corpus)
    examples = (Pictured(line.part, line.text, line.pixels(), of) for line, of in zip(corpus, gold, strict=True))
    return list(zip(write_pictures(Path(folder), examples), corpus, strict=True))


def drawn_style(draw: Draw, fonts: tuple[str, ...] = FONTS) -> Style:
    """A style drawn at random."""
    paper = _within(draw, (140.0, 255.0))
    return Style(
        font=draw.pick(fonts),
        height=draw.between(*HEIGHT),
        letters=_within(draw, LETTERS),
        margins=(_within(draw, (0.05, 0.5)), _within(draw, (0.05, 0.5))),
        raised=_within(draw, (-0.05, 0.05)),
        slant=_within(draw, (-0.15, 0.3)),
        wave=_within(draw, (0.0, 0.08)),
        wave_length=_within(draw, (2.0, 6.0)),
        wave_begin=_within(draw, (0.0, 2 * math.pi)),
        paper=paper,
        ink=paper - _within(draw, (90.0, 140.0)),
        shade=_within(draw, (-30.0, 30.0)),
        blur=_within(draw, (0.0, 0.8)),
        noise=_within(draw, (0.0, 12.0)),
        seed=draw.between(0, 2**31),
    )


def extents(text: str, style: Style) -> tuple[tuple[float, float], ...]:
    """The left and the right end of each character of a text, in pixels, at half of the height of its picture."""
    font, left = _font(style), style.margins[0] * style.height
    edges = [left + font.getlength(text[:end]) for end in range(len(text) + 1)]
    return tuple(pairwise(edges))


def drawn(text: str, style: Style) -> Pixels:
    """The picture of a text, uint8 (height, W)."""
    from PIL import Image, ImageDraw, ImageFilter

    font, high = _font(style), style.height
    wide = max(1, math.ceil(font.getlength(text) + sum(style.margins) * high))
    image = Image.new("L", (wide, high), 0)
    top, bottom = font.getbbox("lp")[1::2]  # as high and as deep as letters get
    place = style.margins[0] * high, (high - top - bottom) / 2 - style.raised * high
    ImageDraw.Draw(image).text(place, text, fill=255, font=font)
    slanted = (1, style.slant, -style.slant * (high - 1) / 2, 0, 1, 0)
    image = image.transform(image.size, Image.Transform.AFFINE, slanted, Image.Resampling.BILINEAR)
    if style.blur:
        image = image.filter(ImageFilter.GaussianBlur(style.blur))
    ink = _waved(np.asarray(image, np.float32), style) / 255
    paper = style.paper + np.linspace(-style.shade / 2, style.shade / 2, wide, dtype=np.float32)
    return noisy((paper + (style.ink - style.paper) * ink).astype(np.float32), style.noise, style.seed)


def _waved(image: NDArray[np.float32], style: Style) -> NDArray[np.float32]:
    """Each column is moved up or down, between two pixels; what comes from outside is 0."""
    high, wide = image.shape
    swing = np.sin(np.arange(wide) / (style.wave_length * high) * (2 * math.pi) + style.wave_begin)
    moved = np.arange(high)[:, None] + style.wave * high * swing
    rows = np.clip(moved + 1, 0, high + 0.999)
    above = rows.astype(np.intp)
    part = (rows - above).astype(np.float32)
    framed = np.pad(image, ((1, 1), (0, 0)))
    upper = np.take_along_axis(framed, above, 0)
    found: NDArray[np.float32] = upper + (np.take_along_axis(framed, above + 1, 0) - upper) * part
    return found


def _letters(draw: Draw, count: int) -> str:
    """So many letters of syllables that are drawn one after the other."""
    found = ""
    while len(found) < count:
        found += draw.pick(_ONSETS) + draw.pick(_VOWELS) + draw.pick(_CODAS)
    return found[:count]


def _within(draw: Draw, limits: tuple[float, float]) -> float:
    return limits[0] + (limits[1] - limits[0]) * draw.fraction()


# Fonts ----------------------------------------------------------------------------------------------------------------


def _font(style: Style) -> FreeTypeFont:
    return _loaded(style.font, max(4, round(style.letters * style.height)))


@lru_cache(maxsize=256)
def _loaded(name: str, size: int) -> FreeTypeFont:
    from PIL import ImageFont

    path = Path(name) if name.endswith((".ttf", ".otf")) else _fonts() / f"{name}.ttf"
    try:
        return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise RegardError(f"{path}: no font that can be read ({error})") from None


@cache
def _fonts() -> Path:
    """The folder of the fonts that come with matplotlib, which is not imported for it."""
    found = find_spec("matplotlib")
    if found is None or found.origin is None:
        raise RegardError("drawing lines needs the fonts of matplotlib: pip install 'regard[figures]'")
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
