"""Files that should be like those of a training: their columns are the same, unless they say otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from regard.aligner import read
from regard.data.corpora import columns_known, read_any, stream_any
from regard.data.reading import Pair
from regard.data.report import ReadReport
from regard.data.splitting import save_tsv
from regard.errors import RegardError
from regard.settings import DataSettings

TEXT = DataSettings(medium="text")
BACK, NAMED = DataSettings(source="2", target="1"), DataSettings(source="de", target="en")


def found(path: Path, like: DataSettings, content: str | None = None) -> tuple[list[tuple[str, str]], ReadReport]:
    """The same by all who read such files."""
    if content is not None:
        path.write_text(content, encoding="utf-8")
    pairs, report, _ = read_any(path, None, TEXT, like=like)
    stream, account = stream_any(path, None, TEXT, like)
    aligned, other = read(path, None, like=like)
    assert list(stream) == pairs == aligned
    assert str(account) == str(report) == str(other)
    return [(pair.source, pair.target) for pair in pairs], report


def refused(path: Path, like: DataSettings, content: str) -> str:
    path.write_text(content, encoding="utf-8")
    with pytest.raises(RegardError) as caught:
        read_any(path, None, TEXT, like=like)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_columns_by_number(tmp_path: Path) -> None:
    pairs, report = found(tmp_path / "a.tsv", BACK, "Hi\t嗨\nRun\t跑\n")
    assert pairs == [("嗨", "Hi"), ("跑", "Run")]
    assert report.remarks == ["columns as in the training: data.source 2, data.target 1"]
    assert found(tmp_path / "a.tsv", DataSettings(target="3"), "Hi\tx\t嗨\n")[0] == [("Hi", "嗨")]
    assert found(tmp_path / "a.tsv", DataSettings())[1].remarks == [], "the usual ones are not told of"


def test_columns_that_are_given_go_before(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a\tb\tc\n")
    pairs, _, _ = read_any(tmp_path / "a.tsv", None, DataSettings(source="3", target="2"), like=BACK)
    assert (pairs[0].source, pairs[0].target) == ("c", "b")


def test_columns_by_name(tmp_path: Path) -> None:
    pairs, report = found(tmp_path / "a.tsv", NAMED, "id\tde\ten\n1\thallo\thello\n")
    assert pairs == [("hallo", "hello")]
    assert "line 1 is a header and no pair" in report.remarks[0]
    assert report.remarks[1] == "columns as in the training: data.source de, data.target en"
    turned = DataSettings(source="target", target="source")
    assert found(tmp_path / "a.tsv", turned, "source\ttarget\na\tb\n")[0] == [("b", "a")]


@pytest.mark.parametrize("like", [BACK, NAMED])
def test_a_usual_header_says_otherwise(tmp_path: Path, like: DataSettings) -> None:
    pairs, report = found(tmp_path / "a.tsv", like, "source\ttarget\nhallo\thello\n")
    assert pairs == [("hallo", "hello")]
    assert report.remarks[1].startswith("columns by line 1, not as in the training (data.source ")


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    said = refused(tmp_path / "a.tsv", DataSettings(source="3", target="2"), "a\tb\n")
    assert "column 3 is asked for, and no line has more than 2" in said
    assert "they are those of the training (data.source 3, data.target 2); name its columns in a first line, " in said
    assert "source TAB target, or give two parallel files (--target)" in said
    said = refused(tmp_path / "a.tsv", NAMED, "hallo\thello\n")
    assert "its first line has no column 'de', as the training's pairs have (data.source de, data.target en); " in said
    assert "name its columns in a first line, source TAB target, or give two parallel files (--target)" in said
    for like in (DataSettings(features="3"), DataSettings(source="de", features="tags")):
        said = refused(tmp_path / "a.tsv", like, "a\tb\n")
        assert said.endswith("name its columns in a first line, source TAB features TAB target")


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    record = {"de": "hallo", "en": "hello"}
    pairs, report = found(path, NAMED, f"no\n{json.dumps(record)}\n")
    assert pairs == [("hallo", "hello")]
    assert report.remarks == ["fields as in the training: data.source de, data.target en"]
    for like in (NAMED, BACK):  # numbers are those of a table
        assert found(path, like, json.dumps({"source": "a", "target": "b"}) + "\n")[0] == [("a", "b")]
    both = json.dumps({"source": "a", "target": "b", **record}) + "\n"
    assert found(path, NAMED, both)[0] == [("hallo", "hello")]
    assert "no line has a field 'de'" in refused(path, NAMED, json.dumps({"x": "a", "y": "b"}) + "\n")


def test_references_beside_a_source_that_stands_behind_the_target(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("hello\thallo\thi\n")
    pairs, _, _ = read_any(tmp_path / "a.tsv", None, TEXT, True, like=BACK)
    assert (pairs[0].source, pairs[0].targets) == ("hallo", ("hello", "hi"))


@pytest.mark.parametrize(
    "like",
    [
        DataSettings(),
        BACK,
        NAMED,
        DataSettings(source="target", target="source"),
        DataSettings(source="de", target="2"),
        DataSettings(source="3", target="en"),
    ],
)
def test_what_was_held_out_is_read_again_whatever_the_columns_were(tmp_path: Path, like: DataSettings) -> None:
    path = tmp_path / "dev.tsv"
    for pairs in ([("a", "b"), ("c", "d")], [("Source", "output"), ("c", "d")]):
        save_tsv([Pair(*each) for each in pairs], path, columns_known(like))
        assert found(path, like)[0] == pairs


def test_no_header_where_none_is_needed(tmp_path: Path) -> None:
    save_tsv([Pair("a", "b")], tmp_path / "dev.tsv", columns_known(DataSettings()))
    assert (tmp_path / "dev.tsv").read_text() == "a\tb\n"
