"""The first line of a table: whether it names the columns, surely or perhaps."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from regard.errors import shown

#: What a header calls the columns where nobody says which they are, in any case of letters.
USUAL = {
    "source": ("source", "src", "input"),
    "target": ("target", "tgt", "trg", "output"),
    "features": ("features", "feats", "tags", "msd"),
}

# Names that a header may have too, but that may as well be a pair of a dictionary: a reason to ask, not to drop a line.
_POSSIBLE = """
english german french spanish italian portuguese dutch russian chinese japanese korean arabic hindi turkish polish czech
greek latin hebrew swedish danish norwegian finnish hungarian romanian ukrainian vietnamese thai persian indonesian
esperanto deutsch englisch français anglais español italiano português 中文 英文 英语 汉语 日本語 한국어 русский
en de fr es it pt nl ru zh ja ko ar hi tr pl cs el he sv da fi hu ro uk vi th fa
source src input target tgt trg output text sentence translation word spelling phones phonemes pronunciation ipa
question answer query label language original reference lemma form inflection features feats tags msd
"""
_NAMES = frozenset(_POSSIBLE.split())


def is_header(cells: Sequence[str]) -> bool:
    """Whether a first line has a usual name of both sides."""
    named = {cell.lower() for cell in cells}
    return all(not named.isdisjoint(USUAL[side]) for side in ("source", "target"))


def taken(cells: Sequence[str]) -> str:
    """What to say of a header that was recognised."""
    more = ", ..." if len(cells) > 4 else ""
    return f"line 1 is a header and no pair; it names the columns {', '.join(map(shown, cells[:4]))}{more}"


def doubt(source: str, target: str) -> str:
    """What to say of a first pair that may be a header; nothing where it looks like none."""
    if not {source.casefold(), target.casefold()} <= _NAMES:
        return ""
    return f"line 1, {source} and {target}, is taken as a pair; if it is a header, {column_flags(source, target)}"


def column_flags(source: str, target: str) -> str:
    """How `regard train` is told which columns or fields to take."""
    return f"train with --data.source {shlex.quote(source)} --data.target {shlex.quote(target)}"
