"""The attention operator: any score, any normalizer, memory linear in the sequences, weights that stay visible."""

from regard.attention.choice import Choice
from regard.attention.masks import causal, gaussian, lengths, window
from regard.attention.module import Attention
from regard.attention.normalizers import argmax, entmax, entmax15, sigmoid, softmax, sparsemax, threshold, top_k
from regard.attention.observe import Observe, Observed
from regard.attention.operator import attend, explain, observed
from regard.attention.positions import alibi, alibi_slopes, relative, rotary, rotary_positions
from regard.attention.problem import Scored
from regard.attention.scores import additive, bilinear, cosine, distance, dot, function, location, scaled_dot
from regard.attention.steps import Memory
from regard.attention.trees import select
from regard.attention.weights import Weights
from regard.attention.windows import Windowed, dense

__all__ = [
    "Attention",
    "Choice",
    "Memory",
    "Observe",
    "Observed",
    "Scored",
    "Weights",
    "Windowed",
    "additive",
    "alibi",
    "alibi_slopes",
    "argmax",
    "attend",
    "bilinear",
    "causal",
    "cosine",
    "dense",
    "distance",
    "dot",
    "entmax",
    "entmax15",
    "explain",
    "function",
    "gaussian",
    "lengths",
    "location",
    "observed",
    "relative",
    "rotary",
    "rotary_positions",
    "scaled_dot",
    "select",
    "sigmoid",
    "softmax",
    "sparsemax",
    "threshold",
    "top_k",
    "window",
]
