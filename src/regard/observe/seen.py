"""What was seen: for each pass through the model, for each attention, what was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from regard.attention import Observe, Observed
from regard.errors import RegardError, did_you_mean
from regard.observe.calls import reduced_matrix

if TYPE_CHECKING:
    from regard.maps import AttentionMap

# Rows of single steps wait until so many bytes of them are there, and are then reduced at once.
_WAITING = 4_000_000


@dataclass
class Layer:
    """The attention of one module in one pass: B sequences (or beams), H heads, Q queries, K keys.

    A module that was called several times, as in `generate`, has the queries of all calls one after the other; K is
    the largest. Each statistic is there if it was asked for, else it raises RegardError. Formulas: `Observe`.
    """

    name: str
    place: str
    index: int
    request: Observe
    whole: bool = False
    parts: list[Observed] = field(default_factory=list, repr=False)
    keys: int = 0
    waiting: list[Tensor] = field(default_factory=list, repr=False)
    bytes: int = 0

    @property
    def entropy(self) -> Tensor:
        """-sum_j w_j ln w_j of each query in nats, (B, H, Q)."""
        return self._joined("entropy")

    @property
    def top_weights(self) -> Tensor:
        """The greatest weights of each query, descending, (B, H, Q, top)."""
        return self._joined("top_weights")

    @property
    def top_keys(self) -> Tensor:
        """The keys of the greatest weights, -1 where there are fewer, (B, H, Q, top) int64."""
        return self._joined("top_keys", fill=-1)

    @property
    def argmax(self) -> Tensor:
        """The key of the greatest weight of each query, (B, H, Q) int64."""
        return self._joined("argmax")

    @property
    def support(self) -> Tensor:
        """How many keys of each query weigh more than 0, (B, H, Q) int64."""
        return self._joined("support")

    @property
    def mass(self) -> Tensor:
        """The sum of each query's weights, (B, H, Q): under 1 for attention sinks."""
        return self._joined("mass")

    @property
    def received(self) -> Tensor:
        """The sum of the weights that each key got from all queries, (B, H, K)."""
        parts = [F.pad(part, (0, self.keys - part.shape[-1])) for part in self._parts("received")]
        self._check_batches(parts)
        return parts[0] if len(parts) == 1 else torch.stack(parts).sum(0)

    @property
    def weights(self) -> Tensor:
        """The rows that were asked for, or all of them (`dense=True`), (B, H, rows, K)."""
        return self._joined("rows", width=self.keys)

    def _parts(self, name: str) -> list[Tensor]:
        self.settle()
        found = [getattr(part, name) for part in self.parts]
        if not found or any(part is None for part in found):
            asked = "dense=True" if name == "rows" else f"Observe({name.split('_')[0]}=...)"
            raise RegardError(f"{self.name}: {name.replace('_', ' ')} was not observed; ask for it by {asked}")
        return found

    def _joined(self, name: str, width: int = 0, fill: int = 0) -> Tensor:
        parts = self._parts(name)
        self._check_batches(parts)
        if name.startswith("top"):
            width = max(part.shape[-1] for part in parts)
        if width:
            parts = [F.pad(part, (0, width - part.shape[-1]), value=fill) for part in parts]
        return parts[0] if len(parts) == 1 else torch.cat(parts, 2)

    def _check_batches(self, parts: list[Tensor]) -> None:
        shapes = {tuple(part.shape[:2]) for part in parts}
        if len(shapes) > 1:
            named = " and ".join(f"{batch} x {heads}" for batch, heads in sorted(shapes))
            raise RegardError(f"{self.name}: was called with {named} sequences and heads in one pass; see `.parts`")

    def settle(self) -> None:
        """Reduce the single rows that wait."""
        if not self.waiting:
            return
        rows, self.waiting = self.waiting, []
        if len({row.shape[0] for row in rows}) > 1:
            matrices = rows
        else:
            width = max(row.shape[-1] for row in rows)
            matrices = [torch.cat([F.pad(row, (0, width - row.shape[-1])) for row in rows], 2)]
        for matrix in matrices:
            request = whole(self.request, matrix.shape[2]) if self.whole else self.request
            self.add(reduced_matrix(matrix, request), matrix.shape[-1])

    def wait(self, matrix: Tensor) -> None:
        """Take in the weights (B, H, Q, K) of a step."""
        self.waiting.append(matrix)
        if sum(row.numel() * row.element_size() for row in self.waiting) > _WAITING:
            self.settle()

    def add(self, found: Observed, keys: int) -> None:
        """Take in what was found of a call."""
        self.parts.append(found)
        self.keys = max(self.keys, keys)
        self.bytes += bytes_of(found)


class Pass(Mapping[str, Layer]):
    """One pass through the model: a call of it, or of its `generate`. Maps names of modules to what was seen.

    `beams` is how many beams were searched, `prompt` how many tokens the decoder was given at first.
    """

    def __init__(self, beams: int = 1) -> None:
        self.layers: dict[str, Layer] = {}
        self.beams = beams
        self.prompt = 1

    def __getitem__(self, name: str) -> Layer:
        if name not in self.layers:
            raise RegardError(f"no attention was observed in a module {name!r}{did_you_mean(name, self.layers)}")
        return self.layers[name]

    def __contains__(self, name: object) -> bool:
        return name in self.layers

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    @property
    def places(self) -> list[str]:
        """The places where something was seen."""
        return sorted({layer.place for layer in self.layers.values()})

    def at(self, place: str) -> list[Layer]:
        """The layers of a place, in order. RegardError where there are none."""
        found = sorted((layer for layer in self.layers.values() if layer.place == place), key=lambda one: one.index)
        if not found:
            raise RegardError(f"no attention was observed at {place!r}; there is {', '.join(self.places) or 'none'}")
        return found


class Seen(Mapping[str, Layer]):
    """All that was seen inside `with regard.observe(...)`.

    `passes` has one entry for each call of the model, or of its `generate`; with one alone, `seen[name]`, `seen.at`
    and `seen.map` speak of it. `left_out` counts the calls that no memory was left for, `missed` says why a module's
    calls could not be read, `unseen` names modules that look like attention and made no call that can be observed.
    """

    def __init__(self, model: str, pretrained: bool = True) -> None:
        self.model, self._pretrained = model, pretrained
        self.passes: list[Pass] = []
        self.left_out: dict[str, int] = {}
        self.missed: dict[str, str] = {}
        self.unseen: list[str] = []

    @property
    def only(self) -> Pass:
        """The only pass. RegardError where there is none, or are several."""
        if len(self.passes) == 1:
            return self.passes[0]
        if self.passes:
            raise RegardError(f"{len(self.passes)} passes were observed; choose one, as in seen.passes[0]")
        raise RegardError(self.nothing())

    def nothing(self) -> str:
        """Why nothing was seen, and what can be done, in one line."""
        if self.missed:
            name, why = next(iter(self.missed.items()))
            return f"{self.model}: nothing was observed; {name}: {why}; load it with attn_implementation='sdpa'"
        if self.left_out:
            return f"{self.model}: nothing was kept within the budget; ask for less, or give a larger budget"
        if self.unseen:
            more = f" and {len(self.unseen) - 1} more" if len(self.unseen) > 1 else ""
            remedy = (
                "load it with attn_implementation='eager' and ask the model for output_attentions=True"
                if self._pretrained
                else "call F.scaled_dot_product_attention in it"
            )
            return (
                f"{self.model}: {self.unseen[0]}{more} made no call of transformers' attention interface or of "
                f"F.scaled_dot_product_attention: it computes its attention itself, or did not run; {remedy}"
            )
        return f"{self.model}: no attention was observed; was the model called inside `with`, at the places asked for?"

    def __getitem__(self, name: str) -> Layer:
        return self.only[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.only)

    def __len__(self) -> int:
        return len(self.only)

    def __contains__(self, name: object) -> bool:
        return name in self.only

    def at(self, place: str) -> list[Layer]:
        """The layers of a place (`cross`, `decoder.self`, `encoder.self`), in order."""
        return self.only.at(place)

    def map(self, tokenizer: Any = None, inputs: Any = None, output: Any = None, **choice: Any) -> AttentionMap:
        """The attention map of the only pass; see `regard.observe.attention_map`."""
        from regard.observe.mapping import attention_map

        return attention_map(self.only, tokenizer, inputs, output, **choice)

    @property
    def bytes(self) -> int:
        """The memory of all that is kept."""
        return sum(layer.bytes for one in self.passes for layer in one.layers.values())

    @property
    def note(self) -> str:
        """What is missing, in one line; empty where nothing is."""
        notes = []
        if self.left_out:
            calls = sum(self.left_out.values())
            notes.append(
                f"{calls:,} calls of {len(self.left_out)} modules were left out, first of {next(iter(self.left_out))}, "
                "since the budget was used up"
            )
        if self.missed:
            notes.append(f"{len(self.missed)} modules could not be read, first {next(iter(self.missed))}")
        return "; ".join(notes)


def whole(request: Observe, queries: int) -> Observe:
    """The same request with all rows."""
    from dataclasses import replace

    return replace(request, rows=(0, queries))


def bytes_of(found: Observed) -> int:
    """The memory of what was found."""
    names = ("top_weights", "top_keys", "entropy", "argmax", "received", "support", "mass", "rows")
    parts = (getattr(found, name) for name in names)
    return sum(part.numel() * part.element_size() for part in parts if part is not None)
