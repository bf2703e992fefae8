"""BPE dropout (Provilkov, Emelianenko & Voita 2020): in training, a text is cut otherwise every time that it is met.

    while pieces can be merged: leave out each possible merge with the probability p; do the best one of the rest

What is drawn follows from a generator, so that it depends on nothing but seed, epoch and example; the library draws
from a source of its own.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from regard.data.encoding import Encoding
from regard.data.features import FeaturedTokeniser
from regard.data.subwords import SubwordTokeniser, prepared, shifted
from regard.data.text import Span
from regard.data.tokenisers import Tokeniser
from regard.errors import RegardError
from regard.settings import Settings


@dataclass(frozen=True)
class Merges:
    """The merges of a tokeniser of the kind bpe, done by hand."""

    tokeniser: SubwordTokeniser

    def encode(self, text: str, dropout: float, draw: random.Random) -> Encoding:
        """The pieces of a text; with a dropout of 0 those of the tokeniser itself."""
        normal, whole = prepared(text, self.tokeniser.casing)
        ids: list[int] = []
        offsets: list[Span] = []
        pre_tokenizer: Any = self.tokeniser.library.pre_tokenizer
        for chunk, (start, _) in pre_tokenizer.pre_tokenize_str(whole):
            for piece in self._pieces(chunk, dropout, draw):
                ids.append(self._ids.get(piece, self.tokeniser.unk))
                offsets.append((start, start := start + len(piece)))
        return Encoding(normal, tuple(ids), shifted(normal, offsets, len(whole) - len(normal)))

    def _pieces(self, chunk: str, dropout: float, draw: random.Random) -> list[str]:
        pieces, ranks = list(chunk), self._ranks
        while len(pieces) > 1:
            best, at = None, 0
            for place in range(len(pieces) - 1):
                rank = ranks.get((pieces[place], pieces[place + 1]))
                if rank is not None and (best is None or rank < best) and (not dropout or draw.random() >= dropout):
                    best, at = rank, place
            if best is None:
                break
            pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
        return pieces

    @cached_property
    def _ids(self) -> Mapping[str, int]:
        marks = {self.tokeniser.pad, self.tokeniser.unk, self.tokeniser.bos, self.tokeniser.eos}
        return {piece: number for number, piece in enumerate(self.tokeniser.vocabulary) if number not in marks}

    @cached_property
    def _ranks(self) -> Mapping[tuple[str, str], int]:
        merges = json.loads(self.tokeniser.library.to_str())["model"]["merges"]
        return {(left, right): rank for rank, (left, right) in enumerate(merges)}


@dataclass(frozen=True)
class Dropout:
    """How the texts of one side are cut in training; `side` is 0 for the source, 1 for the target."""

    tokeniser: Tokeniser
    share: float
    side: int

    def encode(self, text: str, seed: int, epoch: int, example: int) -> Encoding:
        """The pieces of a text in an epoch: always the same for the same numbers."""
        if not self.share:
            return self.tokeniser.encode(text)
        draw = random.Random(f"{seed} {epoch} {example} {self.side}")
        if isinstance(self.tokeniser, FeaturedTokeniser):
            return self.tokeniser.around(text, lambda own: self._merges.encode(own, self.share, draw))
        return self._merges.encode(text, self.share, draw)

    @cached_property
    def _merges(self) -> Merges:
        inner = self.tokeniser.inner if isinstance(self.tokeniser, FeaturedTokeniser) else self.tokeniser
        assert isinstance(inner, SubwordTokeniser)
        return Merges(inner)


def check_dropout(settings: Settings, guided: bool) -> None:
    """Raises RegardError where merges are to be left out of what is not made of merges, or where links count pieces."""
    data = settings.data
    for side, share, tokens in (
        ("source", data.source_dropout, data.source_tokens),
        ("target", data.target_dropout, data.target_tokens),
    ):
        if share and (tokens or "").partition(":")[0] != "bpe":
            raise RegardError(
                f"data.{side}_dropout: {share} leaves out merges of bpe, and data.{side}_tokens is {tokens}; leave it "
                f"out, or set --data.{side}_tokens bpe"
            )
        if share and side == "source" and data.medium not in (None, "text"):
            raise RegardError(f"data.source_dropout: sources are no texts ({data.medium}); leave it out")
        if share and guided:
            raise RegardError(
                f"data.{side}_dropout: {share} cuts words otherwise every time, and --guided links are to pieces that "
                "stay; leave out one of them"
            )
