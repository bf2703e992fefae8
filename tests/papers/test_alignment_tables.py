"""What the tables of word alignments measure, and what they say where eflomal is absent."""

from __future__ import annotations

from pathlib import Path

import alignment
import eflomal
import hansards
import numpy as np
import pocket_aligner
import pytest

from regard.evaluation import Gold
from regard.maps import AttentionMap, Tokens


def _gold(*links: tuple[int, int]) -> Gold:
    return Gold(frozenset(links), frozenset())


def test_the_symmetrisation_is_chosen_on_other_pairs_than_it_is_told_of() -> None:
    forward = [frozenset({(0, 0), (1, 1)})] * 3
    backward = [frozenset({(0, 0)})] * 3
    # On the held out pair the union is right, on the others the intersection would be.
    made, found = alignment.symmetrised(forward, backward, [_gold((0, 0), (1, 1))], [_gold((0, 0))] * 2)
    assert made["symmetrise"] == "union"
    assert found == [{(0, 0), (1, 1)}] * 2
    # |A & S| + |A & P| = 2 + 2 of |A| + |S| = 4 + 2.
    assert made["aer"] == pytest.approx(33.33)
    assert (made["forward"], made["backward"], made["precision"]) == (pytest.approx(33.33), 0.0, 50.0)


def test_what_is_better_is_above_0() -> None:
    gold = [_gold((0, 0))] * 4
    right, wrong = [frozenset({(0, 0)})] * 4, [frozenset({(0, 1)})] * 4
    assert alignment.compared(right, wrong, gold)["difference"] == 100.0
    assert alignment.compared(wrong, right, gold)["difference"] == -100.0


def test_a_layer_and_the_rows_that_read_are_chosen_where_they_align() -> None:
    words = Tokens(("a", "b"), (0, 1), "a b", ((0, 1), (2, 3)))
    ended = Tokens(("x", "y", "</s>"), (0, 1, -1), "x y", ((0, 1), (2, 3), (3, 3)))
    weights = np.full((2, 1, 3, 2), 0.5, np.float32)
    weights[1, 0] = [[0.5, 0.5], [0.1, 0.9], [0.8, 0.2]]  # of layer 1, after reading: x is b, y is a
    side = alignment.Side(_Unguided(), [AttentionMap(weights, words, ended, place="cross")], [], backward=False)
    way = side.best(alignment.Judged([("a b", "x y")], [_gold((1, 0), (0, 1))]))
    assert (way.layer, way.reading) == (1, True)


class _Unguided:
    class facts:
        shown, shown_reason = (0, 0), "the most mutual information"

    class settings:
        class training:
            guided_reading = False


def test_one_line_where_eflomal_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(eflomal.VARIABLE, raising=False)
    with pytest.raises(SystemExit, match=r"eflomal-align is not on the PATH; .*REGARD_EFLOMAL"):
        eflomal.align([("a", "b")], tmp_path / "links")
    monkeypatch.setenv(eflomal.VARIABLE, str(tmp_path / "none"))
    with pytest.raises(SystemExit, match="there is no such program"):
        eflomal.align([("a", "b")], tmp_path / "links")
    assert not (tmp_path / "links").exists()


def test_links_are_made_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "aligner"
    program.write_text('#!/bin/sh\nprintf "0-0\\n\\n" > "$4"\nprintf "0-1\\n1-1\\n" > "$6"\n')
    program.chmod(0o755)
    monkeypatch.setenv(eflomal.VARIABLE, str(program))
    found = eflomal.align([("a", "b c"), ("d e", "f g")], tmp_path / "links")
    assert found.forward == ({(0, 0)}, set())
    assert found.backward == ({(0, 1)}, {(1, 1)})
    assert (tmp_path / "links" / "pairs").read_text() == "a ||| b c\nd e ||| f g\n"
    program.unlink()
    assert eflomal.align([("a", "b c"), ("d e", "f g")], tmp_path / "links") == found


def test_every_stored_result_is_of_a_job_of_today() -> None:
    from report import finished
    from runner import RESULTS

    for table, jobs in ((hansards.TABLE, hansards.jobs()), (pocket_aligner.TABLE, pocket_aligner.jobs())):
        lines = (RESULTS / f"{table}.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(lines) == len(finished(table, jobs)) > 0
        assert len({job.name for job in jobs}) == len({job.digest for job in jobs}) == len(jobs)
