"""Which columns of a table are the source, the target and the source's features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from regard.data import headers
from regard.data.features import are_features
from regard.errors import RegardError, did_you_mean, shown

NO_FEATURES = "0"
"""What is given as the column of features where there are none."""

Known = tuple[str | None, str | None, str]
"""Columns of source, target and features that a training names; None: the usual one."""

_MOST_DIGITS = 10
_WITH_FEATURES = 3


@dataclass(frozen=True)
class Columns:
    """Indices from 0; `header` is the first line where it names them."""

    source: int
    target: int
    features: int | None = None
    header: list[str] | None = None
    chosen: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Settings that follow from the table, such as `data.features`, with their values and the reason."""
    told: str = ""
    """What a person should know of them."""
    advice: str = "give the columns, or two parallel files"
    """What to do where no line has so many."""

    @property
    def needed(self) -> int:
        """How many columns a line has to have."""
        return max(self.source, self.target, -1 if self.features is None else self.features) + 1


def columns_of(
    name: str,
    lines: Sequence[str | None],
    source: str | int | None,
    target: str | int | None,
    features: str | int | None,
    known: Known | None = None,
) -> Columns:
    """The columns by number from 1, by name, by usual names in a header, or by what they hold.

    Where none is given, a third column that holds features is recognised: behind the target, or between it and the
    source. Where those of a like file are `known`, they are the same, unless a header or what they hold says otherwise.
    Raises RegardError for a column that there is not.
    """
    header = cells_of(lines[0] if lines else None)
    without = features is not None and str(features) == NO_FEATURES
    wanted = None if without else features
    usual = source is None and target is None
    if known is not None and usual and wanted is None:
        return _like(name, lines, known)
    named = any(column is not None and not str(column).isdecimal() for column in (source, target, wanted))
    if named or (usual and wanted is None and headers.is_header(header)):
        by_name = _by_usual_name(header, "features") if wanted is None and not without else None
        at = by_name if wanted is None else _column(name, header, wanted, "features", named)
        found = [_column(name, header, each, side, named) for each, side in ((source, "source"), (target, "target"))]
        chosen = {} if by_name is None else {"data.features": (header[by_name], "the header names it so")}
        return Columns(found[0], found[1], at, header, chosen)
    if usual and wanted is None and not without and (found_columns := by_content(lines)) is not None:
        return found_columns
    at = None if wanted is None else _column(name, header, wanted, "features", named)
    rest = [column for column in range(_WITH_FEATURES) if column != at]
    first = rest[0] if source is None else _column(name, header, source, "source", named)
    free = [column for column in rest if column != first] if source is None else [1, 2]
    beside = free[0] if free[0] != at else 2
    second = beside if target is None else _column(name, header, target, "target", named)
    if at in (first, second):
        raise RegardError(f"{name}: column {second + 1} is asked for as features and as a side; give each its own")
    why = f"the first column beside data.features, {features}"
    chosen = {"data.target": (str(second + 1), why)} if target is None and second != 1 else {}
    return Columns(first, second, at, None, chosen)


def cells_of(line: str | None) -> list[str]:
    """The cells of a line, without white space at their ends."""
    return [cell.strip() for cell in (line or "").split("\t")]


def spoken(known: Known) -> str:
    """The settings that name these columns."""
    given = (("source", known[0]), ("target", known[1]), ("features", None if known[2] == NO_FEATURES else known[2]))
    return ", ".join(f"data.{side} {column}" for side, column in given if column is not None)


def _like(name: str, lines: Sequence[str | None], known: Known) -> Columns:
    """The columns of a file that should be like the one whose columns are `known`."""
    header, without = cells_of(lines[0] if lines else None), known[2] == NO_FEATURES
    asked = [column for column in known[: 2 if without else 3] if column is not None]
    names = [column for column in asked if not column.isdecimal()]
    given = None if names else columns_of(name, [], *known)
    said = spoken(known if given is None else (str(given.source + 1), str(given.target + 1), known[2]))
    same = f"columns as in the training: {said}"
    # Names beside numbers are no more than a usual header, which then stands above pairs that were held out.
    if names and set(names) <= set(header) and (names == asked or not headers.is_header(header)):
        return replace(columns_of(name, lines, *known), told=same)
    found = None if without else by_content(lines, given is not None and given.source > given.target)
    if headers.is_header(header):
        found = columns_of(name, lines, None, None, NO_FEATURES if without else None)
    if found is not None:
        places = [None if each is None else (each.source, each.target, each.features) for each in (found, given)]
        how = "what they hold" if found.header is None else "line 1"
        told = "" if places[0] == places[1] else f"columns by {how}, not as in the training ({said})"
        return replace(found, told=told)
    how = "source TAB target, or give two parallel files (--target)" if without else "source TAB features TAB target"
    advice = f"name its columns in a first line, {how}"
    if names:
        missing = next(each for each in names if each not in header)
        raise RegardError(
            f"{name}: its first line has no column {shown(missing)}, as the training's pairs have ({said}); {advice}"
        )
    advice = f"they are those of the training ({said}); {advice}"
    return replace(columns_of(name, lines, *known), told=same, advice=advice)


def by_content(lines: Sequence[str | None], backwards: bool = False) -> Columns | None:
    """The columns of lines that mostly have three, one of which holds features; None: they are not such.

    The first of the others is the source, or where it is known that it is `backwards`, the target.
    """
    rows = [line.split("\t") for line in lines if line and line.strip()]
    widths = Counter(map(len, rows))
    if not widths or max(widths, key=lambda width: (widths[width], width)) != _WITH_FEATURES:
        return None
    rows = [row for row in rows if len(row) == _WITH_FEATURES]
    # Where both could be features, the last one is: sources that look so are rare, and so are targets.
    for features, last, order in ((2, 1, "source, target, features"), (1, 2, "source, features, target")):
        if are_features([row[features] for row in rows]):
            if backwards:
                return Columns(last, 0, features)
            why = f"column {features + 1} holds features, such as {shown(rows[0][features].strip())} ({order})"
            chosen = {"data.features": (str(features + 1), why), "data.target": (str(last + 1), why)}
            return Columns(0, last, features, None, chosen)
    return None


def _by_usual_name(header: Sequence[str], side: str) -> int | None:
    return next((index for index, cell in enumerate(header) if cell.lower() in headers.USUAL[side]), None)


def _column(name: str, header: list[str], wanted: str | int | None, side: str, named: bool) -> int:
    """The index of a side's column, from a number, a name, or the usual names."""
    if wanted is None:
        usual = _by_usual_name(header, side)
        if usual is not None:
            return usual
        if named:
            raise RegardError(f"{name}: which column is the {side}? Give its name{did_you_mean(side, header)}")
        return 0 if side == "source" else 1
    if str(wanted).isdecimal() and len(str(wanted)) < _MOST_DIGITS:
        if int(wanted) == 0:
            raise RegardError(f"{name}: columns are numbered from 1, and the {side} column is given as 0")
        return int(wanted) - 1
    if str(wanted) in header:
        return header.index(str(wanted))
    raise RegardError(f"{name}: its first line has no column {shown(wanted)}{did_you_mean(str(wanted), header)}")
