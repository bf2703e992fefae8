"""Images and recordings as sources of maps: their places, what keeps them, and what is no such thing."""

from __future__ import annotations

import base64
import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regard.errors import RegardError
from regard.maps import AttentionMap, Medium, Picture, Sound, Tokens, load_maps, save_maps, whole_words


def picture(height: int = 4, width: int = 9, rows: int = 2, columns: int = 3, colours: bool = False) -> Picture:
    shape = (height, width, 3) if colours else (height, width)
    return Picture(np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8), rows, columns)


def sound(count: int = 4000, rate: int = 8000, places: int = 6, step: float = 0.08) -> Sound:
    return Sound(np.random.default_rng(0).integers(-(2**15), 2**15, count).astype(np.int16), rate, places, step)


def map_of(medium: Medium, axes: tuple[str, ...] = (), **more: Any) -> AttentionMap:
    target = Tokens(("a", "b", "c", "</s>"), (0, 0, 1, -1), "ab c", ((0, 1), (1, 2), (3, 4), (4, 4)))
    shape = (2,) * len(axes) + (len(target),)
    weights = np.random.default_rng(1).dirichlet(np.ones(medium.places), size=shape)
    return AttentionMap(weights, medium.tokens("a/b.png"), target, axes=axes, medium=medium, **more)


def same(one: Medium | None, other: Medium | None) -> bool:
    if isinstance(one, Picture) and isinstance(other, Picture):
        return (one.rows, one.columns) == (other.rows, other.columns) and np.array_equal(one.pixels, other.pixels)
    if isinstance(one, Sound) and isinstance(other, Sound):
        numbers = [(each.rate, each.places, each.step) for each in (one, other)]
        return numbers[0] == numbers[1] and np.array_equal(one.samples, other.samples)
    return False


def test_the_places_of_a_picture_lie_row_by_row() -> None:
    made = picture(height=4, width=9, rows=2, columns=3)
    assert made.box(0) == (0, 0, 2, 3)
    assert made.box(5) == (2, 6, 4, 9)
    assert made.centre(4) == (3, 4.5)
    tokens = made.tokens("line.png")
    assert tokens.pieces == ("1,1", "1,2", "1,3", "2,1", "2,2", "2,3")
    assert (tokens.words, tokens.text) == (tuple(range(6)), "line.png")


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_the_places_of_a_picture_tile_it(height: int, width: int, data: st.DataObject) -> None:
    made = picture(height, width, data.draw(st.integers(1, height)), data.draw(st.integers(1, width)))
    boxes = [made.box(place) for place in range(made.places)]
    assert sum((bottom - top) * (right - left) for top, left, bottom, right in boxes) == pytest.approx(height * width)
    assert boxes[0][:2] == (0, 0)
    assert boxes[-1][2:] == (height, width)


def test_the_places_of_a_sound_lie_one_after_the_other() -> None:
    made = sound()
    assert made.seconds == 0.5
    assert made.span(5) == (pytest.approx(0.4), pytest.approx(0.48))
    assert made.centre(1) == pytest.approx(0.12)
    assert made.tokens("x.wav").pieces == ("0.00s", "0.08s", "0.16s", "0.24s", "0.32s", "0.40s")
    assert sound(step=0.0025).tokens("x").pieces[:3] == ("0.000s", "0.003s", "0.005s")


@pytest.mark.parametrize("medium", [picture(), sound()])
def test_every_operation_keeps_the_medium(medium: Medium) -> None:
    made = map_of(medium, axes=("layer", "head"))
    for changed in (
        made.select(layer=1, head=[0]),
        made.mean(),
        made.merged(),
        made.without_special(),
        made.heaviest(2),
        made.after_reading(),
        next(iter(made.panels()))[1],
    ):
        assert changed.medium is medium
    assert made.merged().target.pieces == ("ab", "c", "</s>")
    assert made.mean().reading(1).startswith("a <- ")


@pytest.mark.parametrize("ending", [".npz", ".jsonl"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(colours=st.booleans(), step=st.floats(0.001, 1), places=st.integers(1, 20))
def test_what_is_saved_comes_back(ending: str, tmp_path: Path, colours: bool, step: float, places: int) -> None:
    path = tmp_path / f"maps{ending}"
    kept: list[Medium] = [
        picture(colours=colours),
        sound(count=math.ceil(8000 * places * step), places=places, step=step),
    ]
    text = AttentionMap(np.ones((1, 1)), whole_words("a"), whole_words("b"), axes=())
    save_maps([map_of(kept[0]), text, map_of(kept[1], axes=("head",))], path)
    found = load_maps(path)
    assert same(found[0].medium, kept[0])
    assert found[1].medium is None
    assert same(found[2].medium, kept[1])
    if ending == ".npz":
        save_maps(found, path, precision="uint8")
        assert same(load_maps(path)[2].medium, kept[1])


def test_any_reader_of_arrays_finds_pixels_and_samples(tmp_path: Path) -> None:
    save_maps([map_of(picture()), map_of(sound())], tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["medium_0"], picture().pixels)
        np.testing.assert_array_equal(arrays["medium_1"], sound().samples)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Picture(np.ones((2, 2)), 1, 1), "picture: pixels are float64 of shape (2, 2), not uint8"),
        (lambda: Picture(np.ones((2, 2, 4), np.uint8), 1, 1), "pixels are uint8 of shape (2, 2, 4)"),
        (lambda: Picture(np.ones((0, 2), np.uint8), 1, 1), "picture: 0 x 2 pixels"),
        (lambda: picture(rows=5), "picture: 5 rows of places for 4 of pixels"),
        (lambda: picture(columns=0), "picture: 0 columns of places for 9 of pixels"),
        (lambda: picture(columns=2.0), "picture: 2.0 columns"),  # type: ignore[arg-type]
        (lambda: Sound(np.ones(4), 8000, 1, 0.1), "sound: samples are float64"),
        (lambda: sound(count=0), "sound: 0 samples"),
        (lambda: sound(rate=0), "sound: 0 samples a second"),
        (lambda: sound(places=True), "sound: True places"),
        (lambda: sound(step=math.inf), "sound: a place of inf seconds"),
        (lambda: sound(step=-1.0), "sound: a place of -1.0 seconds"),
        (lambda: sound(places=9, step=0.1), "sound: 9 places of 0.1 s are more than 0.5 s of samples have"),
        (
            lambda: AttentionMap(np.ones((1, 1)), whole_words("a"), whole_words("b"), axes=(), medium=picture()),
            "attention map: 1 source tokens for 6 places",
        ),
        (
            lambda: AttentionMap(
                np.ones((1, 6)), Tokens(("a",) * 6, (0,) * 6), whole_words("b"), axes=(), medium=picture()
            ),
            "attention map: each place of an image or a recording is a word of its own",
        ),
    ],
)
def test_what_is_no_medium_is_said(make, message: str) -> None:
    with pytest.raises(RegardError) as caught:
        make()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def changed_archive(path: Path, header: dict[str, Any] | None = None, medium: bytes | None = None) -> None:
    """A file of one map of a sound, with its medium's numbers or its array replaced."""
    save_maps([map_of(sound())], path)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    if header is not None:
        text = json.loads(np.load(io.BytesIO(entries["regard-maps.json.npy"])).tobytes())
        text["maps"][0]["medium"] |= header
        content = io.BytesIO()
        np.save(content, np.frombuffer(json.dumps(text).encode(), np.uint8))
        entries["regard-maps.json.npy"] = content.getvalue()
    if medium is not None:
        entries["medium_0.npy"] = medium
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def array_of(samples: Any, shape: str | None = None) -> bytes:
    content = io.BytesIO()
    np.save(content, samples)
    data = content.getvalue()
    return data if shape is None else data.replace(b"(4000,), }" + b" " * (len(shape) - 7), shape.encode() + b", }")


def changed_line(path: Path, **changes: Any) -> None:
    save_maps([map_of(picture())], path)
    line = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(line | {"medium": line["medium"] | changes}), encoding="utf-8")


_HUGE = array_of(sound().samples, shape="(4000000000000,)")


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("a.npz", lambda path: changed_archive(path, {"kind": "smell"}), "map 0: medium 'smell' is neither"),
        ("a.npz", lambda path: changed_archive(path, {"kind": "image"}), "map 0: is damaged (missing 'rows')"),
        ("a.npz", lambda path: changed_archive(path, {"places": 10**30}), "map 0: sound: a number of about"),
        ("a.npz", lambda path: changed_archive(path, {"rate": "8000"}), "map 0: sound: '8000' samples a second"),
        ("a.npz", lambda path: changed_archive(path, {"step": None}), "map 0: sound: a place of None seconds"),
        ("a.npz", lambda path: changed_archive(path, medium=_HUGE), "map 0: medium_0 says it is larger than it is"),
        ("a.npz", lambda path: changed_archive(path, medium=b"nothing"), "map 0: is damaged"),
        ("a.npz", lambda path: changed_archive(path, medium=array_of(np.ones(4))), "map 0: sound: samples are float64"),
        ("a.jsonl", lambda path: changed_line(path, data="!"), "line 1: is damaged"),
        ("a.jsonl", lambda path: changed_line(path, data=base64.b64encode(b"ab").decode()), "line 1: is damaged"),
        ("a.jsonl", lambda path: changed_line(path, kind="sound"), "line 1: is damaged"),
        ("a.jsonl", lambda path: changed_line(path, rows=7), "line 1: picture: 7 rows of places for 4 of pixels"),
        ("a.jsonl", lambda path: changed_line(path, rows=1), "line 1: attention map: 6 source tokens for 3 places"),
    ],
)
def test_a_medium_that_cannot_be_read_is_named(tmp_path: Path, name: str, damage, message: str) -> None:
    path = tmp_path / name
    damage(path)
    with pytest.raises(RegardError) as caught:
        load_maps(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_medium_larger_than_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_maps([map_of(sound())], tmp_path / "a.npz")
    monkeypatch.setattr("regard.maps.files._MOST_OF_MEDIUM", 7999)
    with pytest.raises(RegardError, match="medium_0 has 8,000 bytes, more than the 7,999 that are read"):
        load_maps(tmp_path / "a.npz")


def test_media_are_short_in_an_interpreter() -> None:
    assert repr(map_of(picture())) == (
        "AttentionMap(cross attention, predicting; 4 target x 6 source tokens, Picture(9 x 4 pixels, 2 x 3 places))"
    )
    assert repr(sound()) == "Sound(0.50 s, 8,000 samples a second, 6 places)"
