"""Fonts for pictures: which of those on this machine have the characters that are to be drawn."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

#: The font that comes with matplotlib: always there.
_DEFAULT = "DejaVu Sans"
#: Fonts that have every character, but only as the picture of a box.
_PLACEHOLDERS = ("Last Resort", "LastResort", "Adobe Blank", "Unicode BMP Fallback")


def families_for(text: str) -> list[str]:
    """Names of font families that together have every character of `text`, the first to be tried first.

    Warns, once for all of them, of characters that no font on this machine has; they will be drawn as boxes.
    """
    from matplotlib import font_manager

    families = [_DEFAULT]
    missing = {c for c in text if not c.isspace()} - _characters(font_manager.findfont(_DEFAULT))
    if missing:
        _notice_new_fonts()
    while missing:
        family, found = _best_family(frozenset(missing))
        if not found:
            _warn(missing)
            break
        families.append(family)
        missing -= found
    return families


def _best_family(missing: frozenset[str]) -> tuple[str, frozenset[str]]:
    """The upright regular family that has most of the characters; among equals, without serifs and first by name."""
    from matplotlib import font_manager

    best: tuple[str, frozenset[str]] = "", frozenset()
    fonts = (
        font
        for font in font_manager.fontManager.ttflist
        if font.style == "normal" and _regular(font.weight) and not font.name.startswith(_PLACEHOLDERS)
    )
    region = _region(missing)
    # Families without serifs go with the default, so that they are preferred among equals.
    for font in sorted(fonts, key=lambda font: ("Sans" not in font.name, region not in font.name, font.name)):
        found = missing & _characters(font.fname)
        if len(found) > len(best[1]):
            best = font.name, found
    return best


def _region(characters: frozenset[str]) -> str:
    """How families of Han characters name the shapes that go with these: Japanese, Korean, else simplified Chinese."""
    if any("\u3040" <= c <= "\u30ff" for c in characters):
        return "CJK JP"
    return "CJK KR" if any("\uac00" <= c <= "\ud7a3" for c in characters) else "CJK SC"


def _regular(weight: Any) -> bool:
    return weight in (400, 500, "normal", "regular", "book", "medium")


def _notice_new_fonts() -> None:
    """Add fonts that were installed after matplotlib listed those of this machine."""
    from matplotlib import font_manager

    known = {font.fname for font in font_manager.fontManager.ttflist}
    for path in sorted(set(font_manager.findSystemFonts()) - known - _unreadable):
        try:
            font_manager.fontManager.addfont(path)
        except Exception:  # a font file may be broken in any way, and is then simply no font for us
            _unreadable.add(path)


_unreadable: set[str] = set()


@cache
def _characters(path: str) -> frozenset[str]:
    """The characters that a font file has glyphs for; none if it can't be read."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(map(chr, FT2Font(path).get_charmap()))
    except (OSError, RuntimeError, ValueError):
        return frozenset()


def _warn(missing: set[str]) -> None:
    shown = "".join(sorted(missing)[:10]) + ("…" if len(missing) > 10 else "")
    warnings.warn(
        f"no font on this machine has {shown} ({len(missing)} characters); they are drawn as boxes. "
        "Installing one helps, for example Noto Sans (Debian, Ubuntu: fonts-noto-core, fonts-noto-cjk)",
        stacklevel=4,
    )
