"""The processes of a training: this one alone, or several that share every update.

Several are started here (`training.devices`), or by `torchrun`, one command in each. Only the first process reads
pairs, writes files and tells news; what the others need to know it sends them. Their gradients are summed after the
backward pass rather than while it runs, so that a process may go through a batch in parts, or have none at all.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, distributed

from regard.configuration import Given
from regard.errors import RegardError
from regard.settings import TrainingSettings
from regard.training.interrupts import TrainingStopped

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_T = TypeVar("_T")
_LONGEST_WAIT = timedelta(days=1)  # the others wait while the first one reads or validates
_SECONDS_TO_END = 30.0
_HERE = "127.0.0.1"
_SET_BY_FABRIC = ("MASTER_ADDR", "MASTER_PORT", "OMP_NUM_THREADS")


class Told(RegardError):
    """What went wrong in the first process, which tells of it; or the connection to it is lost."""


@dataclass(frozen=True)
class Place:
    """Which process of how many, and the port of this machine where they meet."""

    rank: int
    world: int
    port: int


def started_outside(given: Given) -> dict[str, Any]:
    """`training.devices` where `torchrun` has started the processes, by their number; else nothing.

    Raises RegardError where another number was given.
    """
    if not distributed.is_torchelastic_launched():
        return {}
    world = int(os.environ["WORLD_SIZE"])
    chosen = given.get("training.devices")
    if chosen not in (None, world):
        raise RegardError(f"training.devices is {chosen}, but torchrun has started {world}; leave it out")
    return {"training.devices": world}


def multiplies_bfloat16() -> bool:
    """Whether this machine's processor does: Intel's and AMD's without AVX512 can't in recurrent layers, and are very
    slow in all others."""
    intel = platform.machine() in ("x86_64", "AMD64")
    return not intel or torch.backends.cpu.get_cpu_capability().startswith("AVX512")


def launch(settings: TrainingSettings, place: Place | None = None) -> Fabric:
    """Fabric for this process, connected with the others.

    Raises RegardError where there is no such device, or its processor has no instructions for the precision.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.ddp import DDPStrategy
    from lightning_fabric.utilities.exceptions import MisconfigurationException

    missing = {"cuda": not torch.cuda.is_available(), "mps": not torch.backends.mps.is_available()}
    if missing.get(settings.device):
        raise RegardError(f"training.device {settings.device}: this machine has none; leave it out, or give cpu")
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # what is news here is told here
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    nodes = 1
    if place is None and settings.devices > 1:
        nodes = settings.devices // int(os.environ["LOCAL_WORLD_SIZE"])
    try:
        fabric = Fabric(
            accelerator=settings.device,
            devices=settings.devices // nodes,
            num_nodes=nodes,
            strategy=DDPStrategy(timeout=_LONGEST_WAIT) if settings.devices > 1 else "auto",
            precision=settings.precision,
            plugins=[_meeting(place)] if place else None,
        )
        fabric.launch()
    except (RuntimeError, ValueError, TypeError, MisconfigurationException) as error:
        raise RegardError(f"training.device {settings.device}: {' '.join(str(error).split())}") from None
    if settings.precision != "32-true" and fabric.device.type == "cpu" and not multiplies_bfloat16():
        raise RegardError(
            f"training.precision {settings.precision}: this processor does not multiply bfloat16; use 32-true"
        )
    return fabric


@contextmanager
def processes(settings: TrainingSettings) -> Iterator[Fabric]:
    """All processes of a training, of which this is the first, or one that `torchrun` has started.

    When something goes wrong inside, those that were started here end too. Raises RegardError where one can't start.
    """
    if settings.devices == 1:
        yield launch(settings)
        return
    with _environment_kept():
        if distributed.is_torchelastic_launched():
            with _left_in_the_end():
                yield launch(settings)
            return
        port = _free_port()
        workers = [_worker(settings, Place(rank, settings.devices, port)) for rank in range(1, settings.devices)]
        patience = 0.0
        try:
            for worker in workers:
                _wait_for(worker)
            with _left_in_the_end():
                yield launch(settings, Place(0, settings.devices, port))
            patience = _SECONDS_TO_END
        except TrainingStopped:
            patience = _SECONDS_TO_END
            raise
        finally:
            for worker in workers:
                _end(worker, patience)


@contextmanager
def joined(settings: TrainingSettings, place: Place) -> Iterator[Fabric]:
    """The same for a process that the first one has started."""
    with _left_in_the_end():
        yield launch(settings, place)


def on_first(fabric: Fabric, work: Callable[[], _T]) -> _T:
    """What `work` returns in the first process, for all of them; it is called there alone.

    Its RegardError is raised in all of them, as `Told` in the others.
    """
    if fabric.world_size == 1:
        return work()
    if not fabric.is_global_zero:
        complaint, found = _connected(lambda: fabric.broadcast(("", None)))
        if complaint:
            raise Told(complaint)
        return found  # type: ignore[return-value]
    try:
        answer = work()
    except RegardError as error:
        complaint = str(error)
        with suppress(Told):
            _connected(lambda: fabric.broadcast((complaint, None)))
        raise
    _connected(lambda: fabric.broadcast(("", answer)))
    return answer


def greatest(fabric: Fabric, *values: float) -> list[float]:
    """Each of these numbers, or a greater one of another process."""
    return _reduced(fabric, values, distributed.ReduceOp.MAX)


def total(fabric: Fabric, *values: float) -> list[float]:
    """Each of these numbers summed over all processes."""
    return _reduced(fabric, values, distributed.ReduceOp.SUM)


def share_gradients(fabric: Fabric, parameters: Sequence[Tensor]) -> None:
    """Make every process's gradients the sum of all; a parameter that has none in any process keeps none.

    All parameters are of one type and go through one reduction, with a number for each that says whether it has any.
    """
    if fabric.world_size == 1:
        return
    there = torch.tensor([parameter.grad is not None for parameter in parameters])
    parts = [(torch.zeros_like(one) if one.grad is None else one.grad).flatten() for one in parameters]
    flat = torch.cat([there.to(parts[0]), *parts])
    _connected(lambda: distributed.all_reduce(flat))
    there, *parts = flat.split([len(parameters), *(part.numel() for part in parts)])
    for parameter, count, part in zip(parameters, there.tolist(), parts, strict=True):
        parameter.grad = part.view_as(parameter) if count else None


# Parts ----------------------------------------------------------------------------------------------------------------


def _reduced(fabric: Fabric, values: Sequence[float], how: Any) -> list[float]:
    if fabric.world_size == 1:
        return list(values)
    numbers = torch.tensor(values, dtype=torch.float64, device=fabric.device)
    _connected(lambda: distributed.all_reduce(numbers, how))
    return numbers.tolist()  # type: ignore[no-any-return]


def _connected(exchange: Callable[[], _T]) -> _T:
    try:
        return exchange()
    except RuntimeError as error:
        why = str(error).splitlines()[0] if str(error) else "no reason given"
        raise Told(
            f"another process of this training has ended or can't be reached ({why}); "
            "the same command goes on from what was saved last"
        ) from None


def _meeting(place: Place) -> Any:
    """How Fabric is told of a place."""
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment

    class Meeting(LightningEnvironment):
        creates_processes_externally = True
        main_address = _HERE
        main_port = place.port

        def local_rank(self) -> int:
            return place.rank

        def node_rank(self) -> int:
            return 0

    return Meeting()


def _worker(settings: TrainingSettings, place: Place) -> subprocess.Popen[str]:
    """Start another process. It ends when this one does, since its standard input then ends."""
    home = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
    worker = subprocess.Popen(
        [sys.executable, "-m", "regard.training.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert worker.stdin is not None
    order = {"settings": dataclasses.asdict(settings), "place": dataclasses.asdict(place)}
    with suppress(BrokenPipeError):  # one that has ended at once is told of when it is waited for
        worker.stdin.write(json.dumps(order) + "\n")
        worker.stdin.flush()
    return worker


def _wait_for(worker: subprocess.Popen[str]) -> None:
    """Until it is ready to join: once all are, nobody waits for one that never comes."""
    assert worker.stdout is not None
    if not worker.stdout.readline():
        raise RegardError("training.devices: another process could not be started; what it said stands above")


def _end(worker: subprocess.Popen[str], patience: float) -> None:
    try:
        worker.wait(patience)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
    for stream in (worker.stdin, worker.stdout):
        assert stream is not None
        with suppress(BrokenPipeError):  # what could not be said to it is said to nobody
            stream.close()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((_HERE, 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def _left_in_the_end() -> Iterator[None]:
    try:
        yield
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


@contextmanager
def _environment_kept() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _SET_BY_FABRIC}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
