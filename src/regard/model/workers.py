"""Batches side by side: on the CPU each has threads of its own, where all would share every small operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Given = TypeVar("Given")
Made = TypeVar("Made")


def side_by_side(function: Callable[[Given], Made], given: Sequence[Given], device: torch.device) -> list[Made]:
    """What `function` makes of each, in their order; it must change nothing that another call looks at.

    As many calls run at once as torch has threads, among which these are divided. Most of a call's time is in
    operations during which Python runs on elsewhere. On a GPU the calls follow each other.
    """
    threads = torch.get_num_threads()
    workers = min(threads, len(given)) if device.type == "cpu" else 1
    if workers < 2:
        return [function(one) for one in given]
    inference = torch.is_inference_mode_enabled()  # which is a matter of each thread

    def call(one: Given) -> Made:
        with torch.inference_mode(inference):
            return function(one)

    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(threads // workers,)) as pool:
            return list(pool.map(call, given))
    finally:
        torch.set_num_threads(threads)
