"""What is compared with a model is read from the columns that it was trained on."""

from __future__ import annotations

from pathlib import Path

import pytest

from regard.cli import main
from regard.folder import load_settings

TOLD = "columns as in the training: data.source digits, data.target words"


@pytest.fixture(scope="module")
def table(pairs_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a header of its own; a model from the last column to the second one."""
    path = tmp_path_factory.mktemp("table") / "table.tsv"
    lines = pairs_file.read_text().splitlines()
    path.write_text("id\twords\tdigits\n" + "".join(f"{number}\t{line}\n" for number, line in enumerate(lines)))
    return path


@pytest.fixture(scope="module")
def folder(table: Path, tiny_flags: list[str]) -> Path:
    out = table.parent / "model"
    flags = ["--data.source", "digits", "--data.target", "words", "--data.hold_out", "10", "--training.updates=2"]
    assert main(["train", str(table), "--out", str(out), *tiny_flags, *flags]) == 0
    assert load_settings(out).data.source == "digits"
    return out


def test_every_command_reads_them(folder: Path, table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file, count in ((table, 150), (folder / "dev.tsv", 10)):
        assert main(["evaluate", str(folder), str(file)]) == 0
        said = capsys.readouterr()
        assert said.out.startswith(f"{count} pairs\n")
        assert TOLD in said.err
        assert main(["align", str(folder), str(file)]) == 0
        said = capsys.readouterr()
        assert len(said.out.splitlines()) == count
        assert TOLD in said.err
        assert main(["likelihood", str(folder), str(file)]) == 0
        said = capsys.readouterr()
        rows = [line.split("\t") for line in said.out.splitlines()]
        source, target = (rows[0].index(side) for side in ("source", "target"))
        assert all(row[source].replace(" ", "").isdecimal() for row in rows[1:])
        assert not any(row[target].replace(" ", "").isdecimal() for row in rows[1:])
        assert TOLD in said.err


def test_a_file_without_them(folder: Path, pairs_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("evaluate", "align", "likelihood"):
        assert main([command, str(folder), str(pairs_file)]) == 2
        said = capsys.readouterr()
        assert "its first line has no column 'digits', as the training's pairs have (data.source digits, " in said.err
        assert "or give two parallel files (--target)" in said.err
