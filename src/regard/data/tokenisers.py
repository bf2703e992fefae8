"""Tokenisers: what every one of them can do, and how one is made from a setting, saved and loaded.

The setting is `character`, `code_point`, `symbols`, `symbols:SIZE`, `bpe:SIZE`, `unigram:SIZE`, or the path of a
`tokenizer.json` or of a SentencePiece `.model`. The two sides of a pair each have their own, or share one (`joint`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Protocol

from regard.data.detection import subword_size
from regard.data.encoding import Encoding
from regard.data.storing import load_facts
from regard.data.tables import CharacterTokeniser, SymbolTokeniser, load_table
from regard.data.text import Casing
from regard.errors import RegardError, did_you_mean

KINDS = ("character", "code_point", "symbols", "bpe", "unigram")
CHARACTERS = ("character", "code_point")
"""The kinds that are made from the training texts."""

LARGEST_VOCABULARY = 1_000_000


class Tokeniser(Protocol):
    """Text to pieces and back.

    `vocabulary[id]` is the name of a piece; the four special ones (`pad`, `unk`, `bos`, `eos`) are among them.
    `decode(encode(text).ids)` is the text in NFC (and lower case where `casing` folds) if its characters are known;
    `symbols` also makes white space single. The unknown piece decodes to U+FFFD, the other special ones to nothing.
    """

    @property
    def kind(self) -> str:
        """The setting that makes such a tokeniser."""

    @property
    def casing(self) -> Casing:
        """Whether upper case is kept."""

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The names of all pieces, by id."""

    @property
    def pad(self) -> int: ...

    @property
    def unk(self) -> int: ...

    @property
    def bos(self) -> int: ...

    @property
    def eos(self) -> int: ...

    def encode(self, text: str) -> Encoding:
        """The pieces of a text, with their places in it. No begin or end mark is added."""

    def encode_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids alone, of many texts: fast."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text that the ids stand for."""

    def trace(self, ids: Sequence[int]) -> Encoding:
        """The text that the ids stand for, with the place of each of them in it: how predicted pieces are shown.
        Marks have a place of no length."""

    def save(self, folder: Path, name: str) -> None:
        """Write `folder/name.json`. Raises RegardError where that fails."""


def make_tokeniser(setting: str, texts: Sequence[str], casing: Casing = "keep") -> Tokeniser:
    """A tokeniser by its setting (see above), trained on `texts` unless a file is given. `bpe` and `unigram` without
    a size get one that suits the texts.

    Raises RegardError: no such kind or file, a size that is none, no texts to train on.
    """
    if setting.endswith((".json", ".model")):
        from regard.data.given import given_from_file

        return given_from_file(Path(setting), casing)
    kind, _, size_text = setting.partition(":")
    if kind not in KINDS:
        raise RegardError(
            f"tokeniser {setting!r} is unknown{did_you_mean(kind, KINDS)}, or the path of a tokenizer.json or .model"
        )
    if not any(text.strip() for text in texts):
        raise RegardError(f"tokeniser {setting!r}: there are no texts to make it from")
    if kind in CHARACTERS and size_text:
        raise RegardError(f"tokeniser {setting!r}: {kind} takes no size")
    if kind in CHARACTERS:
        return CharacterTokeniser.train(texts, casing, kind)
    if kind == "symbols" and not size_text:
        return SymbolTokeniser.train(texts, casing)
    if size_text and not re.fullmatch(r"[0-9]{1,7}", size_text):
        raise RegardError(f"tokeniser {setting!r}: the size should be a whole number, as in {kind}:8000")
    size = int(size_text) if size_text else subword_size(texts)
    least = 5 if kind == "symbols" else 10
    if not least <= size <= LARGEST_VOCABULARY:
        raise RegardError(f"tokeniser {setting!r}: the size should be from {least} to {LARGEST_VOCABULARY:,}")
    if kind == "symbols":
        return SymbolTokeniser.train(texts, casing, size)
    from regard.data.subwords import SubwordTokeniser

    return SubwordTokeniser.train(texts, "bpe" if kind == "bpe" else "unigram", size, casing)


def make_tokenisers(
    source_setting: str,
    target_setting: str,
    sources: Sequence[str],
    targets: Sequence[str],
    *,
    joint: bool = False,
    source_casing: Casing = "keep",
    target_casing: Casing = "keep",
) -> tuple[Tokeniser, Tokeniser]:
    """The tokenisers of both sides. `joint`: one for both, made from the texts of both (the same object twice).

    Raises RegardError as `make_tokeniser` does, and where joint sides have different settings.
    """
    if not joint:
        return (
            make_tokeniser(source_setting, sources, source_casing),
            make_tokeniser(target_setting, targets, target_casing),
        )
    if (source_setting, source_casing) != (target_setting, target_casing):
        raise RegardError(
            f"a joint tokeniser needs the same settings on both sides, not {source_setting!r} with casing "
            f"{source_casing!r} and {target_setting!r} with casing {target_casing!r}"
        )
    both = make_tokeniser(source_setting, list(chain(sources, targets)), source_casing)
    return both, both


def load_tokeniser(folder: str | Path, name: str) -> Tokeniser:
    """The tokeniser that `save(folder, name)` wrote. Nothing in the file is executed.

    Raises RegardError: missing, damaged, not a tokeniser, of a newer version.
    """
    facts, path = load_facts(folder, name)
    kind = facts["kind"].partition(":")[0]
    if kind in (*CHARACTERS, "symbols"):
        return load_table(facts, path)
    if kind in ("bpe", "unigram"):
        from regard.data.subwords import load_subwords

        return load_subwords(facts, path)
    if kind in ("tokenizer.json", "sentencepiece"):
        from regard.data.given import load_given

        return load_given(facts, path)
    raise RegardError(f"{path}: its kind {kind!r} is unknown{did_you_mean(kind, KINDS)}")


def unknown_pieces(tokeniser: Tokeniser, encoding: Encoding) -> tuple[str, ...]:
    """The surfaces that the tokeniser does not know, in order."""
    return tuple(piece for piece, number in zip(encoding.pieces, encoding.ids, strict=True) if number == tokeniser.unk)
