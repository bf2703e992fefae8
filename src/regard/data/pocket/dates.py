"""A character task of Regard's own: dates as people write them, to be written as the standard does (ISO 8601).

    Nov. 3, 1987  ->  1987-11-03

Day, month and year change places, many letters of a month make two digits, and each digit has one right source.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from regard.data.pocket.draw import Draw
from regard.data.pocket.pairs import Part, PocketPair
from regard.data.pocket.phrase import Link

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

# A piece is its text and its role: d day, m month, y year, s what separates them, n nothing.
Piece = tuple[str, str]


def _short(day: date) -> str:
    return MONTHS[day.month - 1][:3]


def _ordinal(day: int) -> str:
    return {1: "st", 2: "nd", 3: "rd"}.get(0 if 10 < day < 20 else day % 10, "th")


def _day(day: date) -> Piece:
    return str(day.day), "d"


def _month(day: date) -> Piece:
    return MONTHS[day.month - 1], "m"


def _year(day: date) -> Piece:
    return str(day.year), "y"


FORMATS: dict[str, Callable[[date], tuple[Piece, ...]]] = {
    "November 3, 1987": lambda day: (_month(day), (" ", "s"), _day(day), (", ", "s"), _year(day)),
    "Nov. 3, 1987": lambda day: ((_short(day), "m"), (". ", "s"), _day(day), (", ", "s"), _year(day)),
    "3 November 1987": lambda day: (_day(day), (" ", "s"), _month(day), (" ", "s"), _year(day)),
    "3 Nov 1987": lambda day: (_day(day), (" ", "s"), (_short(day), "m"), (" ", "s"), _year(day)),
    "3.11.1987": lambda day: (_day(day), (".", "s"), (str(day.month), "m"), (".", "s"), _year(day)),
    "11/3/1987": lambda day: ((str(day.month), "m"), ("/", "s"), _day(day), ("/", "s"), _year(day)),
    "the 3rd of November 1987": lambda day: (
        ("the ", "n"), _day(day), (_ordinal(day.day), "n"), (" of ", "s"), _month(day), (" ", "s"), _year(day)
    ),
    "Tuesday, November 3, 1987": lambda day: (
        (WEEKDAYS[day.weekday()], "n"), (", ", "n"), _month(day), (" ", "s"), _day(day), (", ", "s"), _year(day)
    ),
}  # fmt: skip
UNSEEN_FORMATS: dict[str, Callable[[date], tuple[Piece, ...]]] = {
    "Tuesday, 3 Nov 1987": lambda day: (
        (WEEKDAYS[day.weekday()], "n"), (", ", "n"), _day(day), (" ", "s"), (_short(day), "m"), (" ", "s"), _year(day)
    ),
    "the 3rd of Nov. 1987": lambda day: (
        ("the ", "n"), _day(day), (_ordinal(day.day), "n"), (" of ", "s"), (_short(day), "m"), (". ", "s"), _year(day)
    ),
}  # fmt: skip

SIZES: dict[Part, int] = {"train": 4000, "dev": 300, "test": 500, "templates": 200}
FIRST, LAST = date(1800, 1, 1), date(2099, 12, 31)


def dates(seed: int = 0) -> list[PocketPair]:
    """The whole corpus of a seed. No day of dev, test or templates occurs in another part, in any format."""
    draw = Draw(seed)
    span = (LAST - FIRST).days
    wanted = sum(SIZES.values())
    days: dict[date, None] = {}  # in order, unlike a set
    while len(days) < wanted:
        days[FIRST + timedelta(days=draw.between(0, span))] = None
    supply = iter(days)
    return [
        _pair(next(supply), *draw.pick(tuple((UNSEEN_FORMATS if part == "templates" else FORMATS).items())), part)
        for part, size in SIZES.items()
        for _ in range(size)
    ]


def _pair(day: date, name: str, pieces: Callable[[date], tuple[Piece, ...]], part: Part) -> PocketPair:
    """The pair with its links. Numbers go digit by digit, from the right; a 0 put before one is its last digit's.

    Letters of a month make its digits together, and each separator may have come from any: these links are possible.
    """
    target = day.isoformat()
    places = {"y": range(4), "m": range(5, 7), "d": range(8, 10), "s": (4, 7), "n": ()}
    text, sure, possible = "", set[Link](), set[Link]()
    for piece, role in pieces(day):
        here = range(len(text), len(text) + len(piece))
        text += piece
        if piece.isdigit():
            sure |= set(zip(reversed(here), reversed(places[role]), strict=False))
            possible |= {(i, j) for i in here for j in places[role][: -len(piece)]}
        else:
            possible |= {(i, j) for i in here for j in places[role]}
    return PocketPair(
        source=text,
        target=target,
        template=name,
        source_words=tuple(text),
        target_words=tuple(target),
        links=frozenset(sure),
        possible=frozenset(possible - sure),
        part=part,
    )
