"""A tokeniser's file: JSON, read with care, since a model folder may come from anyone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regard.data.lines import write_bytes
from regard.errors import RegardError

VERSION = 1
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
        raise RegardError(f"{path}: not a tokeniser of Regard (broken JSON: {error})") from None
    if not isinstance(facts, dict) or not isinstance(facts.get("version"), int):
        raise RegardError(f"{path}: not a tokeniser of Regard; take the file from the model's original folder")
    if facts["version"] > VERSION:
        raise RegardError(f"{path}: written by a newer Regard (format {facts['version']}); update Regard to read it")
    for key in ("kind", "casing"):
        if not isinstance(facts.get(key), str):
            raise RegardError(f"{path}: its {key!r} is missing; take the file from the model's original folder")
    return facts, path


def read_bounded(path: Path) -> bytes:
    """The file's bytes. Raises RegardError: missing, too large, can't be read."""
    try:
        with open(path, "rb") as stream:
            content = stream.read(LARGEST + 1)
    except FileNotFoundError:
        raise RegardError(f"{path}: no such file") from None
    except OSError as error:
        raise RegardError(f"{path}: can't be read ({error.strerror or error})") from None
    if len(content) > LARGEST:
        raise RegardError(f"{path}: larger than {LARGEST // 2**20} MiB, too large for a tokeniser")
    return content


def strings_of(facts: Mapping[str, Any], key: str, path: Path) -> tuple[str, ...]:
    """`facts[key]` as strings. Raises RegardError where it is no list of strings."""
    strings = facts.get(key)
    if not isinstance(strings, list) or not all(isinstance(string, str) for string in strings):
        raise RegardError(f"{path}: its {key!r} is not a list of strings; take the file from the original folder")
    return tuple(strings)
