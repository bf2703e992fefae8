"""The whole model: an encoder, a decoder that attends to what it made, and a readout."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from regard.errors import RegardError
from regard.model.contexts import check_context, check_teachable
from regard.model.contracts import (
    POSTERIOR,
    Decoder,
    DecoderMemory,
    Encoded,
    Observed,
    ObservedStep,
    Pairs,
    State,
    Stem,
    check_places,
)
from regard.model.coverage import coverage as coverage_of
from regard.model.embeddings import TokenEmbedding
from regard.model.encoders import make_encoder
from regard.model.guided import Guide, guided
from regard.model.joint import JointReadout
from regard.model.mixture import MixtureReadout
from regard.model.pointer import PointerReadout
from regard.model.readout import Auxiliary, Readout, SoftmaxReadout
from regard.model.recurrent import RecurrentDecoder
from regard.model.sampling import Sampling, reinforce
from regard.model.stems import make_stem
from regard.model.transformer import TransformerDecoder
from regard.settings import ModelSettings

_Weights = TypeVar("_Weights")


class Loss(NamedTuple):
    """Sums over a batch: divide by the tokens of all batches that make an update."""

    nll: Tensor  # (): the sum of -log p of the target's tokens and marks, smoothed if that was asked for
    tokens: Tensor  # (): how many those are, int64
    auxiliary: Auxiliary  # further losses to be added, sums too


@dataclass(frozen=True)
class Forced:
    """What the model makes of given targets."""

    log_probs: Tensor  # (B, T) of each token of target_out, 0 at padding
    mask: Tensor  # (B, T) boolean: True where there is a token
    observed: Observed  # weights (B, H, T, S), or (B, H, T, T), (B, H, S, S) within a side


class Step(NamedTuple):
    """One step of a search."""

    log_probs: Tensor  # (B, beams, vocabulary), the caller's own
    state: State
    observed: ObservedStep  # weights (B, H, beams, S)


class EncoderDecoder(nn.Module):
    """p(target | source) = prod_t p(y_t | y_<t, attention to the encoded source).

    Args:
        settings: every part and its sizes.
        source_size: how many tokens sources are made of, channels images, or bands recordings have.
        target_vocabulary: how many tokens targets are made of.
        source_pad, target_pad: the padding token of each side, which is never predicted.
        bos, eos: the marks of the target's begin and end.
        stem: the module that makes features of images, for `model.encoder.stem` module; see `GivenStem`.
        unk: the unknown token of the target, which the decoder reads where a token was copied that only a source has.
        closed: whether targets of the training have tokens that the vocabulary lacks, so that `unk` may be predicted.

    Raises `RegardError` where settings do not fit each other; the message names the setting.
    """

    def __init__(
        self,
        settings: ModelSettings,
        source_size: int,
        target_vocabulary: int,
        *,
        source_pad: int = 0,
        target_pad: int = 0,
        bos: int = 2,
        eos: int = 3,
        stem: nn.Module | None = None,
        unk: int = 1,
        closed: bool = True,
    ) -> None:
        super().__init__()
        check_context(settings)
        self.settings = settings
        self.source_pad, self.target_pad, self.bos, self.eos = source_pad, target_pad, bos, eos
        self.unk, self.closed, self.target_vocabulary = unk, closed, target_vocabulary
        made = make_stem(settings, source_size, stem)
        target = _target_embedding(settings, made, target_vocabulary)
        self.encoder = make_encoder(settings, made)
        kind = RecurrentDecoder if settings.decoder.kind == "recurrent" else TransformerDecoder
        self.decoder: Decoder = kind(target, settings, settings.memory_width)
        tied = None if settings.share_embeddings == "none" else target.tokens
        self.readout: Readout
        if settings.mixes:
            mixture = JointReadout if settings.mixture == "joint" else MixtureReadout
            self.readout = mixture(settings, target_vocabulary, tied)
        elif settings.copy:
            self.readout = PointerReadout(settings, self.decoder.context_width, target_vocabulary, tied)
        else:
            self.readout = SoftmaxReadout(settings.decoder.width, target_vocabulary, tied)
        self.sampling = Sampling()

    @property
    def parameter_count(self) -> int:
        """How many numbers are learned; shared ones count once."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def never(self) -> tuple[int, ...]:
        """Tokens that no prediction holds."""
        spelled = set() if self.closed else {self.unk}
        return tuple(sorted({self.target_pad, self.bos, *spelled} - {self.eos}))

    @property
    def longest_target(self) -> int | None:
        """How many tokens a prediction may have at most; None: any number."""
        return self.settings.longest_target

    def forward(self, batch: Pairs, smoothing: float = 0.0) -> Loss:
        """`loss`, under the name by which modules are called."""
        return self.loss(batch, smoothing)

    def loss(self, batch: Pairs, smoothing: float = 0.0, coverage: float = 0.0, guide: Guide | None = None) -> Loss:
        """The sum of -log p over the tokens of a batch's targets; an empty batch gives 0, with gradients of 0.

        With `coverage`, that many times `regard.model.coverage` is an auxiliary loss, and with a `guide` its weight
        times `regard.model.guided`; a model whose decoder has no weights that can be taught raises `RegardError` for
        them. In training, places that were drawn add `regard.model.sampling.reinforce`.
        """
        if coverage or guide is not None:
            check_teachable(self.settings, "training.coverage" if coverage else "--guided")
        tokens = batch.target_lengths.sum()
        if not len(batch.target_in):
            nothing = torch.stack([parameter.sum() for parameter in self.parameters()]).sum() * 0.0
            return Loss(nothing, tokens, {})
        encoded = self.encode(batch.source, batch.source_lengths)
        needs = self.readout.needs.union({"cross"}) if coverage or guide is not None else self.readout.needs
        output, mask = self.decoder(self._known(batch.target_in), encoded, needs), _target_mask(batch)
        memory = self.readout.prepare(encoded)
        nll, auxiliary = self.readout.nll(output, batch.target_out, mask, memory, smoothing)
        if output.drawn:
            rewards, _ = self.readout.target_log_probs(output, batch.target_out, mask, memory)
            found = reinforce(output.drawn, output.passing, rewards.detach(), mask, self.sampling)
            auxiliary = {**auxiliary, "reinforce": found}
        if coverage:
            auxiliary = {**auxiliary, "coverage": coverage * coverage_of(output.observed, encoded.mask, mask)}
        if guide is not None:
            auxiliary = {**auxiliary, "guided": guide.weight * guided(output.observed, guide)}
        return Loss(nll, tokens, auxiliary)

    def forced(self, batch: Pairs, observe: Collection[str] = ()) -> Forced:
        """log p of every token of given targets, and the weights (`Forced.observed`) of the places to be observed.

        Places are `cross`, `encoder.self` and `decoder.self`. Row t of a target's weights is what was attended to when
        `target_out[t]` was predicted. Where the output is a mixture over places, `cross` is the distribution of the
        place given what was said before, and `posterior` that given the whole target; where tokens are copied,
        `posterior` is how much of each was copied from where. Raises `RegardError` for other
        places, and for `posterior` where there is none.
        """
        places = set(observe) - {POSTERIOR}
        encoded = self.encode(batch.source, batch.source_lengths, places)
        output = self.decoder(self._known(batch.target_in), encoded, self.readout.needs.union(places))
        mask = _target_mask(batch)
        memory = self.readout.prepare(encoded)
        log_probs, seen = self.readout.target_log_probs(output, batch.target_out, mask, memory)
        if POSTERIOR in observe:
            if not isinstance(self.readout, (MixtureReadout, PointerReadout)):
                raise RegardError(
                    f"a model with model.context {self.settings.context} has no posterior over places; those with "
                    "marginal and monotonic, and those that copy, have"
                )
            seen = {**seen, **self.readout.posterior(output, batch.target_out, mask, memory)}
        return Forced(log_probs, mask, _those({**encoded.observed, **output.observed, **seen}, observe))

    def encode(self, source: Tensor, sizes: Tensor, observe: Collection[str] = ()) -> Encoded:
        """Sources as a memory; observes `encoder.self`.

        Texts are tokens (B, S), of which the first `sizes` (B,) count; recordings (B, S, bands) likewise; images are
        (B, C, H, W), of which heights and widths `sizes` (B, 2) count. What does not count is padding, in images and
        recordings of 0. A model that copies is given texts (B, S, 2): tokens, and what they are as tokens of the
        target.
        """
        check_places(observe)
        if not source.shape[1]:
            source = source.new_full((len(source), 1, *source.shape[2:]), self.source_pad)
        own = source[..., 0] if self.settings.copy else source
        found: Encoded = self.encoder(own, sizes, observe)
        return replace(found, tokens=source[..., 1]) if self.settings.copy else found

    def prepare(self, encoded: Encoded, window: int | None = None) -> DecoderMemory:
        """What is computed once for these sources; `window`: to look through another than `model.cross.window`."""
        if window is not None and self.settings.context_kind != "attention":
            raise RegardError(
                f"search.window: {window} goes along with weights that are summed, and model.context "
                f"{self.settings.context} has none; leave it at none"
            )
        return replace(self.decoder.prepare(encoded, window), readout=self.readout.prepare(encoded, steps=True))

    def start(self, encoded: Encoded, beams: int) -> State:
        """The state before the first step of `beams` hypotheses for each source."""
        return State(self.decoder.start(encoded, beams))

    def step(self, tokens: Tensor, memory: DecoderMemory, state: State, observe: Collection[str] = ()) -> Step:
        """One step of each hypothesis, after its last token (B, beams); bos at first."""
        output = self.decoder.step(self._known(tokens), memory, state.decoder, self.readout.needs.union(observe))
        said = self.readout.step(output, tokens, memory.readout, state.readout)
        observed = _those({**output.observed, **said.observed}, observe)
        return Step(said.log_probs, State(output.state, said.state), observed)

    def _known(self, tokens: Tensor) -> Tensor:
        """Tokens as the decoder reads them."""
        return tokens.masked_fill(tokens >= self.target_vocabulary, self.unk) if self.settings.copy else tokens


def _target_embedding(settings: ModelSettings, stem: Stem, vocabulary: int) -> TokenEmbedding:
    """The embedding of the decoder; a Transformer's is of its own width, and holds positions."""
    decoder, shared = settings.decoder, None
    transformer = decoder.kind == "transformer"
    width = decoder.width if transformer else settings.embedding
    if settings.share_embeddings == "all":
        assert isinstance(stem, TokenEmbedding)
        shared = stem.tokens
        if shared.num_embeddings != vocabulary or stem.width != width:
            raise RegardError(
                "model.share_embeddings: all needs one vocabulary and one width, but the source has "
                f"{shared.num_embeddings} tokens of width {stem.width} and the target {vocabulary} of width {width}; "
                "set data.joint and equal widths, or share target or none"
            )
    return TokenEmbedding(
        vocabulary,
        width,
        position=decoder.position if transformer else "none",
        longest=settings.longest,
        dropout=settings.dropout,
        hidden=decoder.word_dropout,
        tokens=shared,
    )


def _those(observed: dict[tuple[str, int], _Weights], places: Collection[str]) -> dict[tuple[str, int], _Weights]:
    """What was asked for; a readout's needs may be more."""
    return {key: weights for key, weights in observed.items() if key[0] in places}


def _target_mask(batch: Pairs) -> Tensor:
    places = torch.arange(batch.target_out.shape[1], device=batch.target_out.device)
    return places < batch.target_lengths[:, None]
