"""BPE and unigram subwords, trained on the spot by the library `tokenizers`.

A piece carries the space before it (`" Tom"`), and a text is encoded with one space put in front, unless it begins
with a character of a script without spaces; so a word is the same piece at the start of a text and inside of it, and
decoding gives back every text exactly: it joins the pieces and takes that one space away. No piece holds letters and
punctuation together, or letters of a script with spaces and of one without.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from regard.data.encoding import Encoding
from regard.data.special import SPECIALS, UNKNOWN_TEXT, Special
from regard.data.storing import save_facts
from regard.data.text import UNSPACED, Casing, Span, is_unspaced, normalise, trim
from regard.data.vetting import library_errors, vetted
from regard.errors import RegardError

Algorithm = Literal["bpe", "unigram"]

# Oniguruma knows \u.... only in another spelling, so the letter itself is written.
_UNSPACED = UNSPACED.replace(r"\u30fc", "\u30fc")
_CHUNK = (
    rf" ?[{_UNSPACED}][{_UNSPACED}\p{{M}}]*"
    rf"| ?[[\p{{L}}\p{{M}}_]&&[^{_UNSPACED}]]+"
    r"| ?\p{N}+"
    r"| ?[^\s\p{L}\p{M}\p{N}_]"
    r"|\s"
)

_NOBODYS = "\U0010fffd"  # a character for private use, in no one's vocabulary


@dataclass(frozen=True)
class SubwordTokeniser(Special):
    """Subwords that `train` has found. `library` is the model of the library `tokenizers`, with the four special
    pieces at its start; `kind` is `bpe:8000`, with the size that was asked for."""

    library: Tokenizer
    kind: str
    casing: Casing = "keep"

    @classmethod
    def train(cls, texts: Iterable[str], algorithm: Algorithm, size: int, casing: Casing = "keep") -> SubwordTokeniser:
        """Find at most `size` pieces, the special ones included. All characters of `texts` are among them, even where
        those alone are more than `size`; fewer pieces come out where the texts do not have so many.

        Raises RegardError where the texts are empty.
        """
        whole: Iterator[str] = (prepared(text, casing)[1] for text in texts)
        library = Tokenizer(models.BPE() if algorithm == "bpe" else models.Unigram())
        library.pre_tokenizer = _chunks()
        make_trainer = trainers.BpeTrainer if algorithm == "bpe" else trainers.UnigramTrainer
        trainer = make_trainer(vocab_size=max(1, size - len(SPECIALS)), show_progress=False)
        with library_errors(f"{algorithm}:{size} can't be trained on these texts; try character"):
            library.train_from_iterator(whole, trainer)
        found = json.loads(library.to_str())["model"]
        if not found["vocab"]:
            raise RegardError(f"{algorithm}:{size} can't be trained: the texts are empty")
        # The model is built anew, since the trainer would have made the special pieces something to search texts for.
        if algorithm == "bpe":
            by_id = sorted(found["vocab"], key=found["vocab"].__getitem__)
            ids = {piece: number for number, piece in enumerate((*SPECIALS, *by_id))}
            library = _bpe(ids, found["merges"])
        else:
            library = _unigram([(piece, 0.0) for piece in SPECIALS] + _settled(found["vocab"]))
        return cls(library, f"{algorithm}:{size}", casing)

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        ids = self.library.get_vocab(with_added_tokens=False)
        return tuple(sorted(ids, key=ids.__getitem__))

    def encode(self, text: str) -> Encoding:
        text, whole = prepared(text, self.casing)
        found = self.library.encode(whole, add_special_tokens=False)
        return Encoding(text, tuple(found.ids), shifted(text, found.offsets, len(whole) - len(text)))

    def encode_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids alone, of many texts."""
        whole = [prepared(text, self.casing)[1] for text in texts]
        return [found.ids for found in self.library.encode_batch_fast(whole, add_special_tokens=False)]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(self._surface, ids)).removeprefix(" ")

    def trace(self, ids: Sequence[int]) -> Encoding:
        offsets, start = list[Span](), 0
        for number in ids:
            offsets.append((start, start := start + len(self._surface(number))))
        text = self.decode(ids)
        return Encoding(text, tuple(ids), shifted(text, offsets, start - len(text)))

    def save(self, folder: Path, name: str) -> None:
        save_facts(folder, name, kind=self.kind, casing=self.casing, library=json.loads(self.library.to_str()))

    def _surface(self, number: int) -> str:
        if number >= len(SPECIALS):
            return self.vocabulary[number]
        return UNKNOWN_TEXT if number == self.unk else ""


def load_subwords(facts: Mapping[str, Any], path: Path) -> SubwordTokeniser:
    """Subwords from what `save` wrote: of the library's tokeniser only the model is read, all else is as in training.

    Raises RegardError where it is not that.
    """
    damaged = f"{path}: its library is damaged; take the file from the model's original folder"
    try:
        stored = facts["library"]
        model = stored["model"]
        if stored["pre_tokenizer"]["pattern"] != {"Regex": _CHUNK} or stored["normalizer"] is not None:
            raise RegardError(f"{path}: it cuts texts otherwise than this Regard does; update Regard to read it")
        with library_errors(damaged):
            if facts["kind"].startswith("bpe"):
                library = _bpe(model["vocab"], model["merges"])
            else:
                library = _unigram([(piece, score) for piece, score in model["vocab"]])
    except (KeyError, TypeError):
        raise RegardError(damaged) from None
    check_unknown(library, path)
    ids = library.get_vocab(with_added_tokens=False)
    specials = tuple(ids.get(piece) for piece in SPECIALS)
    if specials != tuple(range(len(SPECIALS))) or sorted(ids.values()) != list(range(len(ids))):
        raise RegardError(f"{path}: its vocabulary is damaged; take the file from the model's original folder")
    return SubwordTokeniser(library, facts["kind"], "fold" if facts["casing"] == "fold" else "keep")


def library_from(text: str, path: Path) -> Tokenizer:
    """The library's tokeniser from its JSON. Raises RegardError where it is none, or fails at unknown characters."""
    with library_errors(f"{path}: not a tokenizer.json"):
        library = Tokenizer.from_str(vetted(text, path))
    check_unknown(library, path)
    return library


def check_unknown(library: Tokenizer, path: Path) -> None:
    """Raises RegardError where the library's tokeniser fails at unknown characters."""
    with library_errors(f"{path}: it can't encode unknown characters; give it an unknown piece"):
        library.encode(_NOBODYS, add_special_tokens=False)


def _bpe(ids: Mapping[str, int], merges: Iterable[Sequence[str]]) -> Tokenizer:
    pairs = [(left, right) for left, right in merges]
    return _library(models.BPE(vocab=dict(ids), merges=pairs, unk_token=SPECIALS[1]))


def _unigram(scored: Sequence[tuple[str, float]]) -> Tokenizer:
    return _library(models.Unigram(vocab=list(scored), unk_id=1))


def _library(model: models.Model) -> Tokenizer:
    library = Tokenizer(model)
    library.pre_tokenizer = _chunks()
    return library


def _chunks() -> Any:
    return pre_tokenizers.Split(Regex(_CHUNK), "isolated")


def _settled(scored: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """Scores that are the same in every run, the best first.

    The library adds up in an order that differs from run to run, and gives the characters that it had pruned the
    lowest score plus 0.0001, 0.0002, ... in an order as uncertain: the former are rounded, the latter made equal.
    """
    lowest = min(score for _, score in scored)
    pruned = lowest + 0.0001 * sum(len(piece) == 1 for piece, _ in scored)
    settled = [(piece, round(lowest if len(piece) == 1 and score <= pruned else score, 6)) for piece, score in scored]
    return sorted(settled, key=lambda entry: (-entry[1], entry[0]))


def prepared(text: str, casing: Casing) -> tuple[str, str]:
    """A text as it is shown, and as it is cut: with a space in front."""
    text = normalise(text, casing)
    return text, text if not text or is_unspaced(text[0]) else f" {text}"


def shifted(text: str, offsets: Iterable[Span], by: int) -> tuple[Span, ...]:
    """Offsets in a text that has `by` spaces in front turned into offsets in `text`, white space at their ends off."""
    return tuple(trim(text, max(0, start - by), max(0, end - by)) for start, end in offsets)
