"""Beginning a training with the weights of another model: what of them fits is taken, the rest is fresh."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from regard.configuration import flatten_settings
from regard.data.features import MARK
from regard.data.media import Images, Sounds, Source
from regard.folder import WEIGHTS, load_settings, load_sides, load_weights
from regard.predictor import Predictor
from regard.predictor.building import rows_of_tokens

_INHERITED = (
    "model.", "data.image.", "data.sound.", "data.source_case", "data.target_case", "data.source_tokens",
    "data.target_tokens", "data.joint",
)  # fmt: skip
_MOST_NAMED = 3

_Places = tuple[list[int], list[int]]


def inherited(folder: Path) -> dict[str, Any]:
    """The settings that a model made from this one should have too, by name: its architecture, and how it reads."""
    settings = flatten_settings(load_settings(folder))
    return {name: value for name, value in settings.items() if name.startswith(_INHERITED)}


def take_weights(predictor: Predictor, folder: Path) -> str:
    """Give a fresh model the weights of that in `folder` whose names and shapes fit, and say what was taken.

    Tensors with a row for each token of a side are taken row by row, for the tokens that both models know. Where the
    new model knows all that the old one knew, a token that is new begins as its relative (the same letter in the other
    case, or without its marks), or else as the mean of all: so that at first it is no more probable than others. Raises
    RegardError where `folder` holds no model.
    """
    settings = load_settings(folder)
    sides = load_sides(folder, settings)
    given, own = load_weights(folder / WEIGHTS), predictor.model.state_dict()
    stem = getattr(predictor.model.encoder.embedding, "module", None)
    rows = rows_of_tokens(predictor.settings, predictor.source, predictor.target, stem)
    common = [_common(*both) for both in zip(sides, (predictor.source, predictor.target), strict=True)]
    begun = [_begun(*both) for both in zip(sides, (predictor.source, predictor.target), strict=True)]
    taken = [
        name
        for name, tensor in own.items()
        if name in given and _take(tensor, given[name], common[rows[name]] if name in rows else None)
    ]
    for name in taken:
        for row, relative in begun[rows[name]].items() if name in rows else ():
            own[name][row] = own[name][common[rows[name]][0]].mean(0) if relative is None else own[name][relative]
    return _told(folder, own, taken, sides[1].vocabulary, predictor.target.vocabulary)


def _take(tensor: Tensor, given: Tensor, places: _Places | None) -> bool:
    """Overwrite a tensor, or the rows at these places of both; whether it fits."""
    if given.shape[1:] != tensor.shape[1:] or (places is None and given.shape != tensor.shape):
        return False
    if places is None:
        tensor.copy_(given)
    else:
        tensor[places[0]] = given[places[1]].to(tensor)
    return True


def _common(given: Source, own: Source) -> _Places:
    """Where the tokens are that both know: in the new vocabulary, and in the given one."""
    if isinstance(given, (Images, Sounds)) or isinstance(own, (Images, Sounds)):
        return [], []
    there = {token: number for number, token in enumerate(given.vocabulary)}
    both = [(number, there[token]) for number, token in enumerate(own.vocabulary) if token in there]
    return [here for here, _ in both], [number for _, number in both]


def _begun(given: Source, own: Source) -> dict[int, int | None]:
    """Of each token that only the new vocabulary has, its relative in it, or None; nothing unless it has all others."""
    if isinstance(given, (Images, Sounds)) or isinstance(own, (Images, Sounds)):
        return {}
    # Features may be left out: pairs without any have none to learn.
    all_before = set(given.vocabulary)
    before = {token for token in all_before if not token.startswith(MARK)}
    now = {token: number for number, token in enumerate(own.vocabulary)}
    if not before <= now.keys():
        return {}
    new = {token: number for token, number in now.items() if token not in all_before}
    return {
        number: next((now[other] for other in _relatives(token) if other in before), None)
        for token, number in new.items()
    }


def _relatives(token: str) -> Iterator[str]:
    """What a token is most like by its writing, the nearest first."""
    bare = "".join(one for one in unicodedata.normalize("NFD", token) if not unicodedata.combining(one))
    for other in (token, bare):
        yield from (other.lower(), other.upper(), other)


def _told(
    folder: Path, own: Mapping[str, Tensor], taken: Sequence[str], given: Sequence[str], tokens: Sequence[str]
) -> str:
    numbers = sum(own[name].numel() for name in taken)
    known, those = len(set(given) & set(tokens)), set(taken)
    fresh = [name for name in own if name not in those]
    named = ", ".join(fresh[:_MOST_NAMED]) + (", ..." if len(fresh) > _MOST_NAMED else "")
    rest = f"; fresh: {named}" if fresh else ""
    return (
        f"begins with {folder}: {len(taken)} of {len(own)} tensors ({numbers:,} numbers, with rows for new tokens) are "
        "taken, "
        f"{known:,} of {len(tokens):,} target tokens known{rest}"
    )
