"""What a terminal's cells can show: weights in colours or shades, labels by their width, and what the colours mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from rich.text import Text

Palette: TypeAlias = Literal["colour", "shades", "ascii"]
Rgb: TypeAlias = tuple[int, int, int]

RAMPS = {"shades": " ·░▒▓█", "ascii": " .:+*#"}
NO_WEIGHT = "-"
#: From nothing to everything, dark to light, each step visibly lighter also for those who see few colours.
_COLOURS = (
    (0x12, 0x10, 0x2E),
    (0x4A, 0x1A, 0x78),
    (0xA8, 0x2E, 0x70),
    (0xE8, 0x6A, 0x3C),
    (0xFC, 0xC8, 0x50),
    (0xFD, 0xFA, 0xC4),
)
#: The sign of a label that goes on.
CUT = "~"


@dataclass(frozen=True)
class Style:
    """How weights become cells: the palette, and the weight that is shown at full strength."""

    palette: Palette
    full: float

    def strength(self, weight: float) -> float:
        """From 0 to 1."""
        return min(weight / self.full, 1.0) if self.full else 0.0

    def cell(self, weight: float, width: int, numbered: bool) -> tuple[str, str]:
        """The characters and the rich style of one weight."""
        number = f"{weight:.2f}" if numbered else ""
        if self.palette == "colour":
            red, green, blue = colour(self.strength(weight))
            ink = "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 120 else "white"
            return number.center(width), f"{ink} on rgb({red},{green},{blue})"
        blocks = width - len(number) - bool(number)
        sign = shade(RAMPS[self.palette], weight, self.full)
        return f"{sign * blocks} {number}" if number else sign * blocks, ""


def shade(ramp: str, weight: float, full: float) -> str:
    """The sign of a weight: blank is 0 alone, so that what was filtered out differs from what is merely small."""
    levels = len(ramp) - 1
    strength = min(weight / full, 1.0) if full else 0.0
    return ramp[0 if weight == 0 else min(1 + int(strength * levels), levels)]


def append_scale(picture: Text, style: Style, empty_rows: bool, of: str = "") -> None:
    """A line that says which weights the colours or signs stand for."""
    if style.palette == "colour":
        picture.append("0 ", style="dim")
        for half, number in enumerate((style.full / 2, style.full)):
            for step in range(6):
                red, green, blue = colour((6 * half + step) / 11)
                picture.append(" ", style=f"on rgb({red},{green},{blue})")
            picture.append(f" {decimal(number)} ", style="dim")
    else:
        signs = RAMPS[style.palette][1:]
        limits = [decimal(style.full * (level + 1) / len(signs)) for level in range(len(signs))]
        steps = [f"{sign} <{limit}" for sign, limit in zip(signs[:-1], limits, strict=False)]
        picture.append("  ".join(["blank 0", *steps, f"{signs[-1]} to {limits[-1]}"]) if style.full else "blank 0")
    picture.append(of, style="dim")
    if empty_rows:
        picture.append(f"   {NO_WEIGHT} no weight at all", style="dim")
    picture.rstrip()
    picture.append("\n")


def decimal(weight: float) -> str:
    """A weight with two decimals, or as many as tell it from 0."""
    return f"{weight:.2f}" if weight >= 0.095 or weight == 0 else f"{weight:.2g}"


def colour(strength: float) -> Rgb:
    """The colour of a strength from 0 to 1, between its two neighbours in the list."""
    place = strength * (len(_COLOURS) - 1)
    lower = min(int(place), len(_COLOURS) - 2)
    share = place - lower
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(_COLOURS[lower], _COLOURS[lower + 1], strict=True))
    return red, green, blue


def clusters(text: str) -> list[str]:
    """The text cut where a new terminal cell begins: marks that take no cell stay with the letter that they modify."""
    found: list[str] = []
    for character in text:
        joined = found and (not width_of(character) or found[-1].endswith("\u200d"))
        if joined:
            found[-1] += character
        else:
            found.append(character)
    return found


def fitted(text: str, width: int) -> str:
    """The text in exactly `width` cells: filled up with spaces, or cut with a mark."""
    if width_of(text) > width:
        kept = ""
        for cluster in clusters(text):
            if width_of(kept + cluster) > width - 1:
                break
            kept += cluster
        text = kept + CUT
    return text + " " * (width - width_of(text))


def spelled(label: str, palette: Palette) -> str:
    """The label in the characters that there are."""
    return label.encode("ascii", "replace").decode("ascii") if palette == "ascii" else label


def width_of(text: str) -> int:
    """How many cells a text takes."""
    from rich.cells import cell_len

    return cell_len(text)
