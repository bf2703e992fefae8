"""Settings by name: from the command line, a YAML file or Python to the dataclasses of `settings`, and back.

A setting's name is its path, `model.cross.score`, everywhere. What a person gave is kept apart from what is a default
(`given`: a flat mapping from names to values), since only what nobody gave may be chosen from the data.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from regard.errors import RegardError, did_you_mean, one_line, shown
from regard.settings import CONTEXTS, NORMALIZERS, SCORES, Settings

Given = Mapping[str, Any]
"""Settings by their full names."""

LARGEST_CONFIG = 2**18
_DEEPEST = 20
_T = TypeVar("_T")

# The numbers that a setting may be, by its name or the last part of it. The upper bounds are far above any use; a
# typing error of some zeros, or a stranger's file, is told here and not by a machine that runs out of memory.
_MANY = 10**9
_RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("layers", "heads", "kv_heads", "devices", "threads", "workers"), (1, 1024)),
    **dict.fromkeys(("width", "embedding", "channels"), (1, 2**16)),
    **dict.fromkeys(("height", "mels", "mask_frames", "mask_bands"), (1, 2**13)),
    **dict.fromkeys(("data.sound.window", "hop"), (0.001, 1)),
    "window": (1, 10**6),
    "piece": (0.1, 14_400),
    **dict.fromkeys(("low", "high"), (0, 10**6)),
    **dict.fromkeys(("seconds",), (0.01, 10**6)),
    "pyramid": (0, 6),
    "masks": (0, 100),
    "speed": (0, 0.9),
    "augment": (0, 1),
    **dict.fromkeys(("feedforward", "longest"), (1, 2**20)),
    **dict.fromkeys(("updates", "validate_every", "hold_out", "batch", "max_skipped"), (1, _MANY)),
    **dict.fromkeys(("accumulate", "average"), (1, 10**6)),
    **dict.fromkeys(("max_source_tokens", "max_target_tokens", "max_source", "max_length"), (1, 10**7)),
    **dict.fromkeys(("beam", "n_best", "sample", "top_k"), (1, 10**5)),
    "temperature": (0.01, 100),
    "top_p": (0.001, 1),
    **dict.fromkeys(("rate", "minutes", "warmup", "decay", "clip", "patience", "min_length"), (0, _MANY)),
    "sampled_until": (1, _MANY),
    "sampled_temperature": (0.01, 100),
    "sampled_entropy": (0, 1000),
    "seed": (0, 2**63 - 1),
    **dict.fromkeys(("length_penalty", "coverage_penalty", "coverage", "guided_weight"), (0, 1000)),
    "guided_layer": (0, 1024),
    "guided_head": (-1, 1024),
    **dict.fromkeys(("dropout", "word_dropout", "source_dropout", "target_dropout", "smoothing"), (0, 0.99)),
}
_NAMED = {"score": SCORES, "normalizer": NORMALIZERS, "context": CONTEXTS}
# What may follow the colon of a name: its type, what it should be in words and as a test, and an example.
_NUMBERS: dict[str, tuple[type, str, Callable[[float], bool], str]] = {
    "dot": (float, "a number above 0", lambda number: number > 0, "0.5"),
    "cosine": (float, "a number above 0", lambda number: number > 0, "0.5"),
    "distance": (float, "a number above 0", lambda number: number > 0, "0.5"),
    "softmax": (float, "a number above 0", lambda number: number > 0, "0.5"),
    "entmax": (float, "a number above 1 (1 is softmax)", lambda number: number > 1, "1.3"),
    "top_k": (int, "a whole number, at least 1", lambda number: number >= 1, "3"),
    "local_m": (int, "a whole number, at least 1", lambda number: number >= 1, "5"),
    "local_p": (int, "a whole number, at least 1", lambda number: number >= 1, "5"),
    "monotonic": (int, "0 or 1", lambda number: number in (0, 1), "1"),
    "threshold": (float, "a number above 0, at most 1", lambda number: 0 < number <= 1, "0.1"),
}
_NEEDS_NUMBER = ("top_k", "threshold", "local_m", "local_p")


@dataclass(frozen=True)
class Setting:
    """One setting: its full name, type, default, and what it means."""

    name: str
    type: Any
    default: Any
    meaning: str

    @property
    def expected(self) -> str:
        """What a value should be, for messages: `a whole number, or null`."""
        return _expected(self.type)


@cache
def known_settings(kind: type = Settings, prefix: str = "") -> dict[str, Setting]:
    """Every setting below `kind`, by its full name, in the order of the dataclasses."""
    from docstring_parser import parse

    meanings = {
        entry.arg_name: " ".join((entry.description or "").split()) for entry in parse(kind.__doc__ or "").params
    }
    hints = get_type_hints(kind)
    found: dict[str, Setting] = {}
    for part in dataclasses.fields(kind):
        name = f"{prefix}{part.name}"
        if dataclasses.is_dataclass(hints[part.name]):
            inner = known_settings(hints[part.name], f"{name}.")
            assert part.default_factory is not dataclasses.MISSING
            default: Any = part.default_factory()
            own = flatten(dataclasses.asdict(default), f"{name}.")
            found |= {key: dataclasses.replace(setting, default=own[key]) for key, setting in inner.items()}
        elif part.name != "version":
            found[name] = Setting(name, hints[part.name], part.default, meanings.get(part.name, ""))
    return found


# Names and values -----------------------------------------------------------------------------------------------------


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"model": {"cross": {"score": "dot"}}}` -> `{"model.cross.score": "dot"}`.

    Raises RegardError where a name is there twice, once nested and once with dots.
    """
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        own = flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
        twice = flat.keys() & own.keys()
        if twice:
            raise RegardError(f"the setting {shown(min(twice))} is given twice; give it once")
        flat |= own
    return flat


def flatten_settings(settings: Settings) -> dict[str, Any]:
    """All settings by their full names."""
    return {name: value for name, value in flatten(dataclasses.asdict(settings)).items() if name != "version"}


def nest(flat: Given) -> dict[str, Any]:
    """The inverse of `flatten`."""
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        *path, last = name.split(".")
        at = nested
        for part in path:
            at = at.setdefault(part, {})
        at[last] = value
    return nested


def checked(given: Given, where: str = "settings", kind: type = Settings) -> dict[str, Any]:
    """The same settings with values of the right types.

    Raises RegardError, with `where`, for a name or a value that there is not.
    """
    known = known_settings(kind)
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            if any(other.startswith(f"{name}.") for other in known):
                raise RegardError(f"{where}: {name} is a group of settings, and {shown(value)} is none")
            raise RegardError(f"{where}: there is no setting {shown(name)}{_nearest_setting(name, known)}")
        fitted = _fitted(value, known[name].type)
        if fitted is _UNFIT:
            raise RegardError(f"{where}: {name} is {shown(value)}{_complaint(value, known[name])}")
        _check_value(name, fitted, where)
        values[name] = fitted
    return values


def with_given(settings: _T, given: Given) -> _T:
    """`settings` with the values of `given`, which are `checked`."""
    changes: dict[str, Any] = {}
    for name, value in nest(given).items():
        inner = getattr(settings, name)
        changes[name] = with_given(inner, flatten(value)) if dataclasses.is_dataclass(inner) else value
    return dataclasses.replace(settings, **changes)  # type: ignore[type-var]


_UNFIT = object()


def _fitted(value: Any, kind: Any) -> Any:
    """`value` as the type `kind`, or `_UNFIT`. Text from a command line is read as YAML reads it."""
    if isinstance(value, int) and abs(value) >= 2**64:  # more digits than Python may turn into text
        return _UNFIT
    if get_origin(kind) in (Union, types.UnionType):
        # None first, since `none` on a command line is text too.
        options = sorted(get_args(kind), key=lambda option: option is not type(None))
        return next((found for option in options if (found := _fitted(value, option)) is not _UNFIT), _UNFIT)
    if get_origin(kind) is Literal:
        return next((option for option in get_args(kind) if str(option) == str(value)), _UNFIT)
    if kind is type(None):
        return None if value is None or value in ("null", "none", "None") else _UNFIT
    if kind is bool:
        named = {"true": True, "yes": True, "false": False, "no": False}
        return value if isinstance(value, bool) else named.get(str(value).lower(), _UNFIT)
    if kind is str:
        return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else _UNFIT
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return _UNFIT
    try:
        number = float(value)
        if kind is int:
            return int(value) if number == int(number) else _UNFIT
    except (ValueError, OverflowError):
        return _UNFIT
    return number if abs(number) < float("inf") else _UNFIT


def _expected(kind: Any) -> str:
    if get_origin(kind) in (Union, types.UnionType):
        return ", or ".join(_expected(option) for option in get_args(kind))
    if get_origin(kind) is Literal:
        return ", ".join(map(str, get_args(kind)))
    return {type(None): "none", bool: "true or false", int: "a whole number", float: "a number"}.get(kind, "text")


def _complaint(value: Any, setting: Setting) -> str:
    if get_origin(setting.type) is Literal:
        return did_you_mean(
            value if isinstance(value, str) else shown(value), [str(option) for option in get_args(setting.type)]
        )
    return f"; it should be {setting.expected}"


def _check_value(name: str, value: Any, where: str) -> None:
    last = name.rpartition(".")[2]
    if last in _NAMED:
        _check_name(name, value, where, _NAMED[last])
    if last == "place" and not re.fullmatch(r"[1-9]\d{0,2}(x[1-9]\d{0,2})?", value, re.ASCII):
        raise RegardError(
            f"{where}: {name} is {shown(value)}; it should be pixels, high x wide, as in 8x4, or frames, as in 4"
        )
    bounded = _RANGES.get(name, _RANGES.get(last))
    if bounded and isinstance(value, (int, float)):
        low, high = bounded
        if not low <= value <= high:
            bounds = f"at least {low}" if value < low and high >= 1 else f"from {low} to {high:,}"
            raise RegardError(f"{where}: {name} is {value}; it should be {bounds}")


def _check_name(name: str, value: str, where: str, names: Sequence[str]) -> None:
    """A score, a normalizer or a context, of which some take a number after a colon."""
    base, colon, number = value.partition(":")
    if base not in names:
        raise RegardError(f"{where}: {name} is {shown(value)}{did_you_mean(base, names)}")
    if not colon and base in _NEEDS_NUMBER:
        raise RegardError(
            f"{where}: {name} is {value!r}, which needs a number after a colon, as in {base}:{_NUMBERS[base][-1]}"
        )
    if value in names:
        return
    if base not in _NUMBERS:
        raise RegardError(f"{where}: {name} is {shown(value)}, and {base} takes no number; leave out the colon")
    kind, bounds, fits, example = _NUMBERS[base]
    digits = r"\d{1,9}" if kind is int else r"\d{1,9}(\.\d{1,20})?"
    if not re.fullmatch(digits, number, re.ASCII) or not fits(kind(number)):
        raise RegardError(
            f"{where}: {name} is {shown(value)}; after the colon there should be {bounds}, as in {base}:{example}"
        )


def _nearest_setting(name: str, known: Mapping[str, Setting]) -> str:
    guess = nearest_name(name, list(known))
    return f"; did you mean {guess}?" if guess else "; `regard train --help` lists them all"


def nearest_name(name: str, known: Sequence[str]) -> str:
    """The known name that was meant, or several; nothing where none is near. Since full names are long, one that only
    ends in the right word counts as near."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    same_end = [other for other in known if other.rpartition(".")[2] == name.rpartition(".")[2]]
    return " or ".join(near or same_end[:3] or difflib.get_close_matches(name, known, n=1, cutoff=0.6))


# Files ----------------------------------------------------------------------------------------------------------------


def to_yaml(settings: Settings) -> str:
    """The text of `config.yaml`."""
    import yaml

    return yaml.safe_dump(dataclasses.asdict(settings), sort_keys=False, allow_unicode=True)


def read_config(path: str | Path, whole: bool = False) -> dict[str, Any]:
    """The settings that a YAML file gives, checked; `whole`: a model's own file, which ends with its version.

    Raises RegardError: missing, no YAML, of a newer version, with a setting or value that there is not, cut off.
    """
    import yaml

    try:
        with open(path, "rb") as stream:
            text = stream.read(LARGEST_CONFIG + 1)
        if len(text) > LARGEST_CONFIG:
            raise RegardError(f"{path}: larger than {LARGEST_CONFIG // 2**10} KiB, too large for settings")
        content = yaml.load(text, _loader())
    except OSError as error:
        raise RegardError(f"{path}: can't be read ({error.strerror or error})") from None
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise RegardError(f"{path}{where}: not YAML ({one_line(error.problem)})") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, RegardError):
            raise
        raise RegardError(f"{path}: not YAML ({one_line(error)})") from None
    content = {} if content is None else content
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in _keys(content)):
        raise RegardError(f"{path}: should hold settings by name, as in `training: {{updates: 1000}}`")
    if whole and "version" not in content:
        raise RegardError(f"{path}: cut off, since it does not end with its version; take the original file")
    version = content.pop("version", Settings.version)
    if version != Settings.version:
        newer = isinstance(version, int) and version > Settings.version
        raise RegardError(
            f"{path}: version {shown(version)}, and this Regard reads version {Settings.version}"
            + ("; update Regard" if newer else "")
        )
    try:
        flat = flatten(content)
    except RegardError as error:
        raise RegardError(f"{path}: {error}") from None
    return checked(flat, str(path))


@cache
def _loader() -> Any:
    """What reads YAML: plain values only, each key once, and neither aliases nor many levels, since a few lines of
    those can stand for more than any memory holds."""
    import yaml

    class Loader(yaml.SafeLoader):
        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            event = self.peek_event()  # type: ignore[no-untyped-call]
            if isinstance(event, yaml.AliasEvent):
                self.refuse(event, f"an alias, *{event.anchor}; write out what it stands for")
            if self.depth > _DEEPEST:
                self.refuse(event, f"more than {_DEEPEST} levels, one within the other")
            self.depth += 1
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

        def compose_mapping_node(self, anchor: Any) -> Any:
            node = super().compose_mapping_node(anchor)
            seen = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value in seen:
                    self.refuse(key, f"{shown(key.value)} is there twice; the first would be lost")
                seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
            return node

        def refuse(self, at: Any, problem: str) -> None:
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=at.start_mark)

    return Loader


def _keys(content: Mapping[Any, Any]) -> Iterator[Any]:
    for key, value in content.items():
        yield key
        if isinstance(value, Mapping):
            yield from _keys(value)
