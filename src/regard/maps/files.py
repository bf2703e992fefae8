"""Attention maps in files: `.npz` (compact, plain arrays) and `.jsonl` (one map a line, for every other program).

Both hold any number of maps. A file is written beside its place and renamed, so that nothing half-written stays; it is
never pickled, so that reading a stranger's file runs nothing.
"""

from __future__ import annotations

import base64
import io
import json
import math
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from regard.errors import RegardError
from regard.files import written_beside
from regard.maps.attention_map import AttentionMap, Weights
from regard.maps.budget import LEVEL, quantised, restored, within
from regard.maps.media import MOST_PIXELS, MOST_SAMPLES, Medium, put_together, taken_apart
from regard.maps.tokens import Tokens

_VERSION = 1
_HEADER = "regard-maps.json"
_PRECISIONS = ("float16", "float32", "float64")
_STORED = (*_PRECISIONS, "uint8")
_MOST_OF_MEDIUM = max(3 * MOST_PIXELS, 2 * MOST_SAMPLES)


def save_maps(
    maps: Iterable[AttentionMap], path: str | Path, precision: str | None = None, budget: int | None = None
) -> int:
    """Write the maps to `path`, whose ending says how (`.npz` or `.jsonl`); returns their number.

    `precision` (`float16`, `float32`, `float64`, `uint8`) is that of the stored weights, by default that of each map;
    with float16 a weight is off by at most 1/4096, with uint8 by 1/510 of the largest of its row. Maps are written as
    they come, and are not kept; with a `budget`, how many bytes all weights may take, they are, and each is made to fit
    by `regard.maps.budget.within`, whose note says what was left out. uint8 and budgets are for `.npz`.

    Raises `RegardError` for another ending, a budget that is too small, or where the file can't be written.
    """
    path = Path(path)
    if budget is not None and precision is not None:
        raise RegardError("maps: a budget chooses the precision itself; give one of them")
    if (budget is not None or precision == "uint8") and check_ending(path) != ".npz":
        raise RegardError(f"{path}: {'uint8' if budget is None else 'a budget'} is for .npz files")
    if precision is not None and precision not in _STORED:
        raise RegardError(f"maps: precision {precision!r} is none of {', '.join(_STORED)}")
    write = {".npz": _write_npz, ".jsonl": _write_jsonl}[check_ending(path)]
    kept = within(list(maps), budget) if budget is not None else ((map, precision) for map in maps)
    with written_beside(path) as file:
        return write(kept, file)


def load_maps(path: str | Path) -> list[AttentionMap]:
    """All maps of a file that `save_maps` wrote, in order.

    Raises `RegardError`, with the map or line concerned, where the file is missing, damaged, or not such a file.
    """
    path = Path(path)
    read = {".npz": _read_npz, ".jsonl": _read_jsonl}[check_ending(path)]
    try:
        return list(read(path))
    except OSError as error:
        raise RegardError(f"{path}: can't be read: {error.strerror or error}") from error


def check_ending(path: str | Path) -> str:
    """The ending of a file of maps, `.npz` or `.jsonl`. Raises RegardError for any other."""
    path = Path(path)
    if path.suffix not in (".npz", ".jsonl"):
        raise RegardError(
            f"{path}: maps are kept in .npz or .jsonl files, not {path.suffix or 'one without an ending'}"
        )
    return path.suffix


def _stored(weights: Weights, precision: str | None) -> Weights:
    return weights if precision is None else weights.astype(precision)


def _labels(map: AttentionMap) -> dict[str, Any]:
    """Everything of a map but its numbers."""
    return {
        "place": map.place,
        "convention": map.convention,
        "axes": map.axes,
        "note": map.note,
        "source": _side(map.source),
        "target": _side(map.target),
    }


def _side(tokens: Tokens) -> dict[str, Any]:
    return {"pieces": tokens.pieces, "words": tokens.words, "text": tokens.text, "offsets": tokens.offsets}


def _map(labels: dict[str, Any], weights: Weights, left_out: Weights | None, medium: Medium | None) -> AttentionMap:
    return AttentionMap(
        weights,
        _tokens(labels["source"]),
        _tokens(labels["target"]),
        axes=tuple(labels["axes"]),
        place=labels["place"],
        convention=labels["convention"],
        left_out=left_out,
        note=labels["note"],
        medium=medium,
    )


def _tokens(fields: dict[str, Any]) -> Tokens:
    offsets = fields["offsets"]
    return Tokens(
        tuple(fields["pieces"]),
        tuple(fields["words"]),
        fields["text"],
        None if offsets is None else tuple((int(start), int(end)) for start, end in offsets),
    )


def _checked_version(fields: dict[str, Any], where: str) -> None:
    version = fields.get("regard_maps")
    if version != _VERSION:
        found = "no version" if version is None else f"version {version}"
        raise RegardError(f"{where}: has {found} of the map format, this Regard reads version {_VERSION}")


def _write_npz(maps: Iterable[tuple[AttentionMap, str | None]], file: IO[bytes]) -> int:
    headers = []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (map, precision) in enumerate(maps):
            headers.append(_labels(map) | {"left_out": map.left_out is not None, "codes": precision == "uint8"})
            if precision == "uint8":
                codes, scales = quantised(map.weights)
                _add(archive, f"weights_{number}", codes)
                _add(archive, f"scales_{number}", scales)
            else:
                _add(archive, f"weights_{number}", _stored(map.weights, precision))
            if map.left_out is not None:
                _add(archive, f"left_out_{number}", _stored(map.left_out, None if precision == "uint8" else precision))
            if map.medium is not None:
                headers[-1]["medium"], array = taken_apart(map.medium)
                _add(archive, f"medium_{number}", array)
        text = json.dumps({"regard_maps": _VERSION, "maps": headers}, ensure_ascii=False)
        # As bytes in an array, since an archive of arrays alone is what every reader of .npz understands.
        _add(archive, _HEADER, np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8))
    return len(headers)


def _add(archive: zipfile.ZipFile, name: str, numbers: np.ndarray[Any, Any]) -> None:
    # An entry without a date: the same maps make the same bytes.
    entry = zipfile.ZipInfo(f"{name}.npy")
    content = io.BytesIO()
    np.lib.format.write_array(content, np.asanyarray(numbers), allow_pickle=False)
    archive.writestr(entry, content.getbuffer(), zipfile.ZIP_DEFLATED, LEVEL)


def _read_npz(path: Path) -> Iterator[AttentionMap]:
    if path.exists() and not zipfile.is_zipfile(path):
        raise RegardError(f"{path}: is no .npz file, or only a part of one")
    where = str(path)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if _HEADER not in arrays:
                raise RegardError(f"{path}: is an .npz file, but holds no attention maps of Regard")
            header = json.loads(_array(arrays, _HEADER).tobytes().decode("utf-8", "surrogatepass"))
            _checked_version(header, where)
            for number, labels in enumerate(header["maps"]):
                where = f"{path}, map {number}"
                left_out = _array(arrays, f"left_out_{number}") if labels["left_out"] else None
                weights = _array(arrays, f"weights_{number}")
                if labels.get("codes"):
                    weights = restored(weights, _array(arrays, f"scales_{number}"))
                medium = None
                if labels.get("medium") is not None:
                    medium = put_together(labels["medium"], _array(arrays, f"medium_{number}", _MOST_OF_MEDIUM))
                yield _map(labels, weights, left_out, medium)
    except RegardError as error:
        message = str(error)
        raise error if message.startswith(str(path)) else RegardError(f"{where}: {message}") from error
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        EOFError,
        OverflowError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise RegardError(f"{where}: is damaged ({_first_line(error)})") from error


def _array(arrays: Any, name: str, most: int | None = None) -> np.ndarray[Any, Any]:
    """An array of an archive, of at most `most` bytes; for one that is smaller than it says nothing is set aside."""
    entry = arrays.zip.getinfo(f"{name}.npy")
    with arrays.zip.open(entry) as file:
        version = np.lib.format.read_magic(file)
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, _, dtype = header(file)
        size = math.prod(shape) * dtype.itemsize
        if size != entry.file_size - file.tell():
            raise RegardError(f"{name} says it is larger than it is")
        if most is not None and size > most:
            raise RegardError(f"{name} has {size:,} bytes, more than the {most:,} that are read")
    found: np.ndarray[Any, Any] = arrays[name]
    return found


def _write_jsonl(maps: Iterable[tuple[AttentionMap, str | None]], file: IO[bytes]) -> int:
    count = 0
    for map, precision in maps:
        weights = _stored(map.weights, precision)
        left_out = None if map.left_out is None else _decimal(_stored(map.left_out, precision))
        fields = {"regard_maps": _VERSION, **_labels(map), "precision": str(weights.dtype), "shape": weights.shape}
        if map.medium is not None:
            fields["medium"] = _in_line(map.medium)
        line = json.dumps(fields | {"weights": _decimal(weights), "left_out": left_out}, ensure_ascii=False)
        file.write(line.encode("utf-8", "surrogatepass") + b"\n")
        count += 1
    return count


def _decimal(numbers: Weights) -> Any:
    """Nested lists of the shortest decimal numbers that read back as the same numbers."""
    return numbers.astype(str).astype(np.float64).tolist()


def _read_jsonl(path: Path) -> Iterator[AttentionMap]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            where = f"{path}, line {number}"
            if not line.strip():
                continue
            try:
                fields = json.loads(line)
                if not isinstance(fields, dict):
                    raise RegardError("is no attention map of Regard")
                _checked_version(fields, "map")
                if fields["precision"] not in _PRECISIONS:
                    raise RegardError(f"precision {fields['precision']!r} is none of {', '.join(_PRECISIONS)}")
                shape, left_out = fields["shape"], fields["left_out"]
                # Reshaped, since a list without rows says nothing of its columns.
                weights = np.array(fields["weights"], dtype=fields["precision"]).reshape(shape)
                if left_out is not None:
                    left_out = np.array(left_out, dtype=fields["precision"]).reshape(shape[:-1])
                medium = None if fields.get("medium") is None else _from_line(fields["medium"])
                yield _map(fields, weights, left_out, medium)
            except RegardError as error:
                raise RegardError(f"{where}: {error}") from error
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise RegardError(f"{where}: is damaged ({_first_line(error)})") from error


def _in_line(medium: Medium) -> dict[str, Any]:
    """An image or a recording as it stands in a line of JSON: its bytes, little-endian, in base64."""
    fields, array = taken_apart(medium)
    data = base64.b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode("ascii")
    return fields | {"shape": array.shape, "data": data}


def _from_line(fields: dict[str, Any]) -> Medium:
    data = base64.b64decode(fields["data"], validate=True)
    array = np.frombuffer(data, np.uint8 if fields["kind"] == "image" else np.dtype("<i2"))
    return put_together(fields, array.reshape(fields["shape"]))


def _first_line(error: Exception) -> str:
    text = f"missing {error}" if isinstance(error, KeyError) else str(error)
    return text.splitlines()[0] if text else type(error).__name__
