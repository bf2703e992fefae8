"""Observing the attention of Hugging Face and plain torch models while they run as ever.

    with regard.observe(model, Observe(top=8, entropy=True), places="cross") as seen:
        output = model.generate(**inputs)
    seen["model.decoder.layers.3.encoder_attn"].entropy

This module can itself be called: `regard.observe(...)` is `regard.observe.observe(...)`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from regard.attention import Observe, Observed
from regard.observe.mapping import attention_map
from regard.observe.observing import observe
from regard.observe.seen import Layer, Pass, Seen
from regard.observe.whisper import warped_times

__all__ = ["Layer", "Observe", "Observed", "Pass", "Seen", "attention_map", "observe", "warped_times"]


class _Room(ModuleType):
    def __call__(self, *args: Any, **given: Any) -> observe:
        return observe(*args, **given)


sys.modules[__name__].__class__ = _Room
