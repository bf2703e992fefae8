"""Which pieces of a source are which of a target: by their strings, with a vocabulary of its own for each source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from regard import load
from regard.cli import main
from regard.data.copying import Copying
from regard.data.encoding import Encoding
from regard.data.features import FeaturedTokeniser
from regard.data.tables import CharacterTokeniser, SymbolTokeniser
from regard.data.tokenisers import Tokeniser, make_tokeniser
from regard.errors import RegardError
from regard.folder import Facts
from regard.predictor import Predictor, make_model
from regard.predictor.ensemble import EnsemblePredictor
from regard.predictor.labels import resurfaced
from regard.settings import DecoderSettings, EncoderSettings, ModelSettings, Settings


def said(target: Tokeniser, copying: Copying, ids: Sequence[int], source: Encoding) -> Encoding:
    """What numbers stand for, as a prediction shows it."""
    return resurfaced(target.trace(copying.plain(ids)), copying.surfaces(ids, source))


def test_numbers_go_by_strings_across_vocabularies() -> None:
    source, target = SymbolTokeniser.train(["the cat sat"]), SymbolTokeniser.train(["le cat 5"])
    size, copying = len(target.vocabulary), Copying(source, target)
    read = source.encode("the cat 5 Zoë the Zoë")
    rows = copying.source_rows(read)
    assert rows[:, 0].tolist() == list(read.ids)
    # What is known to the target, to the source as well or not, and what is not: as the first place that holds it.
    cat, five = target.encode("cat 5").ids
    assert rows[:, 1].tolist() == [size, cat, five, size + 3, size, size + 3]
    ids = copying.target_ids(target.encode("le Zoë the Bob 5"), read)
    assert ids == (target.encode("le").ids[0], size + 3, size, target.unk, target.encode("5").ids[0])
    found = said(target, copying, (*ids, target.eos), read)
    assert found.text == "le Zoë the \ufffd 5"
    assert found.pieces == ("le", "Zoë", "the", "\ufffd", "5", "")


def test_characters_and_features() -> None:
    source = FeaturedTokeniser.train(CharacterTokeniser.train(["abc"]), ["a\tV"])
    target = CharacterTokeniser.train(["aV"])
    copying, read = Copying(source, target), source.encode("aßb\tV;X")
    size = len(target.vocabulary)
    assert copying.source_rows(read)[:, 1].tolist() == [-1, -1, target.encode("a").ids[0], size + 3, size + 4]
    assert said(target, copying, [*copying.target_ids(target.encode("ßab"), read)], read).text == "ßab"
    assert copying.source_rows(source.encode("\tV")).shape == (1, 2)
    assert copying.source_rows(source.encode("")).shape == (0, 2)


@pytest.mark.parametrize("kind", ["bpe:60", "unigram:60"])
def test_subwords(kind: str) -> None:
    texts = ["the cat sat on the mat", "a cat and a hat", "that mat is flat"]
    source: Tokeniser = make_tokeniser(kind, [*texts, "über"])
    target: Tokeniser = make_tokeniser(kind, texts)
    copying = Copying(source, target)
    read = source.encode("the über cat")
    size = len(target.vocabulary)
    for (number, copy), name in zip(copying.source_rows(read).tolist(), read.pieces, strict=True):
        if copy < size:
            assert target.vocabulary[copy] == source.vocabulary[number]
        else:
            assert name in "über"
    ids = copying.source_rows(read)[:, 1].tolist()
    assert said(target, copying, ids, read).text == "the über cat"
    assert "".join(said(target, copying, ids, read).pieces).replace(" ", "") == "theübercat"


def test_names_that_were_never_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Learned in a minute's fraction: names are copied, verbs are translated; and all commands know what was copied."""
    names = [f"{one}{other}" for one in ("ba", "de", "gi", "lo") for other in ("ka", "nel", "ti", "sor", "rum")]
    verbs = {"sees": "voit", "hears": "entend", "likes": "aime"}
    rows = [f"{a} {verb} {b}\t{a} {word} {b}\n" for verb, word in verbs.items() for a in names for b in names[::3]]
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("".join(rows), encoding="utf-8")
    flags = [
        "--model.copy", "true", "--data.source_tokens=symbols", "--data.target_tokens=symbols",
        "--training.updates=120",
        "--model.encoder.width=32", "--model.decoder.width=32", "--model.embedding=16", "--training.rate=0.01",
        "--training.validate_every=60", "--training.device=cpu", "--training.threads=1", "--training.metric=accuracy",
        "--data.hold_out=20", "--model.dropout=0.1",
    ]  # fmt: skip
    folder = tmp_path / "model"
    assert main(["train", str(pairs), "--out", str(folder), *flags]) == 0
    model = load(folder, device="cpu")
    found = model.predict(["Zoë hears Bob", "Zoë sees Zoë", "", "baka"])
    assert [each.text for each in found[:3]] == ["Zoë entend Bob", "Zoë voit Zoë", ""]
    assert found[0].attention is not None
    assert found[0].attention.target.pieces == ("Zoë", "entend", "Bob", "<eos>")
    assert [round(share) for share in found[0].copied] == [1, 0, 1]
    several = model.predict("Zoë hears Bob", n_best=3)
    assert several.copied == pytest.approx(found[0].copied, abs=1e-4)
    for each in several.alternatives:
        (alone,) = model.align(["Zoë hears Bob"], [each.text], weights="posterior")
        assert alone is not None
        assert each.copied == pytest.approx(alone.matrix.sum(-1)[:-1], abs=1e-4)
    # The shares are those of the model's own weights, all of them.
    assert model.predict("Zoë hears Bob", attention=[1, 0, 0]).copied == ()
    assert model.predict("Zoë hears Bob", window=1).copied == ()
    assert found[2].copied == ()
    (map,) = model.align(["Zoë hears Bob"], ["Zoë entend Bob"], weights="posterior")
    assert map is not None
    assert map.matrix[[0, 2], [0, 2]].min() > 0.9
    assert map.matrix[1].sum() < 0.1
    capsys.readouterr()
    assert main(["predict", str(folder), "Zoë hears Bob", "--show"]) == 0
    assert "copied: Zoë 1.00, entend 0.00, Bob 1.00" in capsys.readouterr().out
    assert main(["predict", str(folder), "Zoë hears Bob", "--show", "--n_best=2"]) == 0
    assert capsys.readouterr().out.count("copied: ") == 2
    assert main(["explain", str(folder), "Zoë hears Bob", "--word", "1"]) == 0
    assert "1. Zoë" in capsys.readouterr().out
    (tmp_path / "test.tsv").write_text("Zoë hears Bob\tZoë entend Bob\n", encoding="utf-8")
    assert main(["evaluate", str(folder), str(tmp_path / "test.tsv"), "--metrics", "accuracy"]) == 0
    assert "100.00" in capsys.readouterr().out
    for flag in ("--model.context=fixed", "--model.cross.normalizer=sigmoid"):
        assert main(["train", str(pairs), "--out", str(tmp_path / "none"), *flags, flag]) == 2
        assert "model.copy: " in capsys.readouterr().err
        assert not (tmp_path / "none").exists()


def made(seed: int, source: Tokeniser, target: Tokeniser, copies: bool = True) -> Predictor:
    """A model that has learned nothing, and so copies."""
    torch.manual_seed(seed)
    encoder, decoder = EncoderSettings(width=8), DecoderSettings(width=8)
    chosen = Settings(model=ModelSettings(encoder=encoder, decoder=decoder, embedding=8, copy=copies))
    model = make_model(chosen, source, target)
    if copies:
        torch.nn.init.constant_(model.readout.gate.bias, -20.0)  # type: ignore[union-attr]
    return Predictor(model, source, target, chosen, Facts())


def test_several_models_copy_together() -> None:
    source, target = SymbolTokeniser.train(["the cat sat"]), SymbolTokeniser.train(["le cat 5"])
    members = [made(seed, source, target) for seed in (1, 2)]
    torch.nn.init.constant_(members[1].model.readout.gate.bias, -1.0)  # type: ignore[union-attr]
    both = EnsemblePredictor(members, ["one", "two"])
    found = both.predict(["Zoë the cat", "5 Bob"], max_length=4, min_length=2)
    assert set(found[0].text.split()) <= {"Zoë", "the", "cat"}
    assert set(found[1].text.split()) <= {"5", "Bob"}
    for each in found:
        probabilities = [model.likelihood([each.source], [each.text])[0] for model in (*members, both)]
        one, other, mean = (np.exp(each.log_probs) for each in probabilities if each is not None)
        assert np.allclose(mean, (one + other) / 2, rtol=1e-4)
        # Of the mean's probability so much was copied, from the same places: each member's share by its part of it.
        maps = [model.align([each.source], [each.text], weights="posterior")[0] for model in (*members, both)]
        first, second, together = (map.matrix for map in maps if map is not None)
        wanted = (one[:, None] * first + other[:, None] * second) / (one + other)[:, None]
        assert np.allclose(together, wanted, atol=1e-4)
        assert np.allclose(each.copied, together.sum(-1)[: len(each.copied)], atol=1e-4)
        assert len(each.copied) == len(each.text.split())
        assert 0.5 < min(each.copied) <= max(each.copied) <= 1 + 1e-6
    with pytest.raises(RegardError, match=r"one copies tokens of the source \(model\.copy\), and two does not"):
        EnsemblePredictor([members[0], made(3, source, target, copies=False)], ["one", "two"])
    with pytest.raises(RegardError, match="and cut it otherwise"):
        EnsemblePredictor([members[0], made(3, target, target)], ["one", "two"])
