"""Hard attention by one setting, through the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from regard.cli import main
from regard.errors import RegardError
from regard.maps import load_maps
from regard.predictor import load

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def monotonic(pairs_file: Path, tiny_flags: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("monotonic") / "model"
    assert main(["train", str(pairs_file), "--out", str(out), *tiny_flags, "--model.context=monotonic:1"]) == 0
    return out


def test_a_monotonic_model_shows_where_tokens_came_from(monotonic: Path, tmp_path: Path, capsys: Capture) -> None:
    pairs, maps = tmp_path / "pairs.tsv", tmp_path / "maps.npz"
    pairs.write_text("two five one\t2 5 1\n", encoding="utf-8")
    assert main(["align", str(monotonic), str(pairs), "--weights", "posterior", "--maps", str(maps)]) == 0
    assert capsys.readouterr().out == "0-0 1-1 2-2\n"
    (drawn,) = load_maps(maps)
    assert drawn.place == "posterior"
    assert main(["predict", str(monotonic), "two five one", "--show", "--beam", "2"]) == 0
    assert "2 5 1" in capsys.readouterr().out
    assert main(["show", str(maps)]) == 0


def test_an_online_model_speaks_while_its_source_arrives(
    pairs_file: Path, tiny_flags: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "online"
    flags = [*tiny_flags, "--model.context=online", "--model.encoder.directions=1", "--training.updates=200"]
    assert main(["train", str(pairs_file), "--out", str(out), *flags]) == 0
    model = load(out)
    said, arrived = [], []

    def arriving() -> Iterator[str]:
        for word in ("two", "five", "one", "three"):
            arrived.append(word)
            yield word

    for one in model.stream(arriving()):
        said.append(one)
        assert one.arrived == len(arrived)
    whole = model.predict("two five one three", beam=1)
    assert said[-1].text == whole.text
    assert "".join(each.new for each in said) == whole.text
    assert said[0].arrived < 4


def test_a_soft_model_does_not_begin_early(model_folder: Path) -> None:
    with pytest.raises(RegardError, match=r"model\.context attention looks at all of the source"):
        load(model_folder).stream(["two"])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--model.context=marginal", "--model.decoder.input_feeding=true"], "model.decoder.input_feeding: "),
        (["--model.context=marginal", "--training.coverage=0.5"], "training.coverage: model.context marginal gives"),
        (["--model.context=monotonic:2"], "after the colon there should be 0 or 1, as in monotonic:1"),
        (["--model.context=local_m"], "needs a number after a colon, as in local_m:5"),
        (["--model.mixture=joint"], "model.mixture joint is for the contexts marginal and monotonic"),
        (["--model.context=marginl"], "did you mean 'marginal'?"),
        (["--model.context=fixed:2"], "fixed takes no number"),
    ],
)
def test_what_does_not_go_together_is_said_before_training(
    flags: list[str], message: str, pairs_file: Path, tiny_flags: list[str], tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "model"
    assert main(["train", str(pairs_file), "--out", str(out), *tiny_flags, *flags]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (out / "metrics.jsonl").exists()


def test_what_a_model_can_not_show_is_refused(
    model_folder: Path, monotonic: Path, pairs_file: Path, capsys: Capture
) -> None:
    assert main(["align", str(model_folder), str(pairs_file), "--weights", "posterior"]) == 2
    assert "this one has attention" in capsys.readouterr().err
    assert main(["explain", str(monotonic), "two five"]) == 2
    assert "no C_i to explain" in capsys.readouterr().err
