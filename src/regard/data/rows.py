"""What each line of a table (TSV, JSONL) holds: a source, its features, its targets; or why it gives no pair."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from regard.data import headers
from regard.data.columns import NO_FEATURES, Known, by_content, cells_of, columns_of, spoken
from regard.data.report import ReadReport
from regard.data.text import has_surrogate
from regard.errors import RegardError, did_you_mean

Format = Literal["tsv", "jsonl"]
Line = tuple[int, str | None]
"""The number of a line, and its text, or None where it is not UTF-8."""
Row = tuple[int, tuple[str, str | None, Sequence[str]] | str]
"""A line that was read: its number, and its source, features (or None) and targets, or the reason why it has none."""

NOT_UTF8 = "not UTF-8"
EMPTY = "an empty line"
HALF = "half a surrogate pair"

_SUFFIXES: dict[str, Format] = {".tsv": "tsv", ".tab": "tsv", ".txt": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_FEATURES = "features"


@dataclass(frozen=True)
class Asked:
    """Which columns or fields are the source, the target and the source's features (`read_pairs`)."""

    source: str | int | None = None
    target: str | int | None = None
    features: str | int | None = NO_FEATURES
    references: bool = False
    known: Known | None = None


def format_of(path: str | Path, first_line: str | None) -> Format:
    """TSV or JSONL, by the file's name, else by its first line."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes if suffix.lower() != ".gz"]
    if suffixes and suffixes[-1] in _SUFFIXES:
        return _SUFFIXES[suffixes[-1]]
    return "jsonl" if (first_line or "").lstrip().startswith("{") else "tsv"


def tsv_rows(ahead: Sequence[Line], rest: Iterator[Line], account: ReadReport, asked: Asked) -> Iterator[Row]:
    """The rows of a TSV; `ahead` are its first lines, by which the columns are found and how many are usual.

    Raises RegardError: there is no such column.
    """
    name, remarks, references = account.name, account.remarks, asked.references
    found = columns_of(name, [line for _, line in ahead], asked.source, asked.target, asked.features, asked.known)
    account.columns = found.chosen
    from_column, to_column, needed = found.source, found.target, found.needed
    with_features = found.features is not None
    beside_it = (found.source, found.features)
    if found.header is not None:
        ahead = ahead[1:]
        remarks.append(headers.taken(found.header))
    elif len(first := cells_of(ahead[0][1])) >= needed:
        doubt = headers.doubt(first[from_column], first[to_column])
        remarks += [doubt] if doubt else []
    remarks += [found.told] if found.told else []
    if str(asked.features) == NO_FEATURES and (unread := by_content([line for _, line in ahead])) is not None:
        remarks.append(f"{unread.chosen['data.features'][1]}, and is read as the others are: there should be none")
    widths = Counter(line.count("\t") + 1 for _, line in ahead if line and line.strip())
    usual = max(widths, key=lambda width: (widths[width], width), default=0)
    if widths and max(widths) < needed:
        raise RegardError(
            f"{name}: column {needed} is asked for{' (features beside source and target)' * with_features}, and no "
            f"line has more than {max(widths)} (columns are separated by tabs); {found.advice}"
        )
    for number, line in chain(ahead, rest):
        if line is None or not line.strip():
            yield number, NOT_UTF8 if line is None else EMPTY
            continue
        cells = line.split("\t")
        if len(cells) < needed:
            yield number, f"fewer than {needed} columns"
            continue
        beside = None if found.features is None else cells[found.features]
        if references:
            answers = [cell for index, cell in enumerate(cells) if index >= to_column and index not in beside_it]
            yield number, (cells[from_column], beside, answers)
        elif len(cells) > usual:  # a stray tab may have moved everything after it
            yield number, f"more columns than the usual {usual}"
        else:
            yield number, (cells[from_column], beside, (cells[to_column],))


def jsonl_rows(ahead: Sequence[Line], rest: Iterator[Line], account: ReadReport, asked: Asked) -> Iterator[Row]:
    """The rows of JSON lines; features are those of `ahead`, the first of them. Raises RegardError: no such field."""
    name, (source, target), told = account.name, *_fields(ahead, asked)
    beside_in = None if str(asked.features) == NO_FEATURES else str(asked.features or _FEATURES)
    account.remarks += [told] if told else []
    met: Counter[str] = Counter()
    if asked.features is None and not _all_have(ahead, _FEATURES):
        column = None if asked.known is None else asked.known[2]
        beside_in = _FEATURES if column is not None and column.isdecimal() else column
    elif asked.features is None:
        account.columns = {"data.features": (_FEATURES, "every line has such a field")}
    needed = (source, target) if beside_in is None else (source, target, beside_in)
    for number, line in chain(ahead, rest):
        if line is None or not line.strip():
            yield number, NOT_UTF8 if line is None else EMPTY
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            yield number, "not JSON"
            continue
        if not isinstance(record, dict):
            yield number, "not a JSON object"
            continue
        met.update(record.keys())
        missing = [field for field in needed if field not in record]
        if missing:
            yield number, f"no field {missing[0]!r}"
            continue
        answers = record[target] if isinstance(record[target], list) else [record[target]]
        beside = None if beside_in is None else record[beside_in]
        if isinstance(beside, list) and all(isinstance(one, str) for one in beside):
            beside = ";".join(beside)
        texts = (record[source], *answers, "" if beside_in is None else beside)
        if not all(isinstance(text, str) for text in texts):
            yield number, "a field that is not text"
        elif any(map(has_surrogate, texts)):
            yield number, HALF
        else:
            yield number, (record[source], beside, answers if asked.references else answers[:1] or [""])
    for field in needed:
        if met and field not in met:
            fields = list(met) if len(met) == 2 and not {source, target} & set(met) else ["FIELD", "FIELD"]
            meant = did_you_mean(field, sorted(met))
            how = told or headers.column_flags(*fields)
            raise RegardError(f"{name}: no line has a field {field!r}{meant} ({how})")


def _fields(rows: Iterable[Line], asked: Asked) -> tuple[tuple[str, str], str]:
    """Those of source and target, and what to say: those known of a like file, unless only the usual are there."""
    usual = (str(asked.source or "source"), str(asked.target or "target"))
    if asked.known is None or asked.source is not None or asked.target is not None:
        return usual, ""
    known = (asked.known[0] or usual[0], asked.known[1] or usual[1])
    met = next((each.keys() for each in map(_object, rows) if each is not None), set[str]())
    numbers = any(column.isdecimal() for column in known)
    if known == usual or (not set(known) <= set(met) and (numbers or set(usual) <= set(met))):
        return usual, ""
    return known, f"fields as in the training: {spoken(asked.known)}"


def _object(row: Line) -> dict[str, Any] | None:
    """What a line of JSON holds; None where that is no object."""
    try:
        record = json.loads(row[1] or "")
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _all_have(rows: Iterable[Line], field: str) -> bool:
    """Whether all lines that are JSON objects, and there are such, have a text or a list in this field."""
    seen = False
    for record in map(_object, rows):
        if record is not None:
            if not isinstance(record.get(field), (str, list)):
                return False
            seen = True
    return seen
