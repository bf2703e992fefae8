"""2,000 damaged corpora, settings and model folders: each works, or is refused in one line. None hangs.

A case is made from its number alone; `_CASES[kind](random.Random(number), ...)` makes it again.
"""

from __future__ import annotations

import random
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from fuzzing import TINY, config, corpus, damaged_folder

import regard
from regard.configuration import known_settings
from regard.data.describe import describe
from regard.training import preparing, run

_EACH, _CPU_SECONDS, _LONGEST_MESSAGE = 100, 30.0, 700
_KINDS = {"corpus": 7, "config": 8, "folder": 5}  # hundreds of each

# What a fuzzed case must not do: start processes, or train for long.
_KEPT = ("training.devices", "training.updates", "training.minutes", "training.validate_every")
_KNOWN = {name: setting for name, setting in known_settings().items() if name not in _KEPT}


_TOKENS = (
    {}, {"source_tokens": "bpe:40"}, {"target_tokens": "unigram:40"}, {"source_tokens": "character"}, {"joint": True},
)  # fmt: skip


def _corpus(draw: random.Random, folder: Path, pairs: Path, model: Path) -> None:
    """Read, tokenise, choose the settings and describe; some are trained on."""
    name, content = corpus(draw)
    path = folder / name
    path.write_bytes(content)
    data: Any = draw.choice(
        (
            {},
            {"source_tokens": "bpe:40"},
            {"target_tokens": "unigram:40"},
            {"source_tokens": "character"},
            {"joint": True},
        )
    )
    settings = {**TINY, "data": data}
    prepared = preparing.prepare(
        preparing.read(path, None, None, None, preparing.gather(None, settings)), preparing.gather(None, settings)
    )
    found = prepared.corpus
    assert describe(found.train, found.omitted, found.source, found.target, found.texts.dev)
    if draw.random() < 0.05:
        run.train(path, out=folder / "model", **settings)


def _config(draw: random.Random, folder: Path, pairs: Path, model: Path) -> None:
    """Read the settings and make the model; some are trained, and predict."""
    path = folder / "settings.yaml"
    path.write_bytes(config(draw, TINY, _KNOWN))
    few = {"training": {"updates": 2, "validate_every": 2}}
    given = preparing.gather(path, few)
    prepared = preparing.prepare(preparing.read(pairs, None, None, None, given), given)
    if draw.random() < 0.1:
        found = run.train(pairs, out=folder / "model", config=path, **few)
        found.predict(["one two", "", "five " * 30])
    else:
        preparing.new_predictor(prepared, torch.device("cpu"))


def _folder(draw: random.Random, folder: Path, pairs: Path, model: Path) -> None:
    """Load a damaged folder and predict."""
    shutil.copytree(model, folder / "model", ignore=shutil.ignore_patterns("training", "*.png"))
    damaged_folder(draw, folder / "model")
    regard.load(folder / "model", device="cpu").predict(["one two", ""], beam=2)


_CASES: dict[str, Callable[[random.Random, Path, Path, Path], None]] = {
    "corpus": _corpus, "config": _config, "folder": _folder,
}  # fmt: skip


class _Hangs(BaseException):
    pass


@contextmanager
def _bounded() -> Iterator[None]:
    """Inside, more than so many seconds of the processor are an error."""

    def stop(*_: Any) -> None:
        raise _Hangs

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, _CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "part"), [(kind, part) for kind, count in _KINDS.items() for part in range(count)])
def test_each_works_or_is_refused_in_a_line(
    kind: str, part: int, tmp_path: Path, pairs_file: Path, trained: Path
) -> None:
    assert sum(_KINDS.values()) * _EACH == 2000
    failed, worked = [], 0
    for number in range(part * _EACH, (part + 1) * _EACH):
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            with _bounded():
                _CASES[kind](random.Random(number), folder, pairs_file, trained)
            worked += 1
        except regard.RegardError as error:
            if "\n" in str(error) or len(str(error)) > _LONGEST_MESSAGE:
                failed.append(f"{kind} {number}: not one short line: {str(error)[:200]!r}")
        except (_Hangs, Exception) as error:
            failed.append(f"{kind} {number}: {type(error).__name__} {str(error)[:200]}")
        shutil.rmtree(folder)
    assert not failed, "\n".join(failed)
    assert 0 < worked < _EACH  # the damage is neither always harmless nor always deadly
