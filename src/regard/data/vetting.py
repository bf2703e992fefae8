"""A stranger's `tokenizer.json`, looked through before the library reads it, and what the library fails with.

The library runs nothing that is in such a file. But it believes the lengths that the file tells, and aborts the whole
process where these ask for more memory than there is; and a few replacements, one after the other, can make gigabytes
of one letter.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from regard.errors import RegardError, one_line

_MOST_GROWTH = 10_000
_LONGEST_WORD = 10_000
# How many characters one can become, at the most.
_GROWTH = {"NFC": 3, "NFD": 4, "NFKC": 18, "NFKD": 18, "Lowercase": 3, "ByteLevel": 4, "BertNormalizer": 12}


def vetted(content: str, path: Path) -> str:
    """The text of a `tokenizer.json` without padding and truncation, which Regard does itself.

    Raises RegardError: no JSON object, lengths that can't be, or a text that could grow more than 10,000 times.
    """
    try:
        tree = json.loads(content)
        if not isinstance(tree, dict):
            raise TypeError("it holds no settings by name")
        growth = _growth(tree.get("normalizer")) * _growth(tree.get("decoder"))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RegardError(f"{path}: not a tokenizer.json ({one_line(error)})") from None
    if growth > _MOST_GROWTH:
        raise RegardError(
            f"{path}: it makes texts up to {growth:.1g} times longer; Regard takes {_MOST_GROWTH:,} times"
        )
    model = tree.get("model")
    longest = model.get("max_input_chars_per_word") if isinstance(model, dict) else None
    if isinstance(longest, int) and longest > _LONGEST_WORD:
        raise RegardError(f"{path}: its max_input_chars_per_word should be at most {_LONGEST_WORD:,}")
    return json.dumps({**tree, "padding": None, "truncation": None})


@contextmanager
def library_errors(what: str) -> Iterator[None]:
    """Inside, what the library raises becomes a RegardError that begins with `what`. Its panics are no `Exception`."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise RegardError(f"{what} ({one_line(error)})") from None
        raise


def _growth(part: Any) -> float:
    """How many times longer a text can get in a normalizer or decoder, a tree of parts one after the other."""
    if isinstance(part, list):
        product = 1.0
        for inner in part:
            product *= _growth(inner)
        return product
    if not isinstance(part, Mapping):
        return 1.0
    match part.get("type"):
        case "Replace":
            return 1.0 + len(part["content"])
        case "Prepend":
            return 1.0 + len(part["prepend"])
        case "Precompiled":
            return _longest_replacement(part["precompiled_charsmap"])
        case kind:
            inner = [value for value in part.values() if isinstance(value, (list, Mapping))]
            return _GROWTH.get(str(kind), 1.0) * _growth(inner)


def _longest_replacement(encoded: str | None) -> float:
    """Of SentencePiece's table: the size of a trie in bytes, the trie, and all replacements, each ended by a zero."""
    table = base64.b64decode(encoded or "", validate=True)
    if not table:
        return 1.0
    size = int.from_bytes(table[:4], "little")
    if len(table) < 4 or size > len(table) - 4 or size % 4:
        raise ValueError("the lengths in its precompiled_charsmap can't be right")
    return max(1.0, *map(len, table[4 + size :].split(b"\0")))
