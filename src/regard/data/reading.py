"""Pairs from files: TSV, JSONL, two parallel files; each also packed by gzip, or from standard input.

Every reader gives the pairs and a `ReadReport`. A line that gives no pair is counted there with the reason; a file
that gives none at all, or that can't be what it should be, raises a RegardError of one line. What streams gives pair
after pair from a file of any size, and its report is complete once the last one was taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from regard.data.columns import NO_FEATURES, Known
from regard.data.features import are_features, joined, text_of
from regard.data.lines import STANDARD_INPUT, shown_name, text_lines
from regard.data.report import ReadReport
from regard.data.rows import EMPTY, HALF, NOT_UTF8, Asked, Format, Row, format_of, jsonl_rows, tsv_rows
from regard.data.text import has_surrogate, normalise, spans_of_words
from regard.errors import RegardError, shown
from regard.settings import Words

NUL = "a zero byte in it (is it UTF-16?)"
EMPTY_SOURCE = "an empty source"
EMPTY_TARGET = "an empty target"
REPEATED = "repeating an earlier pair"
SPACED = "tabs or line breaks inside a text, now spaces"
COLUMNS = "columns (tabs) taken as one text; for the first column alone: cut -f 1 FILE"
NO_FEATURE = "without features"
NO_TEXT = "features without a text"
MORE_COLUMNS = "more columns than text and features, of which only these are read"
AHEAD = 1000
"""By how many first lines a stream decides what the columns of a table are."""

_BREAKS = re.compile(r"[\t\n\r\v\f]+")


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
    found, report = _rows(path, Asked(source, target, features, references, known), format, None)
    return list(_pairs(found, report, references, set())), report


def stream_pairs(path: str | Path, asked: Asked, *, format: Format | None = None) -> tuple[Iterator[Pair], ReadReport]:
    """The same one after the other, in memory that does not grow with the file.

    The columns of a table, and how many are usual, are decided by its first 1,000 lines. Repeated pairs are not noted,
    since that takes remembering all. What is wrong with the file as a whole is raised after its last pair.
    """
    found, report = _rows(path, asked, format, AHEAD)
    return _pairs(found, report, asked.references, None), report


def read_parallel(source_path: str | Path, target_path: str | Path) -> tuple[list[Pair], ReadReport]:
    """Read pairs from two files, of which the same lines belong together.

    Raises RegardError: a file can't be read, both are standard input, they differ in length, or give no pair.
    """
    rows, report = _parallel(source_path, target_path)
    # Nothing is paired before the lengths are known, since all lines may have shifted.
    return list(_pairs(list(rows), report, False, set())), report


def stream_parallel(source_path: str | Path, target_path: str | Path) -> tuple[Iterator[Pair], ReadReport]:
    """The same one after the other; files that differ in length are told before the first pair, standard input and a
    file after the last."""
    rows, report = _parallel(source_path, target_path)
    if STANDARD_INPUT not in (str(source_path), str(target_path)):
        _check_lengths(
            (str(source_path), str(target_path)),
            [sum(1 for _ in text_lines(path)) for path in (source_path, target_path)],
        )
    return _pairs(rows, report, False, None), report


def listed_pairs(pairs: Iterable[Any], name: str) -> tuple[list[Pair], ReadReport]:
    """The same from pairs (source, target) that are at hand, numbered from 1 where a file has lines.

    A source may be a pair (text, features); where one is, those without have none.

    Raises RegardError, with the number: no pair of two texts; and where none has any text.
    """

    def found() -> Iterator[Row]:
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
    report = ReadReport(name)
    return list(_pairs(rows, report, False, set())), report


def read_texts(path: str | Path, features: bool = False) -> tuple[list[str], ReadReport]:
    """Read texts to predict from, one a line. None is left out, so that line i of the output answers line i.

    With `features`, those of a text follow it after a tab; where lines have more columns, the first one behind the text
    that holds features does. A line that is not UTF-8 counts as an empty text; both are noted in the report, and so are
    tabs, or where features are missing. Raises RegardError.
    """
    report = ReadReport(shown_name(path), "text")
    texts: list[str] = []
    lines = list(text_lines(path))
    column = _column_of_features(lines) if features else 1
    if column > 1:
        report.remarks.append(f"column {column + 1} holds the features")
    for number, line in enumerate(lines, start=1):
        cells = (line or "").split("\t")
        text = _clean(cells[0]) if features else _clean(line or "")
        if not text:
            report.note(NOT_UTF8 if line is None else NO_TEXT if "".join(cells).strip() else EMPTY, number)
        elif features:
            beside = _clean(cells[column]) if len(cells) > column else ""
            if not beside or len(cells) > 2:
                report.note(MORE_COLUMNS if beside else NO_FEATURE, number)
            text = joined(text, beside) if len(cells) > column else text
        elif "\t" in (line or "").strip():
            report.note(COLUMNS, number)
        texts.append(text)
    report.lines = report.kept = len(texts)
    return texts, report


def _column_of_features(lines: Sequence[str | None]) -> int:
    """The index of the first column behind the text that holds features; the next one where none does."""
    rows = [line.split("\t") for line in lines if line and "\t" in line]
    widest = max(map(len, rows), default=0)
    columns = ([row[column] for row in rows if len(row) > column] for column in range(1, widest))
    return next((index for index, cells in enumerate(columns, start=1) if are_features(cells)), 1)


def sizes_in_words(pairs: Sequence[Pair], report: ReadReport, words: Words) -> list[tuple[int, int] | None]:
    """(source words, target words) of every line that was read; None for lines that gave no pair."""
    sizes: list[tuple[int, int] | None] = [None] * report.lines
    for pair in pairs:
        source, target = (len(spans_of_words(normalise(text), words)) for text in (pair.text, pair.target))
        sizes[pair.line - report.first] = (source, target)
    return sizes


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


def _rows(path: str | Path, asked: Asked, format: Format | None, ahead: int | None) -> tuple[Iterator[Row], ReadReport]:
    """The rows of a table, whose columns are decided by so many first lines, or by all of them."""
    name = shown_name(path)
    lines = enumerate(text_lines(path), start=1)
    first = list(islice(lines, ahead))
    if not first:
        raise RegardError(f"{name}: the file is empty; it should hold one pair a line")
    report = ReadReport(name)
    rows = jsonl_rows if (format or format_of(path, first[0][1])) == "jsonl" else tsv_rows
    return rows(first, lines, report, asked), report


def _parallel(source_path: str | Path, target_path: str | Path) -> tuple[Iterator[Row], ReadReport]:
    """The rows of two files; where these differ in length, that is raised after the last."""
    if str(source_path) == str(target_path) == STANDARD_INPUT:
        raise RegardError("standard input can't be both the source and the target; give one of them as a file")
    sources, targets = shown_name(source_path), shown_name(target_path)

    def rows() -> Iterator[Row]:
        lengths = [0, 0]
        sides = zip_longest(text_lines(source_path), text_lines(target_path), fillvalue=0)
        for number, (source, target) in enumerate(sides, start=1):
            # A side that has ended bears the number.
            lengths = [length + (side != 0) for length, side in zip(lengths, (source, target), strict=True)]
            if isinstance(source, str) and isinstance(target, str):
                yield number, (source, None, (target,)) if source.strip() or target.strip() else EMPTY
            else:
                yield number, NOT_UTF8
        _check_lengths((sources, targets), lengths)

    return rows(), ReadReport(f"{sources} + {targets}")


def _check_lengths(names: Sequence[str], lengths: Sequence[int]) -> None:
    """Raises RegardError where two files that belong together differ in their lines, or have none."""
    (source, target), (sources, targets) = names, lengths
    if sources != targets:
        raise RegardError(
            f"{source} has {sources:,} lines and {target} has {targets:,}; "
            "line i of both should belong together, so give files of one length"
        )
    if not sources:
        raise RegardError(f"{source}, {target}: the files are empty; they should hold one sentence a line")


def _pairs(
    found: Iterable[Row], report: ReadReport, references: bool, seen: set[tuple[str, str]] | None
) -> Iterator[Pair]:
    """The pairs of the rows that give one; what became of the others is told in the report.

    Those in `seen` are noted as repeated. Raises RegardError where the rows as a whole can't be what they should be.
    """
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
        if seen is not None:
            if (source, targets[0]) in seen:
                report.note(REPEATED, number)
            seen.add((source, targets[0]))
        report.kept += 1
        yield Pair(source, targets[0], report.name, number, tuple(targets) if references else ())
    _check(report)


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
