"""Pairs that stream: the same as those that are read at once, in memory that does not grow with the file."""

from __future__ import annotations

import io
import sys
import tracemalloc
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from regard.data import reading
from regard.data.corpora import read_any, stream_any
from regard.data.reading import AHEAD, read_pairs, read_parallel, stream_pairs, stream_parallel
from regard.data.rows import Asked
from regard.errors import RegardError
from regard.settings import DataSettings

MESSY = "Source\tTarget\nHi.\t嗨。\n\nRun.\none\ttwo\tthree\n Go \u2028now. \t 走 \nx\t\n\ty\nz\0\tz\n"


@pytest.fixture
def short_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that files of a few lines are longer than what is looked at ahead."""
    monkeypatch.setattr(reading, "AHEAD", 3)


@pytest.mark.usefixtures("short_look")
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pairs.tsv", MESSY),
        ("pairs.jsonl", '{"source": "a", "target": "b"}\n\nno\n[1]\n{"source": "a"}\n{"source": "c", "target": 1}\n'),
    ],
)
def test_a_stream_is_what_is_read(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode() + b"\xff\xff\tx\n")
    pairs, report = read_pairs(path)
    stream, account = stream_pairs(path, Asked())
    assert isinstance(stream, Iterator)
    assert (list(stream), str(account), account.first) == (pairs, str(report), report.first)
    assert report.left_out_count > 2


def test_parallel_files(tmp_path: Path) -> None:
    for name, content in (("a", "1\n\n3\n"), ("b", "x\n\nz\n"), ("c", "x\n")):
        (tmp_path / name).write_text(content)
    stream, account = stream_parallel(tmp_path / "a", tmp_path / "b")
    pairs, report = read_parallel(tmp_path / "a", tmp_path / "b")
    assert (list(stream), str(account)) == (pairs, str(report))
    with pytest.raises(RegardError, match=r"has 3 lines and .* has 1; line i of both"):
        stream_parallel(tmp_path / "a", tmp_path / "c")  # before the first pair


def test_standard_input_beside_a_file_tells_of_its_length_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b").write_text("x\ny\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"1\n2\n3\n")))
    stream, _ = stream_parallel("-", tmp_path / "b")
    assert [pair.source for pair in islice(stream, 2)] == ["1", "2"]
    with pytest.raises(RegardError, match=r"standard input has 3 lines and .* has 2"):
        next(stream)


@pytest.mark.usefixtures("short_look")
def test_what_is_wrong_with_all_of_a_file_is_told_in_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(b"a\tb\n" + b"\xff\n" * 9)
    stream, _ = stream_pairs(path, Asked())
    assert next(stream).source == "a"
    with pytest.raises(RegardError, match="9 of 10 lines are not UTF-8"):
        next(stream)


def test_columns_are_decided_by_the_first_lines(tmp_path: Path) -> None:
    """Features that are none from a line behind these on: taken for features still, while the whole file shows it."""
    path = tmp_path / "a.tsv"
    path.write_text("walk\tV;PST\twalked\n" * AHEAD + "go\twent\tno feature at all\n" * AHEAD * 9)
    like = DataSettings(features="2", target="3")
    stream, report = stream_any(path, None, DataSettings(medium="text"), like)
    assert next(stream).source == "walk\tV;PST"
    assert report.columns["data.features"][0] == "2"


def test_paths_of_images_count_from_the_folder_and_a_header_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("image\ttext\none.png\t1\ntwo.png\t2\n")
    settings = DataSettings(medium="image")
    stream, account = stream_any(tmp_path / "a.tsv", None, settings, settings)
    pairs, report, _ = read_any(tmp_path / "a.tsv", None, settings)
    found = list(stream)
    assert found == pairs
    assert [Path(pair.source).parent for pair in found] == [tmp_path] * 2
    assert (str(account), account.first) == (str(report), 2)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak(lines: int) -> int:
        path = tmp_path / f"{lines}.tsv"
        path.write_text("".join(f"source number {number}\ttarget\n" for number in range(lines)))
        tracemalloc.start()
        stream, _ = stream_pairs(path, Asked())
        assert sum(1 for _ in stream) == lines
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(10)
    assert peak(20 * AHEAD) < 1.2 * peak(2 * AHEAD)
