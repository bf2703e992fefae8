"""A model's folder: its settings, weights, tokenisers, and what was learned of its corpus.

    config.yaml         every setting
    model.safetensors   the weights
    source.json, target.json   the tokenisers; images and recordings have none
    facts.json          what prediction needs to know of the training: lengths, which attention to show, how it went
    metrics.jsonl       a line for each validation
    dev.tsv             the pairs held out, where some were, with a header unless it is source TAB target as usual
    training/           what going on needs, and nothing else

Every file is written beside its place and renamed. Nothing in a folder is executed when it is read.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regard.configuration import read_config, to_yaml, with_given
from regard.data.features import load_source
from regard.data.media import Images, Sounds, Source, media_of
from regard.data.storing import check_regular, read_bounded
from regard.data.tokenisers import Tokeniser, load_tokeniser
from regard.errors import RegardError, one_line, shown
from regard.files import is_left_behind, make_folder, remove_file, write_bytes
from regard.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

CONFIG, WEIGHTS, FACTS, METRICS, DEV = "config.yaml", "model.safetensors", "facts.json", "metrics.jsonl", "dev.tsv"
STATE = "training/state.safetensors"
LARGEST_FACTS = 2**24


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
    """Make the folder and its part for the training, and remove what a process left that was killed while it wrote.

    Raises RegardError where that fails.
    """
    inner = (folder / STATE).parent
    make_folder(inner)
    for path in (*folder.iterdir(), *inner.iterdir()):
        if is_left_behind(path):
            remove_file(path)


def clear_folder(folder: Path) -> None:
    """Remove what a training has left in the folder, if there is one: first what it would go on from.

    The settings stay until others take their place: by them the folder is known as a model's.
    """
    for name in (STATE, WEIGHTS, METRICS):
        remove_file(folder / name)
    for path in (folder / STATE).parent.glob("weights-*.safetensors"):
        remove_file(path)


def weights_of(folder: Path, update: int) -> Path:
    """Where the weights of an update are kept that may be averaged in the end."""
    return (folder / STATE).parent / f"weights-{update}.safetensors"


def save_settings(folder: Path, settings: Settings) -> None:
    """Write `config.yaml`."""
    write_bytes(folder / CONFIG, to_yaml(settings).encode("utf-8"))


def load_settings(folder: Path) -> Settings:
    """Read `config.yaml`. Raises RegardError: no model's folder, damaged, cut off, of a newer version."""
    if not folder.is_dir():
        raise RegardError(f"{folder}: no such folder; `regard train pairs.tsv --out {folder}` would make a model there")
    if not (folder / CONFIG).is_file():
        raise RegardError(f"{folder}: no model's folder, since it has no {CONFIG}")
    return with_given(Settings(), read_config(folder / CONFIG, whole=True))


def save_facts(folder: Path, facts: Facts) -> None:
    """Write `facts.json`."""
    write_bytes(folder / FACTS, json.dumps(dataclasses.asdict(facts), ensure_ascii=False, indent=1).encode("utf-8"))


def load_facts(folder: Path) -> Facts:
    """Read `facts.json`; what it does not say is as for a model that nothing is known of.

    Raises RegardError: missing, damaged.
    """
    path = folder / FACTS
    try:
        content = json.loads(read_bounded(path, LARGEST_FACTS, "the facts of a model"))
        if not isinstance(content, dict):
            raise TypeError("no object by names")
        found = {part.name: content[part.name] for part in dataclasses.fields(Facts) if part.name in content}
        wrong = next((name for name, value in found.items() if not _FITTING[name](value)), None)
    except RegardError:
        raise
    except (ValueError, TypeError, RecursionError) as error:
        raise RegardError(f"{path}: damaged ({one_line(error)}); take the file from the original folder") from None
    if wrong is not None:
        raise RegardError(f"{path}: its {wrong!r} is {shown(found[wrong])}; take the file from the original folder")
    return dataclasses.replace(Facts(), **{**found, "shown": tuple(found.get("shown", Facts.shown))})


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _number(value: Any, low: float, high: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


# What each of the facts may be, since a folder may come from anyone.
_FITTING: Mapping[str, Callable[[Any], bool]] = {
    "pairs": lambda value: _whole(value, 0, 10**12),
    "update": lambda value: _whole(value, 0, 10**12),
    "metric": lambda value: isinstance(value, str),
    "score": lambda value: value is None or _number(value, -1e12, 1e12),
    "length_slope": lambda value: _number(value, 0, 1000),
    "length_room": lambda value: _whole(value, 0, 10**6),
    "shown": lambda value: isinstance(value, list) and len(value) == 2 and all(_whole(at, -1, 10**4) for at in value),
    "shown_reason": lambda value: isinstance(value, str),
    "chosen": lambda value: isinstance(value, dict) and all(isinstance(reason, str) for reason in value.values()),
}


def save_sides(folder: Path, source: Source, target: Tokeniser) -> None:
    """Write the tokenisers of both sides; joint ones are written twice. Images and recordings need no file: the
    settings say all about them."""
    if not isinstance(source, (Images, Sounds)):
        source.save(folder, "source")
    target.save(folder, "target")


def load_sides(folder: Path, settings: Settings) -> tuple[Source, Tokeniser]:
    """What reads a model's sources, their tokeniser or what its settings say of images or recordings; and the
    tokeniser of its targets. Raises RegardError: missing, damaged."""
    return media_of(settings) or load_source(folder, "source"), load_tokeniser(folder, "target")


def save_metrics(folder: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write `metrics.jsonl`, a line for each record."""
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    write_bytes(folder / METRICS, lines.encode("utf-8"))


def save_weights(path: Path, weights: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors as safetensors; tied ones are written under each of their names."""
    from safetensors.torch import save

    own = {name: weight.detach().cpu().contiguous().clone() for name, weight in weights.items()}
    write_bytes(path, save(own, dict(metadata) if metadata else None))


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read what `save_weights` wrote. Raises RegardError: missing, truncated, foreign."""
    from safetensors.torch import load_file

    with _checked(path):
        return load_file(path)


def weight_shapes(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    """The shapes and types that a file of weights declares, by name; no numbers are read. Errors as `load_weights`."""
    from safetensors import safe_open

    with _checked(path), safe_open(path, "pt") as stream:
        slices = {name: stream.get_slice(name) for name in stream.keys()}  # noqa: SIM118
        return {name: (tuple(each.get_shape()), each.get_dtype()) for name, each in slices.items()}


def metadata_of(path: Path) -> dict[str, str]:
    """What is written beside the tensors of a file. Errors as `load_weights`."""
    from safetensors import safe_open

    with _checked(path), safe_open(path, "pt") as stream:
        return dict(stream.metadata() or {})


@contextmanager
def _checked(path: Path) -> Iterator[None]:
    from safetensors import SafetensorError

    try:
        check_regular(path)
        yield
    except (SafetensorError, OSError, ValueError) as error:
        if isinstance(error, RegardError):
            raise
        raise RegardError(f"{path}: damaged, or no safetensors file ({one_line(error)})") from None
