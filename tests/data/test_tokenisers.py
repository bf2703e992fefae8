"""Tokenisers: round trips, offsets, unknown pieces, saving, and settings that are wrong."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.data.encoding import Encoding
from regard.data.special import SPECIALS
from regard.data.tables import CharacterTokeniser
from regard.data.text import normalise
from regard.data.tokenisers import (
    Tokeniser,
    load_tokeniser,
    make_tokeniser,
    make_tokenisers,
    unknown_pieces,
)
from regard.errors import RegardError

TEXTS = [
    "Tom chases Jerry.",
    "  Tom and Jerry, in the 3.5 kg garden: don't chase <eos> <unk>!",
    "Straße, Café à côté — ÉCOLE ￭ ▁ _",
    "汤姆在追杰瑞。他们在Tom家里吗？",
    "টমকে ডাকো। সে এসেছিলো।",
    "ラーメンを食べる",
    "ไปไหน ไปกิน",
    "👩‍👩‍👧 x\u2028y\tz\x85",
] * 4
ALPHABET = "".join(sorted({character for text in TEXTS for character in unicodedata.normalize("NFC", text)}))
KINDS = ["character", "code_point", "symbols", "bpe:250", "unigram:250"]
KNOWN_TEXT = st.lists(st.sampled_from([*ALPHABET, *"".join(TEXTS[:8]).split()]), max_size=30).map("".join)


@cache
def tokeniser(kind: str, casing: str = "keep") -> Tokeniser:
    return make_tokeniser(kind, TEXTS, casing)  # type: ignore[arg-type]


def check(made: Tokeniser, encoding: Encoding) -> None:
    """What holds of every encoding."""
    assert len(encoding.ids) == len(encoding.pieces) == len(encoding.words) == len(encoding.offsets)
    assert all(encoding.text[start:end] == p for (start, end), p in zip(encoding.offsets, encoding.pieces, strict=True))
    assert all(0 <= number < len(made.vocabulary) for number in encoding.ids)
    assert all(0 <= start <= end <= len(encoding.text) for start, end in encoding.offsets)
    assert list(encoding.offsets) == sorted(encoding.offsets)
    assert list(encoding.words) == sorted(encoding.words)
    assert set(encoding.words) <= set(range(len(encoding.word_offsets)))
    for piece, (start, end), word in zip(encoding.pieces, encoding.offsets, encoding.words, strict=True):
        if piece.strip():
            word_start, word_end = encoding.word_offsets[word]
            assert word_start <= start < end <= word_end
    covered = "".join(encoding.pieces)
    assert "".join(covered.split()) == "".join(encoding.text.split())


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.text())
def test_offsets_hold_for_any_text(kind: str, text: str) -> None:
    made = tokeniser(kind)
    encoding = made.encode(text)
    assert encoding.text == normalise(text)
    check(made, encoding)
    assert made.encode_ids([text]) == [list(encoding.ids)]


@pytest.mark.parametrize("kind", ["character", "code_point", "bpe:250", "unigram:250"])
@given(text=KNOWN_TEXT)
def test_round_trip(kind: str, text: str) -> None:
    made = tokeniser(kind)
    encoding = made.encode(text)
    if made.unk not in encoding.ids:  # a composition of two known characters may be unknown
        assert made.decode(encoding.ids) == normalise(text)


@pytest.mark.parametrize("kind", ["character", "code_point", "bpe:250", "unigram:250"])
@pytest.mark.parametrize("casing", ["keep", "fold"])
@pytest.mark.parametrize("text", TEXTS[:8])
def test_round_trip_of_the_training_texts(kind: str, casing: str, text: str) -> None:
    made = tokeniser(kind, casing)
    encoding = made.encode(text)
    assert unknown_pieces(made, encoding) == ()
    assert made.decode(encoding.ids) == normalise(text, casing)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [" ", "  ", " a", "a ", " 汤姆", "汤姆 ", " 汤姆 Tom  ", "Tom  Tom", "汤 姆", ""])
@pytest.mark.parametrize("kind", ["character", "code_point", "bpe:250", "unigram:250"])
def test_spaces_survive(kind: str, text: str) -> None:
    made = tokeniser(kind)
    assert made.decode(made.encode(text).ids) == text
    check(made, made.encode(text))


def test_symbols_may_be_the_most_frequent_alone() -> None:
    made = make_tokeniser("symbols:10", ["b a c b", "a b d e f g h", "h g"])
    assert made.vocabulary[4:] == ("a", "b", "c", "d", "g", "h")  # of those met once the first by name
    assert made.encode("b x a").ids == (5, made.unk, 4)
    assert made.decode(made.encode("b x a").ids) == "b \ufffd a"
    assert make_tokeniser("symbols:50", ["b a"]).vocabulary[4:] == ("a", "b")


@given(st.lists(st.sampled_from([word for text in TEXTS for word in text.split()])), st.sampled_from([" ", "  ", "\t"]))
def test_symbols_are_never_split(symbols: list[str], space: str) -> None:
    made = tokeniser("symbols")
    encoding = made.encode(space.join(symbols))
    assert list(encoding.pieces) == list(map(normalise, symbols))
    assert made.decode(encoding.ids) == " ".join(encoding.pieces)
    assert encoding.words == tuple(range(len(symbols)))


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_predicted_ids_have_a_place_in_their_text(kind: str, data: st.DataObject) -> None:
    made = tokeniser(kind)
    ids = data.draw(st.lists(st.integers(0, len(made.vocabulary) - 1), max_size=12))
    encoding = made.trace(ids)
    assert encoding.text == made.decode(ids)
    assert encoding.ids == tuple(ids)
    check(made, encoding)


@pytest.mark.parametrize("kind", KINDS)
def test_traced_encoding_is_the_encoding(kind: str) -> None:
    made = tokeniser(kind)
    for text in ("Tom chases Jerry.", "汤姆在追杰瑞。", "টমকে ডাকো।"):
        encoding = made.encode(text)
        assert made.trace(encoding.ids) == encoding or made.unk in encoding.ids


@pytest.mark.parametrize(
    ("kind", "text", "unknown"),
    [
        ("character", "Tom ☃!", ("☃",)),
        ("character", "👨‍🚀", ()),  # its joiner is known, so it is spelled
        ("symbols", "Tom flies", ("flies",)),
        ("bpe:250", "Tom ☃☃!", ("☃", "☃")),
        ("unigram:250", "Tom ☃!", ("☃",)),
    ],
)
def test_unknown_pieces_can_be_shown(kind: str, text: str, unknown: tuple[str, ...]) -> None:
    made = tokeniser(kind)
    encoding = made.encode(text)
    shown = unknown_pieces(made, encoding)
    assert shown == unknown or (not unknown and shown == ("👨", "🚀"))
    assert made.decode(encoding.ids).count("\ufffd") == len(shown)


@pytest.mark.parametrize("kind", KINDS)
def test_special_pieces_are_never_found_in_a_text(kind: str) -> None:
    made = tokeniser(kind)
    assert (made.pad, made.unk, made.bos, made.eos) == (0, 1, 2, 3)
    assert made.vocabulary[:4] == SPECIALS
    for text in ("<eos>", "<unk>", "<pad> <bos>", "a<eos>b"):
        assert not {made.pad, made.bos, made.eos} & set(made.encode(text).ids)
    assert made.decode([made.bos, made.pad, made.eos]) == ""


@pytest.mark.parametrize("kind", ["bpe:250", "unigram:250"])
def test_subwords_cross_neither_punctuation_nor_scripts(kind: str) -> None:
    for piece in tokeniser(kind).vocabulary[4:]:
        letters = piece.removeprefix(" ")
        assert len(letters) <= 1 or letters.replace("_", "").isalnum() or not letters.isascii()
        assert not ("T" in letters and "家" in letters)
        assert " " not in letters or piece == " "


def test_words_are_the_same_piece_everywhere() -> None:
    made = tokeniser("bpe:250")
    first, inside = made.encode("Tom"), made.encode("and Tom")
    assert inside.ids[-len(first.ids) :] == first.ids


def test_bpe_of_a_known_text() -> None:
    made = make_tokeniser("bpe:40", ["low lower lowest"] * 10)
    assert made.vocabulary == (
        *SPECIALS,
        " ",
        "e",
        "l",
        "o",
        "r",
        "s",
        "t",
        "w",
        " l",
        "ow",
        " low",
        " lowe",
        "st",
        " lower",
        " lowest",
    )
    assert made.encode("low lowest").pieces == ("low", "lowest")


@pytest.mark.parametrize("kind", KINDS)
def test_training_is_deterministic(kind: str) -> None:
    assert make_tokeniser(kind, TEXTS).vocabulary == tokeniser(kind).vocabulary


def test_clusters_met_once_are_spelled() -> None:
    made = make_tokeniser("character", ["কে কে কি"])
    assert made.encode("কে").pieces == ("কে",)
    assert made.encode("কি").pieces == ("ক", "ি")
    assert made.encode("কি").words == (0, 0)


def test_code_points_are_always_spelled() -> None:
    made = make_tokeniser("code_point", ["কে কে কি"])
    assert made.encode("কেে").pieces == ("ক", "ে", "ে")
    assert made.vocabulary[len(SPECIALS) :] == tuple(sorted(" ককেি".replace("কে", "ে")))
    assert isinstance(made, CharacterTokeniser)
    assert made.extended(["খি খি"]).encode("খি").pieces == ("খ", "ি")


def test_casing() -> None:
    folded, kept = tokeniser("character", "fold"), tokeniser("character")
    assert folded.encode("TOM").ids == folded.encode("tom").ids
    assert kept.encode("TOM").ids != kept.encode("tom").ids
    assert folded.encode("TOM").text == "tom"


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_of_a_hundred_thousand_tokens(kind: str) -> None:
    made = tokeniser(kind)
    text = "Tom " * 50_000 + "x" * 50_000
    encoding = made.encode(text)
    assert len(encoding.words) == len(encoding.ids) > 50_000 or kind == "symbols"
    assert encoding.word_texts[0] == "Tom"
    assert encoding.words[-1] == 50_000


@pytest.mark.parametrize("kind", KINDS)
def test_half_surrogates_do_no_harm(kind: str) -> None:
    made = tokeniser(kind)
    check(made, made.encode("Tom \udcff"))


class TestMaking:
    def test_joint(self) -> None:
        source, target = make_tokenisers("bpe:100", "bpe:100", ["Tom"], ["汤姆"], joint=True)
        assert source is target
        assert {"T", "汤"} <= {piece.strip() for piece in source.vocabulary} | set("".join(source.vocabulary))

    def test_separate(self) -> None:
        source, target = make_tokenisers(
            "character", "symbols", ["Tom"], ["t O m"], source_casing="fold", target_casing="keep"
        )
        assert (source.kind, target.kind) == ("character", "symbols")
        assert source.vocabulary[4:] == ("m", "o", "t")
        assert target.vocabulary[4:] == ("O", "m", "t")

    def test_joint_sides_that_differ(self) -> None:
        with pytest.raises(RegardError, match="same settings"):
            make_tokenisers("bpe:100", "character", ["a"], ["b"], joint=True)
        with pytest.raises(RegardError, match="same settings"):
            make_tokenisers("bpe:100", "bpe:100", ["a"], ["b"], joint=True, source_casing="fold")

    @pytest.mark.parametrize(
        ("setting", "match"),
        [
            ("charcter", "did you mean 'character'"),
            ("bpe:many", "whole number, as in bpe:8000"),
            ("bpe:-5", "whole number"),
            ("bpe:3", "from 10"),
            ("unigram:9999999", "to 1,000,000"),
            ("character:50", "takes no size"),
            ("none/tokenizer.json", "no such file"),
            ("none/sp.model", "no such file"),
        ],
    )
    def test_wrong_settings(self, setting: str, match: str) -> None:
        with pytest.raises(RegardError, match=match) as caught:
            make_tokeniser(setting, ["a b c"])
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("texts", [[], ["", " "]])
    def test_no_texts(self, kind: str, texts: list[str]) -> None:
        with pytest.raises(RegardError, match="no texts"):
            make_tokeniser(kind, texts)

    @pytest.mark.parametrize("kind", ["bpe:100", "unigram:100"])
    def test_one_short_text(self, kind: str) -> None:
        made = make_tokeniser(kind, ["a"])
        assert made.decode(made.encode("a").ids) == "a"

    def test_size_by_itself(self) -> None:
        assert make_tokeniser("bpe", TEXTS).kind == "bpe:500"


class TestSaving:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("casing", ["keep", "fold"])
    def test_saved_and_loaded(self, tmp_path: Path, kind: str, casing: str) -> None:
        made = tokeniser(kind, casing)
        made.save(tmp_path, "source")
        loaded = load_tokeniser(tmp_path, "source")
        assert (loaded.kind, loaded.casing, loaded.vocabulary) == (kind, casing, made.vocabulary)
        texts = [*TEXTS, "Ünbekannt ☃"]
        assert [loaded.encode(text) for text in texts] == [made.encode(text) for text in texts]
        assert [file.name for file in tmp_path.iterdir()] == ["source.json"]

    def damaged(self, tmp_path: Path, kind: str, change: Callable[[dict[str, object]], object]) -> None:
        tokeniser(kind).save(tmp_path, "source")
        path = tmp_path / "source.json"
        facts = json.loads(path.read_text("utf-8"))
        change(facts)
        path.write_text(json.dumps(facts), "utf-8")
        with pytest.raises(RegardError, match=r"source\.json") as caught:
            load_tokeniser(tmp_path, "source")
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(
        "change",
        [
            lambda facts: facts.update(version=99),
            lambda facts: facts.update(version="1"),
            lambda facts: facts.update(kind="magic"),
            lambda facts: facts.pop("casing"),
            lambda facts: facts.pop("vocabulary" if "vocabulary" in facts else "library"),
        ],
    )
    def test_damaged_facts(self, tmp_path: Path, kind: str, change: Callable[[dict[str, object]], object]) -> None:
        self.damaged(tmp_path, kind, change)

    def test_damaged_vocabularies(self, tmp_path: Path) -> None:
        self.damaged(tmp_path, "character", lambda facts: facts.update(vocabulary=["a", "b"]))
        self.damaged(tmp_path, "character", lambda facts: facts.update(vocabulary=[*SPECIALS, "a", "a"]))
        self.damaged(tmp_path, "symbols", lambda facts: facts.update(vocabulary=[*SPECIALS, 1]))
        self.damaged(tmp_path, "bpe:250", lambda facts: facts["library"]["model"]["vocab"].pop("<pad>"))  # type: ignore[index]
        self.damaged(tmp_path, "unigram:250", lambda facts: facts["library"]["model"].update(vocab=[]))  # type: ignore[index]

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b"null"])
    def test_foreign_files(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "source.json").write_bytes(content)
        with pytest.raises(RegardError, match=r"source\.json: not a tokeniser"):
            load_tokeniser(tmp_path, "source")

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(RegardError, match=r"target\.json: no such file"):
            load_tokeniser(tmp_path, "target")
