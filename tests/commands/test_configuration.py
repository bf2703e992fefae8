"""Settings: YAML and back, names, values."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard import configuration
from regard.attention import names
from regard.configuration import checked, flatten, known_settings, nest, read_config, to_yaml, with_given
from regard.errors import RegardError
from regard.settings import Settings

_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "model.cross.score": st.sampled_from(["dot", "additive", "cosine"]),
        "model.cross.normalizer": st.sampled_from(["softmax", "top_k:4", "entmax:1.3"]),
        "model.encoder.directions": st.sampled_from([1, 2]),
        "model.dropout": st.floats(0, 0.9),
        "training.rate": st.floats(1e-9, 10),
        "training.updates": st.none() | st.integers(1, 10**9),
        "training.minutes": st.none() | st.floats(0, 100),
        "data.joint": st.booleans(),
        "data.source_tokens": st.none() | st.sampled_from(["character", "bpe:500"]),
        "data.target": st.sampled_from(["2", "deutsch", "中文"]),
    },
)


@given(_CHANGES)
def test_round_trip_through_yaml(tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any]) -> None:
    settings = with_given(Settings(), checked(changes))
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    path.write_text(to_yaml(settings), encoding="utf-8")
    assert with_given(Settings(), read_config(path)) == settings
    flat = flatten(asdict(settings))
    assert flatten(nest(flat)) == flat


@given(_CHANGES)
def test_the_command_line_gives_the_same(changes: dict[str, Any]) -> None:
    from regard.commands.parsing import add_settings, given_on, parser

    made = parser("train", "")
    add_settings(made)
    flags = [f"--{name}={'none' if value is None else value}" for name, value in changes.items()]
    assert given_on(made.parse_args(flags)) == checked(changes)


def test_defaults_are_those_of_the_dataclasses() -> None:
    flat = flatten(asdict(Settings()))
    del flat["version"]
    assert {name: setting.default for name, setting in known_settings().items()} == flat


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.cros.score": "dot"}, "no setting 'model.cros.score'; did you mean model.cross.score?"),
        ({"traning.rate": 1}, "did you mean training.rate?"),
        ({"xyzzy": 1}, "`regard train --help` lists them all"),
        ({"model.cross": 3}, "model.cross is a group of settings"),
        ({"training.schedule": "noan"}, "training.schedule is 'noan'; did you mean 'noam'?"),
        ({"training.updates": 2.5}, "training.updates is 2.5; it should be a whole number, or none"),
        ({"training.updates": 0}, "training.updates is 0; it should be at least 1"),
        ({"training.rate": "nan"}, "it should be a number"),
        ({"data.joint": "perhaps"}, "it should be true or false"),
        ({"model.dropout": 1.5}, "it should be from 0 to 0.99"),
        ({"model.cross.normalizer": "top_k"}, "needs a number after a colon, as in top_k:3"),
        ({"model.cross.normalizer": "top_k:0.5"}, "there should be a whole number, at least 1, as in top_k:3"),
        ({"model.cross.normalizer": "entmax:0.5"}, "there should be a number above 1 (1 is softmax), as in entmax:1.3"),
        ({"model.cross.normalizer": "threshold:2"}, "there should be a number above 0, at most 1"),
        ({"model.cross.normalizer": "softmax:0"}, "there should be a number above 0"),
        ({"model.cross.normalizer": "sparsemax:2"}, "sparsemax takes no number; leave out the colon"),
        ({"model.cross.score": "bilinear:3"}, "model.cross.score is 'bilinear:3', and bilinear takes no number"),
        ({"model.cross.score": "location_aware:2"}, "location_aware takes no number"),
        ({"model.cross.score": "scaled_dot:2"}, "scaled_dot takes no number"),
        ({"model.cross.normalizer": "softmx"}, "did you mean 'softmax'?"),
        ({"model.cross.score": "distance:far"}, "after the colon there should be a number above 0, as in distance:0.5"),
    ],
)
def test_mistakes(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RegardError) as raised:
        checked(changes, "c.yaml")
    assert message in str(raised.value)
    assert str(raised.value).startswith("c.yaml: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("version: 99\n", "update Regard"),
        ("version: old\n", "version 'old'"),
        ("- a list\n", "should hold settings by name"),
        ("a: [unclosed\n", "not YAML"),
        ("1: 2\n", "should hold settings by name"),
        ("!!python/object/apply:os.getcwd []\n", "not YAML"),
        ("model: {cross: {score: 7}}\n", "model.cross.score is '7'"),
    ],
)
def test_bad_files(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(content)
    with pytest.raises(RegardError) as raised:
        read_config(path)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", ["score", "normalizer"])
def test_settings_and_the_operator_know_the_same_numbers(kind: str) -> None:
    """Settings need no torch, so what may follow a colon is said twice; the operator takes what settings allow."""
    table = {"score": names.SCORES, "normalizer": names.NORMALIZERS}[kind]
    for name in configuration._NAMED[kind]:
        if name not in table:
            continue
        if name in configuration._NUMBERS:
            names.named(kind, f"{name}:{configuration._NUMBERS[name][-1]}", table)
        else:
            with pytest.raises(ValueError, match="takes no number"):
                names.named(kind, f"{name}:1", table)
