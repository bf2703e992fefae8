"""Reading pairs: every format, and every way in which a file can be wrong."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.data.reading import Pair, read_pairs, read_parallel, read_texts
from regard.data.splitting import save_tsv
from regard.errors import RegardError


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def sides(pairs: list[Pair]) -> list[tuple[str, str]]:
    return [(pair.source, pair.target) for pair in pairs]


def refused(path: Path | str, match: str, **options: object) -> None:
    with pytest.raises(RegardError, match=match) as caught:
        read_pairs(path, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


class TestTsv:
    def test_two_columns(self, tmp_path: Path) -> None:
        path = written(tmp_path / "pairs.tsv", "Hi.\t嗨。\n Run. \t跑。\n")
        pairs, report = read_pairs(path)
        assert pairs == [Pair("Hi.", "嗨。", str(path), 1), Pair("Run.", "跑。", str(path), 2)]
        assert (report.lines, report.kept, report.left_out) == (2, 2, {})
        assert pairs[1].origin == f"{path}, line 2"
        assert str(report) == f"{path}: 2 lines, 2 pairs"

    def test_more_columns_first_two_are_read(self, tmp_path: Path) -> None:
        assert sides(read_pairs(written(tmp_path / "a.tsv", "a\tb\tc\nd\te\tf\n"))[0]) == [("a", "b"), ("d", "e")]

    @pytest.mark.parametrize(("source", "target"), [(3, 1), ("3", "1")])
    def test_columns_by_number(self, tmp_path: Path, source: str | int, target: str | int) -> None:
        path = written(tmp_path / "a.tsv", "a\tb\tc\nd\te\tf\n")
        assert sides(read_pairs(path, source=source, target=target)[0]) == [("c", "a"), ("f", "d")]

    def test_columns_by_name(self, tmp_path: Path) -> None:
        path = written(tmp_path / "a.tsv", "id\tenglish\tchinese\n1\tHi\t嗨\n")
        pairs, report = read_pairs(path, source="english", target="chinese")
        assert sides(pairs) == [("Hi", "嗨")]
        assert (pairs[0].line, report.lines) == (2, 1)

    def test_usual_header_is_no_pair(self, tmp_path: Path) -> None:
        pairs, report = read_pairs(written(tmp_path / "a.tsv", "Target\tSource\nx\ty\n"))
        assert sides(pairs) == [("y", "x")]
        assert "line 1 is a header and no pair; it names the columns 'Target', 'Source'" in str(report)

    def test_a_line_that_may_be_a_header_is_kept_and_told(self, tmp_path: Path) -> None:
        pairs, report = read_pairs(written(tmp_path / "a.tsv", "English\tGerman\none\teins\n"))
        assert sides(pairs) == [("English", "German"), ("one", "eins")]
        assert "if it is a header, train with --data.source English --data.target German" in str(report)
        for content in ("One\tEins\nEnglish\tGerman\n", "English\tEnglisch text\n", "Source\tTarget\na\tb\n"):
            assert "is taken as a pair" not in str(read_pairs(written(tmp_path / "b.tsv", content))[1])
        # Columns by number leave a header in.
        report = read_pairs(tmp_path / "b.tsv", source=2, target=1)[1]
        assert "line 1, Target and Source, is taken as a pair" in str(report)

    def test_unknown_column_names_are_suggested(self, tmp_path: Path) -> None:
        path = written(tmp_path / "a.tsv", "english\tchinese\nHi\t嗨\n")
        refused(path, "no column 'englsh'; did you mean 'english'", source="englsh", target="chinese")
        refused(path, "which column is the target", source="english")

    def test_columns_that_are_not_there(self, tmp_path: Path) -> None:
        refused(written(tmp_path / "a.tsv", "one two\n"), "column 2 is asked for, and no line has more than 1")
        refused(written(tmp_path / "b.tsv", "a\tb\n"), "column 5 is asked for", source=1, target=5)
        refused(written(tmp_path / "c.tsv", "a\tb\n"), "numbered from 1", source=0, target=1)

    def test_wrong_numbers_of_columns_are_left_out(self, tmp_path: Path) -> None:
        pairs, report = read_pairs(written(tmp_path / "a.tsv", "a\tb\nonly\nc\td\te\tf\ng\th\n"))
        assert sides(pairs) == [("a", "b"), ("g", "h")]
        assert {reason: tally.first_lines for reason, tally in report.left_out.items()} == {
            "fewer than 2 columns": [2],
            "more columns than the usual 2": [3],
        }
        assert "left out, fewer than 2 columns: 1 (line 2)" in str(report)

    def test_empty_sides_and_lines(self, tmp_path: Path) -> None:
        pairs, report = read_pairs(written(tmp_path / "a.tsv", "a\tb\n\n\tb\na\t \n  \n"))
        assert sides(pairs) == [("a", "b")]
        assert {reason: tally.first_lines for reason, tally in report.left_out.items()} == {
            "an empty line": [2, 5],
            "an empty source": [3],
            "an empty target": [4],
        }
        assert report.left_out_count == 4

    def test_only_line_feeds_end_lines(self, tmp_path: Path) -> None:
        odd = "a\u2028b\x85c\x0b\x1cd"
        pairs, _ = read_pairs(written(tmp_path / "a.tsv", f"{odd}\tx\r\ny\tz\r\n"))
        assert sides(pairs) == [("a\u2028b\x85c \x1cd", "x"), ("y", "z")]

    def test_byte_order_mark(self, tmp_path: Path) -> None:
        path = written(tmp_path / "a.tsv", b"\xef\xbb\xbfsource\ttarget\na\tb\n\xef\xbb\xbfc\td\n")
        assert sides(read_pairs(path)[0]) == [("a", "b"), ("c", "d")]

    def test_lines_that_are_not_utf8(self, tmp_path: Path) -> None:
        pairs, report = read_pairs(written(tmp_path / "a.tsv", b"a\tb\n" * 3 + b"caf\xe9\tx\n" + b"e\tf\n"))
        assert len(pairs) == 4
        assert report.left_out["not UTF-8"].first_lines == [4]

    def test_a_file_of_another_encoding(self, tmp_path: Path) -> None:
        refused(written(tmp_path / "a.tsv", b"\xe9\tb\n" * 4 + b"a\tb\n"), "4 of 5 lines are not UTF-8 .first line 1")
        refused(written(tmp_path / "b.tsv", "a\tb\n".encode("utf-16")), "UTF-16")

    def test_files_without_pairs(self, tmp_path: Path) -> None:
        refused(written(tmp_path / "a.tsv", ""), "the file is empty")
        refused(written(tmp_path / "b.tsv", "\n \n"), r"no pair could be read \(an empty line: 2")
        refused(written(tmp_path / "c.tsv", "source\ttarget\n"), "only a header line")
        refused(tmp_path / "none.tsv", "no such file")
        refused(tmp_path, "a folder")

    def test_duplicates_are_reported_and_kept(self, tmp_path: Path) -> None:
        pairs, report = read_pairs(written(tmp_path / "a.tsv", "a\tb\na\tc\na\tb\na\tb\n"))
        assert len(pairs) == 4
        assert report.noted["repeating an earlier pair"].first_lines == [3, 4]

    def test_references(self, tmp_path: Path) -> None:
        path = written(tmp_path / "a.tsv", "Hi.\t嗨。\t你好。\nRun.\t跑。\nGo.\t\t走。\n")
        pairs, _ = read_pairs(path, references=True)
        assert [pair.targets for pair in pairs] == [("嗨。", "你好。"), ("跑。",), ("走。",)]
        assert pairs[0].target == "嗨。"

    def test_long_line(self, tmp_path: Path) -> None:
        path = written(tmp_path / "a.tsv", "w " * 100_000 + "\tx\na\tb\n")
        assert len(read_pairs(path)[0][0].source.split()) == 100_000

    def test_many_lines_are_counted_and_few_shown(self, tmp_path: Path) -> None:
        _, report = read_pairs(written(tmp_path / "a.tsv", "a\tb\n" + "x\t\n" * 1234))
        assert "left out, an empty target: 1,234 (lines 2, 3, 4, 5, 6, ...)" in str(report)


class TestJsonl:
    def test_fields(self, tmp_path: Path) -> None:
        path = written(tmp_path / "a.jsonl", '{"en": "Hi", "zh": "嗨"}\n\n{"en": "a\\tb\\nc", "zh": "x"}\n')
        pairs, report = read_pairs(path, source="en", target="zh")
        assert sides(pairs) == [("Hi", "嗨"), ("a b c", "x")]
        assert report.noted["tabs or line breaks inside a text, now spaces"].first_lines == [3]
        assert report.left_out["an empty line"].first_lines == [2]

    def test_references_are_a_list(self, tmp_path: Path) -> None:
        path = written(
            tmp_path / "a.jsonl", '{"source": "Hi", "target": ["嗨", "你好"]}\n{"source": "a", "target": "b"}'
        )
        assert [pair.targets for pair in read_pairs(path, references=True)[0]] == [("嗨", "你好"), ("b",)]
        assert sides(read_pairs(path)[0])[0] == ("Hi", "嗨")

    def test_broken_records_are_left_out(self, tmp_path: Path) -> None:
        records = [
            '{"source": "a", "target": "b"}',
            "{broken",
            "[1]",
            '{"source": "a"}',
            '{"source": 1, "target": "b"}',
            '{"source": "\\ud800", "target": "b"}',
            '{"source": "a", "target": []}',
            "[" * 100_000,
        ]
        pairs, report = read_pairs(written(tmp_path / "a.jsonl", "\n".join(records)))
        assert len(pairs) == 1
        assert {reason: tally.first_lines for reason, tally in report.left_out.items()} == {
            "not JSON": [2, 8],
            "not a JSON object": [3],
            "no field 'target'": [4],
            "a field that is not text": [5],
            "half a surrogate pair": [6],
            "an empty target": [7],
        }

    def test_a_field_that_no_line_has(self, tmp_path: Path) -> None:
        path = written(tmp_path / "a.jsonl", '{"source": "a", "targets": "b"}\n')
        refused(path, "no line has a field 'target'; did you mean 'targets'")
        path = written(tmp_path / "b.jsonl", '{"en": "a", "de": "b"}\n')
        refused(path, r"known: de, en \(train with --data.source en --data.target de\)")


class TestParallel:
    def test_pairs(self, tmp_path: Path) -> None:
        one = written(tmp_path / "a.en", "Hi.\nRun.\n\nx\n")
        other = written(tmp_path / "a.de", b"Hallo.\nLauf.\n\n\xff\n")
        pairs, report = read_parallel(one, other)
        assert sides(pairs) == [("Hi.", "Hallo."), ("Run.", "Lauf.")]
        assert pairs[1].line == 2
        assert set(report.left_out) == {"an empty line", "not UTF-8"}

    def test_different_lengths(self, tmp_path: Path) -> None:
        one, other = written(tmp_path / "a.en", "a\nb\n"), written(tmp_path / "a.de", "c\n")
        with pytest.raises(RegardError, match=r"a\.en has 2 lines and .*a\.de has 1"):
            read_parallel(one, other)

    def test_empty(self, tmp_path: Path) -> None:
        with pytest.raises(RegardError, match="empty"):
            read_parallel(written(tmp_path / "a", ""), written(tmp_path / "b", ""))

    def test_a_tab_stays_out_of_what_is_saved(self, tmp_path: Path) -> None:
        one, other = written(tmp_path / "a", "a\tb\n"), written(tmp_path / "b", "c\n")
        pairs, _ = read_parallel(one, other)
        save_tsv(pairs, tmp_path / "saved.tsv")
        assert sides(read_pairs(tmp_path / "saved.tsv")[0]) == [("a b", "c")]


class TestPackedAndStandardInput:
    @pytest.mark.parametrize("name", ["a.tsv.gz", "a.tsv"])
    def test_gzip_whatever_the_name(self, tmp_path: Path, name: str) -> None:
        assert sides(read_pairs(written(tmp_path / name, gzip.compress(b"a\tb\n", mtime=0)))[0]) == [("a", "b")]

    def test_gzip_of_jsonl_and_parallel(self, tmp_path: Path) -> None:
        path = written(tmp_path / "a.jsonl.gz", gzip.compress(b'{"source": "a", "target": "b"}\n', mtime=0))
        assert sides(read_pairs(path)[0]) == [("a", "b")]
        one, other = (written(tmp_path / name, gzip.compress(name.encode())) for name in ("x.gz", "y.gz"))
        assert sides(read_parallel(one, other)[0]) == [("x.gz", "y.gz")]

    @pytest.mark.parametrize("cut", [5, 15, 40])
    def test_broken_gzip(self, tmp_path: Path, cut: int) -> None:
        packed = gzip.compress(b"".join(b"%d\t%d\n" % (n, n * n) for n in range(100)))
        refused(written(tmp_path / "a.tsv.gz", packed[:cut]), "gzip data is broken")

    @pytest.mark.parametrize(
        "content",
        [b"a\tb\n", gzip.compress(b"a\tb\n", mtime=0), b'{"source": "a", "target": "b"}', b"\xef\xbb\xbfa\tb\r\n"],
    )
    def test_standard_input(self, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        pairs, report = read_pairs("-")
        assert sides(pairs) == [("a", "b")]
        assert report.name == pairs[0].file == "standard input"

    def test_standard_input_once(self) -> None:
        with pytest.raises(RegardError, match="both"):
            read_parallel("-", "-")


def test_texts_to_predict_keep_every_line(tmp_path: Path) -> None:
    texts, report = read_texts(written(tmp_path / "a.txt", b"Hi.\n\n\xff\n  Run. \r\na\tb\nc\td\n"))
    assert texts == ["Hi.", "", "", "Run.", "a b", "c d"]
    assert str(report).splitlines()[0].endswith("a.txt: 6 lines, 6 texts")
    assert {reason: tally.first_lines for reason, tally in report.noted.items()} == {
        "an empty line": [2],
        "not UTF-8": [3],
        "columns (tabs) taken as one text; for the first column alone: cut -f 1 FILE": [5, 6],
    }


@given(content=st.binary(max_size=200))
def test_any_bytes_give_pairs_or_one_line(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = written(tmp_path_factory.getbasetemp() / "fuzz.tsv", content)
    try:
        pairs, report = read_pairs(path)
    except RegardError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert report.kept == len(pairs) > 0
        assert report.lines == report.kept + report.left_out_count
        assert all(pair.source and pair.target for pair in pairs)


@given(pairs=st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1, max_size=5))
def test_saved_pairs_read_back(tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = written(folder / "any.jsonl", "\n".join(json.dumps({"source": s, "target": t}) for s, t in pairs))
    try:
        found, _ = read_pairs(path)
    except RegardError:  # nothing but white space
        return
    save_tsv(found, folder / "any.tsv")
    again, report = read_pairs(folder / "any.tsv", source=1, target=2)
    assert sides(again) == sides(found)
    assert not report.left_out


@pytest.mark.realdata
def test_public_corpora_are_read_whole(corpora: Path) -> None:
    folder = corpora / "multi30k"
    pairs, report = read_parallel(folder / "train.en.gz", folder / "train.de.gz")
    assert (len(pairs), report.left_out) == (29_000, {})
    pairs, report = read_pairs(corpora / "tatoeba-cmn" / "test.refs.tsv", references=True)
    assert (len(pairs), report.left_out) == (1_500, {})
    assert max(len(pair.targets) for pair in pairs) > 2
