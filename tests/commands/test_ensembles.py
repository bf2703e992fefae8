"""Several model folders together, from Python and on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import regard
from regard.cli import main
from regard.maps import load_maps
from regard.predictor import explain

TEXTS = ["three one two four", "", "five", "two zero zero one five"]


@pytest.fixture(scope="module")
def folders(
    tmp_path_factory: pytest.TempPathFactory, model_folder: Path, pairs_file: Path, tiny_flags: list[str]
) -> dict[str, Path]:
    """Models with the same target tokens: another seed, a Transformer, one that reads letters, and one without
    attention; and one with other target tokens."""
    home = tmp_path_factory.mktemp("together")
    lines = pairs_file.read_text().splitlines(keepends=True)
    (home / "dev.tsv").write_text("".join(lines[:20]))
    (home / "few.tsv").write_text("".join(line for line in lines[20:] if "4" not in line))
    quick = [*tiny_flags, f"--dev={home / 'dev.tsv'}", "--training.updates=40"]
    transformer = ["--model.encoder.kind=transformer", "--model.decoder.kind=transformer"]
    made = {
        "seed": quick,
        "transformer": [*quick, *transformer, "--model.self_attention.heads=2", "--model.cross.heads=2"],
        "letters": [*quick, "--data.source_tokens=character"],
        "fixed": [*quick, "--model.context=fixed"],
    }
    for name, flags in made.items():
        assert main(["train", str(pairs_file), "--out", str(home / name), *flags]) == 0
    few = [flag for flag in quick if "--dev" not in flag]
    assert main(["train", str(home / "few.tsv"), "--out", str(home / "few"), *few, "--training.updates=2"]) == 0
    return {"first": model_folder, **{name: home / name for name in (*made, "few")}}


def test_their_probabilities_are_averaged(folders: dict[str, Path]) -> None:
    names = ("first", "transformer", "letters", "fixed")
    each = [regard.load(folders[name], device="cpu") for name in names]
    together = regard.load(*(folders[name] for name in names), device="cpu")
    found = together.predict(TEXTS, n_best=2)
    assert [one.text == "" for one in found] == [False, True, False, False]
    for text, one in zip(TEXTS, found, strict=True):
        if not text:
            continue
        for output in (one, *one.alternatives):
            if not output.text:
                continue
            said = [model.likelihood([text], [output.text])[0] for model in each]
            tokens = np.array([known.log_probs for known in said if known is not None])
            assert output.log_prob == pytest.approx(np.log(np.exp(tokens).mean(0)).sum(), abs=1e-4)
            whole = together.likelihood([text], [output.text])[0]
            assert whole is not None
            assert whole.log_prob == pytest.approx(output.log_prob, abs=1e-4)


def test_a_map_is_the_mean_of_those_over_the_same_places(folders: dict[str, Path]) -> None:
    names = ("fixed", "first", "transformer", "letters")
    first, transformer = (regard.load(folders[name], device="cpu") for name in names[1:3])
    together = regard.load(*(folders[name] for name in names), device="cpu")
    assert together.has_attention
    for text in (TEXTS[0], TEXTS[3]):
        found = together.predict(text)
        forced = [model.align([text], [found.text])[0] for model in (first, transformer)]
        wanted = np.mean([model.shown(map).matrix for model, map in zip((first, transformer), forced, strict=True)], 0)  # type: ignore[arg-type]
        assert found.attention is not None
        assert found.attention.source.pieces == tuple(text.split())
        np.testing.assert_allclose(found.attention.matrix, wanted, atol=1e-5)
        aligned = together.align([text], [found.text])[0]
        assert aligned is not None
        np.testing.assert_allclose(together.shown(aligned).matrix, wanted, atol=1e-5)


def test_one_by_one_is_the_same_as_together(folders: dict[str, Path]) -> None:
    model = regard.load(folders["letters"], folders["first"], device="cpu")
    for text, together in zip(TEXTS, model.predict(TEXTS), strict=True):
        alone = model.predict(text)
        assert alone.text == together.text
        assert alone.log_prob == pytest.approx(together.log_prob, abs=1e-5)
    drawn = model.predict(TEXTS, sample=2, temperature=3.0, prefix="4")
    assert [model.predict(text, sample=2, temperature=3.0, prefix="4").text for text in TEXTS] == [
        one.text for one in drawn
    ]
    assert all(one.text.startswith("4") for one in drawn if one.source)


def test_models_that_do_not_fit_are_named_with_what_differs(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(regard.RegardError) as raised:
        regard.load(folders["first"], folders["few"], device="cpu")
    told = str(raised.value)
    assert f"{folders['first']} and {folders['few']} can't predict together, since their targets have different" in told
    assert f"{folders['few']} has no '4'" in told
    assert "\n" not in told
    model = regard.load(folders["first"], folders["seed"], device="cpu")
    with pytest.raises(regard.RegardError, match="no one attention to look into"):
        model.predict("three one", attention=[0.5, 0.5])
    with pytest.raises(regard.RegardError, match="no one attention to look into"):
        explain(model, "three one")
    with pytest.raises(regard.RegardError, match="give a single model"):
        model.stream(["three one"])
    with pytest.raises(regard.RegardError, match="nowhere: no such folder"):
        regard.load(folders["first"], tmp_path / "nowhere")


def test_on_the_command_line(
    folders: dict[str, Path], pairs_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = str(folders["first"]), str(folders["transformer"])
    model = regard.load(one, other, device="cpu")
    maps = tmp_path / "maps.npz"
    assert main(["predict", one, "--with", other, "--maps", str(maps), "--json", "--", TEXTS[0]]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["log_prob"] == pytest.approx(model.predict(TEXTS[0]).log_prob, abs=1e-4)
    assert [map.weights.shape[:2] for map in load_maps(maps)] == [(1, 1)]
    pair = tmp_path / "pair.tsv"
    pair.write_text("three one\t3 1\nfive\t5\n")
    assert main(["likelihood", one, str(pair), "--with", other, "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[0])
    known = model.likelihood(["three one"], ["3 1"])[0]
    assert known is not None
    assert said["log_prob"] == pytest.approx(known.log_prob, abs=1e-4)
    assert main(["align", one, str(pair), "--with", other]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main(["evaluate", one, str(pairs_file), "--with", other, "--metrics=accuracy"]) == 0
    assert "150 pairs" in capsys.readouterr().out
    assert main(["predict", one, "five", "--with", str(folders["few"]), "--maps", str(tmp_path / "none.npz")]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "can't predict together" in told.err
    assert not (tmp_path / "none.npz").exists()
