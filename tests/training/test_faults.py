"""Whatever write fails, and in whatever way: one line tells of it, nothing is lost, and the same command goes on."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import TINY, backwards, same_weights

from regard import files
from regard.errors import RegardError
from regard.folder import FACTS, METRICS, STATE, WEIGHTS, load_facts, load_settings, load_sides, load_weights
from regard.training import loop, run
from regard.training.state import Progress, State, load_state, save_state

# Two validations, whose weights are averaged, and a state after every update.
SETTINGS = {
    **TINY,
    "data": {**TINY["data"], "hold_out": 8},
    "training": {**TINY["training"], "updates": 3, "validate_every": 1, "average": 2, "warmup": 1},
}
OPTIMIZER: dict[str, Any] = {"state": {}, "param_groups": []}
OPERATIONS = ("makedirs", "open", "write", "fsync", "close", "replace", "unlink")


class Disk:
    """The module `os` of the writers: counts their operations, and one of them fails."""

    def __init__(self, fail_at: int = 0, how: str = "error") -> None:
        self.fail_at, self.how, self.done = fail_at, how, list[str]()
        self.full = False

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        return (lambda *given, **named: self._call(name, real, *given, **named)) if name in OPERATIONS else real

    def _call(self, name: str, real: Callable[..., Any], *given: Any, **named: Any) -> Any:
        if name == "unlink" and not os.path.exists(given[0]):
            return real(*given, **named)  # what is not there can't fail to go
        self.done.append(name)
        now = len(self.done) == self.fail_at
        if name == "write" and self.how != "error" and (now or self.full):
            if self.full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.full = self.how == "full"
            descriptor, content = given
            return real(descriptor, content[: len(content) // 2])
        if now and self.how == "error":
            if name == "close":
                real(*given, **named)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(*given, **named)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder with the pairs and the training that nothing happens to, and the operations that it took."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "pairs.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in backwards(40)), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        disk = prepared(patch, Disk())
        run.train(folder / "pairs.tsv", out=folder / "model", **SETTINGS)
    return folder, disk.done


def prepared(patch: pytest.MonkeyPatch, disk: Disk) -> Disk:
    patch.setattr(files, "os", disk)
    patch.setattr(run, "find_spec", lambda _: None)  # no picture, which would take most of the time
    patch.setattr(loop, "_SAVE_SECONDS", 0.0)
    return disk


def check_readable(model: Path) -> None:
    """Every file that is there is whole."""
    if model.is_dir() and (model / STATE).exists():
        load_sides(model, load_settings(model)), load_facts(model)
        assert load_state(model) is not None
    for weights in model.rglob("*.safetensors"):
        load_weights(weights)
    if (model / METRICS).exists():
        assert (model / METRICS).read_text(encoding="utf-8").endswith("}\n")


def fails_and_goes_on(whole: Path, model: Path, place: int, how: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        disk = prepared(patch, Disk(place, how))
        if how == "short":
            run.train(whole / "pairs.tsv", out=model, **SETTINGS)
        else:
            with pytest.raises(RegardError, match=r"can't be (written|made|removed): ") as raised:
                run.train(whole / "pairs.tsv", out=model, **SETTINGS)
            assert "\n" not in str(raised.value)
            assert len(disk.done) >= place
            check_readable(model)
            patch.setattr(files, "os", Disk())
            run.train(whole / "pairs.tsv", out=model, **SETTINGS)
    assert same_weights(whole / "model", model), (place, how)
    assert (whole / "model" / FACTS).read_bytes() == (model / FACTS).read_bytes()
    kept, found = load_state(whole / "model"), load_state(model)
    assert kept is not None
    assert found is not None
    assert found.progress.finished
    assert all(torch.equal(kept.weights[name], found.weights[name]) for name in kept.weights)
    assert not list(model.rglob("*.part"))


def cases(done: list[str]) -> list[tuple[int, str]]:
    """Every operation fails; what is written may also be cut off, at once or by a disk that stays full."""
    return [
        (place, how)
        for place, name in enumerate(done, 1)
        for how in (("error", "short", "full") if name == "write" else ("error",))
    ]


def test_every_kind_of_operation_fails_somewhere(whole: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, done = whole
    assert set(done) == set(OPERATIONS)
    chosen = {(done[place - 1], how): (place, how) for place, how in cases(done)[::-1][len(done) // 3 :]}
    for number, (place, how) in enumerate(chosen.values()):
        fails_and_goes_on(folder, tmp_path / str(number), place, how)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_every_operation_fails(whole: tuple[Path, list[str]], tmp_path: Path, part: int) -> None:
    folder, done = whole
    for number, (place, how) in enumerate(cases(done)[part::8]):
        fails_and_goes_on(folder, tmp_path / str(number), place, how)


def test_a_limit_of_the_system_itself_leaves_the_last_state(tmp_path: Path) -> None:
    """No stand-in: the kernel cuts the write short, and refuses the next one."""
    (tmp_path / STATE).parent.mkdir()
    save_state(tmp_path, State(Progress(update=1), {"weight": torch.zeros(4)}, OPTIMIZER, "pairs"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(RegardError, match="File too large; allow larger files"):
            save_state(tmp_path, State(Progress(update=2), {"weight": torch.zeros(100_000)}, OPTIMIZER, "pairs"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    kept = load_state(tmp_path)
    assert kept is not None
    assert kept.progress.update == 1
    assert [path.name for path in (tmp_path / STATE).parent.iterdir()] == ["state.safetensors"]


def test_what_a_killed_process_left_is_cleared_away(whole: tuple[Path, list[str]], tmp_path: Path) -> None:
    dead = max(int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()) + 10_000
    model = tmp_path / "model"
    (model / "training").mkdir(parents=True)
    left = [model / f".config.yaml.{dead}.part", model / "training" / f".state.safetensors.{dead}.part"]
    living = model / "training" / f".maps.npz.{os.getppid()}.part"
    for path in (*left, living):
        path.write_bytes(b"half")
    with pytest.MonkeyPatch.context() as patch:
        prepared(patch, Disk())
        run.train(whole[0] / "pairs.tsv", out=model, **SETTINGS)
    assert not any(path.exists() for path in left)
    assert living.exists()
    assert (model / WEIGHTS).exists()
