"""What the places of a source are where it is no text: an image under a grid, or a recording along a clock."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from regard.errors import RegardError, shown
from regard.maps.tokens import Tokens

#: The largest image (in pixels) and the longest recording (in samples: 4.6 hours at 16 kHz) that a map can have.
MOST_PIXELS, MOST_SAMPLES = 1 << 26, 1 << 28
_MOST_RATE = 1_000_000


@dataclass(frozen=True, eq=False)
class Picture:
    """An image, cut by a grid of `rows` and `columns` into the places that can be attended to.

    `pixels` are uint8, (H, W) in grey or (H, W, 3) in colours. Place p is row p // columns, column p % columns of the
    grid. Raises `RegardError` where that is no image, or the grid is finer than its pixels.
    """

    pixels: npt.NDArray[np.uint8]
    rows: int
    columns: int

    def __post_init__(self) -> None:
        pixels = self.pixels
        if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
            raise RegardError(
                f"picture: pixels are {pixels.dtype} of shape {pixels.shape}, not uint8 (H, W) or (H, W, 3)"
            )
        if not 0 < math.prod(pixels.shape[:2]) <= MOST_PIXELS:
            raise RegardError(f"picture: {self.height:,} x {self.width:,} pixels, not 1 to {MOST_PIXELS:,}")
        for name, count, most in (("rows", self.rows, self.height), ("columns", self.columns, self.width)):
            if not _whole(count) or not 1 <= count <= most:
                raise RegardError(f"picture: {shown(count)} {name} of places for {most:,} of pixels")

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def places(self) -> int:
        """How many places there are."""
        return self.rows * self.columns

    @property
    def is_line(self) -> bool:
        """Whether it has the shape of a line of text: at least three times wider than high, or one row of places."""
        return self.width >= 3 * self.height or self.rows == 1 < self.columns

    def box(self, place: int) -> tuple[float, float, float, float]:
        """The top, left, bottom and right of a place, in pixels; the places tile the image."""
        row, column = divmod(place, self.columns)
        top, bottom = (self.height * edge / self.rows for edge in (row, row + 1))
        left, right = (self.width * edge / self.columns for edge in (column, column + 1))
        return top, left, bottom, right

    def centre(self, place: int) -> tuple[float, float]:
        """The y and the x of the middle of a place, in pixels."""
        top, left, bottom, right = self.box(place)
        return (top + bottom) / 2, (left + right) / 2

    def __repr__(self) -> str:
        return f"Picture({self.width} x {self.height} pixels, {self.rows} x {self.columns} places)"

    def tokens(self, name: str) -> Tokens:
        """The places as the source of a map, `name` being that of the image: "row,column", counted from 1."""
        pieces = (f"{row},{column}" for row in range(1, self.rows + 1) for column in range(1, self.columns + 1))
        return Tokens(tuple(pieces), tuple(range(self.places)), name)


@dataclass(frozen=True, eq=False)
class Sound:
    """A recording, cut into `places` of `step` seconds each, one after the other.

    `samples` are int16, (N,), `rate` of them a second. Place p covers the seconds p * step to (p + 1) * step; the last
    may reach beyond the end. Raises `RegardError` where that is no recording, or places lie outside it.
    """

    samples: npt.NDArray[np.int16]
    rate: int
    places: int
    step: float

    def __post_init__(self) -> None:
        samples = self.samples
        if samples.dtype != np.int16 or samples.ndim != 1:
            raise RegardError(f"sound: samples are {samples.dtype} of shape {samples.shape}, not int16 (N,)")
        if not 0 < len(samples) <= MOST_SAMPLES:
            raise RegardError(f"sound: {len(samples):,} samples, not 1 to {MOST_SAMPLES:,}")
        if not _whole(self.rate) or not 1 <= self.rate <= _MOST_RATE:
            raise RegardError(f"sound: {shown(self.rate)} samples a second, not 1 to {_MOST_RATE:,}")
        if not _whole(self.places) or not 1 <= self.places <= MOST_SAMPLES:
            raise RegardError(f"sound: {shown(self.places)} places, not 1 to {MOST_SAMPLES:,}")
        if not isinstance(self.step, float | int) or isinstance(self.step, bool) or not 0 < self.step < math.inf:
            raise RegardError(f"sound: a place of {shown(self.step)} seconds")
        # The last place begins within the recording, give or take one.
        if self.places * self.step > self.seconds + 2 * self.step:
            raise RegardError(
                f"sound: {self.places:,} places of {self.step:g} s are more than {self.seconds:g} s of samples have"
            )

    @property
    def seconds(self) -> float:
        """How long the recording is."""
        return len(self.samples) / self.rate

    def span(self, place: int) -> tuple[float, float]:
        """The start and the end of a place, in seconds."""
        return place * self.step, (place + 1) * self.step

    def centre(self, place: int) -> float:
        """The middle of a place, in seconds."""
        return (place + 0.5) * self.step

    def __repr__(self) -> str:
        return f"Sound({self.seconds:.2f} s, {self.rate:,} samples a second, {self.places:,} places)"

    def tokens(self, name: str) -> Tokens:
        """The places as the source of a map, `name` being that of the recording: the start of each, as "0.48s"."""
        # As many decimals as tell one place from the next.
        digits = max(2, math.ceil(-math.log10(self.step)))
        pieces = (f"{place * self.step:.{digits}f}s" for place in range(self.places))
        return Tokens(tuple(pieces), tuple(range(self.places)), name)


Medium: TypeAlias = Picture | Sound


def check_medium(medium: Medium, source: Tokens) -> None:
    """Raises RegardError where the tokens of a source are not the places of its image or recording, each by itself."""
    if len(source) != medium.places:
        raise RegardError(f"attention map: {len(source):,} source tokens for {medium.places:,} places")
    if any(source.special) or len(source.groups()) != len(source):
        raise RegardError("attention map: each place of an image or a recording is a word of its own")


def taken_apart(medium: Medium) -> tuple[dict[str, Any], npt.NDArray[Any]]:
    """What a file keeps of a medium: a few numbers by name, and the array."""
    if isinstance(medium, Picture):
        return {"kind": "image", "rows": medium.rows, "columns": medium.columns}, medium.pixels
    return {"kind": "sound", "rate": medium.rate, "places": medium.places, "step": medium.step}, medium.samples


def put_together(fields: dict[str, Any], array: npt.NDArray[Any]) -> Medium:
    """The medium that `taken_apart` gave; whatever a file holds is checked."""
    if fields["kind"] == "image":
        return Picture(array, fields["rows"], fields["columns"])
    if fields["kind"] == "sound":
        return Sound(array, fields["rate"], fields["places"], fields["step"])
    raise RegardError(f"medium {shown(fields['kind'])} is neither image nor sound")


def _whole(number: object) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)
