"""What is measured on held-out pairs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import TINY, backwards

from regard.data.examples import encode_pairs
from regard.data.reading import Pair
from regard.training.run import train
from regard.training.validation import samples, validate


@pytest.mark.parametrize(("case", "right"), [("fold", 100.0), ("keep", 0.0)])
def test_targets_are_compared_in_the_case_that_the_model_learns(tmp_path: Path, case: str, right: float) -> None:
    """Targets in upper case: a model that folds case is right about them, one of the lower case is not."""
    pairs = [(source, " ".join(reversed(source.split()))) for source, _ in backwards(20)]
    settings = {**TINY, "data": {**TINY["data"], "target_case": case}}
    predictor = train(pairs, dev=pairs[:5], out=tmp_path / "model", **settings)
    said = predictor.predict([source for source, _ in pairs], beam=1)
    held = [Pair(each.source, each.text.upper()) for each in said if each.text]
    assert held
    examples, _ = encode_pairs(held, predictor.source, predictor.target)
    assert validate(predictor, examples, "accuracy").score == right
    assert ("(right)" in samples(predictor, examples, [0])) == (case == "fold")


def test_what_is_measured_is_not_drawn(tmp_path: Path) -> None:
    """A model that is to draw its outputs is measured by the likeliest ones."""
    search = {"search": {"sample": 2, "temperature": 5.0, "top_k": 20}}
    pairs = backwards(20)
    predictor = train(pairs, dev=pairs[:5], out=tmp_path / "model", **TINY, **search)
    greedy = [each.text for each in predictor.predict([source for source, _ in pairs], sample=None, beam=1,
                                                      temperature=1.0, top_k=None)]  # fmt: skip
    held = [Pair(source, text) for (source, _), text in zip(pairs, greedy, strict=True) if text]
    examples, _ = encode_pairs(held, predictor.source, predictor.target)
    assert validate(predictor, examples, "accuracy").score == 100.0
    assert "should be" not in samples(predictor, examples, range(len(held)))
