"""How spread out attention is along the target, as curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from regard.errors import RegardError
from regard.maps import AttentionMap
from regard.view.figure import curves

Entropies = npt.NDArray[np.floating[Any]]


def entropy_curves(
    maps: AttentionMap | Sequence[AttentionMap], path: str | Path, titles: Sequence[str] | None = None
) -> None:
    """Draw the entropy (in nats, see `AttentionMap.entropy`) of every row of attention along the target tokens.

    Of one map a line for each layer, the mean of its heads, in a band from the lowest head to the highest. Of several
    maps a line for each, the mean of all layers and heads, in a band likewise; `titles` default to "map 1", ... Below
    the curves of one map stand its target tokens. Entropy lies between 0 (all on one token) and the logarithm of the
    number of source tokens (evenly on all).

    Raises `RegardError` as `regard.view.figure.curves` does, and for an empty map.
    """
    listed = [maps] if isinstance(maps, AttentionMap) else list(maps)
    if not listed or any(map.weights.size == 0 for map in listed):
        raise RegardError(f"{path}: there is nothing to draw, the attention map is empty")
    names = [f"map {number}" for number in range(1, len(listed) + 1)] if titles is None else list(titles)
    if len(names) != len(listed):
        raise RegardError(f"{path}: {len(names)} titles for {len(listed)} attention maps")
    found = _of_layers(listed[0]) if len(listed) == 1 else _of_maps(listed, names)
    series, ranges = {}, {}
    for name, entropies in found.items():
        places = list(range(1, entropies.shape[1] + 1))
        series[name] = (places, entropies.mean(0).tolist())
        if len(entropies) > 1:
            ranges[name] = (entropies.min(0).tolist(), entropies.max(0).tolist())
    longest = max(len(map.target) for map in listed)
    ticks = listed[0].target.labels if len(listed) == 1 else [str(place) for place in range(1, longest + 1)]
    curves(series, path, "target token", "entropy of the weights (nats)", ranges=ranges, ticks=ticks)


def _of_layers(map: AttentionMap) -> dict[str, Entropies]:
    """By layer the entropies (heads, T)."""
    entropies = map.entropy()
    if "layer" not in map.axes:
        return {map.description: entropies.reshape(-1, entropies.shape[-1])}
    layers = np.moveaxis(entropies, map.axes.index("layer"), 0)
    return {f"layer {number}": each.reshape(-1, each.shape[-1]) for number, each in enumerate(layers)}


def _of_maps(maps: Sequence[AttentionMap], names: Sequence[str]) -> dict[str, Entropies]:
    """By map the entropies (matrices, T)."""
    rows = [map.entropy().reshape(-1, len(map.target)) for map in maps]
    # A name may be there twice, and no line must be lost.
    keys = [name if names.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(names, start=1)]
    return dict(zip(keys, rows, strict=True))
