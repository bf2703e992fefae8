"""`regard.observe`: inside a `with`, the attention of a model is seen while it runs as ever."""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

import torch
from torch import nn

from regard.attention import Observe
from regard.errors import RegardError
from regard.observe.calls import Call, reduced, weights
from regard.observe.patches import unwatch, watch
from regard.observe.places import Chosen, place_of
from regard.observe.seen import Layer, Pass, Seen, whole

_BUDGET = 1_000_000_000


class observe:
    """Observe the attention of a model, which runs its own backend and gives the same outputs, to the bit.

        with regard.observe(model, Observe(top=8, entropy=True), places="cross") as seen:
            output = model.generate(**inputs)
        seen["model.decoder.layers.3.encoder_attn"].entropy

    Args:
        model: a model of transformers, or any `nn.Module` whose modules call `F.scaled_dot_product_attention` or are
            `nn.MultiheadAttention`.
        request: what is to be seen of each query; each call is reduced to it at once, tile by tile.
        places: `cross`, `decoder.self`, `encoder.self`, `self`, or patterns of module names; all by default.
        layers: only these, numbered from 0 at each place in the order in which they run.
        heads: only these, numbered from 0; negative numbers count from the end.
        dense: keep the whole weights too, Q x K for every head.
        budget: so many bytes are kept at most. A call that no room is left for is not computed; `seen.left_out`
            counts it, and a warning says so in the end.

    Inside `with`, whichever thread calls the model is observed; each thread's calls make passes of their own. Observers
    of one model may be nested, and each sees everything. When the `with` ends, by an exception too, all is as before.
    Weights are those before dropout, but for a model in training mode with the `eager` backend, which gives its own.

    Raises:
        RegardError: an argument does not fit; the model was compiled; the same observer was entered twice.
    """

    def __init__(
        self,
        model: nn.Module,
        request: Observe | None = None,
        *,
        places: str | Sequence[str] | None = None,
        layers: Sequence[int] | None = None,
        heads: Sequence[int] | None = None,
        dense: bool = False,
        budget: int | None = _BUDGET,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise RegardError(f"observe: came {type(model).__name__}; expected a model, an nn.Module")
        if hasattr(model, "_orig_mod"):
            raise RegardError("observe: the model is compiled, which hides its attention; give the model itself")
        if request is None:
            request = Observe() if dense else Observe(top=8, entropy=True, mass=True)
        if not isinstance(request, Observe):
            raise RegardError(f"observe: request came as {type(request).__name__}; expected Observe(...)")
        if dense and request.rows is not None:
            raise RegardError("observe: dense=True keeps all rows; leave out rows=...")
        if not (dense or request.statistics or request.rows):
            raise RegardError("observe: nothing is asked for; give Observe(top=8), or dense=True")
        self._model, self._request, self._dense = model, request, dense
        self._chosen, self._budget = Chosen(places), budget
        self._layers = None if layers is None else set(layers)
        self._heads = None if heads is None else list(heads)
        self.modules: dict[nn.Module, str] = {}
        for name, module in model.named_modules(remove_duplicate=True):
            self.modules.setdefault(module, name)
        self._chosen.check(list(self.modules.values()))
        self._seen = Seen(type(model).__name__, hasattr(model, "config"))
        self._lock = threading.RLock()
        self._indices: dict[str, dict[str, int]] = {}
        self._thread = _Passes()
        self._used = 0
        self._entered = False
        self._called: set[nn.Module] = set()

    def __enter__(self) -> Seen:
        if self._entered:
            raise RegardError("observe: this observer was used already; make a new one for each `with`")
        self._entered = True
        self._bracket("forward")
        if callable(getattr(self._model, "generate", None)):
            self._bracket("generate")
        watch(self)
        return self._seen

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        unwatch(self)
        for name in ("forward", "generate"):
            self._unbracket(name)
        for one in self._seen.passes:
            for layer in one.layers.values():
                layer.settle()
        self._seen.unseen = self._unseen()
        if kind is None and (note := self._seen.note):
            warnings.warn(f"observe: {note}", stacklevel=2)

    # What the exchanged functions tell -------------------------------------------------------------------------------

    def take(self, module: nn.Module, call: Call) -> None:
        """A call of a module's attention."""
        name = self.modules[module]
        place = place_of(name, module)
        with self._lock:
            self._called.add(module)
            numbers = self._indices.setdefault(place, {})
            index = numbers.setdefault(name, len(numbers))
            if not self._chosen(name, place) or (self._layers is not None and index not in self._layers):
                return
            layer = self._layer(name, place, index)
            if place != "encoder.self" and not layer.parts and not layer.waiting:
                assert self._thread.open is not None
                self._thread.open.prompt = call.shape[2]
        if self._heads is not None:
            outside = [head for head in self._heads if not -call.shape[1] <= head < call.shape[1]]
            if outside:
                raise RegardError(
                    f"observe: {name} has no head {outside[0]}; they are numbered 0 to {call.shape[1] - 1}"
                )
            call = call.of_heads(self._heads)
        need = self._need(call)
        with self._lock:
            if self._budget is not None and self._used + need > self._budget:
                self._seen.left_out[name] = self._seen.left_out.get(name, 0) + 1
                return
            self._used += need
        device = call.query.device.type
        with torch.no_grad(), torch.autocast(device, enabled=False):
            queries, keys = call.shape[2:]
            if call.matrix is None and queries == 1 and self._request.rows is None:
                layer.wait(weights(call))
            else:
                request = whole(self._request, queries) if self._dense else self._request
                if request.rows is not None and not self._dense:
                    request = replace(request, rows=(min(request.rows[0], queries), min(request.rows[1], queries)))
                layer.settle()
                layer.add(reduced(call, request), keys)

    def miss(self, module: nn.Module, why: str) -> None:
        """A call that can't be read."""
        with self._lock:
            self._seen.missed.setdefault(self.modules[module], why)

    def _layer(self, name: str, place: str, index: int) -> Layer:
        state = self._thread
        if state.open is None or (not state.depth and name in state.open):
            # A part of the model was called by itself: a pass ends where a module comes again.
            state.open = Pass()
        if not state.open.layers:
            self._seen.passes.append(state.open)
        found = state.open.layers.get(name)
        if found is None:
            found = state.open.layers[name] = Layer(name, place, index, self._request, self._dense)
        return found

    def _need(self, call: Call) -> int:
        """The bytes that a call's results will take."""
        batch, heads, queries, keys = call.shape
        request = self._request
        each = (
            12 * min(request.top, keys) + 8 * (request.argmax + request.support) + 4 * (request.entropy + request.mass)
        )
        rows = queries if self._dense else 0 if request.rows is None else max(min(request.rows[1], queries), 0)
        return batch * heads * (queries * each + 4 * rows * keys + (4 * keys if request.received else 0))

    # Passes ----------------------------------------------------------------------------------------------------------

    def _bracket(self, name: str) -> None:
        """Exchange a method of this one model by the same within a pass; a hook would change the way torch takes."""
        state = self._thread

        @functools.wraps(getattr(self._model, name))
        def within(*args: Any, **given: Any) -> Any:
            if not state.depth:
                state.open = Pass(_beams(self._model, given) if name == "generate" else 1)
            state.depth += 1
            try:
                before = vars(within)["regard_before"]
                if before is None:  # by the class, whose method may be exchanged too
                    return getattr(type(self._model), name)(self._model, *args, **given)
                return before(*args, **given)
            finally:
                state.depth -= 1
                if not state.depth:
                    state.open = None

        vars(within).update(regard_observer=self, regard_before=vars(self._model).get(name))
        _put(self._model, name, within)

    def _unbracket(self, name: str) -> None:
        """Put a method back, also from under that of an observer that stays longer."""
        above, found = None, vars(self._model).get(name)
        while found is not None and getattr(found, "regard_observer", None) is not self:
            above, found = found, getattr(found, "regard_before", None)
        if found is None:
            return
        if above is None:
            _put(self._model, name, found.regard_before)
        else:
            above.regard_before = found.regard_before

    def _unseen(self) -> list[str]:
        """Innermost modules that are called attention and made no call, nor did any module beside or inside them."""
        found = []
        for module, name in self.modules.items():
            attention = "attention" in type(module).__name__.lower() or type(module).__name__.endswith("Attn")
            inner = [one for one in module.modules() if one is not module]
            nested = any("attention" in type(one).__name__.lower() for one in inner)
            if attention and not nested and module not in self._called and any(True for _ in module.parameters()):
                found.append(name)
        return found


class _Passes(threading.local):
    def __init__(self) -> None:
        self.open: Pass | None = None
        self.depth = 0


def _beams(model: Any, given: dict[str, Any]) -> int:
    """How many beams `generate` will search, by its arguments."""
    for holder in (given.get("generation_config"), getattr(model, "generation_config", None)):
        beams = given.get("num_beams") or getattr(holder, "num_beams", None)
        if beams:
            return int(beams)
    return 1


def _put(model: nn.Module, name: str, method: Any) -> None:
    """Set an instance's method, or with None leave it to the class; past `nn.Module.__setattr__`, which is slow."""
    if method is None:
        model.__dict__.pop(name, None)
    else:
        model.__dict__[name] = method
