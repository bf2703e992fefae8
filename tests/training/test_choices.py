"""What is chosen from the data, and what never is: what was given."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from tiny import TINY, backwards

from regard.configuration import checked, flatten, flatten_settings
from regard.training.choices import SIZES
from regard.training.corpus import length_bound, sample, texts_of
from regard.training.preparing import Prepared, prepare
from regard.training.shown import _information


def prepared(given: dict[str, object], count: int = 60) -> Prepared:
    pairs = backwards(count)
    return prepare(texts_of(pairs[10:], pairs[:10]), checked(given))


def test_every_choice_has_its_reason_and_none_is_open() -> None:
    found = prepared({})
    values = flatten_settings(found.settings)
    assert set(found.reasons) >= {"data.source_tokens", "training.updates", "training.batch", "model.encoder.width"}
    assert all(values[name] is not None for name in found.reasons)
    assert values["model.encoder.width"] == SIZES[0].width
    assert values["data.target_tokens"] == "symbols"


def test_what_is_given_is_never_chosen() -> None:
    given = flatten(TINY) | {"training.warmup": 7, "training.validate_every": 5}
    found = prepared(given)
    values = flatten_settings(found.settings)
    assert {name: values[name] for name in given} == given
    assert not set(given) & set(found.reasons)


def test_joint_sides_have_one_setting() -> None:
    found = prepared({"data.joint": True})
    assert found.settings.data.source_tokens == found.settings.data.target_tokens
    assert found.corpus.source is found.corpus.target


def test_more_pairs_mean_larger_models() -> None:
    for smaller, larger in pairwise(SIZES):
        assert smaller.pairs < larger.pairs
        assert smaller.width < larger.width
        assert smaller.epochs > larger.epochs


def test_outputs_may_be_longer_than_nearly_all_of_the_training() -> None:
    found = prepared({})
    slope, room = length_bound(found.corpus.train)
    bound = slope * found.corpus.train.source_lengths + room
    assert (found.corpus.train.target_lengths <= bound).all()


def test_fingerprints_tell_corpora_apart() -> None:
    pairs = backwards(10)
    one = texts_of(pairs, pairs[:2]).fingerprint
    assert one == texts_of(list(pairs), pairs[:2]).fingerprint
    assert one != texts_of(pairs[::-1], pairs[:2]).fingerprint
    assert one != texts_of(pairs, pairs[:3]).fingerprint


def test_samples_are_of_all_lengths() -> None:
    lengths = [len(pair.source) for pair in texts_of(backwards(50), backwards(1)).train]
    chosen = [lengths[number] for number in sample(lengths, 3)]
    assert chosen == sorted(chosen)
    assert chosen[0] < chosen[2]
    assert len(sample(lengths[:2], 3)) == 2


def test_the_head_that_is_shown_looks_at_other_places_for_other_words() -> None:
    diagonal, same, even = np.eye(4), np.eye(4)[[2, 2, 2, 2]], np.full((4, 4), 0.25)
    found = _information(np.stack([diagonal, same, even])[None])
    assert found.shape == (1, 3)
    assert found[0, 0] == pytest.approx(np.log(4))
    assert found[0, 1:] == pytest.approx([0, 0], abs=1e-12)
