"""Word alignments through the command line: made, scored, and learned from."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from regard.cli import main
from regard.data.text import spaced_spans, spans_of_words
from regard.folder import load_facts, load_settings
from regard.maps import load_maps
from regard.predictor import load

Capture = pytest.CaptureFixture[str]
FEW = ["--training.updates=4", "--training.validate_every=2"]


def refused(capsys: Capture, arguments: list[str], *words: str) -> None:
    assert main(arguments) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("regard: ")
    for word in words:
        assert word in last, last


def _write(path: Path, *lines: str) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def _reversed_links(pairs: Path) -> list[str]:
    """One to one, in order: what the tiny corpus means."""
    return [
        " ".join(f"{i}-{i}" for i in range(len(line.split("\t")[0].split())))
        for line in pairs.read_text(encoding="utf-8").splitlines()
    ]


def test_words_are_counted_as_white_space_separates_them() -> None:
    assert spaced_spans(" Mr. Tom\u00a0isn't  in") == [(1, 4), (5, 8), (9, 14), (16, 18)]
    assert [len(spans_of_words("Mr. Tom", words)) for words in ("spaces", "text")] == [2, 3]


def test_every_line_has_a_line(model_folder: Path, tmp_path: Path, capsys: Capture) -> None:
    pairs = _write(tmp_path / "p.tsv", "source\ttarget", "two five\t2 5", "\t", "one\t", "one two\t1 2")
    maps = tmp_path / "m.npz"
    assert main(["align", str(model_folder), pairs, "--maps", str(maps), "--probabilities"]) == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert len(lines) == 4
    assert lines[1] == lines[2] == ""
    assert all(":" in link for link in lines[0].split())
    assert len(lines[0].split()) == 2
    assert "an empty target: 1 (line 4)" in shown.err
    assert maps.exists()
    both = [str(model_folder), pairs, "--reverse", str(model_folder)]
    assert main(["align", *both, "--symmetrise", "union"]) == 0
    union = [set(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert main(["align", *both, "--symmetrise", "intersection"]) == 0
    common = [set(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert all(few <= many for few, many in zip(common, union, strict=True))


def test_align_refuses(model_folder: Path, pairs_file: Path, tmp_path: Path, capsys: Capture) -> None:
    align = ["align", str(model_folder), str(pairs_file)]
    refused(capsys, [*align, "--symmetrise", "union"], "--reverse")
    refused(capsys, [*align, "--reverse", str(model_folder), "--symmetrise", "onion"], "did you mean 'union'")
    refused(capsys, [*align, "--reverse", str(model_folder), "--symmetrise", "geometric-mean:x"], "geometric-mean:x")
    refused(capsys, [*align, "--method", "argmix"], "did you mean 'argmax'")
    refused(capsys, [*align, "--threshold", "0"], "above 0")
    refused(capsys, [*align, "--layer", "3"], "there is no layer 3")
    refused(capsys, [*align, "--words", "bytes"], "--words")
    refused(capsys, ["train-aligner", str(pairs_file), "--words", "tokens"], "--words")
    chinese = _write(tmp_path / "c.tsv", "one\t我们", "two\t他们")
    assert main(["align", str(model_folder), chinese]) == 0
    assert "targets are written without spaces" in capsys.readouterr().err


def test_links_of_tokens(tmp_path: Path, capsys: Capture, tiny_flags: list[str]) -> None:
    """As letters are linked to sounds: every text is one word."""
    words = ["".join(letters) for letters in permutations("tango", 4)][:60]
    pairs = _write(tmp_path / "p.tsv", *(f"{word}\t{' '.join(word.upper())}" for word in words))
    flags = [flag for flag in tiny_flags if "source_tokens" not in flag]
    out = str(tmp_path / "m")
    made = ["train", pairs, "--out", out, *flags, "--data.source_tokens=character", "--training.updates=4"]
    assert main(made) == 0
    capsys.readouterr()
    assert main(["align", out, pairs]) == 0
    shown = capsys.readouterr()
    assert (
        "most sources are one word each, so links say little; count the model's tokens by --words tokens" in shown.err
    )
    assert {link.split("-")[0] for link in shown.out.split()} <= {"0"}
    assert main(["align", out, pairs, "--words", "tokens", "--maps", str(tmp_path / "m.npz")]) == 0
    shown = capsys.readouterr()
    assert "one word" not in shown.err
    maps = load_maps(tmp_path / "m.npz")
    for word, line, map in zip(words, shown.out.splitlines(), maps, strict=True):
        # By the definition: every token of the text, whatever else was looked at.
        inside = load(out).shown(map).without_special()
        best = inside.matrix.argmax(1)
        assert line.split() == sorted(f"{s}-{t}" for t, s in enumerate(best)), word
    links = tmp_path / "l.pharaoh"
    assert main(["predict", out, *words[:2], "--alignments", str(links)]) == 0
    assert "every source is one word" in capsys.readouterr().err
    assert main(["predict", out, *words[:2], "--alignments", str(links), "--words", "tokens"]) == 0
    assert "one word" not in capsys.readouterr().err
    assert len(links.read_text().splitlines()) == 2


def test_links_are_scored(tmp_path: Path, capsys: Capture) -> None:
    gold = _write(tmp_path / "gold", "1-1 1p2", "1-1 2?2")
    links = _write(tmp_path / "links", "0-0 0-1:0.25", "1-1 0-1")
    flags = ["evaluate", "--gold-alignments", gold, "--one-based", "--hypothesis-alignments", links]
    assert main(flags) == 0
    shown = capsys.readouterr().out
    # |A & S| = 1, |A & P| = 3, |A| = 4, |S| = 2.
    assert "2 pairs; 4 links, and 2 sure and 2 possible gold links" in shown
    rows = {line.split()[0]: line.split()[1] for line in shown.splitlines() if len(line.split()) == 4}
    assert (rows["AER"], rows["precision"], rows["recall"]) == ("33.3", "75.0", "50.0")
    assert main([*flags, "--against-alignments", links]) == 0
    shown = capsys.readouterr().out
    assert "no difference" in shown
    assert "differences are second minus first" in shown
    refused(capsys, flags[:3] + flags[4:] + ["--one-based-hypothesis"], "counts from 0, but tokens are counted from 1")
    short = _write(tmp_path / "short", "0-0")
    refused(capsys, [*flags[:-1], short], "short has links of 1 pairs", "gold of 2")
    refused(capsys, flags[:4], "give --hypothesis-alignments, or a model and pairs")
    refused(capsys, ["evaluate", "--hypothesis-alignments", links], "give --gold-alignments too")
    refused(capsys, ["evaluate"], "give a model and pairs")
    refused(capsys, [*flags, "--against", "model"], "--against-alignments")


def test_a_models_links_are_scored(model_folder: Path, pairs_file: Path, tmp_path: Path, capsys: Capture) -> None:
    lines = _reversed_links(pairs_file)
    gold = _write(tmp_path / "gold", *lines)
    assert main(["evaluate", str(model_folder), str(pairs_file), "--gold-alignments", gold]) == 0
    assert "150 pairs; " in capsys.readouterr().out
    outside = _write(tmp_path / "outside", "0-0 77-0", *lines[1:])
    refused(
        capsys,
        ["evaluate", str(model_folder), str(pairs_file), "--gold-alignments", outside],
        "outside, line 1: link 77-0 points outside",
    )


def test_guided_training(pairs_file: Path, tmp_path: Path, tiny_flags: list[str], capsys: Capture) -> None:
    links = _write(tmp_path / "links", *_reversed_links(pairs_file))
    out = tmp_path / "model"
    train = ["train", str(pairs_file), "--out", str(out), *tiny_flags, "--training.guided_weight=2"]
    assert main([*train, "--guided", links]) == 0
    assert "links guide the attention" in capsys.readouterr().err
    assert load_settings(out).training.guided_weight == 2
    assert load_facts(out).shown_reason == "guided by word alignments"
    assert main(["evaluate", str(out), str(pairs_file), "--gold-alignments", links]) == 0
    aer = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("AER"))
    assert float(aer.split()[1]) < 10
    refused(capsys, train, "training.guided_weight is for --guided")
    others = _write(tmp_path / "others", *reversed([line.split()[0] for line in _reversed_links(pairs_file)]))
    refused(capsys, [*train, "--guided", others], "its training was guided by other links")
    plain = [flag for flag in train if "guided_weight" not in flag]
    refused(capsys, plain, "its training was guided by links (--guided)")
    refused(capsys, [*plain, "--curve", "--guided", links], "leave out --curve")


def test_links_may_guide_the_step_that_has_read_a_word(
    pairs_file: Path, tmp_path: Path, tiny_flags: list[str], capsys: Capture
) -> None:
    links = _write(tmp_path / "links", *_reversed_links(pairs_file))
    out = str(tmp_path / "model")
    train = ["train", str(pairs_file), "--out", out, *tiny_flags, "--training.guided_weight=5"]
    assert main([*train, "--guided", links, "--training.guided_reading=true"]) == 0
    found = {}
    for flags in ((), ("--reading",), ("--no-reading",)):
        capsys.readouterr()
        assert main(["evaluate", out, str(pairs_file), "--gold-alignments", links, *flags]) == 0
        aer = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("AER"))
        found[flags] = float(aer.split()[1])
    assert found[()] == found["--reading",] < 10 < 40 < found["--no-reading",]
    # What is shown is what was guided: a row for each word that was said, and none for the end.
    shown = load(out).predict("two five one").attention
    assert shown is not None
    assert shown.convention == "reading"
    assert [int(place) for place in shown.argmax()] == [0, 1, 2]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: lines[:-1], ("has 149 lines for 150 sentence pairs",)),
        (lambda lines: [*lines, "0-0"], ("has more lines than there are sentence pairs (150)",)),
        (lambda lines: ["0-0 0-99", *lines[1:]], ("line 1: link 0-99 points outside",)),
        (lambda lines: [lines[0], "0,0", *lines[2:]], ("line 2: '0,0' is no link",)),
        (lambda lines: [lines[0], "0p0", *lines[2:]], ("line 2: a possible link",)),
        (lambda lines: [f"{'9' * 5000}-0", *lines[1:]], ("line 1: ", "is no link")),
    ],
)
def test_links_that_can_not_guide(
    change, words: tuple[str, ...], pairs_file: Path, tmp_path: Path, tiny_flags: list[str], capsys: Capture
) -> None:
    links = _write(tmp_path / "links", *change(_reversed_links(pairs_file)))
    out = tmp_path / "model"
    refused(capsys, ["train", str(pairs_file), "--out", str(out), *tiny_flags, "--guided", links], links, *words)
    assert not out.exists()


def test_places_that_there_are_not(pairs_file: Path, tmp_path: Path, tiny_flags: list[str], capsys: Capture) -> None:
    links = _write(tmp_path / "links", *_reversed_links(pairs_file))
    train = ["train", str(pairs_file), "--out", str(tmp_path / "model"), *tiny_flags, "--guided", links]
    refused(capsys, [*train, "--training.guided_head=2"], "guided_head is 2, and model.cross.heads is 1")
    refused(capsys, [*train, "--model.context=fixed"], "fixed looks at no word")
    refused(capsys, [*train, "--guided", str(tmp_path / "none")], "none", "No such file")


def links_again(aligner: Path, pairs: Path, symmetrise: str, capsys: Capture) -> str:
    """What `regard align` prints of the two models in a folder."""
    both = ["align", str(aligner / "forward"), str(pairs), "--reverse", str(aligner / "backward")]
    assert main([*both, "--symmetrise", symmetrise]) == 0
    return capsys.readouterr().out


def test_an_aligner(pairs_file: Path, tmp_path: Path, tiny_flags: list[str], capsys: Capture) -> None:
    out = tmp_path / "aligner"
    command = ["train-aligner", str(pairs_file), "--out", str(out), *tiny_flags, *FEW]
    assert main(command) == 0
    assert f"the links: {out / 'links.pharaoh'}" in capsys.readouterr().out
    assert not (out / "unguided").exists()
    assert links_again(out, pairs_file, "geometric-mean", capsys) == (out / "links.pharaoh").read_text()
    refused(capsys, [*command, "--rounds=-1"], "--rounds: -1", "fewer than 0")
    refused(capsys, [*command, "--symmetrise=geometric-mean:2"], "geometric-mean:2 should have a number above 0")


def test_an_aligner_guided_by_itself_twice(
    pairs_file: Path, tmp_path: Path, tiny_flags: list[str], capsys: Capture
) -> None:
    out = tmp_path / "aligner"
    command = ["train-aligner", str(pairs_file), "--out", str(out), *tiny_flags, *FEW, "--rounds=2"]
    assert main(command) == 0
    before = (out / "links.pharaoh").read_bytes()
    assert len(before.splitlines()) == 150
    for name in ("forward", "backward", "round-1/forward", "round-1/backward", "unguided/forward", "unguided/backward"):
        assert (out / name / "model.safetensors").exists()
    assert load_facts(out / "backward").shown_reason == "guided by word alignments"
    assert load_settings(out / "forward").model.encoder.memory == "words"
    (out / "links.pharaoh").unlink()
    assert main(command) == 0  # everything is there but the last file
    assert (out / "links.pharaoh").read_bytes() == before
    assert capsys.readouterr().err.count("this training is finished") == 6


def test_an_aligner_of_one_round_guided_by_what_both_directions_said(
    pairs_file: Path, tmp_path: Path, tiny_flags: list[str], capsys: Capture
) -> None:
    out = tmp_path / "aligner"
    command = ["train-aligner", str(pairs_file), "--out", str(out), *tiny_flags, *FEW, "--rounds=1"]
    assert main(command) == 0
    assert "--symmetrise geometric-mean" in capsys.readouterr().out
    assert not (out / "round-1").exists()
    first = out / "unguided"
    assert links_again(first, pairs_file, "intersection", capsys) == (first / "links.pharaoh").read_text()
    assert links_again(out, pairs_file, "geometric-mean", capsys) == (out / "links.pharaoh").read_text()
