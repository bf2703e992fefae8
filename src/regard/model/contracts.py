"""What the parts of a model hand to each other.

Shapes: B batch, S source length, T target length, H heads, Q queries (T, or the beams of one step), K keys.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor
from torch.utils import _pytree as pytree

from regard.attention import Memory
from regard.attention.steps import Joined
from regard.attention.trees import tree
from regard.errors import RegardError, did_you_mean

PLACES = ("cross", "encoder.self", "decoder.self")

Observed = dict[tuple[str, int], Tensor]
"""Dense weights (B, H, Q, K), before dropout, of each place and layer (from 0) that was asked for."""


class Pairs(Protocol):
    """A batch of pairs. `target_in` begins with bos; `target_out` is the same one step later and ends with eos."""

    @property
    def source(self) -> Tensor: ...  # (B, S) int64, padded at the end

    @property
    def source_lengths(self) -> Tensor: ...  # (B,) int64

    @property
    def target_in(self) -> Tensor: ...  # (B, T) int64

    @property
    def target_out(self) -> Tensor: ...  # (B, T) int64

    @property
    def target_lengths(self) -> Tensor: ...  # (B,) int64, the mark counted


@tree
class Encoded:
    """A batch of sources after the encoder: what attention may look at, and one vector for the whole of each."""

    source: Tensor  # (B, S, width)
    mask: Tensor  # (B, S) boolean: True where there is a token
    final: Tensor  # (B, width): the last state of a recurrent encoder, the last position of a Transformer
    observed: Observed
    tokens: Tensor | None = None  # (B, S) int64: what stands at each place, for readouts that copy it

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
    observed: Observed
    state: Any = None  # after a step: a tree of tensors (B, beams, ...) for the next one


class Decoder(Protocol):
    """A target side. Whole sequence and step by step are the same function."""

    width: int

    def prepare(self, encoded: Encoded) -> DecoderMemory:
        """What is computed once for these sources; beams share it."""
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


def take(value: Any, index: Tensor) -> Any:
    """Those rows (n,) of every tensor (B, ...) in a tree."""
    return pytree.tree_map(lambda leaf: leaf[index] if isinstance(leaf, Tensor) else leaf, value)


def check_places(observe: Collection[str]) -> None:
    """Raises `RegardError` where a place to be observed has a name that no place has."""
    for place in observe:
        if place not in PLACES:
            raise RegardError(f"observe: unknown place {place!r}{did_you_mean(place, PLACES)}")
