"""A further process of a training with several: `python -m regard.training.worker`, started by the first one.

Its order is a line of JSON on standard input. That stream stays open as long as the first process lives.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading


def main() -> int:
    """Take part in a training; 0 when it ended in good order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the first process too, and that one says when to stop
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_first, daemon=True).start()

    from regard.errors import RegardError
    from regard.settings import TrainingSettings
    from regard.training.interrupts import TrainingStopped
    from regard.training.processes import Place, Told, joined
    from regard.training.run import take_part

    place = Place(**order["place"])
    print("ready", flush=True)
    try:
        with joined(TrainingSettings(**order["settings"]), place) as fabric:
            take_part(fabric)
    except TrainingStopped:
        return 0
    except Told:
        return 1
    except RegardError as error:
        print(f"regard: process {place.rank}: {error}", file=sys.stderr)
        return 2
    return 0


def _end_with_the_first() -> None:
    while sys.stdin.readline():
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
