"""Scores, normalizers and positions by name, with a parameter after a colon: `top_k:8`, `entmax:1.3`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any

from regard.attention import normalizers, positions, scores

SCORES: dict[str, Callable[..., Any]] = {
    "dot": scores.dot,
    "scaled_dot": scores.scaled_dot,
    "cosine": scores.cosine,
    "distance": scores.distance,
}
# Scores with parameters of their own, which only the module `Attention` makes from a name.
LEARNED_SCORES = ("bilinear", "additive", "location")
STATEFUL_SCORES = ("location_aware", "coverage")

NORMALIZERS: dict[str, Callable[..., Any]] = {
    "softmax": normalizers.softmax,
    "sparsemax": normalizers.sparsemax,
    "entmax15": normalizers.entmax15,
    "entmax": normalizers.entmax,
    "sigmoid": normalizers.sigmoid,
    "top_k": normalizers.top_k,
    "threshold": normalizers.threshold,
    "argmax": normalizers.argmax,
}
POSITIONS: dict[str, Callable[..., Any]] = {"rotary": positions.rotary_positions}

_NUMBER_OF: dict[str, type[float]] = {
    "dot": float,
    "cosine": float,
    "distance": float,
    "rotary": float,
}
_NUMBER_OF |= {"softmax": float, "entmax": float, "threshold": float, "top_k": int}
_NEEDS_NUMBER = {"top_k": "3", "threshold": "0.1"}


def named(argument: str, name: str, table: dict[str, Callable[..., Any]]) -> Any:
    """What a name like `entmax:1.3` stands for; ValueError with the nearest name where it stands for nothing."""
    base, colon, text = name.partition(":")
    if base not in table:
        if argument == "score" and base in LEARNED_SCORES:
            raise ValueError(
                f"score: {base!r} has weights of its own; give attend() a score made with them, "
                f"{base}(weight), or use Attention(score={base!r})"
            )
        if argument == "score" and base in STATEFUL_SCORES:
            raise ValueError(
                f"score: {base!r} remembers previous weights; use Attention(score={base!r}) step by step, "
                "prepare() and step()"
            )
        raise ValueError(f"{argument}: unknown name {base!r}{nearest(base, table)}")
    if not colon:
        if base in _NEEDS_NUMBER:
            raise ValueError(f"{argument}: {base} needs a number after a colon, as in {base}:{_NEEDS_NUMBER[base]}")
        return table[base]()
    number = _NUMBER_OF.get(base)
    if number is None:
        raise ValueError(f"{argument}: {base} takes no number, came {name!r}")
    try:
        value = number(text)
    except ValueError:
        kind = "a whole number" if number is int else "a number"
        raise ValueError(f"{argument}: {base} takes {kind} after the colon, came {text!r}") from None
    return table[base](value)


def base(name: str) -> str:
    """A name without the number after its colon."""
    return name.partition(":")[0]


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, or all of them."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
