"""The same weights as `views.py` shows, written by BertViz: python views_bertviz.py VIEW TOKENS FILE.

For an interpreter that has bertviz, torch and numpy.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import bertviz
import torch

from views_weights import LAYERS, weights

view, tokens, path = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
attention = [torch.from_numpy(weights(tokens)[layer : layer + 1]) for layer in range(LAYERS)]
labels = [f"token{i}" for i in range(tokens)]
begin = time.perf_counter()
made = getattr(bertviz, view)(attention, labels, html_action="return").data
with path.open("w", encoding="utf-8") as file:
    file.write('<!DOCTYPE html><meta charset="utf-8">\n')
    file.write(made)
print(json.dumps({"bytes": path.stat().st_size, "write_s": round(time.perf_counter() - begin, 2)}))
