"""What the pocket corpora of images share: pixels that were bent and made noisy, and files of them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regard.errors import RegardError
from regard.files import make_folder, write_bytes

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Pictured:
    """One example as it is written to files: `gold` is what a line of JSON says of it."""

    part: str
    target: str
    pixels: Pixels
    gold: dict[str, Any]


def need_pillow() -> None:
    """Raises RegardError where there is none."""
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise RegardError("drawing this corpus needs Pillow: pip install 'regard[images]'") from None


def write_pictures(folder: Path, examples: Iterable[Pictured]) -> list[Path]:
    """Write PNG files, PART.tsv for each part (lines `FILE TAB TARGET`) and gold.jsonl; returns the PNGs in order.

    The files are named as seen from the folder. Raises RegardError where they can't be written.
    """
    tables: dict[str, list[str]] = {}
    gold, paths = [], []
    for example in examples:
        if example.part not in tables:
            make_folder(folder / example.part)
        rows = tables.setdefault(example.part, [])
        name = f"{example.part}/{len(rows) + 1:04}.png"
        write_bytes(folder / name, png(example.pixels), durable=False)
        rows.append(f"{name}\t{example.target}\n")
        gold.append(json.dumps({"file": name, "target": example.target, **example.gold}) + "\n")
        paths.append(folder / name)
    for part, rows in tables.items():
        write_bytes(folder / f"{part}.tsv", "".join(rows).encode())
    write_bytes(folder / "gold.jsonl", "".join(gold).encode())
    return paths


def png(pixels: Pixels) -> bytes:
    """Pixels (H, W) or (H, W, 3) as a PNG file."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def noisy(values: NDArray[np.float32], sigma: float, seed: int) -> Pixels:
    """Values from 0 to 255 with white noise of that standard deviation, as pixels."""
    random = np.random.RandomState(seed)  # the one whose numbers stay as they are
    noise = random.standard_normal(values.shape).astype(np.float32)
    return np.clip(np.rint(values + np.float32(sigma) * noise), 0, 255).astype(np.uint8)
