"""Tokenisers that a person brings along: a `tokenizer.json` of the library `tokenizers`, or a SentencePiece `.model`.

Their special pieces are used where they have them under a usual name; one that is missing is numbered after the
vocabulary. What they decode to is theirs: a tokeniser that drops accents does not give them back.
"""

from __future__ import annotations

import base64
import binascii
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regard.data.encoding import Encoding
from regard.data.special import SPECIALS
from regard.data.storing import read_bounded, save_facts
from regard.data.text import Casing, Span, normalise, trim
from regard.data.vetting import library_errors
from regard.errors import RegardError, one_line

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor
    from tokenizers import Tokenizer

_USUAL_NAMES = (
    ("<pad>", "[PAD]", "<|pad|>"),
    ("<unk>", "[UNK]", "<|unk|>"),
    ("<s>", "<bos>", "[BOS]", "[CLS]", "<|startoftext|>"),
    ("</s>", "<eos>", "[EOS]", "[SEP]", "<|endoftext|>"),
)


_FAILED = "the model's tokenizer.json fails at this text"


@dataclass(frozen=True)
class _Given(ABC):
    """What both share: the vocabulary, and the ids of the special pieces in it, in the order of `SPECIALS`."""

    vocabulary: tuple[str, ...]
    specials: tuple[int, int, int, int]
    casing: Casing

    @property
    def pad(self) -> int:
        return self.specials[0]

    @property
    def unk(self) -> int:
        return self.specials[1]

    @property
    def bos(self) -> int:
        return self.specials[2]

    @property
    def eos(self) -> int:
        return self.specials[3]

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str: ...

    def trace(self, ids: Sequence[int]) -> Encoding:
        """Each piece's place is what the text grows by when the piece is decoded along."""
        text = self.decode(ids)
        offsets, start = list[Span](), 0
        for count in range(1, len(ids) + 1):
            # A part of a character decodes to something else than the whole; only what stays counts.
            end = max(start, _common(self.decode(ids[:count]), text))
            offsets.append(trim(text, start, end))
            start = end
        return Encoding(text, tuple(ids), tuple(offsets))

    @cached_property
    def _silent(self) -> frozenset[int]:
        """Ids that decode to nothing: the marks, and what is numbered after the vocabulary."""
        return frozenset((self.pad, self.bos, self.eos))


@dataclass(frozen=True)
class LibraryTokeniser(_Given):
    """A `tokenizer.json`."""

    library: Tokenizer
    kind: str = "tokenizer.json"

    def encode(self, text: str) -> Encoding:
        text = normalise(text, self.casing)
        with library_errors(_FAILED):
            found = self.library.encode(text, add_special_tokens=False)
        return Encoding(text, tuple(found.ids), tuple(trim(text, *span) for span in found.offsets))

    def encode_ids(self, texts: Sequence[str]) -> list[list[int]]:
        prepared = [normalise(text, self.casing) for text in texts]
        with library_errors(_FAILED):
            return [found.ids for found in self.library.encode_batch_fast(prepared, add_special_tokens=False)]

    def decode(self, ids: Sequence[int]) -> str:
        known = self.library.get_vocab_size()
        heard = [number for number in ids if number not in self._silent and number < known]
        with library_errors(_FAILED):
            return self.library.decode(heard, skip_special_tokens=False)

    def save(self, folder: Path, name: str) -> None:
        save_facts(folder, name, kind=self.kind, casing=self.casing, library=json.loads(self.library.to_str()))


@dataclass(frozen=True)
class SentencePieceTokeniser(_Given):
    """A SentencePiece `.model`; needs the extra `regard[sentencepiece]`."""

    processor: SentencePieceProcessor
    kind: str = "sentencepiece"

    def encode(self, text: str) -> Encoding:
        text = normalise(text, self.casing)
        found: dict[str, Any] = self.processor.encode(text, out_type="offset_mapping")
        return Encoding(text, tuple(found["ids"]), tuple(trim(text, *span) for span in found["offsets"]))

    def encode_ids(self, texts: Sequence[str]) -> list[list[int]]:
        ids: list[list[int]] = self.processor.encode([normalise(text, self.casing) for text in texts])
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self.processor.decode([number for number in ids if self._heard(number)])
        return text

    def trace(self, ids: Sequence[int]) -> Encoding:
        """The library knows the places of all pieces at once."""
        heard = [self._heard(number) for number in ids]
        kept = [number for number, is_heard in zip(ids, heard, strict=True) if is_heard]
        found: dict[str, Any] = self.processor.decode(kept, out_type="offset_mapping")
        text, spans = found["text"], iter(found["offsets"])
        offsets, end = list[Span](), 0
        for is_heard in heard:
            start, end = next(spans) if is_heard else (end, end)
            offsets.append(trim(text, start, end))
        return Encoding(text, tuple(ids), tuple(offsets))

    def _heard(self, number: int) -> bool:
        return number not in self._silent and number < self.processor.get_piece_size()

    def save(self, folder: Path, name: str) -> None:
        model = base64.b64encode(self.processor.serialized_model_proto()).decode("ascii")
        save_facts(folder, name, kind=self.kind, casing=self.casing, model=model)


def given_library(content: str, path: Path, casing: Casing) -> LibraryTokeniser:
    """A tokeniser from the text of a `tokenizer.json`. Raises RegardError where it is none."""
    from regard.data.subwords import library_from

    library = library_from(content, path)
    # A text that spells a special piece is still text.
    library.encode_special_tokens = True
    ids = library.get_vocab(with_added_tokens=True)
    if not ids or max(ids.values()) > 2 * len(ids) + 1000:
        raise RegardError(f"{path}: its vocabulary is empty or numbered with large gaps; Regard can't use it")
    vocabulary = [""] * (max(ids.values()) + 1)
    for piece, number in ids.items():
        vocabulary[number] = piece
    model = json.loads(content).get("model", {})
    unknown = (model.get("unk_token"),) if isinstance(model.get("unk_token"), str) else ()
    names = (_USUAL_NAMES[0], (*unknown, *_USUAL_NAMES[1]), *_USUAL_NAMES[2:])
    found = [next((ids[name] for name in usual if name in ids), None) for usual in names]
    if unknown == () and model.get("unk_id") in range(len(vocabulary)):
        found[1] = model["unk_id"]
    return LibraryTokeniser(*_completed(vocabulary, found), casing, library)


def given_sentencepiece(content: bytes, path: Path, casing: Casing) -> SentencePieceTokeniser:
    """A tokeniser from the bytes of a SentencePiece model. Raises RegardError: none, or the extra is not installed."""
    try:
        from sentencepiece import SentencePieceProcessor
    except ImportError:
        raise RegardError(f"{path}: reading it needs SentencePiece; pip install 'regard[sentencepiece]'") from None
    processor = SentencePieceProcessor()
    try:
        processor.load_from_serialized_proto(content)
        vocabulary = [processor.id_to_piece(number) for number in range(processor.get_piece_size())]
    except Exception as error:  # the library raises nothing narrower
        raise RegardError(f"{path}: not a SentencePiece model ({one_line(error)})") from None
    if not vocabulary:
        raise RegardError(f"{path}: not a SentencePiece model (it has no pieces)")
    ask: Sequence[Callable[[], int]] = (processor.pad_id, processor.unk_id, processor.bos_id, processor.eos_id)
    found = [number if (number := special()) >= 0 else None for special in ask]
    return SentencePieceTokeniser(*_completed(vocabulary, found), casing, processor)


def load_given(facts: Mapping[str, Any], path: Path) -> LibraryTokeniser | SentencePieceTokeniser:
    """A given tokeniser from what `save` wrote. Raises RegardError where it is not that."""
    casing: Casing = "fold" if facts["casing"] == "fold" else "keep"
    if facts["kind"] == LibraryTokeniser.kind:
        return given_library(json.dumps(facts.get("library")), path, casing)
    try:
        model = base64.b64decode(facts.get("model", ""), validate=True)
    except (TypeError, binascii.Error):
        raise RegardError(f"{path}: its model is damaged; take the file from the model's original folder") from None
    return given_sentencepiece(model, path, casing)


def given_from_file(path: Path, casing: Casing) -> LibraryTokeniser | SentencePieceTokeniser:
    """The tokeniser of a `.json` or `.model` file. Raises RegardError."""
    content = read_bounded(path)
    if path.suffix == ".model":
        return given_sentencepiece(content, path, casing)
    try:
        return given_library(content.decode("utf-8"), path, casing)
    except UnicodeDecodeError:
        raise RegardError(f"{path}: not a tokenizer.json (it is not UTF-8)") from None


def _common(left: str, right: str) -> int:
    """How many characters both begin with."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(left), len(right)))


def _completed(vocabulary: list[str], found: Sequence[int | None]) -> tuple[tuple[str, ...], tuple[int, int, int, int]]:
    """The vocabulary with the special pieces that it lacked, and the ids of all four."""
    ids = []
    for number, name in zip(found, SPECIALS, strict=True):
        if number is None:
            number = len(vocabulary)
            vocabulary.append(name)
        ids.append(number)
    pad, unk, bos, eos = ids
    return tuple(vocabulary), (pad, unk, bos, eos)
