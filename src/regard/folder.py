"""A model's folder: its settings, weights, tokenisers, and what was learned of its corpus.

    config.yaml         every setting
    model.safetensors   the weights
    source.json, target.json   the tokenisers
    facts.json          what prediction needs to know of the training: lengths, which attention to show, how it went
    metrics.jsonl       a line for each validation
    dev.tsv             the pairs held out
    training/           what going on needs, and nothing else

Every file is written beside its place and renamed. Nothing in a folder is executed when it is read.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regard.configuration import read_config, to_yaml, with_given
from regard.data.lines import write_bytes
from regard.data.tokenisers import Tokeniser, load_tokeniser
from regard.errors import RegardError
from regard.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

CONFIG, WEIGHTS, FACTS, METRICS, DEV = "config.yaml", "model.safetensors", "facts.json", "metrics.jsonl", "dev.tsv"
STATE = "training/state.pt"
_LARGEST_FACTS = 2**24


@dataclass(frozen=True)
class Facts:
    """What a model's training leaves behind for its use.

    `length_slope` and `length_room` bound an output: slope x source tokens + room. `shown` is the layer and the head
    whose cross-attention is shown where there are several; a head of -1 is the mean of the layer's heads. `chosen`
    gives the reason for every setting that was chosen from the data.
    """

    pairs: int = 0
    update: int = 0
    metric: str = "loss"
    score: float | None = None
    length_slope: float = 2.0
    length_room: int = 10
    shown: tuple[int, int] = (-1, -1)
    shown_reason: str = ""
    chosen: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def longest_output(self, source_tokens: int) -> int:
        """How many tokens an output may have before it is cut off."""
        return int(self.length_slope * source_tokens) + self.length_room


def prepare_folder(folder: Path) -> None:
    """Make the folder and its part for the training. Raises RegardError where that fails."""
    try:
        (folder / STATE).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RegardError(f"{folder}: can't be made ({error.strerror or error}); give another --out") from None


def save_settings(folder: Path, settings: Settings) -> None:
    """Write `config.yaml`."""
    write_bytes(folder / CONFIG, to_yaml(settings).encode("utf-8"))


def load_settings(folder: Path) -> Settings:
    """Read `config.yaml`. Raises RegardError: no model's folder, damaged, of a newer version."""
    if not folder.is_dir():
        raise RegardError(f"{folder}: no such folder; `regard train pairs.tsv --out {folder}` would make a model there")
    if not (folder / CONFIG).is_file():
        raise RegardError(f"{folder}: no model's folder, since it has no {CONFIG}")
    return with_given(Settings(), read_config(folder / CONFIG))


def save_facts(folder: Path, facts: Facts) -> None:
    """Write `facts.json`."""
    write_bytes(folder / FACTS, json.dumps(dataclasses.asdict(facts), ensure_ascii=False, indent=1).encode("utf-8"))


def load_facts(folder: Path) -> Facts:
    """Read `facts.json`; what it does not say is as for a model that nothing is known of.

    Raises RegardError: missing, damaged.
    """
    path = folder / FACTS
    try:
        with open(path, "rb") as stream:
            content = json.loads(stream.read(_LARGEST_FACTS))
        found = dataclasses.replace(
            Facts(), **{part.name: content[part.name] for part in dataclasses.fields(Facts) if part.name in content}
        )
        layer, head = found.shown
        return dataclasses.replace(
            found,
            shown=(int(layer), int(head)),
            length_slope=float(found.length_slope),
            length_room=int(found.length_room),
            chosen={str(name): str(reason) for name, reason in found.chosen.items()},
        )
    except OSError as error:
        raise RegardError(f"{path}: can't be read ({error.strerror or error})") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RegardError(f"{path}: damaged ({error}); take the file from the model's original folder") from None


def save_tokenisers(folder: Path, source: Tokeniser, target: Tokeniser) -> None:
    """Write the tokenisers of both sides; joint ones are written twice."""
    source.save(folder, "source")
    target.save(folder, "target")


def load_tokenisers(folder: Path) -> tuple[Tokeniser, Tokeniser]:
    """Read the tokenisers of both sides. Raises RegardError: missing, damaged."""
    return load_tokeniser(folder, "source"), load_tokeniser(folder, "target")


def save_metrics(folder: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write `metrics.jsonl`, a line for each record."""
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    write_bytes(folder / METRICS, lines.encode("utf-8"))


def save_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write tensors as safetensors; tied ones are written under each of their names."""
    from safetensors.torch import save

    write_bytes(path, save({name: weight.detach().cpu().contiguous().clone() for name, weight in weights.items()}))


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read what `save_weights` wrote. Raises RegardError: missing, truncated, foreign."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except FileNotFoundError:
        raise RegardError(f"{path}: no such file") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise RegardError(f"{path}: damaged, or no safetensors file ({' '.join(str(error).split())})") from None
