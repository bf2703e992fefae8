"""What is asked of outputs: drawn ones, a given beginning, unknown words replaced, several with their maps."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import regard
from regard.cli import main
from regard.data.tables import SymbolTokeniser
from regard.maps import load_maps
from regard.model import drawing


@pytest.fixture(scope="module")
def model(model_folder: Path) -> regard.Predictor:
    return regard.load(model_folder, device="cpu")


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, pairs_file: Path, tiny_flags: list[str]) -> Path:
    """A model whose target vocabulary lacks 4 and 5, so that it learned to say the unknown word for them."""
    folder = tmp_path_factory.mktemp("closed")
    pairs = pairs_file.read_text().splitlines()
    common = [f"{word} {word}\t{digit} {digit}" for digit, word in enumerate(("zero", "one", "two", "three"))]
    (folder / "pairs.tsv").write_text("\n".join([*pairs, *common * 10]))
    flags = [each for each in tiny_flags if "target_tokens" not in each]
    # So that weights say which word was looked at: of these pairs word i comes from word i.
    links = [" ".join(f"{i}-{i}" for i in range(len(line.split("\t")[0].split()))) for line in (*pairs, *common * 10)]
    (folder / "links.pharaoh").write_text("\n".join(links))
    flags += [f"--guided={folder / 'links.pharaoh'}", "--training.updates=240"]
    given = ["--data.target_tokens=symbols:8", "--out", str(folder / "model")]
    assert main(["train", str(folder / "pairs.tsv"), *flags, *given]) == 0
    return folder / "model"


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_the_same_seed_draws_the_same_whatever_is_beside_it(model: regard.Predictor) -> None:
    texts = ["three one two", "five", "zero zero four one"]
    how = {"sample": 4, "temperature": 4.0, "top_p": 0.95}
    together = model.predict(texts, **how)
    assert all(len(each.alternatives) == 3 for each in together)
    for text, drawn in zip(reversed(texts), reversed(together), strict=True):
        alone = model.predict(text, batch=1, **how)
        assert [alone.text, *(each.text for each in alone.alternatives)] == [
            drawn.text,
            *(each.text for each in drawn.alternatives),
        ]
    assert model.predict(texts, **how, seed=3) != together
    for each in (together[0], *together[0].alternatives):
        forced = model.likelihood([texts[0]], [each.text])[0]
        if each.text and forced is not None:
            assert each.log_prob == pytest.approx(forced.log_prob, abs=1e-4)
            assert each.attention is not None  # each has a map of its own


def test_drawing_on_the_command_line(model_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["predict", str(model_folder), "three one two", "--sample=3", "--temperature=4", "--top_k=5"]
    assert main([*flags, "--seed=5"]) == 0
    first = lines(capsys)
    assert len(first) == 3
    assert first[1].startswith("  2. ")
    assert all(re.fullmatch(r".*  \(-\d+\.\d{3}\)", line) for line in first)  # the first, too, says how likely it is
    assert main([*flags, "--seed=5"]) == 0
    assert lines(capsys) == first
    assert main([*flags, "--seed=6"]) == 0
    assert lines(capsys) != first
    assert main(["predict", str(model_folder), "one", "--top_p=0.5"]) == 2
    assert "search.top_p: nothing is drawn; give search.sample" in capsys.readouterr().err


def test_likely_tokens_are_left(model: regard.Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    best = model.predict("three one two", beam=1).text
    assert {each.text for each in _all(model.predict("three one two", sample=20, temperature=5.0, top_k=1))} == {best}
    assert {each.text for each in _all(model.predict("three one two", sample=20, temperature=0.01))} == {best}
    called: list[object] = []
    monkeypatch.setattr(drawing, "uniform", lambda *given: called.append(given))
    model.predict("three one two")
    assert not called  # a search draws nothing


def test_outputs_begin_with_what_is_given(model: regard.Predictor) -> None:
    texts = ["three one two four", "five", "two two"]
    found = model.predict(texts, prefix=["3 1", "", "4"])
    assert [each.text for each in found[:2]] == ["3 1 2 4", "5"]
    assert found[2].text.startswith("4")
    for text, each in zip(texts, found, strict=True):
        forced, likelihood = model.align([text], [each.text])[0], model.likelihood([text], [each.text])[0]
        assert forced is not None
        assert likelihood is not None
        assert each.every_attention is not None
        np.testing.assert_allclose(each.every_attention.weights, forced.weights, atol=1e-5)
        assert each.log_prob == pytest.approx(likelihood.log_prob, abs=1e-4)
    assert all(each.text.startswith("2") for each in model.predict(texts[:2], prefix="2"))
    with pytest.raises(regard.RegardError, match="2 prefixes for 3 sources"):
        model.predict(texts, prefix=["1", "2"])


def test_an_unknown_word_of_a_prefix_stays_what_it_is(model: regard.Predictor) -> None:
    found = model.predict("three one", prefix="six 3")
    assert found.text.startswith("six 3")
    assert "of the prefix, never seen in training: six" in found.note
    assert found.attention is not None
    assert found.attention.target.pieces[:2] == ("six", "3")
    long = model.predict(["three", "one"], prefix=["1 " * 6000, ""])
    assert long[0].text == ""
    assert "a prefix of 6,000 tokens, and this model says 5,120 at most: nothing predicted" in long[0].note
    assert long[1].text == "1"


def test_prefixes_on_the_command_line(model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predict = ["predict", str(model_folder), "three one", "two two"]
    (tmp_path / "begin.txt").write_text("\n4\n")
    assert main([*predict, "--prefixes", str(tmp_path / "begin.txt")]) == 0
    first, second = lines(capsys)
    assert first == "3 1"
    assert second.startswith("4")
    assert main([*predict, "--prefix", "3"]) == 0
    assert all(line.startswith("3") for line in lines(capsys))
    (tmp_path / "begin.txt").write_text("4\n")
    assert main([*predict, "--prefixes", str(tmp_path / "begin.txt")]) == 2
    assert "begin.txt: 1 lines for 2 texts; give a line for each, empty for none" in capsys.readouterr().err
    assert main([*predict, "--prefixes", str(tmp_path / "begin.txt"), "--prefix=1"]) == 2
    assert "--prefix is for all outputs" in capsys.readouterr().err


def test_unknown_words_are_replaced_by_what_was_looked_at(closed: Path) -> None:
    model = regard.load(closed, device="cpu")
    plain = model.predict("three five one four")
    assert plain.tokens == (7, 1, 5, 1)
    assert plain.replaced == ()
    found = model.predict("three five one four", replace_unknown=True)
    assert found.text == "3 five 1 four"
    assert [(each.place, each.source, each.text, each.known) for each in found.replaced] == [
        (1, "five", "five", False),
        (3, "four", "four", False),
    ]
    assert found.note == "unknown words are taken from the source: five, four"
    assert found.attention is not None
    assert found.attention.target.pieces == ("3", "five", "1", "four", "<eos>")
    assert found.attention.target.text == found.text
    known = model.predict(["Five one", "three"], replace_unknown={"five": "V", "four": "IV"})
    assert known[0].text == "V 1" or "Five" in known[0].unknown
    assert known[1].replaced == ()
    known = model.predict(["five one four"], replace_unknown={"five": "number five"}, n_best=2)
    assert known[0].text == "number five 1 four"
    assert [each.known for each in known[0].replaced] == [True, False]
    with pytest.raises(regard.RegardError, match="replace_unknown is 3; give True"):
        model.predict("five", replace_unknown=3)


def test_unknown_words_are_those_that_were_written(closed: Path) -> None:
    """Whatever a model reads, names are put into the output as they stand in the source."""
    plain = regard.load(closed, device="cpu")
    source = plain.source
    assert isinstance(source, SymbolTokeniser)
    reading = SymbolTokeniser(source.vocabulary, "fold", source.kind)
    folding = regard.Predictor(plain.model, reading, plain.target, plain.settings, plain.facts)
    assert folding.predict("Three FIVE one").text == plain.predict("three five one").text
    assert folding.predict("Three FIVE one", replace_unknown=True).text == "3 FIVE 1"
    assert folding.predict("Three FIVE one", replace_unknown={"FIVE": "V", "five": "v"}).text == "3 V 1"
    assert folding.predict("Three FIVE one", replace_unknown={"five": "v"}).text == "3 v 1"


def test_what_is_no_pair_is_told(model: regard.Predictor) -> None:
    for ask in (model.align, model.likelihood):
        with pytest.raises(regard.RegardError, match="2 sources and 1 targets; give one for each"):
            ask(["one", "two"], ["1"])
        with pytest.raises(regard.RegardError, match="came None; give a text"):
            ask([None], ["1"])
        with pytest.raises(regard.RegardError, match="came None; give a text"):
            ask(["one"], [None])  # type: ignore[list-item]
        with pytest.raises(regard.RegardError, match="came 'one' and '1'; give a list of sources, and one"):
            ask("one", "1")


def test_unknown_words_on_the_command_line(closed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predict = ["predict", str(closed), "three five one four"]
    assert main([*predict, "--replace-unknown", "--json"]) == 0
    found = json.loads(lines(capsys)[0])
    assert found["text"] == "3 five 1 four"
    assert found["replaced"][0] == {"place": 1, "source": "five", "text": "five", "known": False}
    words = tmp_path / "words.tsv"
    words.write_text("five\t5\nbroken\nfour\t4\nfive\t6\n")
    assert main([*predict, "--dictionary", str(words)]) == 0
    told = capsys.readouterr()
    assert told.out == "3 5 1 4\n"
    assert "left out, no two words with a tab between them: 1 (line 2)" in told.err
    assert "left out, a word that was there before: 1 (line 4)" in told.err
    assert "unknown words are taken from the source: 5 (for five), 4 (for four)" in told.err
    words.write_text("nothing here\n")
    assert main([*predict, "--dictionary", str(words)]) == 2
    assert "words.tsv: no line with two words" in capsys.readouterr().err


def test_each_of_several_outputs_has_its_own_map(
    model: regard.Predictor, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "three one two"
    predict = ["predict", str(model_folder), text, "--n_best=3", "--beam=4"]
    files = {kind: tmp_path / f"maps.{kind}" for kind in ("npz", "png", "html")}
    assert main([*predict, "--json", "--maps", str(files["npz"]), "--html", str(files["html"])]) == 0
    found = json.loads(lines(capsys)[0])
    outputs = [found, *found["alternatives"]]
    maps = list(load_maps(files["npz"]))
    assert [map.note for map in maps] == ["output 1 of 3", "output 2 of 3", "output 3 of 3"]
    for output, map in zip(outputs, maps, strict=True):
        forced = model.align([text], [output["text"]])[0]
        assert forced is not None
        np.testing.assert_allclose(map.weights, forced.weights, atol=1e-5)
        np.testing.assert_allclose(output["attention"]["weights"], forced.weights[0, 0], atol=1e-5)
    assert files["html"].stat().st_size > files["npz"].stat().st_size
    assert main([*predict, "--show", "--png", str(files["png"])]) == 0
    shown = capsys.readouterr().out
    assert shown.count("<eos> <- ") == 3
    assert files["png"].stat().st_size > 1000


def _all(found: regard.Prediction) -> Iterator[regard.Prediction]:
    yield found
    yield from found.alternatives
