"""A model made of its settings, and whether a file of weights fits it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from regard.data.media import Images, Sounds, Source
from regard.data.tokenisers import KINDS, Tokeniser
from regard.errors import RegardError, shown
from regard.folder import Facts
from regard.memory import whole_memory
from regard.model import EncoderDecoder
from regard.predictor.intervention import cross_attentions
from regard.settings import Settings

# What safetensors calls the types that a model's numbers have.
_STORED = {
    torch.float32: "F32", torch.float64: "F64", torch.bfloat16: "BF16", torch.float16: "F16", torch.int64: "I64",
    torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip


def make_model(settings: Settings, source: Source, target: Tokeniser, stem: nn.Module | None = None) -> EncoderDecoder:
    """A model with fresh weights, but for those of `stem`, which `model.encoder.stem` module asks for.

    Raises RegardError where settings do not fit each other, and for a model larger than the machine's memory.
    """
    drawn = outline(settings, source, target, stem)
    size, memory = sum(each.nbytes for each in (*drawn.parameters(), *drawn.buffers())), whole_memory()
    if size > memory:
        raise RegardError(
            f"these settings make a model of {size / 2**30:,.1f} GiB, and this machine's memory is "
            f"{memory / 2**30:,.1f} GiB; lower model.encoder.width, model.decoder.width, or the layers"
        )
    return _model(settings, source, target, _sizes(source, target), stem)


def outline(settings: Settings, source: Source, target: Tokeniser, stem: nn.Module | None = None) -> EncoderDecoder:
    """The model without any numbers: its tensors have names, shapes and types, and take no memory."""
    with torch.device("meta"), _NothingDrawn():
        return _model(settings, source, target, _sizes(source, target), stem)


def rows_of_tokens(
    settings: Settings, source: Source, target: Tokeniser, stem: nn.Module | None = None
) -> dict[str, int]:
    """The tensors that have a row for each token of a side, by name: 0 for the source's, 1 for the target's.

    These are those that another size of the vocabulary would give another shape.
    """
    sizes = _sizes(source, target)
    larger = {1: (sizes[0], sizes[1] + 1)}
    if settings.model.share_embeddings == "all":
        larger[1] = (sizes[0] + 1, sizes[1] + 1)
    elif not isinstance(source, (Images, Sounds)):
        larger[0] = (sizes[0] + 1, sizes[1])
    plain = _shapes(settings, source, target, sizes, stem)
    return {
        name: side
        for side, changed in larger.items()
        for name, shape in _shapes(settings, source, target, changed, stem).items()
        if shape != plain[name]
    }


class _NothingDrawn(TorchFunctionMode):
    """Parameters without numbers are not drawn: torch would load its compiler for it, for a second."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if getattr(function, "__name__", "") in ("normal_", "uniform_"):
            return args[0] if args else given["tensor"]
        return function(*args, **given)


def _shapes(
    settings: Settings, source: Source, target: Tokeniser, sizes: tuple[int, int], stem: nn.Module | None
) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"), _NothingDrawn():
        made = _model(settings, source, target, sizes, stem)
    return {name: tuple(each.shape) for name, each in made.state_dict().items()}


def _sizes(source: Source, target: Tokeniser) -> tuple[int, int]:
    """Channels, bands or tokens of the source, and tokens of the target."""
    return source.size if isinstance(source, (Images, Sounds)) else len(source.vocabulary), len(target.vocabulary)


def _model(
    settings: Settings, source: Source, target: Tokeniser, sizes: tuple[int, int], stem: nn.Module | None
) -> EncoderDecoder:
    return EncoderDecoder(
        settings.model,
        *sizes,
        source_pad=0 if isinstance(source, (Images, Sounds)) else source.pad,
        target_pad=target.pad,
        bos=target.bos,
        eos=target.eos,
        stem=stem,
        unk=target.unk,
        closed=_is_closed(settings),
    )


def _is_closed(settings: Settings) -> bool:
    """Whether the target's vocabulary, by its setting, is not made of all that its texts are made of."""
    kind, _, size = (settings.data.target_tokens or "").partition(":")
    return kind not in KINDS or (kind == "symbols" and bool(size))


def check_fit(model: EncoderDecoder, found: Mapping[str, tuple[tuple[int, ...], str]], path: Path) -> None:
    expected = {name: (tuple(each.shape), _STORED.get(each.dtype)) for name, each in model.state_dict().items()}
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        others = f", and {len(wrong) - 1} other tensors differ" if len(wrong) > 1 else ""
        what = "is missing" if wrong[0] not in found else "is too many" if wrong[0] not in expected else "differs"
        raise RegardError(f"{path}: does not fit config.yaml ({shown(wrong[0])} {what}{others})")


def check_shown(model: EncoderDecoder, facts: Facts, path: Path) -> None:
    places = cross_attentions(model)
    layer, head = facts.shown
    if places and (layer >= len(places) or head >= places[0].heads):
        raise RegardError(f"{path}: shows layer {layer} and head {head}, and the model has {len(places)} of "
                          f"{places[0].heads}; take the file from the model's original folder")  # fmt: skip


def device_of(name: str) -> torch.device:
    if name == "auto":
        mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    if name not in ("cpu", "cuda", "mps"):
        raise RegardError(f"there is no device {name!r}; known: auto, cpu, cuda, mps")
    if (name == "cuda" and not torch.cuda.is_available()) or (name == "mps" and not torch.backends.mps.is_available()):
        raise RegardError(f"this machine has no device {name}; leave out --device, or give cpu")
    return torch.device(name)
