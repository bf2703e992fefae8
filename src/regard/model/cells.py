"""The update of a GRU's or LSTM's state, as one step of a search or as a step of a sequence that is learned from."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from regard.attention.products import Packed, linear
from regard.model.deferred import deferred


class Cell:
    """One layer's update for all steps of a sequence.

    The first `known` columns of its input are given for all steps at once (`ahead`), the rest step by step (`update`).
    The gradients of the weights are made of all steps together.
    """

    def __init__(self, layer: nn.RNNBase, known: int = 0) -> None:
        w_input, w_hidden, b_input, b_hidden = layer.all_weights[0]
        fed = w_input[:, known:]
        if isinstance(layer, nn.LSTM):  # which adds what its input and its state give: one product of both
            self._ahead = w_input[:, :known], b_input + b_hidden
            self._inner = deferred(torch.cat([fed, w_hidden], 1), None if known else self._ahead[1])
        else:
            self._ahead = w_input[:, :known], b_input
            self._inner = deferred(w_hidden, b_hidden)
            self._fed = deferred(fed, None if known else b_input) if fed.shape[1] else None
        self.lstm = isinstance(layer, nn.LSTM)

    def ahead(self, x: Tensor) -> Tensor:
        """What the known part of the input (..., known) gives at every step, for `update`."""
        return linear(x, *self._ahead)

    def update(
        self, ahead: Tensor | None, fed: Tensor | None, hidden: Tensor, cell: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """The next hidden state (n, width), and cell of an LSTM; `fed` (n, ...) is the rest of the step's input."""
        if self.lstm:
            gates = self._inner(hidden if fed is None else torch.cat([fed, hidden], 1))
            return lstm_update(gates if ahead is None else gates + ahead, cell)  # type: ignore[arg-type]
        own = self._inner(hidden)
        given = ahead
        if fed is not None:
            assert self._fed is not None
            given = self._fed(fed) if ahead is None else ahead + self._fed(fed)
        assert given is not None
        return gru_update(given, own, hidden), None


class PackedCell:
    """One layer's update in a search: the weights are packed once, those of an LSTM's input and state as one."""

    def __init__(self, layer: nn.RNNBase) -> None:
        w_input, w_hidden, b_input, b_hidden = layer.all_weights[0]
        self.lstm = isinstance(layer, nn.LSTM)
        if self.lstm:
            self._both = Packed(torch.cat([w_input, w_hidden], 1), b_input + b_hidden)
        else:
            self._given, self._own = Packed(w_input, b_input), Packed(w_hidden, b_hidden)

    def update(self, parts: tuple[Tensor, ...], hidden: Tensor, cell: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The next hidden state (n, width), and cell of an LSTM; the input is what lies in `parts` (n, ...)."""
        if self.lstm:
            return lstm_update(self._both(torch.cat([*parts, hidden], 1)), cell)  # type: ignore[arg-type]
        return gru_update(self._given(torch.cat(parts, 1)), self._own(hidden), hidden), None


def lstm_update(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """h = sigmoid(o) tanh(c), c = sigmoid(f) cell + sigmoid(i) tanh(g); gates (n, 4 width) are i, f, g, o, raw."""
    if not torch.is_grad_enabled():
        return _lstm(gates, cell)[:2]
    found: tuple[Tensor, Tensor] = _LSTMUpdate.apply(gates, cell)  # type: ignore[no-untyped-call]
    return found


def _lstm(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The update, and for its gradient the gates after their functions and tanh(c)."""
    active = torch.sigmoid(gates)
    i, f, g, o = active.chunk(4, 1)
    torch.tanh(gates.chunk(4, 1)[2], out=g)
    following = torch.addcmul(f * cell, i, g)
    bent = torch.tanh(following)
    return o * bent, following, active, bent


def gru_update(given: Tensor, own: Tensor, hidden: Tensor) -> Tensor:
    """n + z (h - n), n = tanh(given_n + r own_n); given and own (n, 3 width), of input and state, are r, z, n, raw."""
    width = hidden.shape[1]
    reset, keep = torch.sigmoid(given[:, : 2 * width] + own[:, : 2 * width]).chunk(2, 1)
    new = torch.tanh(given[:, 2 * width :] + reset * own[:, 2 * width :])
    return new + keep * (hidden - new)


class _LSTMUpdate(torch.autograd.Function):
    """By automatic differentiation this takes three times as many passes over the gates."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        hidden, following, active, bent = _lstm(gates, cell)
        ctx.save_for_backward(active, cell, bent)
        return hidden, following

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_hidden: Tensor, d_following: Tensor) -> tuple[Tensor, Tensor]:
        active, cell, bent = ctx.saved_tensors
        i, f, g, o = active.chunk(4, 1)
        d_following = d_following + torch.ops.aten.tanh_backward(d_hidden * o, bent)
        raw = torch.empty_like(active)
        d_i, d_f, d_g, d_o = raw.chunk(4, 1)
        torch.mul(d_following, g, out=d_i)
        torch.mul(d_following, cell, out=d_f)
        torch.mul(d_hidden, bent, out=d_o)
        d_g.zero_()
        d_gates = torch.ops.aten.sigmoid_backward(raw, active)
        d_gates.chunk(4, 1)[2].copy_(torch.ops.aten.tanh_backward(d_following * i, g))
        return d_gates, d_following * f
