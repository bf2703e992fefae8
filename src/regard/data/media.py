"""Images and recordings as sources: what stands in the place of a tokeniser where sources are no texts.

An `Item` is one of them, read. `Images` and `Sounds` read items, make the features that a model is given, and say what
lies at each of the places that it attends to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from regard.data.read import Read
from regard.data.tokenisers import Tokeniser
from regard.errors import RegardError, shown
from regard.settings import EncoderSettings, ImageSettings, Medium, Settings, SoundSettings

if TYPE_CHECKING:
    import torch

    from regard.maps import Picture, Sound, Tokens

Generators = Sequence[np.random.Generator]

ENDINGS: dict[Medium, frozenset[str]] = {
    "image": frozenset([".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm"]),
    "sound": frozenset([".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au"]),
}
"""How the names of files end that are taken for images and for recordings."""

_LOOKED_AT = 50


@dataclass(frozen=True, eq=False)
class Item:
    """An image or a recording: its name, its numbers as `data.read.Read` has them, and the layout of its places."""

    text: str
    values: NDArray[Any]
    layout: tuple[int, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many places there are to attend to."""
        return prod(self.layout)


class Media(Protocol):
    """What reads the sources of one medium and makes numbers of them."""

    @property
    def medium(self) -> Medium: ...

    @property
    def settings(self) -> ImageSettings | SoundSettings: ...

    @property
    def size(self) -> int:
        """Of what a model is given of each pixel or frame: channels, bands."""
        ...

    def read(self, source: Any) -> Read:
        """One source, whatever a person gives: a path, bytes, a file object, an array. Raises RegardError."""
        ...

    def item(self, name: str, values: NDArray[Any], notes: tuple[str, ...] = ()) -> Item:
        """What was read, with its name and places."""
        ...

    def batch(self, items: Sequence[Item], draws: Generators | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """The features of items side by side, and their sizes; varied by `draws`, one for each item, in training."""
        ...

    def tokens(self, item: Item) -> Tokens:
        """The labels of its places."""
        ...

    def look(self, item: Item) -> Picture | Sound:
        """What a person is shown beside the weights."""
        ...

    def described(self) -> str:
        """What is read, in words."""
        ...

    def key(self) -> str:
        """The same for the same reading, and for no other: what a cache goes by."""
        ...


@dataclass(frozen=True)
class Images:
    """Images. A batch is (B, C, H, W) float32, 0 where an image has ended, and its sizes (B, 2) heights and widths."""

    settings: ImageSettings
    encoder: EncoderSettings
    medium: Medium = "image"

    @property
    def size(self) -> int:
        return 3 if self.settings.colours == "rgb" else 1

    def read(self, source: Any) -> Read:
        from regard.data.images import read_image

        return read_image(source, self.settings)

    def item(self, name: str, values: NDArray[Any], notes: tuple[str, ...] = ()) -> Item:
        return Item(name, values, self.encoder.layout(values.shape[:2]), notes)

    def batch(self, items: Sequence[Item], draws: Generators | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        from regard.data.images import image_features

        made = [
            image_features(item.values, self.settings, draws[number] if draws else None)
            for number, item in enumerate(items)
        ]
        sizes = np.array([each.shape[1:] for each in made], np.int64).reshape(-1, 2)
        height, width = sizes.max(0, initial=0)
        whole = np.zeros((len(made), self.size, height, width), np.float32)
        for row, each in zip(whole, made, strict=True):
            row[:, : each.shape[1], : each.shape[2]] = each
        return torch.from_numpy(whole), torch.from_numpy(sizes)

    def tokens(self, item: Item) -> Tokens:
        rows, columns = item.layout
        return _tokens(item, [f"{row + 1},{column + 1}" for row in range(rows) for column in range(columns)])

    def look(self, item: Item) -> Picture:
        from regard.maps import Picture

        pixels = item.values[..., 0] if item.values.shape[-1] == 1 else item.values
        rows, columns = item.layout
        return Picture(np.ascontiguousarray(pixels), rows, columns)

    def described(self) -> str:
        size = f"{self.settings.height} pixels high" if self.settings.height else "of any size"
        return f"images, {self.settings.colours}, {size}; a place stands for {self.encoder.place} pixels"

    def key(self) -> str:
        return _key(self.medium, {**asdict(self.settings), "augment": None})


@dataclass(frozen=True)
class Sounds:
    """Recordings. A batch is (B, S, bands) float32, 0 where a recording has ended, and its numbers of frames (B,)."""

    settings: SoundSettings
    encoder: EncoderSettings
    medium: Medium = "sound"

    @property
    def size(self) -> int:
        return self.settings.mels

    def read(self, source: Any) -> Read:
        from regard.data.sounds import read_sound

        if isinstance(source, tuple) and len(source) == 2:
            return read_sound(source[0], self.settings, source[1])
        return read_sound(source, self.settings)

    def item(self, name: str, values: NDArray[Any], notes: tuple[str, ...] = ()) -> Item:
        from regard.data.mel import sound_frames

        return Item(name, values, self.encoder.layout((sound_frames(len(values), self.settings),)), notes)

    def batch(self, items: Sequence[Item], draws: Generators | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        from regard.data.mel import sound_features

        made = [
            sound_features(item.values, self.settings, draws[number] if draws else None)
            for number, item in enumerate(items)
        ]
        lengths = np.array([len(each) for each in made], np.int64)
        whole = np.zeros((len(made), int(lengths.max(initial=0)), self.size), np.float32)
        for row, each in zip(whole, made, strict=True):
            row[: len(each)] = each
        return torch.from_numpy(whole), torch.from_numpy(lengths)

    def tokens(self, item: Item) -> Tokens:
        step = self.step
        return _tokens(item, [f"{place * step:.2f}s" for place in range(len(item))])

    def look(self, item: Item) -> Sound:
        from regard.maps import Sound

        assert self.settings.rate is not None
        return Sound(item.values, self.settings.rate, len(item), self.step)

    def described(self) -> str:
        return (
            f"recordings, {self.settings.rate:,} samples a second, in {self.settings.mels} bands; a place stands for "
            f"{self.step:.3g} seconds"
        )

    def key(self) -> str:
        return _key(self.medium, {"rate": self.settings.rate})

    @property
    def step(self) -> float:
        """Seconds of a place."""
        from regard.data.mel import hop_seconds

        return hop_seconds(self.settings) * int(self.encoder.place) * float(2**self.encoder.pyramid)


Source = Tokeniser | Images | Sounds
"""What makes numbers of a model's sources."""


def media_of(settings: Settings) -> Images | Sounds | None:
    """What reads the sources by these settings; None for texts."""
    if settings.data.medium == "image":
        return Images(settings.data.image, settings.model.encoder)
    if settings.data.medium == "sound":
        return Sounds(settings.data.sound, settings.model.encoder)
    return None


def medium_of(names: Iterable[str]) -> Medium:
    """What sources are, by the names of the first of them: an image or a sound where most end as those do."""
    first = [Path(name).suffix.lower() for name, _ in zip(names, range(_LOOKED_AT), strict=False)]
    for medium, endings in ENDINGS.items():
        if first and 2 * sum(ending in endings for ending in first) > len(first):
            return medium
    return "text"


def encode(media: Media, source: Any) -> Item:
    """One source, read; an item is one already. Raises RegardError in one line where it can't be read."""
    if isinstance(source, Item):
        return source
    found = media.read(source)
    return media.item(name_of(source), found.values, found.notes)


def name_of(source: Any) -> str:
    """What a source is called: by its path where it has one."""
    if isinstance(source, (str, Path)):
        return str(source)
    if isinstance(source, tuple):
        return name_of(source[0])
    named = getattr(source, "name", None) or getattr(source, "filename", None)
    if isinstance(named, str) and named:
        return named
    size = getattr(source, "shape", None)
    return f"an array {'x'.join(map(str, size))}" if size else type(source).__name__


def listed(source: Any) -> tuple[list[Any], bool]:
    """The sources that were given to be predicted from, and whether it was a single one.

    Lists are of several; a pair (samples, rate) is one recording. Raises RegardError for what can be neither.
    """
    if isinstance(source, tuple) and len(source) == 2 and isinstance(source[1], (int, float)):
        return [source], True
    if isinstance(source, (list, tuple)):
        return list(source), False
    if source is None or isinstance(source, (bool, int, float, dict)):
        raise RegardError(
            f"predict: came {shown(source)}; give a path, a file object or an array, or several in a list"
        )
    return [source], True


def _tokens(item: Item, labels: Sequence[str]) -> Tokens:
    """Each place is a word of its own."""
    from regard.maps import Tokens

    return Tokens(tuple(labels), tuple(range(len(labels))), item.text)


def _key(medium: Medium, settings: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps([medium, settings], sort_keys=True).encode()).hexdigest()[:32]
