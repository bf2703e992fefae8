"""Regard trains encoder-decoder models with attention, runs them, and shows what they attend to.

    model = regard.train("pairs.tsv")        # or regard.load("model/"), regard.load("one/", "other/")
    found = model.predict("Tom chases Jerry.")
    found.text, found.log_prob, found.attention

Nothing is imported before it is used: `import regard` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regard.aligner import train_aligner
    from regard.errors import RegardError
    from regard.observe import observe
    from regard.predictor import Prediction, Predictor, load
    from regard.training.run import train

__version__ = "0.1.0"
__all__ = ["Prediction", "Predictor", "RegardError", "load", "observe", "train", "train_aligner"]

_HOMES = {
    "Prediction": "regard.predictor",
    "Predictor": "regard.predictor",
    "RegardError": "regard.errors",
    "load": "regard.predictor",
    "observe": "regard.observe",
    "train": "regard.training.run",
    "train_aligner": "regard.aligner",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'regard' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
