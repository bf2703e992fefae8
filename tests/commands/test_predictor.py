"""A model from Python: texts in, predictions out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import regard
from regard.predictor import explain


@pytest.fixture(scope="module")
def model(model_folder: Path) -> regard.Predictor:
    return regard.load(model_folder, device="cpu")


def test_order_notes_and_maps(model: regard.Predictor) -> None:
    texts = ["three one two four", "", "five", "  two\tone "]
    found = model.predict(texts)
    assert [each.text for each in found] == ["3 1 2 4", "", "5", "2 1"]
    assert found[1].attention is None
    assert "empty text" in found[1].note
    map = found[0].attention
    assert map is not None
    assert map.source.pieces == ("three", "one", "two", "four")
    assert map.target.pieces == ("3", "1", "2", "4", "<eos>")
    np.testing.assert_allclose(map.matrix.sum(-1), 1, atol=1e-5)
    assert found[0].log_prob < 0


def test_one_by_one_is_the_same_as_together(model: regard.Predictor) -> None:
    texts = ["three one two four", "five", "zero zero one"]
    for text, together in zip(texts, model.predict(texts), strict=True):
        alone = model.predict(text)
        assert alone.text == together.text
        assert alone.log_prob == pytest.approx(together.log_prob, abs=1e-5)


def test_n_best_widens_the_beam(model: regard.Predictor) -> None:
    found = model.predict("three one", beam=1, n_best=3)
    assert len(found.alternatives) == 2
    assert len({found.text, *(other.text for other in found.alternatives)}) == 3


def test_unknown_pieces_are_named_and_shown(model: regard.Predictor) -> None:
    found = model.predict("one sechs")
    assert found.unknown == ("sechs",)
    assert "sechs" in found.note
    assert found.attention is not None
    assert found.attention.source.pieces == ("one", "sechs")


def test_the_map_of_a_beam_is_that_of_forced_decoding(model: regard.Predictor) -> None:
    found = model.predict("three one two", beam=4)
    forced = model.align(["three one two"], [found.text])[0]
    assert forced is not None
    assert found.every_attention is not None
    np.testing.assert_allclose(found.every_attention.weights, forced.weights, atol=1e-5)


def test_replaced_attention_changes_the_output(model: regard.Predictor) -> None:
    own = model.predict("three one", beam=1)
    assert own.attention is not None
    same = model.predict("three one", beam=1, attention=own.attention.matrix)
    assert same.text == own.text
    assert same.log_prob == pytest.approx(own.log_prob, abs=1e-4)
    swapped = own.attention.matrix[:, ::-1]
    other = model.predict("three one", beam=1, attention=swapped)
    assert other.attention is not None
    np.testing.assert_allclose(
        other.attention.matrix[: len(swapped)], swapped[: len(other.attention.target)], atol=1e-6
    )
    assert other.text != own.text
    left = model.predict("three one", beam=1, attention=np.full((1, 2), np.nan))
    assert left.text == own.text
    assert model.predict("three one", beam=1).text == own.text  # nothing stays behind


def test_a_map_replaces_the_weights_of_its_own_text_alone(model: regard.Predictor) -> None:
    own = model.predict("three one", beam=1)
    same = model.predict("three one", beam=1, attention=own.attention)
    assert (same.text, same.log_prob) == (own.text, pytest.approx(own.log_prob, abs=1e-4))
    with pytest.raises(
        regard.RegardError, match=r"other source pieces, of another text or model \('three one' instead"
    ):
        model.predict("one three", attention=own.attention)
    every = model.predict("three one", beam=1, attention=own.every_attention)  # of one layer and one head
    assert every.text == own.text


@pytest.mark.parametrize(
    ("attention", "message"),
    [([0.5], "2 source tokens"), ("nonsense", "should be numbers"), ([[-1.0, 2.0]], "0 or more")],
)
def test_weights_that_do_not_fit(model: regard.Predictor, attention: object, message: str) -> None:
    with pytest.raises(regard.RegardError, match=message):
        model.predict("three one", attention=attention)


def test_unknown_search_setting(model: regard.Predictor) -> None:
    with pytest.raises(regard.RegardError, match=r"no setting 'bean'; did you mean beam\?"):
        model.predict("three", bean=3)


def test_explanation_adds_up(model: regard.Predictor) -> None:
    found = explain(model, "three one two")
    assert [step.target for step in found.steps] == ["3", "1", "2", "<eos>"]
    for step in found.steps:
        weights = np.exp(step.scores - step.scores.max())
        np.testing.assert_allclose(step.weights, weights / weights.sum(), atol=1e-5)
        np.testing.assert_allclose(step.context, step.weights @ step.values, atol=1e-4)
    assert sum(step.log_prob for step in found.steps) == pytest.approx(found.prediction.log_prob, abs=1e-4)


@pytest.mark.parametrize("name", ["config.yaml", "model.safetensors", "source.json", "facts.json"])
@pytest.mark.parametrize("how", ["missing", "truncated"])
def test_damaged_folders(model_folder: Path, tmp_path: Path, name: str, how: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    if how == "missing":
        (folder / name).unlink()
    else:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
        if name == "config.yaml":  # half of it may still be YAML, whose sizes then fit no longer
            (folder / name).write_text("model: [")
    with pytest.raises(regard.RegardError) as raised:
        regard.load(folder, device="cpu")
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)


def test_weights_of_another_model(model_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    config = (folder / "config.yaml").read_text().replace("width: 32", "width: 48")
    (folder / "config.yaml").write_text(config)
    with pytest.raises(regard.RegardError, match=r"does not fit config\.yaml"):
        regard.load(folder, device="cpu")


def test_train_from_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = [("a b", "x"), ("b a", "y"), ("a a", "z")] * 4
    with pytest.raises(regard.RegardError, match="those to validate on"):
        regard.train(pairs, out=tmp_path / "model")
    settings = {
        "model": {"encoder": {"width": 8}, "decoder": {"width": 8}, "embedding": 8},
        "training": {"updates": 3, "batch": 40, "device": "cpu", "threads": 1},
    }
    capsys.readouterr()
    model = regard.train(pairs, dev=pairs[:3], out=tmp_path / "model", **settings)
    # It tells what the command tells, on standard error, unless it shall not.
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("reading the pairs\n")
    assert "the best is of update" in told.err
    regard.train(pairs, dev=pairs[:3], out=tmp_path / "silent", report=False, **settings)
    assert capsys.readouterr().err == ""
    parameters = sum(each.numel() for each in model.model.parameters())
    assert repr(model) == (
        "Predictor(text to text, recurrent encoder, recurrent decoder, context attention, "
        f"{parameters:,} parameters, on cpu)"
    )
    assert isinstance(model.predict("a b"), regard.Prediction)
    assert (tmp_path / "model" / "learning-curve.png").exists()


def test_loading_does_not_wake_the_compiler(model_folder: Path) -> None:
    """To draw numbers that nobody keeps torch would load it, which takes longer than all else of a prediction."""
    code = (
        "import sys, regard\n"
        "from regard.configuration import with_given\n"
        "from regard.predictor.predictor import outline\n"
        f"model = regard.load({str(model_folder)!r}, device='cpu')\n"
        "both = {f'model.{side}.kind': 'transformer' for side in ('encoder', 'decoder')}\n"
        "for more in ({}, {'model.cross.score': 'bilinear'}, {'model.encoder.position': 'learned'}):\n"
        "    drawn = outline(with_given(model.settings, both | more), model.source, model.target)\n"
        "    assert all(each.is_meta for each in (*drawn.parameters(), *drawn.buffers()))\n"
        "assert not {'torch._dynamo', 'sympy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
