"""Where files go: links, devices, pipes, and places that are none."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from regard.errors import RegardError
from regard.files import check_place, write_bytes


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    write_bytes(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"
    assert {path.name for path in tmp_path.iterdir()} == {"file", "link"}


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no such devices here")
def test_devices_and_pipes_are_written_to_and_stay(tmp_path: Path) -> None:
    code = "from regard.files import write_bytes; print('a'); write_bytes('/dev/stdout', b'b\\n'); print('c')"
    with open(tmp_path / "out", "wb") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "a\nb\nc\n"
    write_bytes("/dev/null", b"gone")
    assert Path("/dev/null").is_char_device()
    os.mkfifo(tmp_path / "pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write_bytes(tmp_path / "pipe", b"through")
    reader.join(10)
    assert got == [b"through"]
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("folder", "it is a folder; name a file"),
        ("nowhere/file", "there is no folder"),
        ("file/file", "there is no folder"),
    ],
)
def test_places_that_are_none_are_told_before_the_work(tmp_path: Path, place: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(RegardError, match=f"can't be written: {message}"):
        check_place(tmp_path / place)
    with pytest.raises(RegardError, match="can't be written: "):
        write_bytes(tmp_path / place, b"")
    check_place(tmp_path / "new")
    check_place(tmp_path / "file")
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "file"}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="whoever owns the machine may write anywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(RegardError, match="Permission denied; choose another place"):
        check_place(tmp_path / "file")
