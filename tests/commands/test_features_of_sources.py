"""Features of sources through every command, and from Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from regard import load, train
from regard.cli import main
from regard.errors import RegardError
from regard.folder import load_settings
from regard.predictor import explain

LEMMAS = [
    first + second for first in ("ba", "de", "gi", "lo", "mu") for second in ("ka", "nel", "ti", "sor", "rum", "pe")
]
SMALL = {
    "model.encoder.width": 32, "model.decoder.width": 32, "model.embedding": 16, "model.dropout": 0,
    "training.updates": 220, "training.batch": 300, "training.rate": 0.01, "training.validate_every": 110,
    "training.device": "cpu", "training.threads": 1, "training.smoothing": 0,
}  # fmt: skip
FLAGS = [f"--{name}={value}" for name, value in SMALL.items()]


def rows() -> list[tuple[str, str, str]]:
    """Lemmas, features, and forms that depend on both."""
    return [
        (lemma, f"N;{case};{number}", lemma + {"GEN": "s", "DAT": "m"}[case] + {"SG": "", "PL": "i"}[number])
        for lemma in LEMMAS for case in ("GEN", "DAT") for number in ("SG", "PL")
    ]  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forms")
    (folder / "new.tsv").write_text("".join(f"{lemma}\t{tags}\t{form}\n" for lemma, tags, form in rows()))
    (folder / "old.tsv").write_text("".join(f"{lemma}\t{form}\t{tags}\n" for lemma, tags, form in rows()))
    return folder


@pytest.fixture(scope="module")
def folder(files: Path) -> Path:
    assert main(["train", str(files / "new.tsv"), "--out", str(files / "model"), *FLAGS]) == 0
    return files / "model"


def test_columns_are_chosen_and_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = load_settings(folder).data
    assert (data.source, data.features, data.target) == ("1", "2", "3")
    assert main(["info", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "source: 5 of them features: DAT, GEN, N, PL, SG" in said
    assert "data.features: 2   # chosen: column 2 holds features, such as 'N;GEN;SG' (source, features, target)" in said


def test_the_features_decide(folder: Path) -> None:
    model = load(folder, device="cpu")
    texts = [(lemma, tags) for lemma, tags, _ in rows()]
    found = [each.text for each in model.predict(texts)]
    assert sum(one == form for one, (_, _, form) in zip(found, rows(), strict=True)) > 0.9 * len(found)
    single = model.predict(("baka", "N;DAT;PL"))
    assert single.text == model.predict("baka\tN;DAT;PL").text == found[texts.index(("baka", "N;DAT;PL"))]
    assert single.attention is not None
    assert single.attention.source.pieces == ("N", "DAT", "PL", "b", "a", "k", "a")
    assert single.attention.source.special == (True,) * 3 + (False,) * 4
    assert explain(model, "baka\tN;DAT;PL").source[:3] == ("N", "DAT", "PL")


def test_missing_and_unknown_ones(folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    model = load(folder, device="cpu")
    for given in ("baka", ["baka", "deti"]):
        with pytest.raises(RegardError, match="'baka' has none; give them after a tab"):
            model.predict(given)
    found = model.predict([("baka", "N;XYZ"), "deti", ("deti", "")])
    none = "no features given, which this model was trained with"
    assert [each.note for each in found] == ["never seen in training: XYZ", none, none]
    assert main(["predict", str(folder), "baka"]) == 2
    assert "this model was trained with features" in capsys.readouterr().err
    (tmp_path / "texts.tsv").write_text("baka\tN;DAT;SG\ndeti\n")
    assert main(["predict", str(folder), "--input", str(tmp_path / "texts.tsv")]) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 2
    assert "kept, without features: 1 (line 2)" in said.err


@pytest.mark.parametrize("name", ["new.tsv", "old.tsv"])
def test_evaluated_and_aligned_in_either_order(
    folder: Path, files: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(folder), str(files / name)]) == 0
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()[3:5]] == ["accuracy", "cer"]  # of single words
    assert "by source length, in letters" in said
    assert float(said.split("accuracy ")[1].split()[0]) > 90
    assert main(["align", str(folder), str(files / name), "--words", "tokens"]) == 0
    links = capsys.readouterr().out.splitlines()
    assert len(links) == len(rows())
    short = [line for line, (lemma, _, _) in zip(links, rows(), strict=True) if len(lemma) == 4]
    places = {int(link.split("-")[0]) for line in short for link in line.split()}
    assert places <= {0, 1, 2, 3}, "features are none of the text's own tokens"


def test_a_model_without_features_is_not_compared(
    folder: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for first, second in ((folder, model_folder), (model_folder, folder)):
        assert main(["evaluate", str(first), str(folder.parent / "new.tsv"), "--against", str(second)]) == 2
        said = capsys.readouterr()
        assert f"--against {second}: {folder} was trained with features, and {model_folder} without" in said.err
        assert not said.out


def test_from_python(tmp_path: Path) -> None:
    pairs: list[Any] = [((lemma, tags), form) for lemma, tags, form in rows()]
    settings = {**SMALL, "training.updates": 2, "training.validate_every": 2}
    model = train(pairs, dev=pairs[:10], out=tmp_path / "model", report=False, **settings)
    assert model.predict(("baka", "N;DAT;SG")).note == ""
    with pytest.raises(RegardError, match="dev: has features"):
        train([("a", "b")] * 3, dev=pairs[:3], out=tmp_path / "other", report=False, **settings)
    assert not (tmp_path / "other").exists()


def test_features_can_be_left_out(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(files / "old.tsv"), "--dry-run", "--data.features", "0", *FLAGS]) == 0
    said = capsys.readouterr().out
    assert "data.features: 0\n" in said
    assert "different ones" not in said
    parallel = ["--target", str(files / "old.tsv"), "--data.features", "3"]
    wrong = ((["--data.features", "7"], "column 7 is asked for"), (parallel, "are a column of a table"))
    for flags, complaint in wrong:
        assert main(["train", str(files / "old.tsv"), "--out", str(tmp_path / "none"), *flags]) == 2
        assert complaint in capsys.readouterr().err
        assert not (tmp_path / "none").exists()
