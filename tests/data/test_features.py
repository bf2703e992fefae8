"""Features of sources: recognised in a table, and symbols of their own before the tokens of the text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regard.data.corpora import columns_known, read_any
from regard.data.features import FeaturedTokeniser, are_features, joined, load_source
from regard.data.reading import Pair, listed_pairs, read_pairs, read_texts
from regard.data.splitting import save_tsv
from regard.data.tables import CharacterTokeniser
from regard.data.tokenisers import make_tokeniser, unknown_pieces
from regard.errors import RegardError
from regard.predictor.labels import source_tokens
from regard.settings import DataSettings

ROWS = [("walk", "walked", "V;PST"), ("ox", "oxen", "N;PL"), ("go", "goes", "V;PRS;NOM(3,SG)"), ("be", "be", "V")]
OLD = "".join(f"{lemma}\t{form}\t{tags}\n" for lemma, form, tags in ROWS)
NEW = "".join(f"{lemma}\t{tags}\t{form}\n" for lemma, form, tags in ROWS)
FEATURES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)


def wanted() -> list[tuple[str, str]]:
    return [(f"{lemma}\t{tags}", form) for lemma, form, tags in ROWS]


def written(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize(("content", "column", "target"), [(OLD, "3", "2"), (NEW, "2", "3")])
def test_a_third_column_is_recognised(tmp_path: Path, content: str, column: str, target: str) -> None:
    path = written(tmp_path / "a.tsv", content)
    pairs, report = read_pairs(path, features=None)
    assert [(pair.source, pair.target) for pair in pairs] == wanted()
    assert {name: value for name, (value, _) in report.columns.items()} == {
        "data.features": column,
        "data.target": target,
    }
    by_hand, _ = read_pairs(path, target=target, features=column)
    assert by_hand == pairs
    assert read_pairs(path)[0][0] == Pair("walk", content.split("\t")[1], str(path), 1), "0: there are none"


def test_other_third_columns_are_none(tmp_path: Path) -> None:
    for third in ("word", "Tatoeba #12; CC-BY", "1", "A"):
        path = written(tmp_path / "a.tsv", f"a\tb\t{third}\n" * 3)
        pairs, report = read_pairs(path, features=None)
        assert (pairs[0].source, pairs[0].target, report.columns) == ("a", "b", {})
    assert not are_features(["V;PST", "walked", "N;PL"])


def test_by_name_and_by_header(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tsv", f"lemma\tform\ttags\n{OLD}")
    pairs, _ = read_pairs(path, source="lemma", target="form", features="tags")
    assert [(pair.source, pair.target) for pair in pairs] == wanted()
    path = written(tmp_path / "b.tsv", f"source\ttarget\tfeatures\n{OLD}")
    pairs, report = read_pairs(path, features=None)
    assert [(pair.source, pair.target) for pair in pairs] == wanted()
    assert report.columns["data.features"][0] == "features"
    with pytest.raises(RegardError, match="has no column 'tgas'; did you mean 'tags'"):
        read_pairs(tmp_path / "a.tsv", source="lemma", target="form", features="tgas")
    with pytest.raises(RegardError, match="asked for as features and as a side"):
        read_pairs(path, features="1", source="1")


def test_json_lines(tmp_path: Path) -> None:
    rows = [{"source": lemma, "target": form, "features": tags.split(";")} for lemma, form, tags in ROWS]
    path = written(tmp_path / "a.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))
    assert [(pair.source, pair.target) for pair in read_pairs(path, features=None)[0]] == wanted()
    path = written(tmp_path / "b.jsonl", json.dumps({"source": "a", "target": "b"}) + "\n" + json.dumps(rows[0]) + "\n")
    assert [pair.source for pair in read_pairs(path, features=None)[0]] == ["a", "walk"]
    pairs, report = read_pairs(path, features="features")
    assert [pair.source for pair in pairs] == ["walk\tV;PST"]
    assert "no field 'features': 1 (line 1)" in str(report)


def test_rows_without_the_column_are_counted(tmp_path: Path) -> None:
    pairs, report = read_pairs(written(tmp_path / "a.tsv", f"{NEW}run\tran\nsee\t\tsaw\n"), features=None)
    assert pairs[-1].source == "see\t"
    assert len(pairs) == len(ROWS) + 1
    assert "left out, fewer than 3 columns: 1 (line 5)" in str(report)
    assert "without features: 1 (line 6)" in str(report)


def test_pairs_at_hand() -> None:
    pairs, report = listed_pairs([(("walk", "V;PST"), "walked"), ("see", "saw")], "pairs")
    assert [pair.source for pair in pairs] == ["walk\tV;PST", "see\t"]
    assert "without features: 1" in str(report)
    with pytest.raises(RegardError, match="number 1 is"):
        listed_pairs([(("walk", 3), "walked")], "pairs")


def test_a_file_like_the_one_that_was_learned_from(tmp_path: Path) -> None:
    """Its own order is recognised; where that can't be, it is the other's; a model without features reads none."""
    like = DataSettings(features="2", target="3")
    for content in (OLD, NEW):
        pairs, _, _ = read_any(written(tmp_path / "a.tsv", content), None, DataSettings(), like=like)
        assert [(pair.source, pair.target) for pair in pairs] == wanted()
    pairs, _, _ = read_any(written(tmp_path / "b.tsv", "see\tV\tsaw\n"), None, DataSettings(), like=like)
    assert (pairs[0].source, pairs[0].target) == ("see\tV", "saw")
    pairs, _, _ = read_any(tmp_path / "a.tsv", None, DataSettings(), like=DataSettings())
    assert (pairs[0].source, pairs[0].target) == ("walk", "V;PST")
    two = written(tmp_path / "c.tsv", "see\tsaw\n")
    with pytest.raises(RegardError, match=r"column 3 is asked for \(features beside source and target\)"):
        read_any(two, None, DataSettings(), like=like)
    with pytest.raises(RegardError, match="are a column of a table"):
        read_any(two, two, DataSettings(), like=like)
    with pytest.raises(RegardError, match="features are for sources that are texts"):
        read_any(written(tmp_path / "d.tsv", NEW.replace("\tV", ".png\tV")), None, DataSettings(medium="image"))


def test_held_out_pairs_are_read_again(tmp_path: Path) -> None:
    pairs, _ = read_pairs(written(tmp_path / "a.tsv", OLD), features=None)
    save_tsv(pairs, tmp_path / "dev.tsv")
    again, _ = read_pairs(tmp_path / "dev.tsv", features=None)
    assert [(pair.source, pair.target) for pair in again] == wanted()


@pytest.mark.parametrize("names", [("1", "2", "3"), ("3", "1", "2"), ("lemma", "form", "tags"), ("target", "2", "1")])
def test_held_out_pairs_whose_features_look_like_none(tmp_path: Path, names: tuple[str, str, str]) -> None:
    """Nothing but the header tells which of the columns are features, and it is there."""
    pairs = [Pair("walk\tv past", "walked"), Pair("see\t", "saw")]
    like = DataSettings(source=names[0], target=names[1], features=names[2])
    save_tsv(pairs, tmp_path / "dev.tsv", columns_known(like))
    again, _, _ = read_any(tmp_path / "dev.tsv", None, DataSettings(medium="text"), like=like)
    assert [(pair.source, pair.target) for pair in again] == [(pair.source, pair.target) for pair in pairs]


def test_features_that_are_recognised_leave_the_order_of_the_sides_as_it_was(tmp_path: Path) -> None:
    """From forms to lemmas: the target stands before the source, in both kinds of tables."""
    for content in (OLD, NEW):
        path = written(tmp_path / "a.tsv", content)
        for source, features in (("2", "3"), ("3", "2")):
            like = DataSettings(source=source, target="1", features=features)
            pairs, _, _ = read_any(path, None, DataSettings(medium="text"), like=like)
            assert (pairs[0].source, pairs[0].target) == ("walked\tV;PST", "walk")
    path = written(tmp_path / "b.tsv", f"lemma\tform\ttags\n{OLD}")
    like = DataSettings(source="form", target="lemma", features="tags")
    pairs, _, _ = read_any(path, None, DataSettings(medium="text"), like=like)
    assert (pairs[0].source, pairs[0].target, len(pairs)) == ("walked\tV;PST", "walk", len(ROWS))


def test_texts_to_predict_from(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", "walk\tV;PST\nsee\n \nbe\tV\tbe\n\tV;PST\n")
    texts, report = read_texts(path, features=True)
    assert texts == ["walk\tV;PST", "see", "", "be\tV", ""]
    assert "features without a text: 1 (line 5)" in str(report)
    assert "without features: 1 (line 2)" in str(report)
    assert "more columns than text and features, of which only these are read: 1 (line 4)" in str(report)


def test_texts_to_predict_from_in_a_table(tmp_path: Path) -> None:
    """A file of the form that was trained on, with the form before the features."""
    path = written(tmp_path / "a.txt", "walk\twalked\tV;PST\nsee\tsees\tV;3;SG\n")
    texts, report = read_texts(path, features=True)
    assert texts == ["walk\tV;PST", "see\tV;3;SG"]
    assert "column 3 holds the features" in str(report)


class TestTokeniser:
    def made(self) -> FeaturedTokeniser:
        return FeaturedTokeniser.train(CharacterTokeniser.train(["walkVPST"]), [source for source, _ in wanted()])

    def test_features_stand_before_the_text_and_never_meet_its_pieces(self) -> None:
        made = self.made()
        found = made.encode("walk\tV;PST")
        assert found.pieces == ("V", "PST", "w", "a", "l", "k")
        assert [made.vocabulary[number] for number in found.ids] == ["\tV", "\tPST", "w", "a", "l", "k"]
        assert found.words == (-1, -1, 0, 0, 0, 0)
        assert made.decode(found.ids) == "walk"
        tokens = source_tokens(found)
        assert tokens.special == (True, True, False, False, False, False)
        assert tokens.merged().pieces == ("V", "PST", "walk")

    def test_unknown_and_missing_ones(self) -> None:
        made = self.made()
        found = made.encode("walk\tV;XYZ")
        assert unknown_pieces(made, found) == ("XYZ",)
        assert made.encode("walk\t").ids == made.encode("walk").ids == made.inner.encode("walk").ids

    def test_nested_ones_have_the_brackets_that_they_need(self) -> None:
        made = FeaturedTokeniser.train(CharacterTokeniser.train(["a"]), ["a\tN;ABL(PL;PSS(2, PL));V|X Y"])
        assert made.features == ("ABL(PL)", "N", "PSS(2,PL)", "V", "X", "Y")

    @given(st.lists(st.tuples(FEATURES, FEATURES), min_size=1, max_size=4), st.booleans())
    @settings(max_examples=60, deadline=None)
    def test_many_are_encoded_as_one_by_one(self, rows: list[tuple[str, str]], subwords: bool) -> None:
        texts = [joined(text, features) for text, features in rows]
        inner = make_tokeniser("bpe:40", ["abc a b c"]) if subwords else CharacterTokeniser.train(["abc"])
        made = FeaturedTokeniser.train(inner, texts)
        assert made.encode_ids(texts) == [list(made.encode(text).ids) for text in texts]
        for text in texts:
            found = made.encode(text)
            assert len(found.words) == len(found.pieces) == len(found)
            assert all(number >= len(inner.vocabulary) for number in found.ids[: found.features])
            source_tokens(found)

    def test_saved_and_loaded(self, tmp_path: Path) -> None:
        made = self.made()
        made.save(tmp_path, "source")
        assert load_source(tmp_path, "source") == made
        facts = json.loads((tmp_path / "source.json").read_text())
        (tmp_path / "source.json").write_text(json.dumps({**facts, "features": ["V", "V"]}))
        with pytest.raises(RegardError, match="a feature is there twice"):
            load_source(tmp_path, "source")
        (tmp_path / "source.json").write_text(json.dumps({**facts, "features": 3}))
        with pytest.raises(RegardError, match="is not a list of strings"):
            load_source(tmp_path, "source")


@pytest.mark.parametrize(("year", "column"), [("2022", "3"), ("2023", "2")])
def test_published_tables(corpora: Path, year: str, column: str) -> None:
    files = sorted((corpora / f"inflection-sigmorphon{year}").glob("*.tsv"))
    if not files:
        pytest.skip("these are not among the public corpora here")
    for path in files:
        assert read_pairs(path, features=None)[1].columns["data.features"][0] == column, path
