"""Maps from the command line: pictures, pages, and what can't be written is told before the work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from regard.cli import main
from regard.maps import load_maps

KINDS = {"html": "html", "png": "png", "svg": "svg", "maps": "npz"}
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def written(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that a prediction can write, of two texts, by one command."""
    folder = tmp_path_factory.mktemp("views")
    flags = [f"--{kind}={folder / 'a'}.{ending}" for kind, ending in KINDS.items()]
    assert main(["predict", str(model_folder), "three one", "two five four", "--beam=2", *flags]) == 0
    return folder


def test_predict_writes_the_page_and_the_picture_of_its_maps(written: Path) -> None:
    assert {path.name for path in written.iterdir()} == {"a.html", "a.png", "a.svg", "a.npz"}
    page = (written / "a.html").read_text(encoding="utf-8")
    assert "<title>model</title>" in page
    assert page.count('class="block"') == 2
    picture = (written / "a.svg").read_text(encoding="utf-8")
    assert all(f"<!-- {word} -->" in picture for word in ("three", "five", "four"))


def test_views_are_written_where_the_reader_of_the_outputs_has_seen_enough(model_folder: Path, tmp_path: Path) -> None:
    texts = " ".join(["three one two"] * 2)
    command = [
        sys.executable,
        "-m",
        "regard",
        "predict",
        str(model_folder),
        texts,
        "--show",
        f"--maps={tmp_path / 'a.npz'}",
    ]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert "Traceback" not in done.stderr
    assert len(load_maps(tmp_path / "a.npz")) == 1


def test_show_writes_all_views_at_once(written: Path, tmp_path: Path) -> None:
    flags = [f"--{kind}={tmp_path / 'a'}.{kind}" for kind in ("png", "svg", "html")]
    assert main(["show", str(written / "a.npz"), *flags]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "a.svg", "a.html"}


def test_maps_within_a_budget(model_folder: Path, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "a.npz"
    flags = ["predict", str(model_folder), "three one two four five zero one", "one four two", "--maps"]
    assert main([*flags, str(path)]) == 0
    exact = load_maps(path)
    half = sum(map.weights.size for map in exact) * 2 + 30  # bytes of half floats, and what compression adds
    assert main([*flags, str(path), f"--maps-budget={half / 1e6}"]) == 0
    found = load_maps(path)
    assert [map.source for map in found] == [map.source for map in exact]
    assert 0 < max(abs(one.weights - two.weights).max() for one, two in zip(found, exact, strict=True)) <= 1 / 500
    for wrong in ([*flags, str(path), "--maps-budget=0.00001"], [*flags[:-1], "--maps-budget=1"],
                  [*flags, str(tmp_path / "a.jsonl"), "--maps-budget=1"]):  # fmt: skip
        assert main(wrong) == 2
    told = capsys.readouterr().err.splitlines()[-3:]
    assert "10 bytes are too few for 2 maps" in told[0]
    assert "--maps-budget is for --maps" in told[1]
    assert "--maps-budget is for .npz files" in told[2]
    assert [each.name for each in tmp_path.iterdir()] == ["a.npz"]


def test_two_models_side_by_side(written: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "other.npz").write_bytes((written / "a.npz").read_bytes())
    both = [str(written / "a.npz"), str(tmp_path / "other.npz"), "--map", "2"]
    assert main(["show", *both, "--svg", str(tmp_path / "two.svg"), "--entropy", str(tmp_path / "entropy.svg")]) == 0
    for name in ("two.svg", "entropy.svg"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "<!-- a: cross attention," in text
        assert "<!-- other: cross attention," in text
    assert main(["show", *both]) == 0
    shown = capsys.readouterr().out
    assert shown.index("a: cross attention") < shown.index("other: cross attention")
    assert shown.count("5 <- ") == 2
    assert main(["show", *both, "--html", str(tmp_path / "two.html")]) == 0
    assert "<title>a, other</title>" in (tmp_path / "two.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--maps=a.txt"], "maps are kept in .npz or .jsonl files, not .txt"),
        (["--png=a.gif"], "pictures are .png or .svg files, not .gif"),
        (["--png=a.svg"], "a.svg: --png writes .png files; give --svg a.svg"),
        (["--html=nowhere/a.html"], "nowhere/a.html: can't be written: there is no folder nowhere"),
        (["--alignments=folder"], "folder: can't be written: it is a folder"),
        (["--maps=folder/a.npz", "--svg=nowhere/a.svg"], "nowhere/a.svg: can't be written"),
    ],
)
def test_what_can_not_be_written_is_told_before_the_work(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, flags: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    assert main(["predict", str(model_folder), "three one", *flags]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert message in told.err
    assert len(told.err.splitlines()) == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]


def test_pictures_of_too_many_texts_are_refused(model_folder: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(["predict", str(model_folder), *["one"] * 13, "--png", str(tmp_path / "a.png")]) == 2
    assert "a picture of 13 maps could not be read; use --maps, and `regard show --map N`" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_missing_font_is_one_line_and_no_traceback(written: Path, tmp_path: Path, capsys: Capture) -> None:
    from dataclasses import replace

    from regard.maps import save_maps, whole_words

    (first, *_) = load_maps(written / "a.npz")
    save_maps([replace(first, source=whole_words(["\U0010fffd", "$\\frac"]))], tmp_path / "b.npz")
    assert main(["show", str(tmp_path / "b.npz"), "--png", str(tmp_path / "b.png")]) == 0
    told = capsys.readouterr().err
    assert told.startswith("regard: no font on this machine has \U0010fffd")
    assert len(told.splitlines()) == 1
    assert (tmp_path / "b.png").exists()
