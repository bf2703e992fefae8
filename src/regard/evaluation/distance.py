"""Edit distance (Levenshtein 1966) between sequences of anything that can be compared."""

from __future__ import annotations

from collections.abc import Hashable, Sequence


def edit_distance(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    """The least number of insertions, deletions and substitutions, each of one element, that turn one into the other.

    Strings are compared by code points. O(len(first) * len(second)) time, O(len(second)) memory.
    """
    start = 0
    while start < min(len(first), len(second)) and first[start] == second[start]:
        start += 1
    first, second = first[start:], second[start:]
    row = list(range(len(second) + 1))  # distances from what was read of `first` to each beginning of `second`
    for i, left in enumerate(first, start=1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(second, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (left != right))
    return row[-1]
