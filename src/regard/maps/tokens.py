"""The labels of one side of an attention map: tokens, the characters they came from, the words they belong to."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from regard.errors import RegardError

#: The word of a token that belongs to no word of the text, such as the end of the sentence.
NO_WORD = -1


@dataclass(frozen=True)
class Tokens:
    """The tokens of one side.

    `pieces` are the tokens as the model has them (`("ch", "ases", "</s>")`). `words` gives for each the number of the
    word that it is a part of, not falling from left to right; `NO_WORD` marks a special token, which is no part of
    the text. `text` is the sentence itself and `offsets` the half-open range of its characters that each piece covers
    (special tokens have an empty one); both may be unknown.

    Raises `RegardError` where the parts do not fit each other.
    """

    pieces: tuple[str, ...]
    words: tuple[int, ...]
    text: str | None = None
    offsets: tuple[tuple[int, int], ...] | None = None

    def __post_init__(self) -> None:
        if len(self.words) != len(self.pieces):
            raise RegardError(f"tokens: {len(self.pieces)} pieces but {len(self.words)} word numbers")
        if any(word < NO_WORD for word in self.words):
            raise RegardError(f"tokens: word number {min(self.words)}; a piece outside all words has {NO_WORD}")
        inside = [word for word in self.words if word != NO_WORD]
        if any(before > after for before, after in pairwise(inside)):
            raise RegardError("tokens: word numbers must not fall from left to right")
        if self.offsets is None:
            return
        if len(self.offsets) != len(self.pieces):
            raise RegardError(f"tokens: {len(self.pieces)} pieces but {len(self.offsets)} character ranges")
        if self.text is None:
            raise RegardError("tokens: character ranges were given without the text that they count in")
        for piece, (start, end) in zip(self.pieces, self.offsets, strict=True):
            if not 0 <= start <= end <= len(self.text):
                raise RegardError(
                    f"tokens: piece {piece!r} covers characters {start} to {end} of a text of {len(self.text)}"
                )

    def __len__(self) -> int:
        return len(self.pieces)

    @property
    def special(self) -> tuple[bool, ...]:
        """For each piece whether it is outside the text."""
        return tuple(word == NO_WORD for word in self.words)

    @property
    def labels(self) -> tuple[str, ...]:
        """The pieces as they can be shown: nothing invisible, nothing that steers a terminal."""
        return tuple(visible(piece) for piece in self.pieces)

    def take(self, positions: Sequence[int]) -> Tokens:
        """The tokens at `positions`, which rise from left to right."""
        return Tokens(
            tuple(self.pieces[i] for i in positions),
            tuple(self.words[i] for i in positions),
            self.text,
            None if self.offsets is None else tuple(self.offsets[i] for i in positions),
        )

    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The positions of the pieces of each word, from left to right; a special token is a group of its own."""
        groups: list[list[int]] = []
        for position, word in enumerate(self.words):
            if groups and word != NO_WORD and self.words[groups[-1][-1]] == word:
                groups[-1].append(position)
            else:
                groups.append([position])
        return tuple(tuple(group) for group in groups)

    def merged(self) -> Tokens:
        """One token for each group of `groups()`: the stretch of text that it covers, or else its pieces joined."""
        pieces, words, offsets = [], [], []
        for group in self.groups():
            joined = "".join(self.pieces[i] for i in group)
            word = self.words[group[0]]
            if self.text is not None and self.offsets is not None:
                start, end = self.offsets[group[0]][0], self.offsets[group[-1]][1]
                offsets.append((start, end))
                if word != NO_WORD:
                    joined = self.text[start:end].strip() or joined
            pieces.append(joined)
            words.append(word)
        return Tokens(tuple(pieces), tuple(words), self.text, None if self.offsets is None else tuple(offsets))


def whole_words(pieces: Iterable[str], special: Iterable[str] = ()) -> Tokens:
    """Tokens of which each is a word, except those named in `special`; the text is the words joined by a space.

    >>> whole_words(["Tom", "chases", "Jerry", "</s>"], special=["</s>"]).words
    (0, 1, 2, -1)
    """
    pieces, outside = tuple(pieces), frozenset(special)
    words: list[int] = []
    offsets: list[tuple[int, int]] = []
    text = ""
    count = 0
    for piece in pieces:
        if piece in outside:
            words.append(NO_WORD)
            offsets.append((len(text), len(text)))
            continue
        text = f"{text} {piece}" if count else piece
        words.append(count)
        offsets.append((len(text) - len(piece), len(text)))
        count += 1
    return Tokens(pieces, tuple(words), text, tuple(offsets))


def visible(label: str) -> str:
    """`label` with a sign for everything that can't be seen or that would steer the terminal that shows it.

    Joiners stay, since Bengali, Persian and emoji are written with them; other format characters (which can turn the
    direction of a line around) and control characters are replaced.
    """
    if not label:
        return "∅"
    if label.isspace():
        return "␣" * len(label)
    return "".join(map(_visible_character, label))


def _visible_character(character: str) -> str:
    if character in "\u200c\u200d" or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return character
    return chr(0x2400 + ord(character)) if ord(character) < 0x20 else "\ufffd"
