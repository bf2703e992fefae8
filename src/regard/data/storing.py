"""A tokeniser's file: JSON, read with care, since a model folder may come from anyone."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regard.data.text import has_surrogate
from regard.errors import RegardError, one_line, shown
from regard.files import write_bytes

VERSION = 1
_LONGEST_NAME, _LONGEST_PATH = 100, 250
LARGEST = 256 * 2**20
"""Bytes that a tokeniser's file may have; the largest vocabularies in use need a tenth of it."""


def facts_path(folder: str | Path, name: str) -> Path:
    """`source` -> `folder/source.json`."""
    return Path(folder) / f"{name}.json"


def save_facts(folder: str | Path, name: str, **facts: object) -> None:
    """Write `facts` and the format's version. Raises RegardError where the folder can't be written."""
    text = json.dumps({"version": VERSION, **facts}, ensure_ascii=False, indent=0)
    write_bytes(facts_path(folder, name), text.encode("utf-8"))


def load_facts(folder: str | Path, name: str) -> tuple[Mapping[str, Any], Path]:
    """What `save_facts` wrote, and the file's path. Raises RegardError: missing, damaged, of a newer version."""
    path = facts_path(folder, name)
    try:
        facts = json.loads(read_bounded(path).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, RegardError):
            raise
        raise RegardError(f"{path}: not a tokeniser of Regard (broken JSON: {one_line(error)})") from None
    if not isinstance(facts, dict) or not isinstance(facts.get("version"), int):
        raise RegardError(f"{path}: not a tokeniser of Regard; take the file from the model's original folder")
    if facts["version"] > VERSION:
        version = shown(facts["version"])
        raise RegardError(f"{path}: written by a newer Regard (format {version}); update Regard to read it")
    for key, known in (("kind", None), ("casing", ("keep", "fold"))):
        value = facts.get(key)
        if not isinstance(value, str) or len(value) > _LONGEST_NAME or (known and value not in known):
            raise RegardError(f"{path}: its {key!r} is {shown(value)}; take the file from the model's original folder")
    return facts, path


def check_regular(path: Path) -> None:
    """Raises RegardError where there is no file, or what never ends: a pipe or a device under a file's name."""
    name = str(path) if len(str(path)) < _LONGEST_PATH else shown(str(path))
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise RegardError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise RegardError(f"{name}: can't be read ({getattr(error, 'strerror', None) or error})") from None
    if not stat.S_ISREG(mode):
        raise RegardError(f"{path}: {'this is a folder; name a file' if stat.S_ISDIR(mode) else 'this is no file'}")


def read_bounded(path: Path, most: int = LARGEST, what: str = "a tokeniser") -> bytes:
    """The file's bytes. Raises RegardError: missing, no file, larger than `most`, can't be read."""
    check_regular(path)
    try:
        with open(path, "rb") as stream:
            content = stream.read(most + 1)
    except OSError as error:
        raise RegardError(f"{path}: can't be read ({error.strerror or error})") from None
    if len(content) > most:
        raise RegardError(f"{path}: larger than {most // 2**20} MiB, too large for {what}")
    return content


def strings_of(facts: Mapping[str, Any], key: str, path: Path) -> tuple[str, ...]:
    """`facts[key]` as strings. Raises RegardError where it is no list of strings."""
    strings = facts.get(key)
    if not isinstance(strings, list) or not all(isinstance(string, str) for string in strings):
        raise RegardError(f"{path}: its {key!r} is not a list of strings; take the file from the original folder")
    if has_surrogate("".join(strings)):
        raise RegardError(f"{path}: its {key!r} holds half a surrogate pair; take the file from the original folder")
    return tuple(strings)
