"""Tokenisers that a person brings: tokenizer.json of several kinds, and SentencePiece models."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from regard.data.tokenisers import Tokeniser, load_tokeniser, make_tokeniser, unknown_pieces
from regard.errors import RegardError

TEXTS = ["Tom chases Jerry.", "Jerry chases Tom, the cat of Mary.", "汤姆在追杰瑞。"] * 5


def byte_level() -> Tokenizer:
    library = Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, special_tokens=["<|endoftext|>"])
    library.train_from_iterator(TEXTS, trainer)
    return library


def word_pieces() -> Tokenizer:
    library = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    library.normalizer = normalizers.BertNormalizer(lowercase=True)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.decoder = decoders.WordPiece()
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    library.train_from_iterator(TEXTS, trainers.WordPieceTrainer(vocab_size=120, special_tokens=names))
    library.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    library.enable_truncation(4)
    library.enable_padding(length=9)
    return library


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("given")
    byte_level().save(str(folder / "bytes.json"))
    word_pieces().save(str(folder / "words.json"))
    return folder


@pytest.fixture(scope="module")
def sentencepiece_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = pytest.importorskip("sentencepiece")
    model = io.BytesIO()
    library.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_writer=model, vocab_size=70, hard_vocab_limit=False, minloglevel=2
    )
    path = tmp_path_factory.mktemp("sentencepiece") / "sp.model"
    path.write_bytes(model.getvalue())
    return path


def check(made: Tokeniser, text: str) -> None:
    encoding = made.encode(text)
    assert all(encoding.text[start:end] == p for (start, end), p in zip(encoding.offsets, encoding.pieces, strict=True))
    assert made.encode_ids([text]) == [list(encoding.ids)]
    assert len(encoding.words) == len(encoding.ids)
    traced = made.trace(encoding.ids)
    assert traced.text == made.decode(encoding.ids)
    assert traced.ids == encoding.ids


class TestTokenizerJson:
    def test_byte_level(self, folder: Path) -> None:
        made = make_tokeniser(str(folder / "bytes.json"), [])
        size = len(byte_level().get_vocab())
        assert (made.eos, made.pad, made.unk, made.bos) == (0, size, size + 1, size + 2)
        assert len(made.vocabulary) == size + 3
        for text in (*TEXTS[:3], "Ünbekannt ☃ 👩‍👩‍👧", "<|endoftext|>"):
            check(made, text)
            assert made.decode(made.encode(text).ids) == text
            assert made.eos not in made.encode(text).ids
        assert made.decode([made.bos, *made.encode("Tom").ids, made.eos, made.pad]) == "Tom"

    def test_parts_of_a_character_stand_where_it_stands(self, folder: Path) -> None:
        encoding = make_tokeniser(str(folder / "bytes.json"), []).encode("☃!")
        assert encoding.pieces[-1] == "!"
        assert set(encoding.pieces[:-1]) == {"☃"}
        assert set(encoding.words[:-1]) == {0}

    @pytest.mark.parametrize("name", ["bytes.json", "words.json"])
    def test_traced_pieces(self, folder: Path, name: str) -> None:
        made = make_tokeniser(str(folder / name), [])
        encoding = made.trace([*made.encode("tom chases jerry").ids, made.eos])
        assert "".join(encoding.pieces).replace(" ", "") == "tomchasesjerry"
        assert encoding.word_texts == ("tom", "chases", "jerry")
        assert encoding.pieces[-1] == ""

    def test_word_pieces(self, folder: Path) -> None:
        made = make_tokeniser(str(folder / "words.json"), [])
        assert (made.pad, made.unk, made.bos, made.eos) == (0, 1, 2, 3)
        # No marks are added, nothing is cut off or padded, whatever the file says.
        encoding = made.encode("Tom chases Jerry.")
        assert encoding.word_texts == ("Tom", "chases", "Jerry", ".")
        assert "".join(encoding.pieces) == "TomchasesJerry."
        assert unknown_pieces(made, made.encode("Tom ☃")) == ("☃",)
        check(made, "Tom chases the ☃")

    @pytest.mark.parametrize("name", ["bytes.json", "words.json"])
    @given(texts=st.lists(st.text(), min_size=10, max_size=10))
    @settings(max_examples=20)
    def test_any_text(self, folder: Path, name: str, texts: list[str]) -> None:
        made = make_tokeniser(str(folder / name), [])
        for text in texts:
            check(made, text)

    @pytest.mark.parametrize("name", ["bytes.json", "words.json"])
    def test_saved_and_loaded(self, folder: Path, tmp_path: Path, name: str) -> None:
        made = make_tokeniser(str(folder / name), [], "fold")
        made.save(tmp_path, "target")
        loaded = load_tokeniser(tmp_path, "target")
        assert loaded.vocabulary == made.vocabulary
        assert loaded.casing == "fold"
        assert (loaded.pad, loaded.unk, loaded.bos, loaded.eos) == (made.pad, made.unk, made.bos, made.eos)
        assert loaded.encode("Tom chases <eos>☃") == made.encode("Tom chases <eos>☃")

    @pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"model": 1}'])
    def test_files_that_are_none(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "x.json").write_bytes(content)
        with pytest.raises(RegardError, match=r"x\.json: not a tokenizer\.json"):
            make_tokeniser(str(tmp_path / "x.json"), [])

    def test_no_way_to_encode_unknown_characters(self, tmp_path: Path) -> None:
        Tokenizer(models.Unigram([("a", 0.0)], unk_id=None)).save(str(tmp_path / "x.json"))
        with pytest.raises(RegardError, match="unknown piece"):
            make_tokeniser(str(tmp_path / "x.json"), [])

    def test_vocabulary_with_a_huge_number(self, tmp_path: Path) -> None:
        small = Tokenizer(models.WordLevel({"a": 123}, unk_token="a")).to_str()
        (tmp_path / "x.json").write_text(small.replace("123", "4000000000"), "utf-8")
        with pytest.raises(RegardError, match="large gaps"):
            make_tokeniser(str(tmp_path / "x.json"), [])


class TestSentencePiece:
    def test_encodes_and_decodes(self, sentencepiece_model: Path) -> None:
        made = make_tokeniser(str(sentencepiece_model), [])
        assert (made.unk, made.bos, made.eos, made.pad) == (0, 1, 2, len(made.vocabulary) - 1)
        for text in TEXTS[:3]:
            check(made, text)
            assert made.decode(made.encode(text).ids) == text
        assert made.encode("Tom chases Jerry.").word_texts == ("Tom", "chases", "Jerry", ".")
        assert unknown_pieces(made, made.encode("Tom ☃")) == ("☃",)
        assert made.decode([made.bos, *made.encode("Tom").ids, made.eos, made.pad]) == "Tom"

    def test_predicted_ids_have_a_place(self, sentencepiece_model: Path) -> None:
        made = make_tokeniser(str(sentencepiece_model), [])
        encoding = made.trace([*made.encode("Tom chases 汤姆").ids, made.eos])
        assert "".join(encoding.pieces).replace(" ", "") == "Tomchases汤姆"
        assert encoding.word_texts[:2] == ("Tom", "chases")

    def test_saved_and_loaded(self, sentencepiece_model: Path, tmp_path: Path) -> None:
        made = make_tokeniser(str(sentencepiece_model), [])
        made.save(tmp_path, "source")
        assert load_tokeniser(tmp_path, "source").encode("Tom ☃") == made.encode("Tom ☃")

    @pytest.mark.parametrize("content", [b"", b"nonsense", b"\x00" * 50])
    def test_files_that_are_none(self, tmp_path: Path, content: bytes) -> None:
        pytest.importorskip("sentencepiece")
        (tmp_path / "x.model").write_bytes(content)
        with pytest.raises(RegardError, match=r"x\.model: not a SentencePiece model"):
            make_tokeniser(str(tmp_path / "x.model"), [])

    def test_without_the_extra(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "x.model").write_bytes(b"x")
        monkeypatch.setitem(sys.modules, "sentencepiece", None)
        with pytest.raises(RegardError, match=r"pip install 'regard\[sentencepiece\]'"):
            make_tokeniser(str(tmp_path / "x.model"), [])
