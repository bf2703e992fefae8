"""`regard observe FOLDER SOURCE` with models that are made here."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

tf = pytest.importorskip("transformers")

from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402

from regard.cli import main  # noqa: E402
from regard.maps import load_maps  # noqa: E402
from regard.observe.labels import tokens_of  # noqa: E402

WORDS = ["<pad>", "<s>", "</s>", "<unk>", "Tom", "chases", "Jerry", ".", "汤姆", "追", "杰瑞", "。"]
SIZES = {
    "vocab_size": len(WORDS), "d_model": 16, "encoder_layers": 1, "decoder_layers": 2, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "pad_token_id": 0, "bos_token_id": 1,
    "eos_token_id": 2, "decoder_start_token_id": 1,
}  # fmt: skip


def tokenizer() -> Any:
    made = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return tf.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bart")
    torch.manual_seed(0)
    config = tf.BartConfig(**SIZES, max_position_embeddings=32, forced_eos_token_id=None, max_length=12)
    tf.BartForConditionalGeneration(config).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpt2")
    tf.GPT2LMHeadModel(tf.GPT2Config(vocab_size=len(WORDS), n_embd=16, n_layer=2, n_head=2)).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def test_a_translation_and_what_it_looked_at(translator: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(translator), "Tom chases Jerry.", "--new", "5", "--beam", "3"]
    assert main(["observe", *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Tom chases Jerry.  ->  ")
    assert lines[1] == "cross attention, predicting; mean of 2 layers; mean of 2 heads"
    assert any(" <- " in line and "Jerry" in line for line in lines[2:])


def test_a_given_target_in_every_form(translator: Path, tmp_path: Path) -> None:
    files = [f"--{kind}={tmp_path / f'map.{kind}'}" for kind in ("png", "html")]
    arguments = [str(translator), "Tom chases Jerry.", "--target", "汤姆 追 杰瑞 。", f"--maps={tmp_path / 'map.npz'}"]
    assert main(["observe", *arguments, *files]) == 0
    (found,) = load_maps(tmp_path / "map.npz")
    assert found.source.pieces == ("Tom", "chases", "Jerry", ".")
    assert found.target.pieces == ("汤姆", "追", "杰瑞", "。")
    assert found.axes == ("layer", "head")
    assert abs(found.weights.sum(-1) - 1).max() < 1e-3
    assert all((tmp_path / f"map.{kind}").stat().st_size > 1000 for kind in ("png", "html"))


def test_a_decoder_reads_and_goes_on(reader: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["observe", str(reader), "Tom chases", "--layer", "1", "--head", "0"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("decoder.self attention, reading; layer 1; head 0\nTom <- Tom 1.00\n")
    assert main(["observe", str(reader), "Tom chases", "--new", "3"]) == 0
    assert capsys.readouterr().out.startswith("Tom chases  ->  Tom chases")


def test_an_image(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    config = tf.ViTConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=24, patch_size=8
    )
    tf.ViTModel(config).save_pretrained(tmp_path / "vit")
    tf.ViTImageProcessor(size={"height": 24, "width": 24}).save_pretrained(tmp_path / "vit")
    pixels = np.zeros((30, 60, 3), np.uint8)
    pixels[:, 30:] = 255
    image.fromarray(pixels).save(tmp_path / "half.png")
    assert main(["observe", str(tmp_path / "vit"), str(tmp_path / "half.png"), f"--maps={tmp_path / 'map.npz'}"]) == 0
    (found,) = load_maps(tmp_path / "map.npz")
    assert found.weights.shape == (1, 2, 10, 9)
    assert found.medium.pixels[12, 2].tolist() == [0, 0, 0]
    assert found.medium.pixels[12, 21].tolist() == [255, 255, 255]


def test_a_recording_and_the_times_of_its_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("soundfile")
    torch.manual_seed(0)
    folder = tmp_path / "whisper"
    config = tf.WhisperConfig(
        **SIZES, num_mel_bins=8, max_source_positions=100, max_target_positions=16, suppress_tokens=None,
        begin_suppress_tokens=None,
    )  # fmt: skip
    model = tf.WhisperForConditionalGeneration(config)
    model.generation_config.update(suppress_tokens=None, begin_suppress_tokens=None, no_timestamps_token_id=11)
    model.generation_config.update(alignment_heads=[[1, 0]], forced_decoder_ids=None)
    model.save_pretrained(folder)
    tf.WhisperFeatureExtractor(feature_size=8, chunk_length=2).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((np.sin(np.arange(16_000) / 9) * 9000).astype(np.int16).tobytes())
    files = [f"--times={tmp_path / 'a.json'}", f"--maps={tmp_path / 'map.npz'}"]
    assert main(["observe", str(folder), str(tmp_path / "a.wav"), "--new", "6", *files]) == 0
    (found,) = load_maps(tmp_path / "map.npz")
    assert found.medium.step == pytest.approx(0.02)
    assert found.weights.shape[-1] == 50  # a second of the two that it hears
    times = json.loads((tmp_path / "a.json").read_text())[0]["words"]
    assert all(0 <= word["start"] <= word["end"] <= 1.0 for word in times)
    assert main(["observe", str(folder), str(tmp_path / "none.wav")]) == 2
    assert "none.wav: no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda folder: [str(folder / "none"), "x"], "no such folder"),
        (
            lambda folder: [str(folder), "Tom", "--place", "crosses", "--new", "2"],
            "observed at 'crosses'",
        ),
        (lambda folder: [str(folder), "Tom", "--layer", "7", "--new", "2"], "there is no layer 7"),
        (lambda folder: [str(folder), "Tom", "--times", "x.json"], "is no model of recordings"),
        (lambda folder: [str(folder.parent), "Tom"], "config.json is missing"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    change: Any, told: str, translator: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["observe", *change(translator)]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_a_target_is_for_encoder_decoders(reader: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["observe", str(reader), "Tom", "--target", "x"]) == 2
    assert "only an encoder-decoder" in capsys.readouterr().err


def test_labels_of_the_tokenizer_that_was_saved(translator: Path) -> None:
    made = tf.AutoTokenizer.from_pretrained(translator)
    assert tokens_of(made, made("Tom chases Jerry.")["input_ids"]).merged().pieces == ("Tom", "chases", "Jerry", ".")


def test_transformers_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, regard.observe; sys.exit('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
