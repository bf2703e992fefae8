"""Training in bfloat16, on a processor: every kind of model learns, and predicts in single precision."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import TINY, backwards

from regard.errors import RegardError
from regard.training import run
from regard.training.processes import multiplies_bfloat16

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


@pytest.mark.skipif(not multiplies_bfloat16(), reason="this processor does not multiply bfloat16")
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


@pytest.mark.parametrize("capability", ["AVX2", "DEFAULT"])
def test_a_processor_without_instructions_for_it_is_told(
    capability: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    complaint, half = re.escape("training.precision bf16-mixed: this processor"), "bf16-mixed"
    with pytest.raises(RegardError, match=complaint):
        run.device_for(tmp_path / "model", {"training.precision": half})
    with pytest.raises(RegardError, match=complaint):
        run.train(backwards(60), out=tmp_path / "model", training={"precision": half})
    assert not list(tmp_path.iterdir())
