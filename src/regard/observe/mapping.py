"""From what was seen to an attention map: which rows belong to an output, and what rows and columns mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from regard.errors import RegardError
from regard.maps import NO_WORD, AttentionMap, Convention, Medium, Picture, Tokens
from regard.observe.labels import tokens_of
from regard.observe.seen import Layer, Pass

_MOST_SPECIAL = 8  # class and register tokens before the patches of an image


def attention_map(
    found: Pass,
    tokenizer: Any = None,
    inputs: Any = None,
    output: Any = None,
    *,
    place: str | None = None,
    item: int = 0,
    medium: Medium | None = None,
    target_tokenizer: Any = None,
) -> AttentionMap:
    """The map of all layers and heads of a place, with axes `layer` and `head`.

    Args:
        found: a pass.
        tokenizer: of transformers, for the labels; without it, or for images and sounds, positions are shown.
        inputs: what the model was given: a mapping with `input_ids` (or `pixel_values`, `input_features`), and
            `attention_mask`, `decoder_input_ids`, `labels` where there were any.
        output: what `generate` returned: sequences, or its dictionary (`return_dict_in_generate=True`), which a beam
            search needs: a hypothesis gets the rows of the beams that it went through.
        place: `cross`, `decoder.self` or `encoder.self`; by default `cross`, or the only one.
        item: which sequence of the output, or else of the inputs.
        medium: the image or the recording whose places the keys are: what comes before an image's places (class
            tokens) and after a recording's (padding) has no column; its weight goes to `left_out`.
        target_tokenizer: of the output, where it is another.

    Rows of what was generated follow the convention `predicting` at `cross`; all others say what was attended to when
    a token was read. Where only the greatest weights were kept, the others are 0 and `left_out` has their sum.

    Raises:
        RegardError: nothing was seen there, or the sequences do not fit what was seen.
    """
    places = found.places
    if not places:
        raise RegardError("no attention was observed, so there is no map")
    place = place or ("cross" if "cross" in places else places[0])
    layers = found.at(place)
    shapes = {(layer.keys, _heads(layer)) for layer in layers}
    if len(shapes) > 1:
        names = ", ".join(f"{layer.name} ({_heads(layer)} heads, {layer.keys} keys)" for layer in layers[:3])
        raise RegardError(
            f"{place}: layers differ and make no one map: {names}, ...; observe some of them by a pattern"
        )
    given = _given(inputs)
    sequences, beams = _sequences(output)
    rows = _Rows(found, layers[0], item, sequences, beams)
    weights, left_out = _weights(layers, rows.sequences_of(layers))
    sides = _Sides(given, rows, place, tokenizer, target_tokenizer or tokenizer, medium)
    source, target, kept_rows, kept_columns = sides.labels(weights.shape[-2], weights.shape[-1])
    weights = weights[..., kept_rows, :]
    note = "" if left_out is None else f"the {layers[0].top_keys.shape[-1]} heaviest weights of each row"
    if left_out is not None:
        left_out = left_out[..., kept_rows]
    if medium is not None and len(kept_columns) < weights.shape[-1]:
        gone = np.delete(weights, kept_columns, -1).sum(-1)
        left_out = gone if left_out is None else left_out + gone
    weights = weights[..., kept_columns]
    convention: Convention = "predicting" if sides.predicting else "reading"
    return AttentionMap(weights, source, target, ("layer", "head"), place, convention, left_out, note, medium)


def _heads(layer: Layer) -> int:
    layer.settle()
    part = layer.parts[0]
    some = next(x for x in (part.rows, part.top_weights, part.entropy, part.received, part.mass) if x is not None)
    return some.shape[1]


def _weights(layers: list[Layer], index: Tensor) -> tuple[Any, Any]:
    """(layers, heads, rows, K) and what is left out of each row, (layers, heads, rows), or None."""
    found, gone = [], []
    for layer in layers:
        layer.settle()
        if layer.parts[0].rows is not None:
            found.append(_rows(layer.weights, index))
            continue
        values, keys = _rows(layer.top_weights, index), _rows(layer.top_keys, index)
        matrix = values.new_zeros(*values.shape[:-1], layer.keys + 1)
        matrix.scatter_(-1, keys.masked_fill(keys < 0, layer.keys), values)
        matrix = matrix[..., : layer.keys]
        mass = _rows(layer.mass, index) if layer.parts[0].mass is not None else torch.ones_like(values[..., 0])
        found.append(matrix)
        gone.append((mass - matrix.sum(-1)).clamp(min=0.0))
    weights = torch.stack(found).float().cpu().numpy()
    return weights, torch.stack(gone).float().cpu().numpy() if gone else None


def _rows(tensor: Tensor, index: Tensor) -> Tensor:
    """Row t of sequence index[t]: (B, H, Q, ...) to (H, len(index), ...)."""
    every = torch.arange(len(index), device=tensor.device)
    return tensor[index.to(tensor.device), :, every].transpose(0, 1)


def _given(inputs: Any) -> dict[str, Any]:
    if inputs is None:
        return {}
    if isinstance(inputs, Mapping) or hasattr(inputs, "keys"):
        return {name: inputs[name] for name in inputs.keys()}  # noqa: SIM118 - BatchEncoding iterates otherwise
    return {"input_ids": torch.as_tensor(inputs)}


def _sequences(output: Any) -> tuple[Tensor | None, Tensor | None]:
    """The token numbers of what was generated (N, T), and the beams it went through (N, steps)."""
    if output is None:
        return None, None
    if isinstance(output, Tensor):
        return (output if output.dim() == 2 else None), None
    found = output.get("sequences") if hasattr(output, "get") else getattr(output, "sequences", None)
    beams = output.get("beam_indices") if hasattr(output, "get") else getattr(output, "beam_indices", None)
    return found, beams


class _Rows:
    """Which sequence of the batch each row of an output is to be taken from."""

    def __init__(self, found: Pass, layer: Layer, item: int, sequences: Tensor | None, beams: Tensor | None) -> None:
        layer.settle()
        first = next(x for x in vars(layer.parts[0]).values() if x is not None)
        self.batch, self.item = int(first.shape[0]), item
        self.sequences, self.beams = sequences, beams
        self.steps = sum(_queries(part) for part in layer.parts)
        self.prompt = found.prompt
        count = self.batch if sequences is None else len(sequences)
        if not -count <= item < count:
            raise RegardError(f"there is no sequence {item}; they are numbered 0 to {count - 1}")
        self.item = item % count
        self.count = count
        if found.beams > 1 and sequences is not None and beams is None:
            raise RegardError(
                f"{found.beams} beams were searched, and the output does not say which of them became it; "
                "call generate with return_dict_in_generate=True"
            )

    def sequences_of(self, layers: list[Layer]) -> Tensor:
        """For each row the sequence of the batch that it is in."""
        if self.beams is None or layers[0].place == "encoder.self":
            at = self.item * self.batch // self.count
            return torch.full((self.steps,), at)
        through = self.beams[self.item].tolist()
        through = [beam for beam in through if beam >= 0]
        path = [through[0]] * (self.prompt - 1) + through
        return torch.tensor(path[: self.steps])

    def of_input(self, count: int) -> int:
        """Which of the inputs the output belongs to."""
        return self.item * count // max(self.count, 1)


def _queries(part: Any) -> int:
    for name in ("entropy", "mass", "argmax", "support", "top_weights", "rows"):
        tensor = getattr(part, name)
        if tensor is not None:
            return int(tensor.shape[2])
    raise RegardError("a map needs the weights of each query; ask for Observe(top=8), or dense=True")


class _Sides:
    """The labels of both sides, and which rows and columns are text and not padding."""

    def __init__(
        self, given: dict[str, Any], rows: _Rows, place: str, source: Any, target: Any, medium: Medium | None
    ) -> None:
        self.given, self.rows, self.place = given, rows, place
        self.source, self.target, self.medium = source, target, medium
        self.decodes = rows.sequences is not None and place != "encoder.self"
        self.predicting = place == "cross" and (self.decodes or "labels" in given)

    def labels(self, rows: int, columns: int) -> tuple[Tokens, Tokens, list[int], list[int]]:
        if self.place == "cross":
            source, kept = self._of_input(columns)
            target, lines = self._of_output(rows)
            return source, target, lines, kept
        if self.place == "decoder.self":
            tokens, lines = self._of_output(rows)
            kept = [line for line in lines if line < columns]
            return tokens.take(range(len(kept))), tokens, lines, kept
        source, kept = self._of_input(columns)
        if isinstance(self.medium, Picture):
            return source, _patches(self.medium.rows, self.medium.columns, rows - len(kept)), list(range(rows)), kept
        return source, source, kept, kept

    def _of_input(self, columns: int) -> tuple[Tokens, list[int]]:
        if self.medium is not None:
            places = self.medium.places
            if places > columns:
                raise RegardError(f"{self.place}: {columns:,} keys for the {places:,} places of the medium")
            first = columns - places if isinstance(self.medium, Picture) else 0
            name = "image" if isinstance(self.medium, Picture) else "recording"
            return self.medium.tokens(name), list(range(first, first + places))
        ids = self.given.get("input_ids")
        if ids is not None:
            at = self.rows.of_input(len(ids))
            ids = [int(number) for number in ids[at]]
            if len(ids) == columns:
                mask = self.given.get("attention_mask")
                kept = [i for i in range(columns) if mask is None or bool(mask[at][i])]
                return tokens_of(self.source, [ids[i] for i in kept]), kept
        pixels = self.given.get("pixel_values")
        if pixels is not None and (grid := grid_of(columns, pixels.shape[-2], pixels.shape[-1])):
            return _patches(*grid), list(range(columns))
        return Tokens(tuple(map(str, range(columns))), tuple(range(columns))), list(range(columns))

    def _of_output(self, rows: int) -> tuple[Tokens, list[int]]:
        if self.decodes:
            assert self.rows.sequences is not None
            ids = [int(number) for number in self.rows.sequences[self.rows.item]]
            ids = ids[1 : rows + 1] if self.predicting else ids[:rows]
            if self.rows.beams is None and self.predicting:
                ids = _without_padding(self.target, ids)
        else:
            name = next((n for n in ("labels", "decoder_input_ids") if n in self.given), "input_ids")
            if name == "labels" and not self.predicting:
                name = "decoder_input_ids" if "decoder_input_ids" in self.given else "labels"
            came = self.given.get(name)
            if came is None:
                return Tokens(tuple(map(str, range(rows))), tuple(range(rows))), list(range(rows))
            ids = [int(number) for number in came[self.rows.of_input(len(came))]][:rows]
            lines = [line for line, number in enumerate(ids) if number >= 0]  # labels of -100 are ignored
            mask = self.given.get("attention_mask") if name == "input_ids" else None
            if mask is not None:
                lines = [line for line in lines if bool(mask[self.rows.of_input(len(mask))][line])]
            return tokens_of(self.target, [ids[line] for line in lines]), lines
        lines = list(range(len(ids)))
        mask = self.given.get("attention_mask") if self.place == "decoder.self" else None
        if mask is not None and "input_ids" in self.given:
            padding = mask[self.rows.of_input(len(mask))]
            prompt = self.given["input_ids"].shape[1] == self.rows.prompt
            lines = [line for line in lines if not prompt or line >= len(padding) or bool(padding[line])]
        return tokens_of(self.target, [ids[line] for line in lines]), lines


def _without_padding(tokenizer: Any, ids: list[int]) -> list[int]:
    """The tokens up to the first end; what follows it is padding of a shorter sequence of the batch."""
    end = getattr(tokenizer, "eos_token_id", None)
    return ids[: ids.index(end) + 1] if end in ids else ids


def grid_of(keys: int, height: int, width: int) -> tuple[int, int, int] | None:
    """Rows and columns of an image's patches, square ones, and how many keys come before them; None where none fit."""
    for special in range(_MOST_SPECIAL + 1):
        rows = round(((keys - special) * height / width) ** 0.5)
        if rows > 0 and (keys - special) % rows == 0 and rows * width == (keys - special) // rows * height:
            return rows, (keys - special) // rows, special
    return None


def _patches(rows: int, columns: int, special: int) -> Tokens:
    """The labels `row,column` of patches, counted from 1, and of the tokens before them."""
    before = ("[CLS]", *(f"[REG{i}]" for i in range(1, special)))[:special]
    names = tuple(f"{row},{column}" for row in range(1, rows + 1) for column in range(1, columns + 1))
    return Tokens((*before, *names), (*([NO_WORD] * special), *range(len(names))))
