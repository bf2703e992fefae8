"""Several model folders as one predictor, and how a predictor is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from regard.data.encoding import Encoding
from regard.data.features import FeaturedTokeniser
from regard.data.media import Images, Item, Sounds, Source
from regard.data.tokenisers import Tokeniser
from regard.errors import RegardError, shown
from regard.maps import AttentionMap
from regard.model.ensemble import Ensemble, Sides
from regard.predictor.labels import shown_map
from regard.predictor.prediction import Spoken
from regard.predictor.predictor import Predictor
from regard.settings import ImageSettings, SearchSettings, SoundSettings

_HOW = "train all of them on the same pairs, with the same --dev FILE and tokenisers"


@dataclass(frozen=True)
class Readings(Encoding):
    """A text in the tokens of the member whose places are shown, and in those of each member."""

    members: tuple[Encoding, ...] = ()


class EnsemblePredictor(Predictor):
    """Several models that say one output together, as one predictor: the mean of their probabilities.

    The target vocabularies are the same; all else may differ. A map has one layer and one head: the mean of what
    each member would show, of those that attend to the same places as the first that attends at all: the same pieces of
    texts, or the same places of images and recordings.

    Args:
        members: the models, two or more.
        names: what they are called in messages.

    Raises RegardError for models that can't say one output together, with the names of both and what differs.
    """

    def __init__(self, members: Sequence[Predictor], names: Sequence[str]) -> None:
        for member, name in zip(members[1:], names[1:], strict=True):
            _check_targets(members[0].target, member.target, names[0], name)
            _check_sources(members[0].source, member.source, names[0], name)
        self.members, self.names = tuple(members), tuple(names)
        self._lead = next((number for number, each in enumerate(members) if each.has_attention), 0)
        lead = members[self._lead]
        # Each way of reading texts is asked once; members that read alike share it.
        self._readers = [
            next(other for other in range(number + 1) if _alike(members[other].source, each.source))
            for number, each in enumerate(members)
        ]
        _check_copying(members, names, self._readers)
        weighing = [
            each.facts.shown if each.has_attention and self._readers[number] == self._readers[self._lead] else None
            for number, each in enumerate(members)
        ]
        model = Ensemble([each.model for each in members], weighing, self._lead)
        settings = replace(lead.settings, search=members[0].settings.search)
        # What is a model to a predictor is what the search asks of one.
        super().__init__(model, lead.source, members[0].target, settings, replace(lead.facts, shown=(0, 0)))  # type: ignore[arg-type]

    def __repr__(self) -> str:
        """Short, for an interpreter."""
        return f"EnsemblePredictor({', '.join(map(repr, self.members))})"

    @property
    def has_attention(self) -> bool:
        """Whether any of the members attends to the source."""
        return self.members[self._lead].has_attention

    def encode(self, source: Any) -> Encoding | Item:
        """A text in the tokens of all members, or an image or a recording that was read. Raises RegardError."""
        if self.medium != "text":
            return super().encode(source)
        known = {reader: self.members[reader].encode(source) for reader in set(self._readers)}
        every = tuple(known[reader] for reader in self._readers)
        lead = every[self._lead]
        assert isinstance(lead, Encoding)
        return Readings(lead.text, lead.ids, lead.offsets, lead.features, every)  # type: ignore[arg-type]

    def side_by_side(self, encodings: Sequence[Encoding | Item]) -> tuple[Tensor, Tensor]:
        """What each of the models is given of sources, padded, and their sizes (`Sides`)."""
        made = {}
        for reader in set(self._readers):
            made[reader] = self.members[reader].side_by_side([_own(encoding, reader) for encoding in encodings])
        sides, sizes = zip(*(made[reader] for reader in self._readers), strict=True)
        return Sides(sides), Sides(sizes)  # type: ignore[return-value]

    def stream(self, chunks: Iterable[str]) -> Iterator[Spoken]:
        """Not of several models. Raises RegardError."""
        raise RegardError("stream: each of several models chooses its own places; give a single model")

    def shown(self, every: AttentionMap, reading: bool | None = None) -> AttentionMap:
        """The one matrix of a map; its rows are read as all members' are, where they are read alike."""
        if reading is None:
            attending = [each for each in self.members if each.has_attention]
            reading = bool(attending) and all(each.settings.training.guided_reading for each in attending)
        return shown_map(every, self.facts, reading)

    def can_read(self, source: Encoding | Item, settings: SearchSettings | None = None) -> bool:
        """Whether every member can predict something from a source."""
        settings = settings or self.settings.search
        return all(each.can_read(_own(source, number), settings) for number, each in enumerate(self.members))

    def longest_source(self, settings: SearchSettings | None = None) -> int:
        """The most tokens of a text that every member predicts from."""
        settings = settings or self.settings.search
        return min(each.longest_source(settings) for each in self.members)

    @property
    def longest_said(self) -> int:
        """The most tokens of a target that every member is made to say."""
        return min(each.longest_said for each in self.members)


def load(*folders: str | Path, device: str = "auto", stem: nn.Module | None = None) -> Predictor:
    """The model of a folder; or several, which then predict together by the mean of their probabilities.

    Members of such an ensemble may differ in everything but the vocabulary of their targets, also in the tokens of
    their sources. Each computes what is computed once for a source; the search is one. Their maps are the mean of those
    that each would show, where they attend to the same places (`EnsemblePredictor`).

    A model that was trained with a torch module as its `stem` needs one like it again, which is given the weights of
    the folder. Nothing in a folder is executed.

    Raises RegardError: a file that is missing, damaged or of a newer version, no such device, and models that can't
    predict together, in one line that names both folders and what differs.
    """
    if not folders:
        raise RegardError("load: name the folder of a model, or several")
    if len(folders) == 1:
        return Predictor.load(folders[0], device, stem)
    return EnsemblePredictor(
        [Predictor.load(each, device, deepcopy(stem)) for each in folders], list(map(str, folders))
    )


def _own(source: Encoding | Item, number: int) -> Encoding | Item:
    """A source as one of the members has it."""
    return source.members[number] if isinstance(source, Readings) else source


def _alike(one: Source, other: Source) -> bool:
    """Whether two models read sources into the same places and numbers."""
    if isinstance(one, (Images, Sounds)) or isinstance(other, (Images, Sounds)):
        return True  # else they were refused
    return (one.kind, one.casing, one.vocabulary) == (other.kind, other.casing, other.vocabulary)


def _check_targets(one: Tokeniser, other: Tokeniser, name: str, other_name: str) -> None:
    """Raises RegardError where two models do not mean the same by the numbers of their tokens."""
    both = f"{name} and {other_name} can't predict together, since their targets"
    if one.vocabulary != other.vocabulary:
        known, other_known = set(one.vocabulary), set(other.vocabulary)
        if lacking := [piece for piece in one.vocabulary if piece not in other_known]:
            what = f"{other_name} has no {shown(lacking[0])}"
        elif lacking := [piece for piece in other.vocabulary if piece not in known]:
            what = f"{name} has no {shown(lacking[0])}"
        else:
            pairs = enumerate(zip(one.vocabulary, other.vocabulary, strict=False))
            what = next(
                f"piece {number} is {shown(piece)} in one and {shown(other_piece)} in the other"
                for number, (piece, other_piece) in pairs
                if piece != other_piece
            )
        raise RegardError(f"{both} have different vocabularies: {what}; {_HOW}")
    marks = [(each.pad, each.unk, each.bos, each.eos) for each in (one, other)]
    kinds = [each.kind.partition(":")[0] for each in (one, other)]
    if marks[0] != marks[1] or kinds[0] != kinds[1]:
        raise RegardError(f"{both} are cut by different tokenisers, {kinds[0]} and {kinds[1]}; {_HOW}")


def _check_sources(one: Source, other: Source, name: str, other_name: str) -> None:
    """Raises RegardError where two models can't be given the same sources."""
    both = f"{name} and {other_name} can't predict together, since"
    media = [each.medium if isinstance(each, (Images, Sounds)) else "text" for each in (one, other)]
    if media[0] != media[1]:
        raise RegardError(f"{both} one reads {_named(media[0])} and the other {_named(media[1])}")
    if isinstance(one, FeaturedTokeniser) != isinstance(other, FeaturedTokeniser):
        with_features = name if isinstance(one, FeaturedTokeniser) else other_name
        raise RegardError(f"{both} only {with_features} was trained with features beside each text")
    if isinstance(one, (Images, Sounds)) and isinstance(other, (Images, Sounds)):
        for what, first, second in zip(_HOW_READ, _how_read(one), _how_read(other), strict=True):
            if first != second:
                raise RegardError(f"{both} {what} differs ({shown(first)}, {shown(second)}); train them with the same")


def _check_copying(members: Sequence[Predictor], names: Sequence[str], readers: Sequence[int]) -> None:
    """Raises RegardError where models do not mean the same by the tokens that only a source has."""
    copies = [each.copying is not None for each in members]
    if len(set(copies)) > 1:
        one, other = names[copies.index(True)], names[copies.index(False)]
        raise RegardError(f"{one} copies tokens of the source (model.copy), and {other} does not; {_HOW}")
    if copies[0] and (apart := next((number for number, each in enumerate(readers) if each), None)) is not None:
        raise RegardError(
            f"{names[0]} and {names[apart]} copy tokens of the source (model.copy), and cut it otherwise; {_HOW}"
        )


_HOW_READ = ("how they read files", "model.encoder.place", "model.encoder.pyramid")


def _how_read(source: Images | Sounds) -> tuple[object, str, int]:
    # What varies a source in training means nothing afterwards.
    kept: ImageSettings | SoundSettings
    if isinstance(source, Images):
        kept = replace(source.settings, augment=0.0)
    else:
        kept = replace(source.settings, speed=0.0, masks=0)
    return kept, source.encoder.place, source.encoder.pyramid


def _named(medium: Literal["text", "image", "sound"]) -> str:
    return {"text": "texts", "image": "images", "sound": "recordings"}[medium]
