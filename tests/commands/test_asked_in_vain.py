"""Options of the search that would do nothing beside others are refused; what can't be meant is never said."""

from __future__ import annotations

from pathlib import Path

import pytest

import regard
from regard.cli import main


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seed", "5"], "--seed: nothing is drawn; give --sample"),
        (["--beam", "3", "--sample", "2"], "--beam: outputs are drawn with --sample"),
    ],
)
def test_options_without_their_partner(
    model_folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert main(["predict", str(model_folder), "one two", *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("tokens", "closed"), [("symbols", False), ("symbols:8", True)])
def test_the_unknown_token_is_said_by_closed_vocabularies_alone(tmp_path: Path, tokens: str, closed: bool) -> None:
    pairs = [(" ".join("abcdef"[number % 6 : number % 6 + 2]), "wxyz"[number % 4]) for number in range(24)]
    settings = {"model.encoder.width": 8, "model.decoder.width": 8, "model.embedding": 8, "training.updates": 2}
    made = regard.train(
        pairs, dev=pairs[:4], out=tmp_path / "m", data={"target_tokens": tokens}, report=False, **settings
    )
    assert (made.target.unk in made.model.never) == (not closed)
    drawn = made.predict("a b", sample=200, temperature=5.0)
    assert any("\ufffd" in each.text for each in (drawn, *drawn.alternatives)) == closed
