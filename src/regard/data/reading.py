"""Pairs from files: TSV, JSONL, two parallel files; each also packed by gzip, or from standard input.

Every reader gives the pairs and a `ReadReport`. A line that gives no pair is counted there with the reason; a file
that gives none at all, or that can't be what it should be, raises a RegardError of one line.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

from regard.data import headers
from regard.data.columns import NO_FEATURES, Known, cells_of, columns_of
from regard.data.features import joined, text_of
from regard.data.lines import STANDARD_INPUT, shown_name, text_lines
from regard.data.report import ReadReport
from regard.data.text import has_surrogate, normalise, spans_of_words
from regard.errors import RegardError, did_you_mean, shown
from regard.settings import Words

Format = Literal["tsv", "jsonl"]

NOT_UTF8 = "not UTF-8"
NUL = "a zero byte in it (is it UTF-16?)"
EMPTY = "an empty line"
EMPTY_SOURCE = "an empty source"
EMPTY_TARGET = "an empty target"
REPEATED = "repeating an earlier pair"
HALF = "half a surrogate pair"
SPACED = "tabs or line breaks inside a text, now spaces"
COLUMNS = "columns (tabs) taken as one text; for the first column alone: cut -f 1 FILE"
NO_FEATURE = "without features"
MORE_COLUMNS = "more columns than text and features; those after the second are left out"

_SUFFIXES: dict[str, Format] = {".tsv": "tsv", ".tab": "tsv", ".txt": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_BREAKS = re.compile(r"[\t\n\r\v\f]+")
_FEATURES = "features"


@dataclass(frozen=True, slots=True)
class Pair:
    """A source and its target, and where they were read (`line` counts from 1).

    Features of a source follow its text after a tab (`regard.data.features`).
    """

    source: str
    target: str
    file: str = ""
    line: int = 0
    references: tuple[str, ...] = ()
    """All right answers, the target first among them, where the file has several; else empty."""

    @property
    def targets(self) -> tuple[str, ...]:
        """The references, or the one target."""
        return self.references or (self.target,)

    @property
    def text(self) -> str:
        """The source without features."""
        return text_of(self.source)

    @property
    def origin(self) -> str:
        """`pairs.tsv, line 12`."""
        return f"{self.file}, line {self.line}"


# A line that was read: its number, and its source (with features, or None), and targets, or the reason why it has none.
_Found = tuple[int, tuple[str, str | None, Sequence[str]] | str]


def read_pairs(
    path: str | Path,
    *,
    format: Format | None = None,
    source: str | int | None = None,
    target: str | int | None = None,
    features: str | int | None = NO_FEATURES,
    references: bool = False,
    known: Known | None = None,
) -> tuple[list[Pair], ReadReport]:
    """Read pairs from a TSV or JSONL file (`-`: standard input), packed by gzip or not.

    `format` is taken from the file's name, else from its first line. In a TSV, `source` and `target` are numbers of
    columns from 1 (1 and 2 where none is given) or names in the header line; in JSONL they are names of fields
    (`source` and `target`). `features` is the column or field of the source's features; 0: there is none; None: one
    that is recognised (`regard.data.columns`), which the report tells (`columns`), or else that `known` of a like file.
    With `references`, the columns from the target on (in JSONL, a list in the target field)
    are so many right answers to the same source; the first is the target.

    Raises RegardError: the file can't be read, is empty, has no such column, or gives no pair.
    """
    name = shown_name(path)
    lines = enumerate(text_lines(path), start=1)
    ahead = [line for line in [next(lines, None)] if line is not None]
    if not ahead:
        raise RegardError(f"{name}: the file is empty; it should hold one pair a line")
    kind = format or _format_of(path, ahead[0][1])
    rows = _chain(ahead, lines)
    account = ReadReport(name)  # of what is known of the file as a whole
    found = (
        _jsonl(list(rows), account, str(source or "source"), str(target or "target"), features, references, known)
        if kind == "jsonl"
        else _tsv(list(rows), account, source, target, features, references, known)
    )
    pairs, report = _collect(found, name, references)
    report.remarks, report.columns = account.remarks, account.columns
    return pairs, report


def read_parallel(source_path: str | Path, target_path: str | Path) -> tuple[list[Pair], ReadReport]:
    """Read pairs from two files, of which the same lines belong together.

    Raises RegardError: a file can't be read, both are standard input, they differ in length, or give no pair.
    """
    if str(source_path) == str(target_path) == STANDARD_INPUT:
        raise RegardError("standard input can't be both the source and the target; give one of them as a file")
    sources, targets = shown_name(source_path), shown_name(target_path)
    rows = list(zip_longest(text_lines(source_path), text_lines(target_path), fillvalue=0))
    # Only a side that has ended early bears the number; nothing is paired then, since all may have shifted.
    lengths = [sum(row[side] != 0 for row in rows) for side in (0, 1)]
    if lengths[0] != lengths[1]:
        raise RegardError(
            f"{sources} has {lengths[0]:,} lines and {targets} has {lengths[1]:,}; "
            "line i of both should belong together, so give files of one length"
        )
    if not rows:
        raise RegardError(f"{sources}, {targets}: the files are empty; they should hold one sentence a line")

    def found() -> Iterator[_Found]:
        for number, (source, target) in enumerate(rows, start=1):
            if isinstance(source, str) and isinstance(target, str):
                yield number, (source, None, (target,)) if source.strip() or target.strip() else EMPTY
            else:
                yield number, NOT_UTF8

    return _collect(found(), f"{sources} + {targets}", references=False)


def listed_pairs(pairs: Iterable[Any], name: str) -> tuple[list[Pair], ReadReport]:
    """The same from pairs (source, target) that are at hand, numbered from 1 where a file has lines.

    A source may be a pair (text, features); where one is, those without have none.

    Raises RegardError, with the number: no pair of two texts; and where none has any text.
    """

    def found() -> Iterator[_Found]:
        for number, pair in enumerate(pairs, start=1):
            sides = _sides(pair)
            if sides is None:
                raise RegardError(f"{name}: number {number} is {shown(pair)}, no pair of texts (source, target)")
            source, beside, target = sides
            if any(map(has_surrogate, (source, beside or "", target))):
                yield number, HALF
            else:
                yield number, (source, beside, (target,))

    if isinstance(pairs, (str, bytes)) or not isinstance(pairs, Iterable):
        raise RegardError(f"{name}: {shown(pairs)} should be pairs of texts (source, target)")
    rows = list(found())
    if not rows:
        raise RegardError(f"{name}: there are none")
    if any(not isinstance(row, str) and row[1] is not None for _, row in rows):
        rows = [(at, row if isinstance(row, str) else (row[0], row[1] or "", row[2])) for at, row in rows]
    return _collect(rows, name, references=False)


def read_texts(path: str | Path, features: bool = False) -> tuple[list[str], ReadReport]:
    """Read texts to predict from, one a line. None is left out, so that line i of the output answers line i.

    With `features`, those of a text follow it after a tab. A line that is not UTF-8 counts as an empty text; both are
    noted in the report, and so are tabs, or where features are missing. Raises RegardError.
    """
    report = ReadReport(shown_name(path), "text")
    texts: list[str] = []
    for number, line in enumerate(text_lines(path), start=1):
        cells = (line or "").split("\t")
        text = _clean(cells[0]) if features else _clean(line or "")
        if not text:
            report.note(NOT_UTF8 if line is None else EMPTY, number)
        elif features:
            if len(cells) != 2 or not cells[1].strip():
                report.note(MORE_COLUMNS if len(cells) > 2 else NO_FEATURE, number)
            text = joined(text, _clean(cells[1])) if len(cells) > 1 else text
        elif "\t" in (line or "").strip():
            report.note(COLUMNS, number)
        texts.append(text)
    report.lines = report.kept = len(texts)
    return texts, report


def sizes_in_words(pairs: Sequence[Pair], report: ReadReport, words: Words) -> list[tuple[int, int] | None]:
    """(source words, target words) of every line that was read; None for lines that gave no pair."""
    sizes: list[tuple[int, int] | None] = [None] * report.lines
    for pair in pairs:
        source, target = (len(spans_of_words(normalise(text), words)) for text in (pair.text, pair.target))
        sizes[pair.line - report.first] = (source, target)
    return sizes


def _format_of(path: str | Path, first_line: str | None) -> Format:
    suffixes = [suffix.lower() for suffix in Path(path).suffixes if suffix.lower() != ".gz"]
    if suffixes and suffixes[-1] in _SUFFIXES:
        return _SUFFIXES[suffixes[-1]]
    return "jsonl" if (first_line or "").lstrip().startswith("{") else "tsv"


def _chain(
    ahead: list[tuple[int, str | None]], rest: Iterable[tuple[int, str | None]]
) -> Iterator[tuple[int, str | None]]:
    yield from ahead
    yield from rest


def _tsv(
    rows: list[tuple[int, str | None]],
    account: ReadReport,
    source: str | int | None,
    target: str | int | None,
    features: str | int | None,
    references: bool,
    known: Known | None,
) -> Iterator[_Found]:
    name, remarks = account.name, account.remarks
    found = columns_of(name, [line for _, line in rows], source, target, features, known)
    account.columns = found.chosen
    from_column, to_column, needed = found.source, found.target, found.needed
    with_features = found.features is not None
    if found.header is not None:
        rows = rows[1:]
        remarks.append(headers.taken(found.header))
    elif len(first := cells_of(rows[0][1])) >= needed:
        doubt = headers.doubt(first[from_column], first[to_column])
        remarks += [doubt] if doubt else []
    widths = Counter(line.count("\t") + 1 for _, line in rows if line and line.strip())
    usual = max(widths, key=lambda width: (widths[width], width), default=0)
    if widths and max(widths) < needed:
        raise RegardError(
            f"{name}: column {needed} is asked for{' (features beside source and target)' * with_features}, and no "
            f"line has more than {max(widths)} (columns are separated by tabs); give the columns, or two parallel files"
        )
    for number, line in rows:
        if line is None:
            yield number, NOT_UTF8
            continue
        if not line.strip():
            yield number, EMPTY
            continue
        cells = line.split("\t")
        if len(cells) < needed:
            yield number, f"fewer than {needed} columns"
            continue
        beside = None if found.features is None else cells[found.features]
        if references:
            answers = [cell for index, cell in enumerate(cells) if index >= to_column and index != found.features]
            yield number, (cells[from_column], beside, answers)
        elif len(cells) > usual:  # a stray tab may have moved everything after it
            yield number, f"more columns than the usual {usual}"
        else:
            yield number, (cells[from_column], beside, (cells[to_column],))


def _jsonl(
    rows: Sequence[tuple[int, str | None]],
    account: ReadReport,
    source: str,
    target: str,
    features: str | int | None,
    references: bool,
    known: Known | None,
) -> Iterator[_Found]:
    name, beside_in = account.name, None if str(features) == NO_FEATURES else str(features or _FEATURES)
    met: Counter[str] = Counter()
    if features is None and not _all_have(rows, _FEATURES):
        column = None if known is None else known[2]
        beside_in = _FEATURES if column is not None and column.isdecimal() else column
    elif features is None:
        account.columns = {"data.features": (_FEATURES, "every line has such a field")}
    needed = (source, target) if beside_in is None else (source, target, beside_in)
    for number, line in rows:
        if line is None:
            yield number, NOT_UTF8
            continue
        if not line.strip():
            yield number, EMPTY
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
            yield number, (record[source], beside, answers if references else answers[:1] or [""])
    for field in needed:
        if met and field not in met:
            fields = list(met) if len(met) == 2 and not {source, target} & set(met) else ["FIELD", "FIELD"]
            meant = did_you_mean(field, sorted(met))
            raise RegardError(f"{name}: no line has a field {field!r}{meant} ({headers.column_flags(*fields)})")


def _all_have(rows: Iterable[tuple[int, str | None]], field: str) -> bool:
    """Whether all lines that are JSON objects, and there are such, have a text or a list in this field."""
    seen = False
    for _, line in rows:
        try:
            record = json.loads(line or "")
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            if not isinstance(record.get(field), (str, list)):
                return False
            seen = True
    return seen


def _sides(pair: Any) -> tuple[str, str | None, str] | None:
    """A pair's text, features and target; None where it is no pair of texts."""
    if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
        return None
    given = pair[0] if isinstance(pair[0], tuple) and len(pair[0]) == 2 else (pair[0], None)
    if not all(isinstance(text, str) for text in (given[0], "" if given[1] is None else given[1], pair[1])):
        return None
    return (*given, pair[1])


def _clean(text: str) -> str:
    """Without white space or byte order marks at the ends (joined files leave those), and on one line."""
    return _BREAKS.sub(" ", text.strip().lstrip("\ufeff")).strip()


def _collect(found: Iterable[_Found], name: str, references: bool) -> tuple[list[Pair], ReadReport]:
    report = ReadReport(name)
    pairs: list[Pair] = []
    seen: set[tuple[str, str]] = set()
    for number, row in found:
        if not report.lines:
            report.first = number
        report.lines += 1
        if isinstance(row, str):
            report.leave_out(row, number)
            continue
        source, targets = _clean(row[0]), [text for text in map(_clean, row[2]) if text]
        if not source or not targets:
            report.leave_out(EMPTY_TARGET if source else EMPTY_SOURCE, number)
            continue
        features = None if row[1] is None else _clean(row[1])
        if any("\0" in text for text in (source, features or "", *targets)):
            report.leave_out(NUL, number)
            continue
        if any(_BREAKS.search(text.strip()) for text in (row[0], *row[2])):
            report.note(SPACED, number)
        if features is not None:
            source = joined(source, features)
            if not features:
                report.note(NO_FEATURE, number)
        key = (source, targets[0])
        if key in seen:
            report.note(REPEATED, number)
        seen.add(key)
        pairs.append(Pair(source, targets[0], name, number, tuple(targets) if references else ()))
    report.kept = len(pairs)
    _check(report)
    return pairs, report


def _check(report: ReadReport) -> None:
    not_utf8 = report.left_out.get(NOT_UTF8)
    if not_utf8 is not None and not_utf8.count * 2 >= report.lines:
        raise RegardError(
            f"{report.name}: {not_utf8.count:,} of {report.lines:,} lines are not UTF-8 "
            f"(first line {not_utf8.first_lines[0]}); save it as UTF-8, as by iconv -f latin1 -t utf-8"
        )
    if not report.kept:
        reasons = "; ".join(f"{reason}: {tally}" for reason, tally in report.left_out.items()) or "only a header line"
        raise RegardError(f"{report.name}: no pair could be read ({reasons})")
