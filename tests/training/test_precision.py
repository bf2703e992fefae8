"""Training in bfloat16, on a processor: every kind of model learns, and predicts in single precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny import TINY, backwards

from regard.training import run

_TRANSFORMER = {"kind": "transformer", "width": 16, "feedforward": 24}
KINDS: dict[str, dict[str, Any]] = {
    "recurrent": {},
    "gru": {"encoder": {"cell": "gru"}, "decoder": {"cell": "gru"}},
    "transformer": {"encoder": _TRANSFORMER, "decoder": _TRANSFORMER, "cross": {"heads": 2}},
    "recurrent over transformer": {"encoder": _TRANSFORMER, "cross": {"score": "bilinear", "normalizer": "entmax15"}},
    "transformer over recurrent": {"decoder": _TRANSFORMER, "cross": {"score": "scaled_dot"}},
    "words": {"encoder": {"memory": "words"}, "cross": {"score": "cosine"}},
    "remembering": {"cross": {"score": "location_aware"}},
    "fixed": {"context": "fixed"},
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_learns_in_half_precision(kind: str, tmp_path: Path) -> None:
    pairs = backwards(60)
    model = {**TINY["model"], **{name: {**(TINY["model"].get(name) or {}), **more} if isinstance(more, dict) else more
                                 for name, more in KINDS[kind].items()}}  # fmt: skip
    settings = {**TINY["training"], "updates": 12, "validate_every": 6, "precision": "bf16-mixed"}
    predictor = run.train(
        pairs[10:], dev=pairs[:10], out=tmp_path / "model", data=TINY["data"], model=model, training=settings
    )
    lines = (tmp_path / "model" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    first, last = (float(line.split('"dev_loss": ')[1].split(",")[0].rstrip("}")) for line in (lines[0], lines[-1]))
    assert last < first
    found = predictor.predict("two five")
    assert found.log_prob < 0
    if found.attention is not None:
        assert found.attention.weights.dtype == "float32"
