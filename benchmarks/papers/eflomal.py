"""eflomal (Östling and Tiedemann 2016), the statistical aligner that Regard's are measured by. It is no part of Regard.

python -m venv eflomal && eflomal/bin/pip install "numpy<2" Cython setuptools wheel
eflomal/bin/pip install --no-build-isolation eflomal==2.0.0        # needs a C compiler
export REGARD_EFLOMAL=eflomal/bin/eflomal-align
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from regard.evaluation import read_links
from regard.maps import Links

PROGRAM, VARIABLE = "eflomal-align", "REGARD_EFLOMAL"


@dataclass(frozen=True)
class Aligned:
    """The links of both directions, line by line (source word, target word), and the seconds that it took."""

    forward: tuple[Links, ...]
    backward: tuple[Links, ...]
    seconds: float


def align(pairs: Sequence[tuple[str, str]], folder: Path) -> Aligned:
    """The links of all pairs, made once and kept in a folder. Ends the program with a line where eflomal is absent."""
    text, forward, backward, took = (folder / name for name in ("pairs", "forward", "backward", "seconds.json"))
    if not took.exists():
        program = _program()
        folder.mkdir(parents=True, exist_ok=True)
        text.write_text("".join(f"{source} ||| {target}\n" for source, target in pairs), encoding="utf-8")
        begin = time.monotonic()
        command = [program, "-i", str(text), "-f", str(forward), "-r", str(backward), "--overwrite"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{program} failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
        took.write_text(json.dumps(time.monotonic() - begin))
    return Aligned(tuple(read_links(forward)), tuple(read_links(backward)), json.loads(took.read_text()))


def _program() -> str:
    given = os.environ.get(VARIABLE)
    found = shutil.which(given or PROGRAM)
    if found is None:
        where = f"{VARIABLE} is {given}, and there is no such program" if given else f"{PROGRAM} is not on the PATH"
        raise SystemExit(f"{where}; benchmarks/papers/eflomal.py says how to install it, and {VARIABLE} where it is")
    return found
