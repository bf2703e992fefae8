"""What a predictor is given: one source or several, and targets to be said; checked before anything is done."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from regard.data.features import FeaturedTokeniser, are_pair
from regard.data.features import given as given_source
from regard.data.media import Images, Sounds, Source, listed
from regard.errors import RegardError, shown

_BREAKS = re.compile(r"[\t\n\r\v\f]+")


def clean(text: str) -> str:
    """A text as the readers give it: on one line, without white space at its ends."""
    return _BREAKS.sub(" ", text.strip().lstrip("\ufeff")).strip()


def sources_of(source: Source, given: Any, command: str = "predict") -> tuple[list[Any], bool]:
    """The sources that were given to what reads them, and whether it was a single one. Raises RegardError."""
    if isinstance(source, (Images, Sounds)):
        return listed(given)
    if isinstance(source, FeaturedTokeniser):
        several = not isinstance(given, (str, tuple))
        given = [given_source(each) for each in _some(given)] if several else given_source(given)
    elif isinstance(given, tuple) and are_pair(given):
        raise RegardError(f"{command}: came {shown(given)}, and this model was trained without features")
    return ([given], True) if isinstance(given, str) else (texts_of(given, command), False)


def texts_of(given: Any, command: str = "predict") -> list[str]:
    """Several texts. Raises RegardError for anything else."""
    found = _some(given)
    for text in found:
        if not isinstance(text, str):
            raise RegardError(
                f"{command}: came {shown(text)}; give a text, a pair (text, features), or several of them in a list"
            )
    return found


def pairs_of(source: Source, sources: Any, targets: Any, command: str) -> tuple[list[Any], list[str]]:
    """Sources in a list, and in another the target of each. Raises RegardError."""
    found, single = sources_of(source, sources, command)
    if single or isinstance(targets, str):
        raise RegardError(
            f"{command}: came {shown(sources)} and {shown(targets)}; give a list of sources, and one of their targets"
        )
    texts = texts_of(targets, command)
    if len(found) != len(texts):
        raise RegardError(f"{command}: {len(found):,} sources and {len(texts):,} targets; give one for each")
    return found, texts


def _some(given: Any) -> list[Any]:
    return list(given) if isinstance(given, Iterable) and not isinstance(given, (bytes, Mapping)) else [given]
