"""The tokens of a Hugging Face tokenizer as the labels of a map: text as a person wrote it, never bytes in disguise."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

from regard.maps import NO_WORD, Tokens

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def tokens_of(tokenizer: Any, ids: Sequence[int]) -> Tokens:
    """The labels of token numbers, with their words and the stretch of text that each covers.

    Byte-level tokens are put together to characters; where a character is spread over several tokens, each bears it
    with its share, as in `汤[1/3]`. Without a tokenizer tokens are shown by their numbers.
    """
    if tokenizer is None:
        return Tokens(tuple(map(str, ids)), tuple(range(len(ids))))
    names = tokenizer.convert_ids_to_tokens(list(ids))
    special = set(tokenizer.all_special_ids)
    style = _style(tokenizer)
    parts = [None if number in special else style(name) for number, name in zip(ids, names, strict=True)]
    text, ranges = _decoded([part or b"" for part in parts])
    pieces, words, offsets = [], [], []
    word, last, blank = -1, 0, False
    for name, part, (start, end) in zip(names, parts, ranges, strict=True):
        while start < end - 1 and text[start].isspace():
            start += 1
        if part is None:
            pieces.append(name)
            words.append(NO_WORD)
            offsets.append((last, last))
            continue
        if word < 0 or (start >= last and _begins(text, start) and not (blank and not text[start:end].isspace())):
            word += 1
        blank = text[start:end].isspace()  # what follows a space by itself is the word that it begins
        pieces.append(text[start:end])
        words.append(word)
        offsets.append((start, end))
        last = end
    return Tokens(_shared(pieces, offsets, ranges), tuple(words), text, tuple(offsets))


def _shared(pieces: list[str], offsets: list[tuple[int, int]], ranges: list[tuple[int, int]]) -> tuple[str, ...]:
    """Where several pieces are of one character, which share each of them is."""
    found = list(pieces)
    for place, (start, end) in enumerate(offsets):
        if end - start != 1 or (place and offsets[place - 1] == (start, end)):
            continue
        same = place
        while same + 1 < len(offsets) and offsets[same + 1] == (start, end) and ranges[same + 1][0] < end:
            same += 1
        for part in range(place, same + 1):
            if same > place:
                found[part] = f"{pieces[part]}[{part - place + 1}/{same - place + 1}]"
    return tuple(found)


def _decoded(parts: Sequence[bytes]) -> tuple[str, list[tuple[int, int]]]:
    """The text of bytes, and for each part the characters that it has any byte of."""
    escaped = b"".join(parts).decode("utf-8", "surrogateescape")
    owner: list[int] = []
    for place, character in enumerate(escaped):
        owner += [place] * len(character.encode("utf-8", "surrogateescape"))
    ranges, begin = [], 0
    for part in parts:
        end = begin + len(part)
        here = owner[begin] if begin < len(owner) else len(escaped)
        ranges.append((here, owner[end - 1] + 1 if part else here))
        begin = end
    text = "".join("\ufffd" if "\udc80" <= character <= "\udcff" else character for character in escaped)
    return text, ranges


def _begins(text: str, start: int) -> bool:
    """Whether a word begins here: after a space, and at and after letters of scripts without spaces and signs."""
    if start == 0 or start >= len(text) or text[start - 1].isspace() or text[start].isspace():
        return True
    return _alone(text[start]) or _alone(text[start - 1])


def _alone(character: str) -> bool:
    if unicodedata.category(character)[0] in "PS" and character not in "'’-":
        return True
    name = unicodedata.name(character, "")
    return name.startswith(("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER"))


# --- how tokenizers write their tokens ---


def _style(tokenizer: Any) -> Any:
    """A function from a token as it is written in the vocabulary to the bytes it stands for."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    described = "" if backend is None else f"{backend.pre_tokenizer!r} {backend.decoder!r}"
    if "ByteLevel" in described or hasattr(tokenizer, "byte_encoder"):
        return _byte_level
    if backend is not None and type(backend.model).__name__ in ("WordPiece", "WordLevel"):
        return _word_piece
    return _sentence_piece


def _byte_level(token: str) -> bytes:
    table = _bytes()
    if all(character in table for character in token):
        return bytes(table[character] for character in token)
    return token.encode()  # added as text


def _word_piece(token: str) -> bytes:
    return token[2:].encode() if token.startswith("##") else f" {token}".encode()


def _sentence_piece(token: str) -> bytes:
    byte = _BYTE.fullmatch(token)
    if byte:
        return bytes([int(byte[1], 16)])
    return token.replace("▁", " ").replace("</w>", " ").encode("utf-8", "surrogatepass")


@cache
def _bytes() -> dict[str, int]:
    """Byte-level BPE writes bytes that are no visible Latin-1 letters as letters from U+0100 on, in their order."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in set(seen)]
    return {chr(byte): byte for byte in seen} | {chr(0x100 + place): byte for place, byte in enumerate(hidden)}
