"""What reading an image or a recording gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Read:
    """The numbers of one source, and what a person should know of them: `values` is uint8 (H, W, C) or int16 (N,)."""

    values: NDArray[Any]
    notes: tuple[str, ...] = ()
