"""`import regard.attention` needs torch alone, and nothing of the rest of Regard."""

from __future__ import annotations

import subprocess
import sys

_CHECK = """
import sys
import torch

before = set(sys.modules)
refused = {"numpy", "rich", "tokenizers", "lightning_fabric", "sacrebleu", "matplotlib", "yaml", "jsonargparse",
           "sentencepiece", "safetensors"}


class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in refused - before:
            raise ImportError(f"{name} is not installed")


sys.meta_path.insert(0, Refuse())
import regard.attention

query = torch.randn(2, 3, 4)
context, weights = regard.attention.attend(query, query, query, normalizer="entmax15")
assert weights.top(2)[0].shape == (2, 3, 2)
new = set(sys.modules) - before
assert not {name.partition(".")[0] for name in new} & refused, new & refused
others = {name for name in new if name.startswith("regard.") and not name.startswith("regard.attention")}
print(*sorted(others))
"""


def test_attention_imports_torch_alone() -> None:
    done = subprocess.run([sys.executable, "-c", _CHECK], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
