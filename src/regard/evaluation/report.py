"""Scores and how they are printed."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """One number that a system got.

    `value` is in per cent for every metric of `METRICS` and for the alignment scores' table. `signature` says how it
    was computed, so that others can repeat it; `note` gives the reason for a choice that Regard made itself.
    """

    name: str
    value: float
    higher_is_better: bool
    sentences: int
    signature: str = ""
    note: str = ""

    def __str__(self) -> str:
        arrow = "higher is better" if self.higher_is_better else "lower is better"
        about = ", ".join(part for part in (arrow, f"{self.sentences} sentences", self.note, self.signature) if part)
        return f"{self.name} {self.value:.2f}  ({about})"


def score_table(scores: Sequence[Score], meanings: Mapping[str, str] | None = None) -> str:
    """The scores of one system, a line for each, with signatures; below it what each metric means, and notes."""
    rows = [
        (score.name, f"{score.value:.2f}", "higher" if score.higher_is_better else "lower", score.signature)
        for score in scores
    ]
    said = [(score.name, (meanings or {}).get(score.name, ""), score.note) for score in scores]
    lines = (f"{name}: {'; '.join(filter(None, parts))}" for name, *parts in said if any(parts))
    return "\n".join([table(("metric", "value", "better", "signature"), rows), *dict.fromkeys(lines)])


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Plain text in columns two spaces apart; columns of numbers are set to the right, all others to the left.

    Chinese and other wide characters count as the two cells that they take. Raises `ValueError` for a row that has
    not one entry for each heading.
    """
    for row in rows:
        if len(row) != len(headings):
            raise ValueError(f"table: {len(headings)} headings, but a row of {len(row)}: {list(row)}")
    columns = list(zip(headings, *rows, strict=True))
    widths = [max(map(_width, column)) for column in columns]
    numeric = [len(column) > 1 and all(map(_is_number, column[1:])) for column in columns]
    lines = [list(headings), ["-" * width for width in widths], *map(list, rows)]
    return "\n".join(
        "  ".join(
            " " * (width - _width(cell)) + cell if right else cell + " " * (width - _width(cell))
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in lines
    )


def _is_number(cell: str) -> bool:
    try:
        float(cell.rstrip("%"))
    except ValueError:
        return cell in ("", "-")
    return True


def _width(text: str) -> int:
    """Terminal cells: two for wide characters, none for marks on the letter before."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
