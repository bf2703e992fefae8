"""A development part held out of the training pairs, where the person gave none."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from regard.data import headers
from regard.data.columns import Known
from regard.data.features import MARK
from regard.data.lines import write_lines
from regard.data.reading import Pair
from regard.errors import RegardError


class Split(NamedTuple):
    """Two parts of one corpus, each in the order of the file, that share no source."""

    train: list[Pair]
    dev: list[Pair]


def source_key(text: str) -> str:
    """What makes two sources the same: NFC of the case-folded text, white space made single."""
    return " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()).split())


def dev_size(pairs: int) -> int:
    """How many pairs to hold out: one in twenty, at least 50 (but no more than one in five), at most 1,000."""
    return max(1, min(1000, max(pairs // 20, min(50, pairs // 5))))


def hold_out(pairs: Sequence[Pair], *, seed: int, size: int | None = None) -> Split:
    """Hold out about `size` pairs (`dev_size(len(pairs))` where none is given), all pairs of a source together.

    Sources are drawn by a hash of the seed and their text, so that neither the order of the file nor pairs that are
    added later change which of two sources is drawn first. Fewer than `size` are held out where the next source's
    pairs would exceed it, but always those of one source.

    Raises RegardError where there are not two different sources.
    """
    groups: dict[str, list[int]] = {}
    for index, pair in enumerate(pairs):
        groups.setdefault(source_key(pair.source), []).append(index)
    if len(groups) < 2:
        file = f"{pairs[0].file}: " if pairs and pairs[0].file else ""
        raise RegardError(
            f"{file}{len(groups)} different source{'' if len(groups) == 1 else 's'}: none can be held out for "
            "development; give more pairs, or a development file (--dev)"
        )
    size = dev_size(len(pairs)) if size is None else size
    order = sorted(groups, key=lambda key: hashlib.sha256(f"{seed}\t{key}".encode("utf-8", "replace")).digest())
    # The last source of the order stays for training, whatever the size.
    chosen = set(groups[order[0]])
    for key in order[1:-1]:
        if len(chosen) + len(groups[key]) <= size:
            chosen.update(groups[key])
        if len(chosen) >= size:
            break
    return Split(
        [pair for index, pair in enumerate(pairs) if index not in chosen],
        [pair for index, pair in enumerate(pairs) if index in chosen],
    )


def shared_sources(train: Iterable[Pair], dev: Iterable[Pair]) -> int:
    """How many pairs of `dev` have a source that `train` has too (what is measured on them is partly memory)."""
    known = {source_key(pair.source) for pair in train}
    return sum(source_key(pair.source) in known for pair in dev)


def save_tsv(pairs: Sequence[Pair], path: str | Path, columns: Known | None = None) -> None:
    """Write `source TAB target` lines (`source TAB reference TAB ...` where there are several), to be read again.

    A first line names the columns where they could be taken for others: where sources have features, where the pairs
    were read from `columns` that are not the usual ones, or where the first pair looks like such a line.
    """
    lines = ["\t".join((pair.source, *pair.targets)) for pair in pairs]
    featured = any(MARK in pair.source for pair in pairs)
    if featured or columns is not None or headers.is_header(lines[0].split("\t") if lines else ()):
        lines.insert(0, "\t".join(_named(columns, featured)))
    write_lines(path, lines)


def _named(columns: Known | None, featured: bool) -> list[str]:
    """What a header calls the columns: as the pairs' own did, where it names all of them."""
    source, target, features = columns or (None, None, "1")
    names = [source, features, target] if featured else [source, target]
    if all(name is not None and not name.isdecimal() for name in names):
        return [str(name) for name in names]
    return ["source", "features", "target"] if featured else ["source", "target"]
