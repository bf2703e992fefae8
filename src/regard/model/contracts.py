"""What the parts of a model hand to each other.

Shapes: B batch, S source length, P places of a source (the tokens of a text), T target length, H heads, Q queries (T,
or the beams of one step), K keys.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from regard.attention import Memory, Windowed
from regard.attention.kinds import Drawn
from regard.attention.steps import Joined
from regard.attention.trees import static, tree
from regard.errors import RegardError, did_you_mean

PLACES = ("cross", "encoder.self", "decoder.self")
POSTERIOR = "posterior"  # where the places of a target lay, given all of it: known of given targets alone

Observed = dict[tuple[str, int], Tensor]
"""Dense weights (B, H, Q, K), before dropout, of each place and layer (from 0) that was asked for."""

ObservedStep = dict[tuple[str, int], Tensor | Windowed]
"""The same of one step, in which weights within a window are told by these alone."""


class Pairs(Protocol):
    """A batch of pairs. `target_in` begins with bos; `target_out` is the same one step later and ends with eos."""

    @property
    def source(self) -> Tensor:
        """Padded: texts (B, S) int64, or (B, S, 2) with what of them may be copied; images (B, C, H, W), recordings
        (B, S, bands)."""
        ...

    @property
    def source_lengths(self) -> Tensor: ...  # int64: (B,) tokens or frames, or (B, 2) heights and widths of images

    @property
    def target_in(self) -> Tensor: ...  # (B, T) int64

    @property
    def target_out(self) -> Tensor: ...  # (B, T) int64

    @property
    def target_lengths(self) -> Tensor: ...  # (B,) int64, the mark counted


@dataclass(frozen=True)
class Places:
    """What the stem of an encoder makes of a batch of sources: a vector for each place.

    The places of each source come first, padding after them. Those of an image are the rows of a grid of its own, one
    after the other: place = row * columns + column, whatever the grids of other images are.
    """

    vectors: Tensor  # (B, P, width)
    mask: Tensor  # (B, P) boolean: True where there is a place
    grid: Tensor | None = None  # (B, 2) int64: the rows and columns of images
    tokens: Tensor | None = None  # (B, P) int64: of texts


class Stem(Protocol):
    """What knows of a source's medium: from texts, images or recordings to vectors of places.

    What it makes of a source depends neither on padding nor on the rest of the batch.
    """

    width: int

    def read(self, source: Tensor, sizes: Tensor) -> Places:
        """A batch as in `Pairs`: `source` and what of it counts, `source_lengths`."""
        ...

    def layout(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """The rows and columns of an image (height, width), or how many places so many tokens or frames make."""
        ...


@tree
class Encoded:
    """A batch of sources after the encoder: what attention may look at, and one vector for the whole of each."""

    source: Tensor  # (B, P, width)
    mask: Tensor  # (B, P) boolean: True where there is a place; those of each source come first
    final: Tensor  # (B, width): the last state of a recurrent encoder, the last token of a Transformer, or a mean
    observed: Observed
    tokens: Tensor | None = None  # (B, P) int64: what stands at each place of a text; for readouts that copy it, as a
    # token of the target

    def rows(self, index: Tensor) -> Encoded:
        """Those of the sources with these numbers (n,)."""
        found: Encoded = take(self, index)
        return found


@tree
class DecoderMemory:
    """What a decoder and the readout after it compute once for a batch of sources, for all steps and beams."""

    cross: tuple[Memory, ...]  # one for each cross-attention
    fixed: Tensor | None  # (B, 1, width): the code C of a model without attention
    itself: tuple[Joined | None, ...] = ()  # of each self-attention, which have weights and nothing of the source
    readout: Any = None  # a tree of tensors (B, ...), or None where the readout needs nothing of the source
    steps: Any = static(default=None)  # where a decoder's steps can do with less: what takes them instead


@tree
class State:
    """What a model carries from step to step, for each hypothesis."""

    decoder: Any  # a tree of tensors (B, beams, ...)
    readout: Any = None  # the same of a readout that remembers; None before the first step and where it does not


@dataclass(frozen=True)
class DecoderOutput:
    """What a decoder says of Q targets: those of a whole sequence, or of the beams of one step."""

    hidden: Tensor  # (B, Q, width)
    context: Tensor  # (B, Q, context width): the C_i that hidden was made with, of the last layer
    observed: Any  # `Observed`, or of a step `ObservedStep`
    state: Any = None  # after a step: a tree of tensors (B, beams, ...) for the next one
    drawn: tuple[Drawn, ...] = ()  # of a sequence in training, for each attention that draws places
    passing: bool = False  # whether the last of them bears on its own token alone, and on no later one


class Decoder(Protocol):
    """A target side. Whole sequence and step by step are the same function."""

    width: int
    context_width: int

    def prepare(self, encoded: Encoded, window: int | None = None) -> DecoderMemory:
        """What is computed once for these sources; beams share it. `window`: another than the model's own."""
        ...

    def start(self, encoded: Encoded, beams: int) -> Any:
        """The state before the first step, a tree of tensors (B, beams, ...) for `regard.attention.select`."""
        ...

    def step(self, tokens: Tensor, memory: DecoderMemory, state: Any, observe: Collection[str] = ()) -> DecoderOutput:
        """One step of each hypothesis, after its last token (B, beams)."""
        ...

    def __call__(self, target_in: Tensor, encoded: Encoded, observe: Collection[str] = ()) -> DecoderOutput:
        """All steps for given targets (B, T)."""
        ...


def if_padded(mask: Tensor) -> Tensor | None:
    """A mask, or None where it rules out nothing, as in most batches of like lengths; a GPU is not asked."""
    return None if mask.is_cpu and bool(mask.all()) else mask


def first_ones(counts: Tensor, length: int) -> Tensor:
    """A mask (B, length) that is True at the first `counts` (B,) places."""
    return torch.arange(length, device=counts.device) < counts[:, None]


def take(value: Any, index: Tensor) -> Any:
    """Those rows (n,) of every tensor (B, ...) in a tree."""
    return pytree.tree_map(lambda leaf: leaf[index] if isinstance(leaf, Tensor) else leaf, value)


def check_places(observe: Collection[str]) -> None:
    """Raises `RegardError` where a place to be observed has a name that no place has."""
    for place in observe:
        if place not in PLACES:
            raise RegardError(f"observe: unknown place {place!r}{did_you_mean(place, PLACES)}")
