"""Batches side by side."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from tiny_models import model, settings, texts

from regard.model import search
from regard.model.workers import side_by_side
from regard.settings import SearchSettings

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_calls_run_at_once_in_a_thread_each_and_come_back_in_order() -> None:
    meeting = threading.Barrier(2, timeout=20)  # which one call alone never passes

    def call(number: int) -> tuple[int, int, bool]:
        meeting.wait()
        return number, torch.get_num_threads(), torch.is_inference_mode_enabled()

    with torch.inference_mode():
        assert side_by_side(call, range(4), CPU) == [(number, 1, True) for number in range(4)]
    assert torch.get_num_threads() == 2


def test_one_call_has_all_threads_and_an_error_is_passed_on() -> None:
    assert side_by_side(lambda _: torch.get_num_threads(), [0], CPU) == [2]

    def fail(number: int) -> None:
        raise ValueError(f"call {number}")

    with pytest.raises(ValueError, match="call 0"):
        side_by_side(fail, range(4), CPU)
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("name", ["lstm feeding", "transformer pre"])
def test_a_search_with_several_threads_finds_the_same(name: str) -> None:
    made, sources = model(settings(decoder=name)), texts(12, 3, 8)
    several = search(made, sources, SearchSettings(beam=3, n_best=2, batch=3, max_length=6))
    torch.set_num_threads(1)
    one = search(made, sources, SearchSettings(beam=3, n_best=2, batch=3, max_length=6))
    for ours, theirs in zip(several, one, strict=True):
        assert [each.tokens for each in ours] == [each.tokens for each in theirs]
        assert ours[0].log_prob == pytest.approx(theirs[0].log_prob, abs=1e-12)
        np.testing.assert_allclose(ours[0].attention["cross", 0], theirs[0].attention["cross", 0], atol=1e-12)
