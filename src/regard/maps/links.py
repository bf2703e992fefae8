"""Word alignments out of weights: links (source position, target position), counted from 0.

Everything here takes one matrix of weights, targets x sources, or sets of links, and is deterministic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from regard.errors import RegardError, did_you_mean

Link: TypeAlias = tuple[int, int]
Links: TypeAlias = frozenset[Link]
Weights: TypeAlias = npt.NDArray[np.floating[Any]]

#: Ways to make links out of one matrix.
METHODS = ("argmax", "threshold", "assignment")

#: The eight neighbours in the order in which Koehn et al. (2005) try them.
_NEIGHBOURS = ((-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))


def argmax_links(weights: Weights) -> Links:
    """Each target with the source that weighs most for it, the first of equals; none for a row without any weight."""
    if weights.shape[-1] == 0:
        return frozenset()
    chosen = weights.argmax(axis=-1)
    return frozenset((int(chosen[t]), t) for t in range(len(weights)) if weights[t, chosen[t]] > 0)


def threshold_links(weights: Weights, threshold: float) -> Links:
    """Every pair that weighs at least `threshold`, which is above 0."""
    if not threshold > 0:
        raise RegardError(f"links: the threshold must be above 0, not {threshold}")
    return frozenset((int(s), int(t)) for t, s in zip(*np.nonzero(weights >= threshold), strict=True))


def assignment_links(weights: Weights) -> Links:
    """The one-to-one links with the largest sum of weights (Kuhn 1955); pairs without weight are left out.

    The Hungarian method with potentials, O(n^2 m) for n = min(targets, sources).
    """
    if weights.shape[0] > weights.shape[1]:
        return flip(assignment_links(weights.T))
    rows, columns = weights.shape
    cost = -weights.astype(np.float64)
    row_potential = np.zeros(rows)
    column_potential = np.zeros(columns)
    owner = np.full(columns, -1)  # the row that each column is given to
    for new in range(rows):
        # Grow a tree of cheapest alternating paths from the new row until it reaches a free column.
        slack = np.full(columns, np.inf)
        before = np.full(columns, -1)  # the column before each on its path
        seen = np.zeros(columns, dtype=bool)
        row, column = new, -1
        while True:
            reduced = cost[row] - row_potential[row] - column_potential
            nearer = ~seen & (reduced < slack)
            slack[nearer], before[nearer] = reduced[nearer], column
            column = int(np.where(seen, np.inf, slack).argmin())
            step = slack[column]
            row_potential[new] += step
            row_potential[owner[seen]] += step
            column_potential[seen] -= step
            slack[~seen] -= step
            seen[column] = True
            if owner[column] < 0:
                break
            row = int(owner[column])
        while column >= 0:
            previous = int(before[column])
            owner[column] = new if previous < 0 else owner[previous]
            column = previous
    return frozenset((s, int(t)) for s, t in enumerate(owner) if t >= 0 and weights[t, s] > 0)


def links_from(
    weights: Weights, method: str = "argmax", threshold: float = 0.5, nothing: Weights | None = None
) -> Links:
    """The links of a matrix by one of `METHODS`; `threshold` is for the method of that name.

    `nothing`, (T,), is for argmax the weight with which each target looked at no source: one that outweighs all sources
    is linked to none.

    Raises `RegardError` for any other method.
    """
    if method not in METHODS:
        raise RegardError(f"links: {method!r} is no method{did_you_mean(method, METHODS)}")
    if method == "threshold":
        return threshold_links(weights, threshold)
    if method == "assignment":
        return assignment_links(weights)
    links = argmax_links(weights)
    return links if nothing is None else frozenset((s, t) for s, t in links if weights[t, s] >= nothing[t])


def flip(links: Iterable[Link]) -> Links:
    """The same links seen from the other side: those of a target-to-source model as source-to-target ones."""
    return frozenset((t, s) for s, t in links)


def intersection(forward: Links, backward: Links) -> Links:
    """The links that both directions found: few, and mostly right."""
    return forward & backward


def union(forward: Links, backward: Links) -> Links:
    """The links that either direction found."""
    return forward | backward


def grow_diag_final_and(forward: Links, backward: Links) -> Links:
    """Symmetrisation after Koehn et al. (2005), section 3.

    From the intersection, links of the union that touch a link already taken (the diagonal counts) are added while
    they bring in a word that has none yet; last, links of `forward` and then of `backward` whose words both have none.
    """
    either = forward | backward
    taken = forward & backward
    sources, targets = {s for s, _ in taken}, {t for _, t in taken}
    links = set(taken)

    def take(link: Link) -> None:
        links.add(link)
        sources.add(link[0])
        targets.add(link[1])

    grown = True
    while grown:
        grown = False
        for s, t in sorted(links):
            for ds, dt in _NEIGHBOURS:
                near = (s + ds, t + dt)
                if near in either and near not in links and (near[0] not in sources or near[1] not in targets):
                    take(near)
                    grown = True
    for direction in (forward, backward):
        for link in sorted(direction):
            if link[0] not in sources and link[1] not in targets:
                take(link)
    return frozenset(links)


def mean_links(forward: Weights, backward: Weights, threshold: float = 0.25) -> Links:
    """Every pair whose weights in both directions, (T, S) and (S, T), have a geometric mean of at least `threshold`.

    A link needs weight from either side, and a word may have several links, or none.
    """
    return threshold_links(np.sqrt(forward * backward.T), threshold)


#: Ways to make one set of links out of the links of two directions, by name.
SYMMETRISATIONS: dict[str, Callable[[Links, Links], Links]] = {
    "intersection": intersection,
    "union": union,
    "grow-diag-final-and": grow_diag_final_and,
}


def pharaoh(links: Iterable[Link]) -> str:
    """The links in Pharaoh format: `i-j`, source before target, counted from 0, in rising order.

    >>> pharaoh({(1, 0), (0, 1)})
    '0-1 1-0'
    """
    return " ".join(f"{s}-{t}" for s, t in sorted(links))
