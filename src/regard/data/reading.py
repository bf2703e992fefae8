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

_SUFFIXES: dict[str, Format] = {".tsv": "tsv", ".tab": "tsv", ".txt": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_BREAKS = re.compile(r"[\t\n\r\v\f]+")
_MOST_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Pair:
    """A source and its target, and where they were read (`line` counts from 1)."""

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
    def origin(self) -> str:
        """`pairs.tsv, line 12`."""
        return f"{self.file}, line {self.line}"


# A line that was read: its number, and its source and targets, or the reason why it has none.
_Found = tuple[int, tuple[str, Sequence[str]] | str]


def read_pairs(
    path: str | Path,
    *,
    format: Format | None = None,
    source: str | int | None = None,
    target: str | int | None = None,
    references: bool = False,
) -> tuple[list[Pair], ReadReport]:
    """Read pairs from a TSV or JSONL file (`-`: standard input), packed by gzip or not.

    `format` is taken from the file's name, else from its first line. In a TSV, `source` and `target` are numbers of
    columns from 1 (1 and 2 where none is given) or names in the header line; in JSONL they are names of fields
    (`source` and `target`). With `references`, the columns from the target on (in JSONL, a list in the target field)
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
    remarks: list[str] = []
    found = (
        _jsonl(rows, name, str(source or "source"), str(target or "target"), references)
        if kind == "jsonl"
        else _tsv(list(rows), name, source, target, references, remarks)
    )
    pairs, report = _collect(found, name, references)
    report.remarks = remarks
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
                yield number, (source, (target,)) if source.strip() or target.strip() else EMPTY
            else:
                yield number, NOT_UTF8

    return _collect(found(), f"{sources} + {targets}", references=False)


def listed_pairs(pairs: Iterable[Any], name: str) -> tuple[list[Pair], ReadReport]:
    """The same from pairs (source, target) that are at hand, numbered from 1 where a file has lines.

    Raises RegardError, with the number: no pair of two texts; and where none has any text.
    """

    def found() -> Iterator[_Found]:
        for number, pair in enumerate(pairs, start=1):
            if (
                isinstance(pair, str)
                or not isinstance(pair, Sequence)
                or len(pair) != 2
                or not all(isinstance(text, str) for text in pair)
            ):
                raise RegardError(f"{name}: number {number} is {shown(pair)}, no pair of texts (source, target)")
            if any(map(has_surrogate, pair)):
                yield number, HALF
            else:
                yield number, (pair[0], pair[1:])

    if isinstance(pairs, (str, bytes)) or not isinstance(pairs, Iterable):
        raise RegardError(f"{name}: {shown(pairs)} should be pairs of texts (source, target)")
    rows = list(found())
    if not rows:
        raise RegardError(f"{name}: there are none")
    return _collect(rows, name, references=False)


def read_texts(path: str | Path) -> tuple[list[str], ReadReport]:
    """Read texts to predict from, one a line. None is left out, so that line i of the output answers line i.

    A line that is not UTF-8 counts as an empty text; both are noted in the report, and so are tabs. Raises RegardError.
    """
    report = ReadReport(shown_name(path), "text")
    texts: list[str] = []
    for number, line in enumerate(text_lines(path), start=1):
        text = _clean(line or "")
        if not text:
            report.note(NOT_UTF8 if line is None else EMPTY, number)
        elif "\t" in (line or "").strip():
            report.note(COLUMNS, number)
        texts.append(text)
    report.lines = report.kept = len(texts)
    return texts, report


def sizes_in_words(pairs: Sequence[Pair], report: ReadReport, words: Words) -> list[tuple[int, int] | None]:
    """(source words, target words) of every line that was read; None for lines that gave no pair."""
    sizes: list[tuple[int, int] | None] = [None] * report.lines
    for pair in pairs:
        source, target = (len(spans_of_words(normalise(text), words)) for text in (pair.source, pair.target))
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
    name: str,
    source: str | int | None,
    target: str | int | None,
    references: bool,
    remarks: list[str],
) -> Iterator[_Found]:
    header = _cells(rows[0][1])
    named = any(column is not None and not str(column).isdecimal() for column in (source, target))
    if named or (source is None and target is None and headers.is_header(header)):
        rows = rows[1:]
        remarks.append(headers.taken(header))
    elif source is None and target is None:
        source, target = 1, 2
    from_column = _column(name, header, source, "source", named)
    to_column = _column(name, header, target, "target", named)
    needed = max(from_column, to_column) + 1
    if rows and rows[0][0] == 1 and len(header) >= needed:
        doubt = headers.doubt(header[from_column], header[to_column])
        remarks += [doubt] if doubt else []
    widths = Counter(line.count("\t") + 1 for _, line in rows if line and line.strip())
    usual = max(widths, key=lambda width: (widths[width], width), default=0)
    if widths and max(widths) < needed:
        raise RegardError(
            f"{name}: column {needed} is asked for, and no line has more than {max(widths)} "
            "(columns are separated by tabs); give the columns, or two parallel files"
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
        elif references:
            yield number, (cells[from_column], cells[to_column:])
        elif len(cells) > usual:  # a stray tab may have moved everything after it
            yield number, f"more columns than the usual {usual}"
        else:
            yield number, (cells[from_column], (cells[to_column],))


def _cells(line: str | None) -> list[str]:
    return [cell.strip() for cell in (line or "").split("\t")]


def _column(name: str, header: list[str], wanted: str | int | None, side: str, named: bool) -> int:
    """The index of a side's column, from a number, a name, or the usual names."""
    if wanted is None:
        usual = [index for index, cell in enumerate(header) if cell.lower() in headers.USUAL[side]]
        if usual:
            return usual[0]
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


def _jsonl(
    rows: Iterator[tuple[int, str | None]], name: str, source: str, target: str, references: bool
) -> Iterator[_Found]:
    met: Counter[str] = Counter()
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
        missing = [field for field in (source, target) if field not in record]
        if missing:
            yield number, f"no field {missing[0]!r}"
            continue
        answers = record[target] if isinstance(record[target], list) else [record[target]]
        if not isinstance(record[source], str) or not all(isinstance(answer, str) for answer in answers):
            yield number, "a field that is not text"
        elif any(map(has_surrogate, (record[source], *answers))):
            yield number, HALF
        else:
            yield number, (record[source], answers if references else answers[:1] or [""])
    for field in (source, target):
        if met and field not in met:
            fields = list(met) if len(met) == 2 and not {source, target} & set(met) else ["FIELD", "FIELD"]
            known = did_you_mean(field, sorted(met))
            raise RegardError(f"{name}: no line has a field {field!r}{known} ({headers.column_flags(*fields)})")


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
        source, targets = _clean(row[0]), [text for text in map(_clean, row[1]) if text]
        if not source or not targets:
            report.leave_out(EMPTY_TARGET if source else EMPTY_SOURCE, number)
            continue
        if any("\0" in text for text in (source, *targets)):
            report.leave_out(NUL, number)
            continue
        if any(_BREAKS.search(text.strip()) for text in (row[0], *row[1])):
            report.note(SPACED, number)
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
