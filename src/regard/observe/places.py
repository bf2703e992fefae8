"""Where an attention stands in its model, told by the module and its name: `cross`, `decoder.self`, `encoder.self`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from regard.errors import RegardError

KINDS = ("cross", "decoder.self", "encoder.self")
_CROSS = re.compile(r"cross|encoder_attn|encdec|enc_dec|multihead_attn|encoder_attention", re.IGNORECASE)
_DECODER = re.compile(r"(^|[._])decoder", re.IGNORECASE)


def place_of(name: str, module: nn.Module) -> str:
    """One of `KINDS`."""
    crosses = getattr(module, "is_cross_attention", None)
    tail = ".".join(name.split(".")[-3:])
    if crosses or (crosses is None and (_CROSS.search(tail) or _CROSS.search(type(module).__name__))):
        return "cross"
    if _DECODER.search(name) or (getattr(module, "is_causal", False) and "encoder" not in name):
        return "decoder.self"
    return "encoder.self"


class Chosen:
    """Which attentions are to be observed: a kind, `self`, patterns of module names, or several of these."""

    def __init__(self, places: str | Sequence[str] | None) -> None:
        self.wanted = [places] if isinstance(places, str) else list(places or ())
        for want in self.wanted:
            if not isinstance(want, str):
                raise RegardError(f"places: came {want!r}; expected names")

    def check(self, names: Sequence[str]) -> None:
        """RegardError for a place that no module of these names can be in."""
        for want in self.wanted:
            known = want in (*KINDS, "self") or any(fnmatchcase(name, want) for name in names)
            if not known:
                raise RegardError(
                    f"places: {want!r} is no place and matches no module; "
                    f"places are {', '.join(KINDS)} and self; patterns are like '*.layers.3.*'"
                )

    def __call__(self, name: str, place: str) -> bool:
        if not self.wanted:
            return True
        return any(
            place == want or (want == "self" and place != "cross") or fnmatchcase(name, want) for want in self.wanted
        )
