"""Tokens as labels: characters, not bytes in disguise; words; the text that each covers."""

from __future__ import annotations

from typing import Any

import pytest

tf = pytest.importorskip("transformers")

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers  # noqa: E402

from regard.maps import NO_WORD  # noqa: E402
from regard.observe.labels import tokens_of  # noqa: E402

TEXT = "Tom chases Jerry, 汤姆追杰瑞。 Größe"


def fast(tokenizer: Tokenizer) -> Any:
    return tf.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", unk_token="<unk>")


def byte_level() -> Any:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=275, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    made.train_from_iterator(["Tom chases Jerry"] * 9 + ["汤"] * 5, trainer)
    return fast(made)


def word_piece() -> Any:
    made = Tokenizer(models.WordPiece({"tom": 0, "chase": 1, "##s": 2, "<unk>": 3, "</s>": 4}, unk_token="<unk>"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return fast(made)


def sentence_piece() -> Any:
    pieces = [("<unk>", 0.0), ("</s>", 0.0), ("▁Tom", -1.0), ("▁chase", -1.0), ("s", -2.0), ("▁", -5.0)]
    pieces += [(f"<0x{byte:02X}>", -9.0) for byte in range(256)]
    made = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    return fast(made)


def test_bytes_become_characters() -> None:
    tokenizer = byte_level()
    ids = tokenizer(TEXT)["input_ids"]
    assert any("Ä" in piece or "æ" in piece for piece in tokenizer.convert_ids_to_tokens(ids))  # the disguise
    tokens = tokens_of(tokenizer, ids)
    assert tokens.text == TEXT
    assert "汤" in tokens.pieces or "汤[1/2]" in tokens.pieces
    assert "姆[1/3]" in tokens.pieces
    assert "姆[3/3]" in tokens.pieces
    assert not any("\ufffd" in piece for piece in tokens.pieces)
    words = tokens.merged().pieces
    assert words[:2] == ("Tom", "chases")
    assert words[-1] == "Größe"
    assert {"汤", "姆", "追", "杰", "瑞"} <= set(words)


def test_half_a_character_is_shown_as_unknown() -> None:
    tokenizer = byte_level()
    tokens = tokens_of(tokenizer, tokenizer("姆")["input_ids"][:2])
    assert all(piece.startswith("\ufffd") for piece in tokens.pieces)


@pytest.mark.parametrize("make", [word_piece, sentence_piece])
def test_pieces_of_words(make: Any) -> None:
    tokenizer = make()
    ids = [*tokenizer("Tom chases")["input_ids"], tokenizer.eos_token_id]
    tokens = tokens_of(tokenizer, ids)
    assert [piece.lower() for piece in tokens.pieces] == ["tom", "chase", "s", "</s>"]
    assert tokens.words == (0, 1, 1, NO_WORD)
    assert tokens.merged().pieces[1] == "chases"


def test_bytes_of_sentence_pieces() -> None:
    tokenizer = sentence_piece()
    assert tokens_of(tokenizer, tokenizer("Tom é")["input_ids"]).merged().pieces == ("Tom", "é")


def test_numbers_without_a_tokenizer() -> None:
    assert tokens_of(None, [5, 7]).pieces == ("5", "7")
