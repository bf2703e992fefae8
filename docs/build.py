"""Runs the code of a page and writes what it prints into the page.

    python docs/build.py attention-model.md

Blocks of ```python run from top to bottom, in one namespace, in the root of the repository. What a block prints stands
below it between two comments:

    <!-- output within 0.2 -->
    ...
    <!-- end -->

The comments are written with the output; only the tolerance, by which a number may differ when the page is run again,
is a person's (without one: by 2 in its last digit after the point, and a whole number not at all). Pictures are what
the code itself writes.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
_BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```\n"
    r"(?:\n<!-- output(?: within (?P<within>[\d.]+))? -->\n(?P<printed>.*?)<!-- end -->\n)?",
    re.S | re.M,
)
_FENCE = re.compile(r"\n```text\n(.*)```\n\n", re.S)
_NUMBER = re.compile(r"[-+−]?\d[\d,]*\.?\d*")


def run(text: str, page: str) -> str:
    """The page with what its code prints now."""
    names: dict[str, object] = {"__name__": "__main__"}
    number = 0

    def one(block: re.Match[str]) -> str:
        nonlocal number
        number += 1
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(block["code"], f"{page}, block {number}", "exec"), names)
        code = f"```python\n{block['code']}```\n"
        if not out.getvalue():
            return code
        within = f" within {block['within']}" if block["within"] else ""
        return f"{code}\n<!-- output{within} -->\n\n```text\n{_plain(out.getvalue())}```\n\n<!-- end -->\n"

    return _BLOCK.sub(one, text)


def differences(before: str, after: str) -> list[str]:
    """What a page shows and its code no longer prints: other words, or numbers further away than the page says."""
    found = []
    for old, new in zip(_BLOCK.finditer(before), _BLOCK.finditer(after), strict=True):
        shown, printed = (_FENCE.fullmatch(each["printed"] or "") for each in (old, new))
        shown_text, printed_text = (each[1] if each else "" for each in (shown, printed))
        if not _alike(shown_text, printed_text, old["within"]):
            found.append(f"shown:\n{shown_text}\nprinted:\n{printed_text}")
    return found


def _alike(shown: str, printed: str, within: str | None) -> bool:
    if _words(shown) != _words(printed):
        return False
    pairs = zip(_NUMBER.findall(shown), _NUMBER.findall(printed), strict=True)
    return all(
        abs(_value(old) - _value(new)) <= (float(within) if within else _last_digits(old)) + 1e-9 for old, new in pairs
    )


def _words(text: str) -> list[str]:
    """The text without its numbers, and without what depends on their width: blanks, and the rules under headings."""
    return re.sub(r"-{2,}", "--", _NUMBER.sub("0", text)).split()


def _value(number: str) -> float:
    return float(number.replace(",", "").replace("−", "-"))


def _last_digits(number: str) -> float:
    """By how much a number may differ: 2 in its last digit after the point; a whole number not at all."""
    return 2 * 10.0 ** -len(number.partition(".")[2]) if "." in number else 0.0


def _plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.rstrip("\n").splitlines()) + "\n"


def main(pages: list[str]) -> int:
    for page in pages:
        path = DOCS / page
        path.write_text(run(path.read_text(encoding="utf-8"), page), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
