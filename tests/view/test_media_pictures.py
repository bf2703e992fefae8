"""Pictures over images and recordings: what stands where, what is left out and said, and what can't be drawn."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_maps import dialled, line, scene

pytest.importorskip("matplotlib")

from regard.cli import main
from regard.errors import RegardError
from regard.maps import AttentionMap, Picture, Sound, save_maps, whole_words
from regard.view.overlay import overlaid, overlay
from regard.view.pictures import picture
from regard.view.signal import envelope, pooled, shrunk, spectrogram, spread, summed


def labels(svg: Path) -> list[str]:
    """The texts of a picture, in order."""
    return re.findall(r"<!-- (.*?) -->", unescape(svg.read_text(encoding="utf-8")))


def size(png: Path) -> tuple[int, int]:
    width, height = struct.unpack(">II", png.read_bytes()[16:24])
    return width, height


# Pictures -------------------------------------------------------------------------------------------------------------


def test_a_scene_has_an_image_for_every_word(tmp_path: Path) -> None:
    picture(scene(), tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    found = labels(tmp_path / "a.svg")
    assert text.count("<image ") == 1 + 9 + 1  # the image itself, the words, the scale
    start = found.index("128 x 96") + 1
    words = ["a", "red", "circle", "left", "of", "a", "blue", "square", "</s>"]
    assert found[start : start + 18 : 2] == words
    assert found[0] == "scene-17.png → a red circle left of a blue square"
    assert "a word's largest weight, above its image at the right" in found
    assert f"{scene().matrix[0].max():.2f}" in found


def test_the_strip_of_a_long_output_is_cut_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regard.view.overlay.MOST_WORDS", 4)
    picture(scene(), tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text(encoding="utf-8").count("<image ") == 1 + 4 + 1
    assert "a word's largest weight, above its image at the right; the first 4 of 9 target tokens" in labels(
        tmp_path / "a.svg"
    )


def test_a_line_of_text_stands_above_its_weights(tmp_path: Path) -> None:
    picture(line(), tmp_path / "one.svg")
    text = (tmp_path / "one.svg").read_text(encoding="utf-8")
    assert text.count("<image ") >= 2
    assert "weight" in labels(tmp_path / "one.svg")
    assert not any("largest weight" in label for label in labels(tmp_path / "one.svg"))
    picture(line(rows=4), tmp_path / "four.svg")
    found = labels(tmp_path / "four.svg")
    assert "weight, summed over the 4 rows of the grid" in found
    assert "a word's largest weight, above its image at the right" in found


def test_a_recording_has_seconds_kilohertz_and_the_words_at_their_times(tmp_path: Path) -> None:
    made = dialled()
    picture(made, tmp_path / "a.svg")
    found = labels(tmp_path / "a.svg")
    for label in ("seconds", "kHz", "weight; lines: when each word was heard"):
        assert label in found
    # Each key twice: above the wave at its time, and as the label of its row.
    for key in set(made.target.pieces) - {"</s>"}:
        assert found.count(key) >= 2 * made.target.pieces.count(key)


def test_several_stand_below_each_other_with_the_mean_of_heads(tmp_path: Path) -> None:
    picture(scene(), tmp_path / "one.png")
    picture([scene(("layer", "head")), dialled()], tmp_path / "both.png")
    assert size(tmp_path / "both.png")[1] > size(tmp_path / "one.png")[1] + 400
    picture(scene(("head",)), tmp_path / "heads.svg", titles=["my $title$"])
    found = labels(tmp_path / "heads.svg")
    assert found[:2] == ["my $title$", "cross attention, as each word was predicted; mean of 2 heads"]


def test_one_word(tmp_path: Path) -> None:
    overlay(scene(), tmp_path / "a.svg", 2)
    found = labels(tmp_path / "a.svg")
    assert found[0] == "circle"
    assert f"{scene().matrix[2].max():.2f}, the largest weight" in found
    with pytest.raises(RegardError, match="there is no target token 9; they are numbered 0 to 8"):
        overlaid(scene(), 9)
    with pytest.raises(RegardError, match="is not over an image"):
        overlaid(dialled(), 0)


def test_the_colour_of_weights_lies_where_the_weights_do() -> None:
    for smooth in (True, False):
        found = overlaid(scene(), 2, smooth).astype(int)
        times = len(found) // 96
        red = found[..., 0] - found[..., 2]
        assert np.unravel_index(red.argmax(), red.shape) == pytest.approx((44 * times, 36 * times), abs=6 * times)
        assert abs(red[:, 90 * times :]).max() < 20


def test_maps_over_texts_are_drawn_as_ever_and_not_mixed(tmp_path: Path) -> None:
    text = AttentionMap(np.ones((1, 1)), whole_words("a"), whole_words("b"), axes=())
    picture(text, tmp_path / "text.svg")
    assert "target, each as it was predicted" in labels(tmp_path / "text.svg")
    with pytest.raises(RegardError, match="don't go into one picture"):
        picture([text, scene()], tmp_path / "mixed.png")
    with pytest.raises(RegardError, match="nothing to draw"):
        picture(replace(scene(), weights=np.zeros((0, 192)), target=whole_words([])), tmp_path / "empty.png")
    with pytest.raises(RegardError, match="1 titles for 2 attention maps"):
        picture([scene(), scene()], tmp_path / "mixed.png", titles=["x"])


def test_odd_media_are_drawn_too(tmp_path: Path) -> None:
    target = whole_words(["x"])
    dot = Picture(np.zeros((1, 1, 3), np.uint8), 1, 1)
    pole = Picture(np.zeros((400, 2), np.uint8), 40, 1)
    click = Sound(np.array([0], np.int16), 8000, 1, 0.01)
    silence = Sound(np.zeros(8000, np.int16), 8000, 10, 0.1)
    for number, medium in enumerate((dot, pole, click, silence)):
        weights = np.zeros((1, medium.places))
        picture(AttentionMap(weights, medium.tokens("x"), target, axes=(), medium=medium), tmp_path / f"{number}.png")
        assert max(size(tmp_path / f"{number}.png")) < 4000


def test_show_draws_them(tmp_path: Path) -> None:
    save_maps([scene(("layer", "head")), dialled(axes=("layer", "head"))], tmp_path / "maps.npz")
    assert main(["show", str(tmp_path / "maps.npz"), "--svg", str(tmp_path / "a.svg")]) == 0
    assert "scene-17.png → a red circle left of a blue square" in labels(tmp_path / "a.svg")
    assert (
        main(["show", str(tmp_path / "maps.npz"), "--map", "2", "--head", "1", "--svg", str(tmp_path / "b.svg")]) == 0
    )
    assert "cross attention, as each word was predicted; head 1" in labels(tmp_path / "b.svg")


# Points ---------------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=50), st.integers(1, 60))
def test_stretches_keep_the_largest_and_the_sum(values: list[float], columns: int) -> None:
    array = np.array(values, np.float32)
    assert len(pooled(array, columns)) == min(len(values), columns)
    assert pooled(array, columns).max() == array.max()
    assert summed(array, columns).sum() == pytest.approx(array.sum(), abs=1e-4)


def test_a_spectrogram_shows_a_tone_at_its_frequency_and_time() -> None:
    rate, frequency = 16000, 3000
    time = np.arange(2 * rate) / rate
    samples = np.where(time > 1, 8000 * np.sin(2 * np.pi * frequency * time), 0).astype(np.int16)
    energy, highest = spectrogram(Sound(samples, rate, 20, 0.1), 200, 64)
    assert energy.shape == (64, 200)
    assert highest == 8000
    band, column = np.unravel_index(energy.argmax(), energy.shape)
    assert (band + 0.5) * highest / 64 == pytest.approx(frequency, abs=highest / 64)
    assert column >= 100
    assert energy[:, 10:95].max() == 0
    lowest, top = envelope(Sound(samples, rate, 20, 0.1), 200)
    assert abs(lowest[:99]).max() == 0
    assert top[105:].min() == pytest.approx(8000 / 32768, rel=0.1)


def test_a_long_recording_is_seen_whole() -> None:
    samples = np.zeros(8000 * 120, np.int16)
    samples[8000 * 60 : 8000 * 60 + 40] = 20000  # five milliseconds in two minutes
    sound = Sound(samples, 8000, 100, 1.2)
    energy, _ = spectrogram(sound, 300, 32)
    assert energy.shape == (32, 300)
    assert abs(int(energy.max(0).argmax()) - 150) <= 1
    assert abs(int(envelope(sound, 300)[1].argmax()) - 150) <= 1


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.booleans())
def test_a_shrunk_image_is_small_and_alike(height: int, width: int, longest: int, colours: bool) -> None:
    shape = (height, width, 3) if colours else (height, width)
    pixels = np.full(shape, 77, np.uint8)
    found = shrunk(pixels, longest)
    assert max(found.shape[:2]) <= longest
    assert found.shape[2:] == pixels.shape[2:]
    assert (found == 77).all()


@pytest.mark.parametrize("smooth", [True, False])
def test_spread_weights_keep_their_places(smooth: bool) -> None:
    made = Picture(np.zeros((30, 50), np.uint8), 3, 5)
    weights = np.random.default_rng(0).random(15)
    found = spread(made, weights, 30, 50, smooth)
    assert found.shape == (30, 50)
    assert found.min() >= weights.min() - 1e-9
    assert found.max() <= weights.max() + 1e-9
    for place in range(15):
        y, x = made.centre(place)
        # Between the four points around the centre.
        around = found[int(y) - 1 : int(y) + 1, int(x) - 1 : int(x) + 1].mean()
        assert around == pytest.approx(weights[place], abs=0.12 if smooth else 1e-9)
