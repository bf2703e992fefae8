"""A trained model at work: texts in, predictions with their attention out."""

from __future__ import annotations

from regard.predictor.building import make_model
from regard.predictor.ensemble import EnsemblePredictor, load
from regard.predictor.explanation import Explanation, Step, explain
from regard.predictor.forcing import Likelihood
from regard.predictor.prediction import Prediction, Replaced, Spoken
from regard.predictor.predictor import Predictor

__all__ = [
    "EnsemblePredictor", "Explanation", "Likelihood", "Prediction", "Predictor", "Replaced", "Spoken", "Step",
    "explain", "load", "make_model",
]  # fmt: skip
