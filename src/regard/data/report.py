"""`ReadReport`: what was read, and every line that was left out, with the reason and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_SHOWN = 5


@dataclass
class Tally:
    """How often something happened, and the lines where it happened first, with a name where one says more."""

    count: int = 0
    first_lines: list[int] = field(default_factory=list)
    first_names: list[str] = field(default_factory=list)

    def add(self, line: int, name: str = "") -> None:
        self.count += 1
        if len(self.first_lines) < _SHOWN:
            self.first_lines.append(line)
            self.first_names += [name] if name else []

    def __str__(self) -> str:
        if not self.first_lines:
            return f"{self.count:,}"
        more = ", ..." if self.count > len(self.first_lines) else ""
        noun = "line" if self.count == 1 else "lines"
        names = f": {', '.join(self.first_names)}" if self.first_names else ""
        return f"{self.count:,} ({noun} {', '.join(map(str, self.first_lines))}{names}{more})"


@dataclass
class ReadReport:
    """The account of one reading; `str(report)` is what a person is shown.

    `left_out` and `noted` count by reason: lines that gave no pair, and pairs that were kept though something about
    them is worth knowing (repeated, line breaks inside). `first` is the number of the first line, 2 below a header.
    `noun` says what is read, and `remarks` are sentences about the file as a whole. `columns` are settings that follow
    from a table's columns, with the reason for each.
    """

    name: str
    noun: str = "pair"
    lines: int = 0
    kept: int = 0
    left_out: dict[str, Tally] = field(default_factory=dict)
    noted: dict[str, Tally] = field(default_factory=dict)
    first: int = 1
    remarks: list[str] = field(default_factory=list)
    columns: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def leave_out(self, reason: str, line: int) -> None:
        self.left_out.setdefault(reason, Tally()).add(line)

    def note(self, reason: str, line: int) -> None:
        self.noted.setdefault(reason, Tally()).add(line)

    @property
    def left_out_count(self) -> int:
        return sum(tally.count for tally in self.left_out.values())

    def __str__(self) -> str:
        kept = f"{self.kept:,} {self.noun}{'' if self.kept == 1 else 's'}"
        shown = [f"{self.name}: {self.lines:,} line{'' if self.lines == 1 else 's'}, {kept}"]
        shown += [f"  left out, {reason}: {tally}" for reason, tally in self.left_out.items()]
        shown += [f"  kept, {reason}: {tally}" for reason, tally in self.noted.items()]
        shown += [f"  {remark}" for remark in self.remarks]
        return "\n".join(shown)
