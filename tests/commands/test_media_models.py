"""Models of images and recordings from end to end: trained, stopped and gone on, predicted with, measured."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

import regard
from regard.cli import main
from regard.data.media import Item
from regard.folder import WEIGHTS, load_weights
from regard.maps import Picture, Sound, load_maps, word_times
from regard.predictor import pieces
from regard.predictor.pieces import heard
from regard.training import loop

Capture = pytest.CaptureFixture[str]
_RATE = 4000
_SETTINGS: dict[str, Any] = {
    "data": {"target_tokens": "symbols", "image": {"augment": 0.3}, "sound": {"masks": 1, "speed": 0.1}},
    "model": {
        "encoder": {"width": 16, "channels": 4},
        "decoder": {"width": 16},
        "embedding": 8,
        "dropout": 0.1,
    },
    "training": {"updates": 12, "batch": 60, "validate_every": 6, "device": "cpu", "threads": 1, "rate": 5e-3},
}


def stripes(digits: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A line in which each digit is a block whose height is its number."""
    pixels = np.full((16, 8 * len(digits)), 255, np.uint8)
    for place, digit in enumerate(digits):
        pixels[: 2 * int(digit) + 2, 8 * place : 8 * place + 7] = 0
    return pixels


def hums(digits: str) -> np.ndarray[Any, np.dtype[np.int16]]:
    """A recording in which each digit is a tenth of a second of a tone of its own."""
    times = np.arange(_RATE // 10) / _RATE
    tones = [np.sin(2 * np.pi * (300 + 150 * int(digit)) * times) for digit in digits]
    return (8000 * np.concatenate(tones)).astype(np.int16)


def corpus(folder: Path, medium: str, count: int = 24) -> Path:
    draw = np.random.default_rng(5)
    lines = []
    for number in range(count):
        digits = "".join(map(str, draw.integers(0, 7, draw.integers(1, 5))))
        name = f"{number}.{'png' if medium == 'image' else 'wav'}"
        if medium == "image":
            Image.fromarray(stripes(digits)).save(folder / name)
        else:
            soundfile.write(folder / name, hums(digits), _RATE)
        lines.append(f"{name}\t{' '.join(digits)}\n")
    path = folder / "pairs.tsv"
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module", params=["image", "sound"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    """The medium, the pairs, and the folder of a model that saw them for a moment."""
    folder = tmp_path_factory.mktemp(request.param)
    pairs = corpus(folder, request.param)
    regard.train(pairs, out=folder / "model", **_SETTINGS)
    return request.param, pairs, folder / "model"


def test_what_was_chosen_from_the_files(trained: tuple[str, Path, Path], capsys: Capture) -> None:
    medium, _, folder = trained
    assert main(["info", str(folder)]) == 0
    said = capsys.readouterr().out
    assert f"data.medium: {medium}   # chosen" in said
    assert ("images, grey" if medium == "image" else "recordings, 4,000 samples a second") in said


def test_stopped_and_gone_on_is_the_same(
    trained: tuple[str, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, pairs, folder = trained

    class Killed(Exception):
        pass

    original = loop._update

    def stopping(training: loop.Training, batches: Any) -> None:
        original(training, batches)
        if training.progress.update == 7:
            raise Killed

    monkeypatch.setattr(loop, "_update", stopping)
    with pytest.raises(Killed):
        regard.train(pairs, out=tmp_path / "model", **_SETTINGS)
    monkeypatch.undo()
    regard.train(pairs, out=tmp_path / "model", **_SETTINGS)
    one, two = load_weights(folder / WEIGHTS), load_weights(tmp_path / "model" / WEIGHTS)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_source_is_given_in_many_ways(trained: tuple[str, Path, Path]) -> None:
    medium, pairs, folder = trained
    model = regard.load(folder)
    path = pairs.parent / ("0.png" if medium == "image" else "0.wav")
    array: Any = np.asarray(Image.open(path)) if medium == "image" else (soundfile.read(path, dtype="int16")[0], _RATE)
    by_path = model.predict(str(path))
    for source in (path, path.read_bytes(), io.BytesIO(path.read_bytes()), array):
        found = model.predict(source)
        assert (found.text, found.log_prob) == (by_path.text, by_path.log_prob)
    with open(path, "rb") as stream:
        assert model.predict([stream])[0].source == str(path)
    encoded = model.encode(path)
    assert isinstance(encoded, Item)
    assert by_path.attention is not None
    assert by_path.attention.weights.shape[-1] == len(encoded)
    assert isinstance(by_path.attention.medium, Picture if medium == "image" else Sound)


def test_drawn_begun_scored_and_together(trained: tuple[str, Path, Path], capsys: Capture) -> None:
    medium, pairs, folder = trained
    ending = "png" if medium == "image" else "wav"
    paths = [str(pairs.parent / f"{number}.{ending}") for number in range(3)]
    model = regard.load(folder)
    drawn = model.predict(paths, sample=2, temperature=3.0, prefix="1 2")
    assert all(each.text.startswith("1 2") for one in drawn for each in (one, *one.alternatives))
    alone = model.predict(paths[2], sample=2, temperature=3.0, prefix="1 2")
    assert [each.text for each in (alone, *alone.alternatives)] == [
        each.text for each in (drawn[2], *drawn[2].alternatives)
    ]
    capsys.readouterr()
    assert main(["likelihood", str(folder), str(pairs)]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()[1:]]
    wanted = model.likelihood(paths, [row[6] for row in rows[:3]])
    assert [row[5] for row in rows[:3]] == paths
    assert [float(row[0]) for row in rows[:3]] == pytest.approx([one.log_prob for one in wanted if one], abs=1e-3)
    twice = regard.load(folder, folder).predict(paths)
    for one, same in zip(model.predict(paths), twice, strict=True):
        assert one.text == same.text
        assert one.log_prob == pytest.approx(same.log_prob, abs=1e-4)
    with pytest.raises(regard.RegardError, match="unknown words can't be replaced, since this model reads no texts"):
        model.predict(paths, replace_unknown=True)


def test_maps_know_what_was_looked_at(trained: tuple[str, Path, Path], tmp_path: Path) -> None:
    medium, pairs, folder = trained
    path = str(pairs.parent / ("1.png" if medium == "image" else "1.wav"))
    assert main(["predict", str(folder), path, "--maps", str(tmp_path / "maps.npz")]) == 0
    (found,) = load_maps(tmp_path / "maps.npz")
    if medium == "image":
        assert isinstance(found.medium, Picture)
        assert found.medium.rows * found.medium.columns == len(found.source)
    else:
        assert isinstance(found.medium, Sound)
        assert found.medium.places == len(found.source)
        assert found.source.pieces[1] == "0.04s"
    assert found.source.text == path


def test_times_of_words(trained: tuple[str, Path, Path], tmp_path: Path, capsys: Capture) -> None:
    medium, pairs, folder = trained
    paths = [str(pairs.parent / f"{number}.{'png' if medium == 'image' else 'wav'}") for number in range(2)]
    json_file, srt_file = str(tmp_path / "times.json"), str(tmp_path / "times.srt")
    code = main(["predict", str(folder), *paths, "--times", json_file, "--min_length", "2"])
    said = capsys.readouterr()
    if medium == "image":
        assert code == 2
        assert "is no model of recordings" in said.err
        return
    heard = json.loads(Path(json_file).read_text(encoding="utf-8"))
    assert [each["source"] for each in heard] == paths
    for each, line in zip(heard, said.out.splitlines(), strict=True):
        assert [word["word"] for word in each["words"]] == line.split()
        times = [time for word in each["words"] for time in (word["start"], word["end"])]
        assert times == sorted(times)
        assert times[-1] <= soundfile.info(each["source"]).duration
    assert main(["predict", str(folder), *paths, "--times", srt_file]) == 2
    assert "subtitles are of one recording" in capsys.readouterr().err
    assert main(["predict", str(folder), paths[0], "--times", srt_file, "--min_length", "2"]) == 0
    assert Path(srt_file).read_text(encoding="utf-8").startswith("1\n00:00:00,")


def test_a_long_recording_in_pieces(
    trained: tuple[str, Path, Path], tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    medium, _, folder = trained
    if medium != "sound":
        return
    model, samples = regard.load(folder), np.tile(hums("0123456"), 5)
    whole = model.predict((samples, _RATE), piece=0.5, min_length=1)
    assert len(whole.pieces) >= 7
    assert whole.text == " ".join(piece.text for piece in whole.pieces)
    assert whole.log_prob == pytest.approx(sum(piece.log_prob for piece in whole.pieces))
    found = whole.attention
    assert found is not None
    assert isinstance(found.medium, Sound)
    assert np.array_equal(found.medium.samples, samples)
    assert found.source.pieces == model.labels(model.encode((samples, _RATE))).pieces
    assert found.target.text == whole.text
    assert found.weights.sum(-1) == pytest.approx(np.ones(len(found.target)), abs=1e-5)
    # A piece is predicted as a recording of its own.
    first = whole.pieces[0].attention
    assert first is not None
    assert isinstance(first.medium, Sound)
    alone = model.predict((first.medium.samples, _RATE), min_length=1)
    assert alone.text == whole.pieces[0].text
    words = heard(whole)
    assert [word.word for word in words] == whole.text.split()
    apart = [(word.start, word.end) for word in words]
    assert np.allclose(apart, [(word.start, word.end) for word in word_times(found)])
    # Where the map of the whole is too large there are those of the pieces, and the times of all words.
    monkeypatch.setattr(pieces, "MOST_BYTES", 1000)
    large = model.predict((samples, _RATE), piece=0.5, min_length=1)
    assert (large.text, large.attention) == (whole.text, None)
    assert "too long for a map of the whole" in large.note
    assert heard(large) == words
    soundfile.write(tmp_path / "long.wav", samples, _RATE)
    arguments = ["predict", str(folder), str(tmp_path / "long.wav"), "--piece", "0.5", "--min_length", "1"]
    assert main([*arguments, "--times", str(tmp_path / "times.json")]) == 0
    assert "pieces" in capsys.readouterr().err
    assert len(json.loads((tmp_path / "times.json").read_text(encoding="utf-8"))[0]["words"]) == len(words)


def test_batches_change_nothing(trained: tuple[str, Path, Path]) -> None:
    medium, pairs, folder = trained
    model = regard.load(folder)
    paths = [pairs.parent / f"{number}.{'png' if medium == 'image' else 'wav'}" for number in range(8)]
    together = model.predict(paths)
    for path, one in zip(paths, together, strict=True):
        alone = model.predict(path)
        assert alone.text == one.text
        assert alone.log_prob == pytest.approx(one.log_prob, abs=1e-4)
        assert alone.attention is not None
        assert one.attention is not None
        np.testing.assert_allclose(alone.attention.weights, one.attention.weights, atol=1e-5)


def test_predicting_from_files_and_lists(trained: tuple[str, Path, Path], tmp_path: Path, capsys: Capture) -> None:
    medium, pairs, folder = trained
    ending = "png" if medium == "image" else "wav"
    first, second = (str(pairs.parent / f"{number}.{ending}") for number in (0, 1))
    assert main(["predict", str(folder), "--input", first, second, str(tmp_path / f"none.{ending}")]) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 3
    assert f"none.{ending}: no such file" in said.err
    assert "1 of 3 files could not be read" in said.err
    (pairs.parent / "list.txt").write_text(f"0.{ending}\n1.{ending}\n")
    assert main(["predict", str(folder), "--input", str(pairs.parent / "list.txt")]) == 0
    assert capsys.readouterr().out.splitlines() == said.out.splitlines()[:2]
    assert main(["predict", str(folder), str(tmp_path / f"none.{ending}")]) == 1


def test_measuring(trained: tuple[str, Path, Path], capsys: Capture) -> None:
    medium, pairs, folder = trained
    broken = pairs.parent / "broken.tsv"
    broken.write_text(pairs.read_text(encoding="utf-8") + f"gone.{'png' if medium == 'image' else 'wav'}\t1 2\n")
    assert main(["evaluate", str(folder), str(broken)]) == 0
    said = capsys.readouterr()
    assert "24 pairs" in said.out
    assert "wer" in said.out
    assert "by target length, in words" in said.out
    assert "left out, since they could not be read: 1 pairs" in said.err


def test_explaining(trained: tuple[str, Path, Path], capsys: Capture) -> None:
    medium, pairs, folder = trained
    path = str(pairs.parent / ("2.png" if medium == "image" else "2.wav"))
    assert main(["explain", str(folder), path, "--word", "1"]) == 0
    assert ("1,1" if medium == "image" else "0.00s") in capsys.readouterr().out


def test_what_files_can_not_do(trained: tuple[str, Path, Path], tmp_path: Path, capsys: Capture) -> None:
    medium, pairs, folder = trained
    assert main(["align", str(folder), str(pairs)]) == 2
    assert f"no texts ({medium}) aligns no words" in capsys.readouterr().err
    path = str(pairs.parent / ("2.png" if medium == "image" else "2.wav"))
    assert main(["predict", str(folder), path, "--alignments", str(tmp_path / "links")]) == 2
    assert "use --maps" in capsys.readouterr().err
    assert main(["predict", str(folder)]) == 2
    assert "this model predicts from files" in capsys.readouterr().err
    (tmp_path / "links").write_text("0-0\n" * 24)
    assert main(["train", str(pairs), "--guided", str(tmp_path / "links"), "--out", str(tmp_path / "m")]) == 2
    assert "links between words guide texts" in capsys.readouterr().err


def test_bad_files_are_left_out_and_the_training_goes_on(tmp_path: Path, capsys: Capture) -> None:
    pairs = corpus(tmp_path, "image")
    (tmp_path / "3.png").write_bytes(b"no image at all")
    (tmp_path / "4.png").unlink()
    flags = [
        f"--{group}.{name}={value}"
        for group, name, value in (
            ("data", "target_tokens", "symbols"), ("model", "encoder.width", 16), ("model", "encoder.channels", 4),
            ("model", "decoder.width", 16), ("training", "updates", 2), ("training", "device", "cpu"),
        )
    ]  # fmt: skip
    assert main(["train", str(pairs), "--out", str(tmp_path / "model"), *flags]) == 0
    said = capsys.readouterr()
    told = said.out + said.err
    assert "left out, no such file: 1 (line 5" in told
    assert "3.png" in told
    record = json.loads((tmp_path / "model" / "metrics.jsonl").read_text().splitlines()[-1])
    assert record["step"] == 2


def test_pairs_at_hand(tmp_path: Path) -> None:
    made = [(stripes(digits), " ".join(digits)) for digits in ("12", "3", "456", "0", "65", "24")]
    model = regard.train(
        made, dev=made[:2], out=tmp_path / "model", data={"target_tokens": "symbols", "medium": "image"},
        model=_SETTINGS["model"], training={**_SETTINGS["training"], "updates": 2},
    )  # fmt: skip
    assert model.medium == "image"
    assert model.predict(stripes("12")).attention is not None
    with pytest.raises(regard.RegardError, match="sources that are no texts need data"):
        regard.train(made, dev=made[:2], out=tmp_path / "other")


def test_a_dry_run_tells_of_the_files(tmp_path: Path, capsys: Capture) -> None:
    pairs = corpus(tmp_path, "sound")
    assert main(["train", str(pairs), "--out", str(tmp_path / "model"), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "source: recordings, 4,000 samples a second" in said
    assert "places of each: median" in said
