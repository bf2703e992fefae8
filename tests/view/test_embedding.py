"""Images and recordings on a page: what is embedded is what the map has, as far as there is room."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest
from media_maps import dialled, line, scene
from page_maps import chinese

from regard.maps import AttentionMap, Picture, Sound, whole_words
from regard.maps.times import word_times
from regard.view import embedding
from regard.view.embedding import embedded
from regard.view.page import page


def inflated(data: bytes) -> bytes:
    return zlib.decompress(data, -zlib.MAX_WBITS)


def medium_of(map: AttentionMap, room: int = 1 << 30) -> embedding.Embedded:
    found = embedded(map, room)
    assert found is not None
    return found


def test_a_text_has_none() -> None:
    assert embedded(chinese(), 100) is None
    assert 'class="medium"' not in page(chinese())


@pytest.mark.parametrize("make", [scene, line])
def test_an_image_is_there_pixel_by_pixel(make) -> None:
    made = make()
    found = medium_of(made)
    assert isinstance(made.medium, Picture)
    pixels = made.medium.pixels
    assert found.said == {
        "kind": "image",
        "rows": made.medium.rows,
        "columns": made.medium.columns,
        "size": [pixels.shape[1], pixels.shape[0]],
        "shape": [pixels.shape[1], pixels.shape[0], 3 if make is scene else 1],
        "blocks": 1,
        "of": 1,
    }
    assert inflated(found.blocks[0]) == pixels.tobytes()


def test_a_large_image_is_made_smaller() -> None:
    medium = Picture(np.full((3000, 1000), 200, np.uint8), 3, 1)
    found = medium_of(AttentionMap(np.ones((1, 3)), medium.tokens("x"), whole_words("a"), axes=(), medium=medium))
    width, height, channels = found.said["shape"]
    assert (width, height, channels) == (333, 1000, 1)
    assert found.said["size"] == [1000, 3000]
    assert set(inflated(found.blocks[0])) == {200}


def test_a_recording_is_there_to_be_seen_and_heard() -> None:
    made = dialled(axes=("layer", "head"))
    found = medium_of(made)
    assert isinstance(made.medium, Sound)
    columns, bands = found.said["shape"]
    looked, samples = map(inflated, found.blocks)
    assert len(looked) == (2 + bands) * columns
    np.testing.assert_array_equal(np.frombuffer(samples, "<i2"), made.medium.samples)
    assert (found.said["seconds"], found.said["rate"]) == (made.medium.seconds, 8000)
    # Every key has its time, that of the mean of all heads; the end of the sentence has none.
    times = found.said["times"]
    assert times[-1] is None
    expected = [[time.start, time.end] for time in word_times(made.mean())]
    np.testing.assert_allclose(times[:-1], expected, atol=1e-4)


def test_a_map_of_places_by_places_has_no_times() -> None:
    made = dialled()
    places = len(made.source)
    within = replace(made, weights=np.full((places, places), 1 / places), target=made.source, place="encoder.self")
    assert medium_of(within).said["times"] == []


def test_what_has_no_room_is_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = medium_of(dialled())
    first, second = map(len, whole.blocks)
    assert medium_of(dialled(), first + second).said["blocks"] == 2
    silent = medium_of(dialled(), first + second - 1)
    assert (silent.said["blocks"], silent.said["of"], len(silent.blocks)) == (1, 2, 1)
    assert medium_of(dialled(), first - 1).blocks == ()
    # The room is that of a page: the second recording gets what the first has left.
    monkeypatch.setattr("regard.view.page.ROOM", first + second + first)
    assert page([dialled(), dialled()]).count('class="medium"') == 3
    assert page([scene(), dialled()]).count('class="medium"') == 3


def test_a_short_click_and_silence_have_pictures_too() -> None:
    for samples in (np.array([5], np.int16), np.zeros(8000, np.int16)):
        medium = Sound(samples, 8000, 1, 0.5)
        found = medium_of(AttentionMap(np.ones((1, 1)), medium.tokens("x"), whole_words("a"), axes=(), medium=medium))
        columns, bands = found.said["shape"]
        assert len(inflated(found.blocks[0])) == (2 + bands) * columns
