"""The command line from end to end."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from regard.cli import COMMANDS, main
from regard.maps import load_maps
from regard.training.progress import Pace


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from regard.cli import main; main(['--help']);"
        "heavy = {'torch', 'numpy', 'rich', 'yaml', 'lightning_fabric', 'tokenizers', 'regex'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(name in found.stdout for name in COMMANDS)


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_commands_help_needs_no_torch(command: str) -> None:
    code = (
        "import sys\nfrom regard.cli import main\n"
        f"try: main(['{command}', '--help'])\nexcept SystemExit as end: assert end.code == 0\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


def test_train_help_explains_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    from regard.configuration import known_settings

    with pytest.raises(SystemExit) as end:
        main(["train", "--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    for name, setting in known_settings().items():
        assert f"--{name} " in shown
        assert setting.meaning, name


def test_import_of_the_package_is_free() -> None:
    code = "import sys, regard; assert 'torch' not in sys.modules; assert regard.__all__"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["trian"], "regard: there is no command 'trian'; did you mean 'train'?"),
        (["train", "none.tsv"], "regard: none.tsv: no such file"),
        (["train", "none.tsv", "--training.updats=3"], "did you mean --training.updates?"),
        (["train", "none.tsv", "--score=dot"], "did you mean --model.cross.score or --model.self_attention.score?"),
        (["train", "none.tsv", "--training.updates=many"], "training.updates is 'many'; it should be a whole number"),
        (["train", "none.tsv", "--model.cross.score=addative"], "did you mean 'additive'?"),
        (["train"], "the following arguments are required: pairs"),
        (["predict", "nowhere", "a text"], "nowhere: no such folder"),
        (["show", "nowhere.npz"], "nowhere.npz"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    shown = [found for found in capsys.readouterr().err.splitlines() if found != "reading the pairs"]
    assert len(shown) == 1
    assert shown[0].startswith("regard: ")
    assert line in shown[0]


def test_predict(model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("three one\n\ntwo five four\n", encoding="utf-8")
    links, maps = tmp_path / "out.pharaoh", tmp_path / "out.npz"
    flags = ["--input", str(texts), "--alignments", str(links), "--maps", str(maps), "--beam", "3"]
    assert main(["predict", str(model_folder), *flags]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == ["3 1", "", "2 5 4"]
    assert "an empty text" in shown.err
    assert links.read_text().splitlines()[1] == ""
    assert len(links.read_text().splitlines()) == 3
    assert [len(map.source) for map in load_maps(maps)] == [2, 3]
    assert main(["show", str(maps), "--map", "2"]) == 0
    assert "five" in capsys.readouterr().out


def test_predict_shows_and_names_what_is_unknown(model_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(model_folder), "three sechs", "--show"]) == 0
    shown = capsys.readouterr()
    assert "never seen in training: sechs" in shown.err
    assert shown.out.startswith("three sechs  ->  ")
    assert "(log-probability " in shown.out.splitlines()[0]
    assert " <- " in shown.out
    assert "sechs" in shown.out
    assert main(["predict", str(model_folder), "three", "one two", "--show"]) == 0
    assert "\n\none two  ->  1 2   (log" in capsys.readouterr().out


def test_options_may_stand_between_model_and_texts(model_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(model_folder), "--show", "abc"]) == 0
    assert " <- " in capsys.readouterr().out
    assert main(["explain", str(model_folder), "--device", "cpu", "abc"]) == 0


def test_predict_json(model_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(model_folder), "three one", "--json", "--beam=2", "--n_best=2"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["text"] == "3 1"
    assert len(found["attention"]["weights"]) == 3
    assert len(found["alternatives"]) == 1
    assert found["alternatives"][0]["log_prob"] <= found["log_prob"]


def test_explain(model_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(model_folder), "three one", "--word", "2"]) == 0
    shown = capsys.readouterr().out
    assert "2. 1 " in shown
    assert "score (additive)" in shown
    assert "C_2 = " in shown
    assert "1. 3" not in shown
    assert main(["explain", str(model_folder), "three one", "--word", "9"]) == 2


def test_evaluate_and_compare(model_folder: Path, pairs_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--metrics=accuracy,cer", "--against", str(model_folder), "--beam=1"]
    assert main(["evaluate", str(model_folder), str(pairs_file), *flags]) == 0
    shown = capsys.readouterr().out
    assert "by source length" in shown
    assert "paired bootstrap\ndifferences are second minus first" in shown
    assert "no difference" in shown
    assert "\naccuracy: outputs that are wholly right\ncer: character error rate\n" in shown


@pytest.mark.parametrize(("flag", "message"), [
    ("--n_best=4", "--n_best: one output of each source is scored"),
    ("--seed=9", "--seed: nothing is drawn"),
])  # fmt: skip
def test_evaluate_refuses_what_would_do_nothing(
    flag: str, message: str, model_folder: Path, pairs_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(model_folder), str(pairs_file), flag]) == 2
    assert message in capsys.readouterr().err


def test_evaluate_says_by_itself_what_suits_the_targets(
    model_folder: Path, pairs_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(model_folder), str(pairs_file)]) == 0
    shown = capsys.readouterr().out
    assert [line.split()[0] for line in shown.splitlines()[3:5]] == ["accuracy", "per"]  # symbols are no sentences
    assert "bleu" not in shown
    assert "by source length, in words" in shown
    (words := tmp_path / "words.tsv").write_text("one\t1\ntwo\t2\nthree\t3\n")
    assert main(["evaluate", str(model_folder), str(words)]) == 0
    shown = capsys.readouterr().out
    assert "by source length, in letters\nletters  pairs" in shown
    assert "length:" not in shown  # it is BLEU that asks for it
    assert main(["evaluate", str(model_folder), str(pairs_file), "--metrics=bleu", "--max_length=1"]) == 0
    assert "% of the tokens of the references, for which BLEU is 0." in capsys.readouterr().out


def test_align_and_info(model_folder: Path, pairs_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["align", str(model_folder), str(pairs_file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    pairs = pairs_file.read_text().splitlines()
    assert len(lines) == len(pairs)
    assert all(len(line.split()) == len(pair.split("\t")[1].split()) for line, pair in zip(lines, pairs, strict=True))
    assert main(["info", str(model_folder)]) == 0
    assert "model.cross.score: additive" in capsys.readouterr().out


def test_dry_run_writes_nothing(pairs_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(pairs_file), "--out", str(tmp_path / "none"), "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "training pairs: 120" in shown
    assert "training.updates: 1000   # " in shown
    assert "parameters; about" in shown
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("flag", ["--search.top_k=5", "--search.min_length=9"])
def test_a_search_that_contradicts_itself_is_refused_before_the_training(
    flag: str, pairs_file: Path, tmp_path: Path, tiny_flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [*tiny_flags, "--search.max_length=8", flag, f"--out={tmp_path / 'model'}"]
    assert main(["train", str(pairs_file), *flags]) == 2
    assert "search.top_k" in (said := capsys.readouterr().err) or "search.max_length: 8 is less" in said
    assert not (tmp_path / "model" / "config.yaml").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to train on")
def test_dry_run_refuses_what_the_training_would(pairs_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for flag, message in (
        ("--training.device=cuda", "regard: training.device cuda: this machine has none; leave it out, or give cpu"),
        (f"--out={pairs_file}", f"regard: {pairs_file}: this is a file; give a folder as --out"),
    ):
        assert main(["train", str(pairs_file), "--dry-run", flag]) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.splitlines()[-1].startswith(message)


def test_news_of_a_training(
    pairs_file: Path, tmp_path: Path, tiny_flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [*tiny_flags, "--training.updates=1", f"--out={tmp_path / 'model'}"]
    assert main(["train", str(pairs_file), *flags]) == 0
    told = capsys.readouterr().err.splitlines()
    samples = [number for number, line in enumerate(told) if "  ->  " in line]
    looked = [number for number, line in enumerate(told) if " <- " in line]
    assert len(samples) == 3
    assert all(samples[0] < number < samples[1] for number in looked)  # the attention is that of the first alone


def test_a_brief_account_leaves_out_samples_alone(
    pairs_file: Path, tmp_path: Path, tiny_flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    flawed = tmp_path / "pairs.tsv"
    flawed.write_text(pairs_file.read_text() + "\nalone\n")
    flags = [str(flawed), *tiny_flags, "--training.updates=1", f"--out={tmp_path / 'model'}"]
    assert main(["train", *flags]) == 0
    told = capsys.readouterr().err.splitlines()
    assert main(["train", *flags, "--restart", "--brief"]) == 0
    brief = capsys.readouterr().err.splitlines()
    assert sum("left out" in line for line in brief) == 2
    assert any(line.startswith("update 1: ") for line in brief)
    sampled = [line for line in told if "  ->  " in line or " <- " in line]
    paced = {line for line in (*told, *brief) if line.startswith("update 1/")}  # where a second has passed
    assert sampled
    assert [line for line in told if line not in {*sampled, *paced}] == [line for line in brief if line not in paced]


def test_the_speed_is_told_when_it_is_known() -> None:
    pace = Pace(1, 10, 0.1, 2.5, 1e-3, None, 60.0)
    assert str(pace) == "update 1/10  epoch 0.1  loss 2.500  rate 1.0e-03  1:00 left"
    assert "  400 tokens/s  1:00 left" in str(replace(pace, tokens_per_second=400.0))


def test_help_breaks_no_word(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    assert "bleu,chrf,ter,accuracy" in capsys.readouterr().out


def test_config_and_flags_bear_the_same_names(
    pairs_file: Path, tmp_path: Path, tiny_flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("model:\n  cross: {score: dot}\n  context: attention\ntraining: {updates: 999}\n")
    flags = [*tiny_flags, "--training.updates=4", "--training.average=2", "--training.validate_every=2"]
    out = tmp_path / "model"
    assert main(["train", str(pairs_file), "--config", str(config), "--out", str(out), *flags]) == 0
    from regard.folder import load_settings

    stored = load_settings(out)
    assert (stored.model.cross.score, stored.training.updates) == ("dot", 4)
    names = {path.name for path in out.iterdir()}
    assert {"config.yaml", "model.safetensors", "source.json", "target.json", "metrics.jsonl", "dev.tsv"} <= names
    assert "average of the last 2 validations" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["recurrent", "transformer"])
def test_models_without_attention_and_of_many_heads(
    kind: str, pairs_file: Path, tmp_path: Path, tiny_flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    transformer = [f"--model.{side}.kind={kind}" for side in ("encoder", "decoder")]
    few = [*tiny_flags, "--training.updates=2", *transformer]
    many = ["--model.cross.heads=2", "--model.cross.score=scaled_dot"]
    assert main(["train", str(pairs_file), "--out", str(tmp_path / "heads"), *few, *many]) == 0
    assert main(["predict", str(tmp_path / "heads"), "one two", "--show"]) == 0
    shown = capsys.readouterr().out
    assert "head" in shown  # which one is shown is named
    assert main(["explain", str(tmp_path / "heads"), "one two"]) == 0
    assert main(["train", str(pairs_file), "--out", str(tmp_path / "fixed"), *few, "--model.context=fixed"]) == 0
    assert main(["predict", str(tmp_path / "fixed"), "one two", "--show"]) == 0
    assert "no attention to show" in capsys.readouterr().out
    assert main(["explain", str(tmp_path / "fixed"), "one two"]) == 2
    assert "no attention" in capsys.readouterr().err
