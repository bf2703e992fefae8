"""The recurrent decoder: GRU or LSTM, attending before or after its update, or with one fixed context."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from regard.attention import Memory, dense
from regard.attention.kinds import drawn_in
from regard.attention.products import Linear, Packed, linear
from regard.attention.trees import tree
from regard.model.cells import Cell, PackedCell, gru_update, lstm_update
from regard.model.contracts import DecoderMemory, DecoderOutput, Encoded, Observed, ObservedStep, if_padded
from regard.model.deferred import deferred
from regard.model.dropout import Dropout
from regard.model.embeddings import TokenEmbedding
from regard.model.encoders import mean, remember_at_first
from regard.model.kept import kept, may_keep
from regard.model.places import context_width, kind_of, over_sequence, recurrent_cross
from regard.model.plain_attention import PlainAttention, plain_in_one_head
from regard.settings import ModelSettings


@tree
class RecurrentState:
    """What a recurrent decoder carries from step to step, for each hypothesis."""

    hidden: tuple[Tensor, ...]  # of each layer, (B, beams, width)
    cell: tuple[Tensor, ...]  # the same for the cells of an LSTM; none for a GRU
    output: Tensor  # (B, beams, width): what was said last, 0 at first
    attended: Any  # a tree of tensors (B, beams, ...): what the attention remembers, or None


class RecurrentDecoder(nn.Module):
    """s_i = RNN(s_(i-1), input_i), output_i = tanh(W [s_i; C_i]).

    before: C_i from s_(i-1), input_i = [y_(i-1); C_i]         (Bahdanau et al. 2015, section 3.1)
    after:  C_i from s_i, input_i = y_(i-1), or with input feeding [y_(i-1); output_(i-1)]
            (Luong et al. 2015, sections 3.1 and 3.3)

    With a fixed context C_i = C for all steps, and everything else is the same; where the readout mixes what places
    say, C is empty. The first states are tanh(V C'), C' the final state of the encoder, or learned where the source
    arrives only while the target is said.
    """

    def __init__(self, embedding: TokenEmbedding, settings: ModelSettings, source_width: int) -> None:
        super().__init__()
        decoder = settings.decoder
        self.embedding, self.width = embedding, decoder.width
        self.before = decoder.attends == "before"
        fed = not settings.mixes if decoder.input_feeding is None else decoder.input_feeding
        self.feeding = fed and not self.before
        self.attention, self.fixed, self.told_nothing = None, settings.fixed, settings.mixes
        context = settings.code_width
        if settings.attends:
            self.attention = recurrent_cross(
                settings.cross, self.width, source_width, settings.values_width, settings.longest, kind_of(settings)
            )
            context = context_width(self.attention, self.width)
        given = embedding.width + (context if self.before else self.width if self.feeding else 0)
        kind = nn.LSTM if decoder.cell == "lstm" else nn.GRU
        self.layers = nn.ModuleList(
            kind(self.width if layer else given, self.width, batch_first=True) for layer in range(decoder.layers)
        )
        for layer in self.layers:
            remember_at_first(layer)  # type: ignore[arg-type]
        self.states = 2 if decoder.cell == "lstm" else 1
        units = self.states * decoder.layers * self.width
        self.first: nn.Module | nn.Parameter = (
            nn.Parameter(torch.zeros(units)) if settings.context == "online" else Linear(settings.encoder.width, units)
        )
        self.combine, self.context_width = Linear(self.width + context, self.width), context
        self.dropout = Dropout(settings.dropout)

    def prepare(self, encoded: Encoded, window: int | None = None) -> DecoderMemory:
        """The prepared keys of the attention, or the code C."""
        if self.attention is None:
            memory = DecoderMemory((), self._code(encoded))
        else:
            memory = DecoderMemory((self.attention.prepare(encoded.source, if_padded(encoded.mask), window),), None)
        if not may_keep(self):
            return memory
        temperature = None if window is not None else plain_in_one_head(self.attention)
        packed = kept(self, lambda decoder: _Packed(decoder, temperature is not None), temperature)
        return replace(memory, steps=packed.parts(self._parts(), memory))

    def start(self, encoded: Encoded, beams: int) -> RecurrentState:
        """The state before the first step."""
        units = self.first if isinstance(self.first, nn.Parameter) else self.first(encoded.final)[:, None]
        first = torch.tanh(units).expand(len(encoded.source), beams, -1).split(self.width, -1)
        layers = len(self.layers)
        return RecurrentState(first[:layers], first[layers:], torch.zeros_like(first[0]), None)

    def step(
        self, tokens: Tensor, memory: DecoderMemory, state: RecurrentState, observe: Collection[str] = ()
    ) -> DecoderOutput:
        """One step of each hypothesis, after its last token (B, beams); observes `cross`."""
        parts = self._parts() if memory.steps is None else memory.steps
        return self._step(self.embedding(tokens), memory, state, "cross" in observe, parts)

    def forward(self, target_in: Tensor, encoded: Encoded, observe: Collection[str] = ()) -> DecoderOutput:
        """All steps for given targets (B, T); observes `cross`. Runs over the sequence at once where it can."""
        embedded, observed = self.embedding(target_in), "cross" in observe
        if self.feeding or (self.before and self.attention is not None):
            return self._by_steps(embedded, encoded, observed)
        return self._at_once(embedded, encoded, observed)

    def _step(
        self,
        embedded: Tensor,
        memory: DecoderMemory,
        state: RecurrentState,
        observed: bool,
        parts: _Parts,
    ) -> DecoderOutput:
        attended, context, weights = state.attended, memory.fixed, None
        if context is not None:
            context = context.expand(-1, embedded.shape[1], -1)
        if self.before and parts.attend is not None:
            context, weights, attended = parts.attend(state.hidden[-1], memory.cross[0], attended)
        fed = context if self.before else state.output if self.feeding else None
        hidden, cell = parts.update(embedded, fed, state)
        if not self.before and parts.attend is not None:
            context, weights, attended = parts.attend(hidden[-1], memory.cross[0], attended)
        assert context is not None
        output = self._say(hidden[-1], context, parts.combine)
        shown: ObservedStep = {("cross", 0): weights} if observed and weights is not None else {}
        return DecoderOutput(output, context, shown, RecurrentState(hidden, cell, output, attended))

    def _parts(self) -> _Parts:
        """The parts of a step as the modules define them."""
        return _Parts(None if self.attention is None else self.attention.step, self._update, self.combine)

    def _update(self, embedded: Tensor, fed: Tensor | None, state: RecurrentState) -> _States:
        """The next hidden states and cells of all layers."""
        lead = embedded.shape[:2]
        x = (embedded if fed is None else torch.cat([embedded, fed], -1)).flatten(0, 1)
        hidden, cell = [], []
        for number, layer in enumerate(self.layers):
            w_input, w_hidden, b_input, b_hidden = layer.all_weights[0]  # type: ignore[index,union-attr]
            previous = state.hidden[number].flatten(0, 1)
            if number:
                x = self.dropout(x)
            given, own = linear(x, w_input, b_input), linear(previous, w_hidden, b_hidden)  # type: ignore[arg-type]
            if self.states == 2:
                x, kept = lstm_update(given + own, state.cell[number].flatten(0, 1))
                cell.append(kept.unflatten(0, lead))
            else:
                x = gru_update(given, own, previous)
            hidden.append(x.unflatten(0, lead))
        return tuple(hidden), tuple(cell)

    def _by_steps(self, embedded: Tensor, encoded: Encoded, observed: bool) -> DecoderOutput:
        """The same steps; what can be known of all of them, and all gradients of weights, in one product each."""
        memory, state = self.prepare(encoded), self.start(encoded, 1)
        cells = [Cell(layer, 0 if number else embedded.shape[-1]) for number, layer in enumerate(self.layers)]  # type: ignore[arg-type]
        combine = deferred(self.combine.weight, self.combine.bias)

        def update(ahead: Tensor, fed: Tensor | None, state: RecurrentState) -> _States:
            known: Tensor | None = ahead[:, 0]
            x = None if fed is None else fed[:, 0]
            hidden, kept = [], []
            for number, cell in enumerate(cells):
                before = state.cell[number][:, 0] if state.cell else None
                x, after = cell.update(known, self.dropout(x) if number else x, state.hidden[number][:, 0], before)
                known = None
                hidden.append(x[:, None])
                kept += [] if after is None else [after[:, None]]
            return tuple(hidden), tuple(kept)

        parts = self._parts()._replace(update=update, combine=lambda x: combine(x[:, 0])[:, None])
        steps = []
        for ahead in cells[0].ahead(embedded.transpose(0, 1)).unbind(0):
            found = self._step(ahead[:, None], memory, state, observed, parts)
            state = found.state
            steps.append(found)
        shown = {place: torch.cat([dense(found.observed[place]) for found in steps], 2) for place in steps[0].observed}
        hidden, context = (torch.cat([getattr(found, part) for found in steps], 1) for part in ("hidden", "context"))
        return DecoderOutput(hidden, context, shown, drawn=drawn_in([found.state.attended for found in steps]))

    def _at_once(self, embedded: Tensor, encoded: Encoded, observed: bool) -> DecoderOutput:
        context = None
        if self.attention is None:
            context = self._code(encoded).expand(-1, embedded.shape[1], -1)
        x, state = embedded, self.start(encoded, 1)
        if self.before:
            x = torch.cat([embedded, context], -1)  # type: ignore[list-item]
        for number, layer in enumerate(self.layers):
            if number:
                x = self.dropout(x)
            first = [part[number].transpose(0, 1).contiguous() for part in (state.hidden, state.cell) if part]
            with torch.autocast("cpu", enabled=False):  # under which the CPU's LSTM fails
                kind = layer.weight_ih_l0.dtype if x.is_cpu else x.dtype
                first, x = [part.to(kind) for part in first], x.to(kind)  # type: ignore[arg-type]
                x, _ = layer(x, tuple(first) if self.states == 2 else first[0])
        shown: Observed = {}
        drawn = None
        if self.attention is not None:
            context, weights, drawn = over_sequence(self.attention, x, encoded.source, encoded.mask, observed)
            if weights is not None:
                shown["cross", 0] = weights
        assert context is not None
        output = self._say(x, context, self.combine)
        return DecoderOutput(output, context, shown, drawn=drawn_in([drawn]), passing=True)

    def _code(self, encoded: Encoded) -> Tensor:
        """The code C (B, 1, width), of no numbers where the decoder is told nothing of the source."""
        if self.told_nothing:
            return encoded.final[:, None, :0]
        return (encoded.final if self.fixed == "last" else mean(encoded))[:, None]

    def _say(self, hidden: Tensor, context: Tensor, combine: Callable[[Tensor], Tensor]) -> Tensor:
        return self.dropout(torch.tanh(combine(torch.cat([hidden, context], -1))))  # type: ignore[no-any-return]


class _Packed:
    """The parts of a step in a search: with weights packed, and attention as plain functions where it is `plain`."""

    def __init__(self, decoder: RecurrentDecoder, plain: bool) -> None:
        self._cells = [PackedCell(layer) for layer in decoder.layers]  # type: ignore[arg-type]
        self._combine = Packed.of(decoder.combine)
        self._attention = PlainAttention(decoder.attention) if plain and decoder.attention is not None else None

    def parts(self, by_modules: _Parts, memory: DecoderMemory) -> _Parts:
        """The parts for these sources."""
        if self._attention is None:
            return _Parts(by_modules.attend, self.update, self.combine)
        plain, sources = self._attention, self._attention.prepare(memory.cross[0])

        def attend(query: Tensor, keys: Memory, attended: None) -> tuple[Tensor, Tensor, None]:
            return *plain.step(query, sources), None

        return _Parts(attend, self.update, self.combine)

    def update(self, embedded: Tensor, fed: Tensor | None, state: RecurrentState) -> _States:
        """The next hidden states and cells of all layers."""
        lead = embedded.shape[:2]
        parts = tuple(part.flatten(0, 1) for part in (embedded, fed) if part is not None)
        hidden, cells = [], []
        for number, cell in enumerate(self._cells):
            before = state.cell[number].flatten(0, 1) if state.cell else None
            x, after = cell.update(parts, state.hidden[number].flatten(0, 1), before)
            hidden.append(x.unflatten(0, lead))
            cells += [] if after is None else [after.unflatten(0, lead)]
            parts = (x,)
        return tuple(hidden), tuple(cells)

    def combine(self, x: Tensor) -> Tensor:
        """W x + b of every (B, beams, ...)."""
        found: Tensor = self._combine(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return found


_States = tuple[tuple[Tensor, ...], tuple[Tensor, ...]]  # hidden states and cells of all layers


class _Parts(NamedTuple):
    """What a step is made of."""

    attend: Callable[..., tuple[Tensor, Any, Any]] | None  # as `Attention.step`
    update: Callable[[Tensor, Tensor | None, RecurrentState], _States]  # of embedded tokens and what is fed to them
    combine: Callable[[Tensor], Tensor]  # of hidden states beside contexts
