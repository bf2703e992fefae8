"""Links from weights and of two directions, against definitions written out and enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from regard.errors import RegardError
from regard.maps import (
    SYMMETRISATIONS,
    Links,
    argmax_links,
    assignment_links,
    flip,
    grow_diag_final_and,
    intersection,
    mean_links,
    pharaoh,
    threshold_links,
    union,
)

links = st.frozensets(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=12)
shapes = st.tuples(st.integers(0, 5), st.integers(0, 5))
# Few different values, so that ties are common.
matrices = shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=st.integers(0, 4).map(lambda n: n / 4)))


def test_argmax_takes_the_first_of_equals_and_links_nothing_without_weight() -> None:
    weights = np.array([[0.2, 0.4, 0.4], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert argmax_links(weights) == {(1, 0), (2, 2)}
    assert argmax_links(np.zeros((2, 0))) == frozenset()


def test_threshold_includes_its_bound() -> None:
    assert threshold_links(np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]), 0.25) == {(0, 0), (1, 0), (2, 0), (2, 1)}
    with pytest.raises(RegardError, match="above 0"):
        threshold_links(np.ones((1, 1)), float("nan"))


@given(matrices)
def test_the_assignment_is_one_to_one_and_the_best_of_all(weights: np.ndarray) -> None:
    found = assignment_links(weights)
    assert len({s for s, _ in found}) == len({t for _, t in found}) == len(found)
    square = np.zeros((max(weights.shape), max(weights.shape)))
    square[: weights.shape[0], : weights.shape[1]] = weights
    size = range(len(square))
    best = max(sum(square[t, s] for t, s in enumerate(order)) for order in itertools.permutations(size))
    assert sum(weights[t, s] for s, t in found) == best
    assert all(weights[t, s] > 0 for s, t in found)


def test_growing_takes_neighbours_then_words_left_alone() -> None:
    forward = frozenset({(0, 0), (1, 1), (2, 1), (4, 4)})
    backward = frozenset({(0, 0), (1, 1), (1, 2), (6, 6)})
    # (2, 1) and (1, 2) touch (1, 1) and bring in a new word each; (4, 4) and (6, 6) touch nothing but stand alone.
    assert grow_diag_final_and(forward, backward) == {(0, 0), (1, 1), (2, 1), (1, 2), (4, 4), (6, 6)}


def test_growing_leaves_out_a_link_between_words_that_both_have_one() -> None:
    forward = frozenset({(0, 0), (1, 1), (0, 1)})
    assert grow_diag_final_and(forward, frozenset({(0, 0), (1, 1)})) == {(0, 0), (1, 1)}


def test_the_final_step_wants_both_words_free() -> None:
    # (3, 0) shares its target with (0, 0) and is too far off to grow.
    assert grow_diag_final_and(frozenset({(0, 0), (3, 0)}), frozenset({(0, 0)})) == {(0, 0)}
    # With nothing in common nothing grows; of (0, 0) and (0, 1), forward comes first.
    assert grow_diag_final_and(frozenset({(0, 0)}), frozenset({(0, 1)})) == {(0, 0)}


@given(links, links)
def test_symmetrisations_lie_between_intersection_and_union(forward: Links, backward: Links) -> None:
    grown = grow_diag_final_and(forward, backward)
    assert intersection(forward, backward) <= grown <= union(forward, backward)
    # What was left out has a word that has a link already, else it would have been added.
    sources, targets = {s for s, _ in grown}, {t for _, t in grown}
    assert all(s in sources or t in targets for s, t in union(forward, backward) - grown)
    for symmetrise in SYMMETRISATIONS.values():
        assert symmetrise(forward, forward) == forward


def test_the_mean_of_both_directions_links_what_neither_does_without() -> None:
    forward = np.array([[0.9, 0.1, 0.0], [0.5, 0.0, 0.5]])  # targets x sources
    backward = np.array([[0.4, 0.0], [0.0, 1.0], [0.0, 0.02]])  # sources x targets
    # Geometric means: 0.6 for (0, 0), 0.1 for (2, 1), and 0 where either direction has no weight.
    assert mean_links(forward, backward) == {(0, 0)}
    assert mean_links(forward, backward, 0.1) == {(0, 0), (2, 1)}
    assert mean_links(forward, backward, 0.61) == frozenset()


@given(links)
def test_flipping_twice_changes_nothing(some: Links) -> None:
    assert flip(flip(some)) == some
    assert pharaoh(some).split() == [f"{s}-{t}" for s, t in sorted(some)]
