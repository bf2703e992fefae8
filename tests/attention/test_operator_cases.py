"""Every pair of score, normalizer, mask, position, dtype, shape and kernel, against the definition."""

from __future__ import annotations

import pytest

from attention_cases import FACTORS, Case, all_pairs, cases, pairs, run
from regard.attention import reference

_SAMPLE = list(cases("pairwise"))


@pytest.mark.parametrize("case", _SAMPLE, ids=str)
@pytest.mark.usefixtures("small_tiles")
def test_an_operator_is_its_definition_in_values_and_gradients(case: Case) -> None:
    errors = run(case)
    assert errors.left_out < errors.rows
    assert errors.worst[1] <= case.tolerance, errors.worst


@pytest.mark.parametrize("shape", FACTORS["shape"])
@pytest.mark.parametrize("normalizer", FACTORS["normalizer"])
@pytest.mark.usefixtures("small_tiles")
def test_every_normalizer_with_a_gaussian_and_a_learned_bias(normalizer: str, shape: str) -> None:
    case = Case("additive", normalizer, "gaussian", "bias", "float64", shape, "tiled")
    assert run(case).worst[1] <= case.tolerance


def test_the_sample_holds_every_pair() -> None:
    assert set().union(*map(pairs, _SAMPLE)) == all_pairs()


def test_a_wrong_definition_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case("dot", "softmax", "none", "none", "bfloat16", "cross", "tiled")
    right = reference.dot
    monkeypatch.setattr(reference, "dot", lambda query, key: 1.1 * right(query, key))
    assert run(case).worst[1] > case.tolerance
