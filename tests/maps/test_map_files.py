"""Maps in files: what is saved comes back, and what can't be read is said."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regard.errors import RegardError
from regard.maps import NO_WORD, AttentionMap, Tokens, load_maps, save_maps, whole_words

anything = st.text(st.characters(exclude_categories=()), max_size=4)


@st.composite
def maps(draw: st.DrawFn) -> AttentionMap:
    def tokens() -> Tokens:
        pieces = draw(st.lists(anything, max_size=3))
        if draw(st.booleans()):
            return whole_words(pieces)
        return Tokens(tuple(pieces), (NO_WORD,) * len(pieces))

    source, target = tokens(), tokens()
    axes = draw(st.sampled_from([(), ("head",), ("layer", "head")]))
    shape = (*(2,) * len(axes), len(target), len(source))
    dtype = draw(st.sampled_from([np.float16, np.float32, np.float64]))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    left_out = generator.random(shape[:-1]).astype(dtype) if draw(st.booleans()) else None
    return AttentionMap(
        generator.random(shape).astype(dtype),
        source,
        target,
        axes=axes,
        place="decoder.self",
        convention=draw(st.sampled_from(["predicting", "reading"])),
        left_out=left_out,
        note=draw(anything),
    )


def one() -> AttentionMap:
    weights = np.array([[0.75, 0.25], [0.1, 0.9]], dtype=np.float32)
    return AttentionMap(weights, whole_words(["Tom", "."]), whole_words(["汤姆", "。"]), axes=())


@pytest.mark.parametrize("ending", [".npz", ".jsonl"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(some=st.lists(maps(), max_size=3))
def test_what_is_saved_comes_back_to_the_bit(ending: str, tmp_path: Path, some: list[AttentionMap]) -> None:
    path = tmp_path / f"maps{ending}"
    assert save_maps(iter(some), path) == len(some)
    found = load_maps(path)
    assert len(found) == len(some)
    for before, after in zip(some, found, strict=True):
        assert after.weights.dtype == before.weights.dtype
        np.testing.assert_array_equal(after.weights, before.weights)
        assert (after.left_out is None) == (before.left_out is None)
        if before.left_out is not None:
            np.testing.assert_array_equal(after.left_out, before.left_out)
        for name in ("source", "target", "axes", "place", "convention", "note"):
            assert getattr(after, name) == getattr(before, name)


@pytest.mark.parametrize("ending", [".npz", ".jsonl"])
def test_half_floats_halve_the_numbers_and_stay_close(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"maps{ending}"
    save_maps([one()], path, precision="float16")
    (found,) = load_maps(path)
    assert found.weights.dtype == np.float16
    assert np.abs(found.weights - one().weights).max() <= 1 / 4096


def test_the_same_maps_make_the_same_bytes(tmp_path: Path) -> None:
    save_maps([one()], tmp_path / "a.npz")
    save_maps([one()], tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_any_reader_of_arrays_can_open_the_archive(tmp_path: Path) -> None:
    save_maps([one()], tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["weights_0"], one().weights)


def test_a_line_of_json_is_plain_to_read(tmp_path: Path) -> None:
    save_maps([one()], tmp_path / "a.jsonl")
    text = (tmp_path / "a.jsonl").read_text(encoding="utf-8")
    assert json.loads(text)["weights"] == [[0.75, 0.25], [0.1, 0.9]]
    assert "汤姆" in text


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    def breaks():
        yield one()
        raise RuntimeError("the model broke")

    save_maps([one()], tmp_path / "a.jsonl")
    before = (tmp_path / "a.jsonl").read_bytes()
    with pytest.raises(RuntimeError, match="the model broke"):
        save_maps(breaks(), tmp_path / "a.jsonl")
    assert (tmp_path / "a.jsonl").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def damaged_line(path: Path, **changes: object) -> None:
    save_maps([one(), one()], path)
    first, second = path.read_text(encoding="utf-8").splitlines()
    path.write_text(first + "\n" + json.dumps(json.loads(second) | changes) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("a.txt", lambda path: None, "maps are kept in .npz or .jsonl files, not .txt"),
        ("a", lambda path: None, "not one without an ending"),
        ("a.npz", lambda path: None, "can't be read: No such file or directory"),
        ("a.npz", lambda path: path.write_bytes(b"PK\x03\x04 and no more"), "is no .npz file, or only a part of one"),
        ("a.npz", lambda path: np.savez(path, x=np.ones(2)), "holds no attention maps of Regard"),
        ("a.npz", lambda path: np.savez(path, **{"regard-maps.json": np.ones(2)}), "is damaged"),
        ("a.npz", lambda path: _without(path, "weights_1.npy"), "map 1: is damaged (missing"),
        ("a.jsonl", lambda path: None, "can't be read: No such file or directory"),
        ("a.jsonl", lambda path: damaged_line(path, regard_maps=9), "line 2: map: has version 9 of the map format"),
        ("a.jsonl", lambda path: damaged_line(path, shape=[3, 2]), "line 2: is damaged (cannot reshape"),
        ("a.jsonl", lambda path: damaged_line(path, precision="object"), "line 2: precision 'object' is none of"),
        ("a.jsonl", lambda path: damaged_line(path, source=None), "line 2: is damaged"),
        ("a.jsonl", lambda path: path.write_text("[1]\n"), "line 1: is no attention map of Regard"),
        ("a.jsonl", lambda path: path.write_text("{"), "line 1: is damaged"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, damage, message: str) -> None:
    path = tmp_path / name
    damage(path)
    with pytest.raises(RegardError) as caught:
        load_maps(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def _without(path: Path, entry: str) -> None:
    save_maps([one(), one()], path)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist() if name != entry}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(RegardError, match=r"nowhere.a\.npz: can't be written: No such file"):
        save_maps([one()], tmp_path / "nowhere" / "a.npz")
    with pytest.raises(RegardError, match="precision 'float8' is none of"):
        save_maps([one()], tmp_path / "a.npz", precision="float8")
