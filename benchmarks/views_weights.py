"""The weights that all views are measured on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LAYERS = HEADS = 12


def weights(tokens: int, sharpness: float = 1.0) -> npt.NDArray[np.float32]:
    """(12, 12, tokens, tokens), the softmax of `sharpness` times normal scores.

    At 1 the rows are flat, and their noise is close to the hardest there is to compress.
    """
    generator = np.random.default_rng(0)
    scores = sharpness * generator.standard_normal((LAYERS, HEADS, tokens, tokens), dtype=np.float32)
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)
