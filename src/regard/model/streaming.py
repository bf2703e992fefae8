"""Predicting while the source arrives: every target token leaves as soon as all attentions have chosen their places."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from regard.attention import dense
from regard.errors import RegardError
from regard.model.contracts import Encoded
from regard.model.encoder_decoder import EncoderDecoder
from regard.model.encoders import RecurrentEncoder
from regard.settings import ModelSettings


class Left(NamedTuple):
    """A target token that has left."""

    token: int
    log_prob: float
    place: int  # the last place that any attention looked at for it; -1 where none did
    arrived: int  # how many places of the source had arrived by then


def check_streaming(settings: ModelSettings) -> None:
    """Raises `RegardError` where a model can't begin before all of its source is there."""
    if settings.context != "online":
        raise RegardError(
            f"stream: model.context {settings.context} looks at all of the source; a model that is to begin before its "
            "source has ended is trained with model.context online"
        )
    if settings.copy:
        raise RegardError("stream: a model that copies (model.copy) has to see its source whole; train without it")
    encoder = settings.encoder
    if encoder.kind != "recurrent" or encoder.directions == 2 or encoder.pyramid or encoder.stem != "embedding":
        raise RegardError(
            "stream: this encoder reads a text from both ends or as a whole; train with model.encoder.kind recurrent "
            "and model.encoder.directions 1"
        )


@torch.inference_mode()
def stream(model: EncoderDecoder, arriving: Iterable[int], longest: Callable[[int], int]) -> Iterator[Left]:
    """The greedy prediction of a source whose tokens arrive one by one; the mark of the end is not among it.

    A step is done again with every token that arrives until it has found its places, and counts from then on: a place
    that was chosen stays chosen, whatever comes after it. When the source has ended, what is left is said at once.
    `longest` says how many tokens there may be for so many places.
    """
    check_streaming(model.settings)
    model.eval()
    reading, said = _Reading(model), _Saying(model)
    for token in arriving:
        encoded = reading.read(token)
        while not said.ended and said.count < longest(reading.count):
            if (left := said.attempt(encoded, whole=False)) is None:
                break
            yield left
        if said.ended:
            return
    if reading.encoded is not None:
        while not said.ended and said.count < longest(reading.count):
            if (left := said.attempt(reading.encoded, whole=True)) is not None:
                yield left


class _Reading:
    """The encoder, one place after the other."""

    def __init__(self, model: EncoderDecoder) -> None:
        assert isinstance(model.encoder, RecurrentEncoder)
        self.encoder, self.device = model.encoder, next(model.parameters()).device
        self.count = 0
        self.encoded: Encoded | None = None
        self._state: object = None

    def read(self, token: int) -> Encoded:
        """The memory of all that has arrived, this token included."""
        tokens = torch.tensor([[token]], device=self.device)
        new, self._state = self.encoder.read_on(tokens, self._state)
        before = self.encoded
        source = new if before is None else torch.cat([before.source, new], 1)
        known = tokens if before is None or before.tokens is None else torch.cat([before.tokens, tokens], 1)
        self.count += 1
        mask = torch.ones(1, self.count, dtype=torch.bool, device=self.device)
        self.encoded = Encoded(source, mask, new[:, 0], {}, known)
        return self.encoded


class _Saying:
    """The decoder, one token after the other."""

    def __init__(self, model: EncoderDecoder) -> None:
        self.model, self.count, self.ended = model, 0, False
        device = next(model.parameters()).device
        self._last = torch.tensor([[model.bos]], device=device)
        self._never = torch.tensor(model.never, dtype=torch.int64, device=device)
        self._state: object = None

    def attempt(self, encoded: Encoded, whole: bool) -> Left | None:
        """The next token, if every attention finds a place or the source is whole; None, too, for the end."""
        model = self.model
        state = model.start(encoded, 1) if self._state is None else self._state
        step = model.step(self._last, model.prepare(encoded), state, ("cross",))  # type: ignore[arg-type]
        weights = torch.stack([dense(each) for each in step.observed.values()])  # (layers, 1, H, 1, S)
        if not whole and not bool((weights.sum(-1) > 0).all()):
            return None
        log_prob, token = step.log_probs[0, 0].index_fill(0, self._never, float("-inf")).max(0)
        self._state, self._last = step.state, token.view(1, 1)
        self.ended = int(token) == model.eos
        if self.ended:
            return None
        self.count += 1
        return Left(int(token), float(log_prob), _last_place(weights), encoded.source.shape[1])


def _last_place(weights: Tensor) -> int:
    looked = weights.flatten(0, -2).sum(0).nonzero()
    return int(looked[-1]) if len(looked) else -1
