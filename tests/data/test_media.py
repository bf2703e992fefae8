"""Images and recordings as sources: the shelf with its cache, corpora of files, features side by side."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from regard.data.corpora import read_any, read_folder
from regard.data.examples import shelve_pairs
from regard.data.media import Images, Item, Sounds, encode, listed, medium_of, name_of
from regard.data.reading import Pair
from regard.data.shelf import DATA, INDEX, fill
from regard.data.tokenisers import make_tokeniser
from regard.errors import RegardError
from regard.settings import DataSettings, EncoderSettings, ImageSettings, ModelSettings, SoundSettings

GREY = Images(ImageSettings(colours="grey"), EncoderSettings(stem="convolution", place="8x4"))
HEARD = Sounds(SoundSettings(rate=8000), EncoderSettings(stem="frames", place="4"))


def drawn(path: Path, width: int, height: int = 8, seed: int = 0) -> str:
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width), np.uint8)
    Image.fromarray(pixels).save(path)
    return str(path)


def test_medium_by_names() -> None:
    assert medium_of(["a.png", "b.JPG", "c.txt"]) == "image"
    assert medium_of(["a.wav", "b.flac"]) == "sound"
    assert medium_of(["a sentence.", "b.png"]) == "text"
    assert medium_of([]) == "text"


def test_what_is_read_is_what_the_files_hold(tmp_path: Path) -> None:
    names = [drawn(tmp_path / f"{number}.png", 8 + number, seed=number) for number in range(20)]
    shelf = fill({name: name for name in names}, GREY, folder=tmp_path / "cache", workers=3)
    assert (shelf.read, shelf.failed) == (20, {})
    for name in names:
        assert np.array_equal(shelf.item(name).values[..., 0], np.asarray(Image.open(name)))
    assert shelf.item(names[3]).layout == (1, 3)


def test_the_cache_reads_only_what_has_changed(tmp_path: Path) -> None:
    names = [drawn(tmp_path / f"{number}.png", 8, seed=number) for number in range(5)]
    sources, cache = {name: name for name in names}, tmp_path / "cache"
    first = fill(sources, GREY, folder=cache)
    second = fill(sources, GREY, folder=cache)
    assert (first.read, second.read) == (5, 0)
    assert first.fingerprint == second.fingerprint
    drawn(tmp_path / "2.png", 12, seed=9)
    os.utime(tmp_path / "2.png", ns=(1, 1))
    third = fill(sources, GREY, folder=cache)
    assert third.read == 1
    assert third.item(names[2]).values.shape == (8, 12, 1)
    assert third.fingerprint != second.fingerprint
    for number in (0, 1, 3, 4):
        assert np.array_equal(third.item(names[number]).values, first.item(names[number]).values)


def test_other_settings_read_anew(tmp_path: Path) -> None:
    name = drawn(tmp_path / "one.png", 16)
    fill({name: name}, GREY, folder=tmp_path / "cache")
    taller = Images(ImageSettings(colours="grey", height=16), GREY.encoder)
    shelf = fill({name: name}, taller, folder=tmp_path / "cache")
    assert shelf.read == 1
    assert shelf.item(name).values.shape == (16, 32, 1)


@pytest.mark.parametrize("damage", ["cut", "index", "offset", "foreign"])
def test_a_damaged_cache_is_read_anew(tmp_path: Path, damage: str) -> None:
    name, cache = drawn(tmp_path / "one.png", 16), tmp_path / "cache"
    whole = fill({name: name}, GREY, folder=cache).item(name).values.copy()
    index = json.loads((cache / INDEX).read_text())
    if damage == "cut":
        (cache / DATA).write_bytes((cache / DATA).read_bytes()[:-1])
    elif damage == "index":
        (cache / INDEX).write_text("{")
    elif damage == "offset":
        index["sources"][name][2] = 10**12
        (cache / INDEX).write_text(json.dumps(index))
    else:
        index["sources"] = 7
        (cache / INDEX).write_text(json.dumps(index))
    shelf = fill({name: name}, GREY, folder=cache)
    assert shelf.read == 1
    assert np.array_equal(shelf.item(name).values, whole)


def test_a_shelf_reaches_another_process(tmp_path: Path) -> None:
    name = drawn(tmp_path / "one.png", 16)
    for folder in (None, tmp_path / "cache"):
        shelf = fill({name: name}, GREY, folder=folder)
        copied = pickle.loads(pickle.dumps(shelf))
        assert np.array_equal(copied.item(name).values, shelf.item(name).values)


def test_what_can_not_be_read_is_counted_and_named(tmp_path: Path) -> None:
    good, missing, broken = drawn(tmp_path / "good.png", 16), str(tmp_path / "no.png"), tmp_path / "broken.png"
    broken.write_bytes(Path(good).read_bytes()[:60])
    names = [good, missing, str(broken)]
    pairs = [Pair(name, "a word", "pairs.tsv", line) for line, name in enumerate(names, 1)]
    shelf = fill({name: name for name in names}, GREY)
    tokeniser = make_tokeniser("character", ["a word"])
    examples, omitted = shelve_pairs(pairs, shelf, tokeniser)
    assert [pair.line for pair in examples.pairs] == [1]
    assert omitted.count == 2
    assert f"no such file: 1 (line 2: {missing})" in str(omitted)
    assert f"(line 3: {broken})" in str(omitted)
    with pytest.raises(RegardError, match=r"pairs.tsv: no pair is left"):
        shelve_pairs(pairs[1:], shelf, tokeniser)


def test_recordings_that_last_too_long_are_left_out() -> None:
    samples = np.random.default_rng(0).integers(-999, 999, 12_000).astype(np.int16)
    shelf = fill({"long": (samples, 8000), "short": (samples[:4000], 8000)}, HEARD)
    pairs = [Pair("long", "a", "pairs", 1), Pair("short", "b", "pairs", 2)]
    examples, omitted = shelve_pairs(pairs, shelf, make_tokeniser("character", ["ab"]), seconds=1.0)
    assert [pair.source for pair in examples.pairs] == ["short"]
    assert "recordings of more than 1 seconds (data.sound.seconds): 1 (line 1: long)" in str(omitted)


def test_images_of_more_rows_than_the_model_knows_are_left_out() -> None:
    model = ModelSettings(encoder=EncoderSettings(stem="patches", place="2x2", position="learned"), longest=8)
    media = Images(ImageSettings(colours="grey"), model.encoder)
    shelf = fill({name: np.zeros(size, np.uint8) for name, size in {"high": (17, 4), "wide": (4, 16)}.items()}, media)
    pairs = [Pair("high", "a", "pairs", 1), Pair("wide", "b", "pairs", 2)]
    examples, omitted = shelve_pairs(pairs, shelf, make_tokeniser("character", ["ab"]), knows=model.knows)
    assert [pair.source for pair in examples.pairs] == ["wide"]
    assert "more places than model.longest: 1 (line 1: high)" in str(omitted)
    assert ModelSettings(encoder=EncoderSettings(stem="patches", place="2x2"), longest=8).knows((9, 9))
    sound = EncoderSettings(stem="frames", place="4", kind="transformer", position="learned")
    assert [ModelSettings(encoder=sound, longest=8).knows((count,)) for count in (8, 9)] == [True, False]


def test_images_side_by_side() -> None:
    rng = np.random.default_rng(1)
    items = [GREY.item("x", rng.integers(0, 255, (height, width, 1), np.uint8)) for height, width in ((8, 20), (5, 9))]
    side, sizes = GREY.batch(items)
    assert side.shape == (2, 1, 8, 20)
    assert sizes.tolist() == [[8, 20], [5, 9]]
    assert not side[1, :, 5:].any()
    assert not side[1, :, :, 9:].any()
    assert [len(item) for item in items] == [5, 3]


def test_recordings_side_by_side() -> None:
    rng = np.random.default_rng(1)
    items = [HEARD.item("x", rng.integers(-999, 999, count).astype(np.int16)) for count in (4000, 1600)]
    side, sizes = HEARD.batch(items)
    assert sizes.tolist() == [50, 20]
    assert side.shape == (2, 50, 40)
    assert not side[1, 20:].any()
    assert [len(item) for item in items] == [13, 5]
    assert HEARD.tokens(items[1]).pieces == ("0.00s", "0.04s", "0.08s", "0.12s", "0.16s")


def test_what_a_person_may_give(tmp_path: Path) -> None:
    path, array = drawn(tmp_path / "one.png", 16), np.zeros((8, 16), np.uint8)
    assert listed(path) == ([path], True)
    assert listed([path, path]) == ([path, path], False)
    assert listed((array, 8000))[1]
    with pytest.raises(RegardError, match="predict: came None"):
        listed(None)
    for source in (path, Path(path), Path(path).read_bytes(), array, Image.open(path)):
        item = encode(GREY, source)
        assert item.layout == (1, 4)
        assert encode(GREY, item) is item
    assert [name_of(each) for each in (path, array, b"")] == [path, "an array 8x16", "bytes"]
    with open(path, "rb") as stream:
        assert encode(GREY, stream).text == path


def test_a_folder_with_texts_beside_its_files(tmp_path: Path) -> None:
    for name, text in (("a", "one"), ("b", "two"), ("c", None), ("d", " ")):
        drawn(tmp_path / f"{name}.png", 8)
        if text is not None:
            (tmp_path / f"{name}.gt.txt").write_text(f"{text}\n")
    drawn(tmp_path / "e.png", 8)
    (tmp_path / "e.txt").write_bytes(b"\xff\xfe\xff")
    pairs, report = read_folder(tmp_path)
    assert [(Path(pair.source).name, pair.target) for pair in pairs] == [("a.png", "one"), ("b.png", "two")]
    assert (report.lines, report.kept, report.left_out_count) == (5, 2, 3)
    assert "files with a text beside them that is not UTF-8: 1" in str(report)
    assert "files without a text beside them" in str(report)


def test_a_folder_of_folders_by_label(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        drawn(tmp_path / label / "1.png", 8)
    pairs, _, medium = read_any(tmp_path, None, DataSettings())
    assert [pair.target for pair in pairs] == ["cat", "dog"]
    assert medium == "image"


def test_folders_that_hold_no_pairs(tmp_path: Path) -> None:
    with pytest.raises(RegardError, match="no image and no recording in it"):
        read_folder(tmp_path)
    drawn(tmp_path / "1.png", 8)
    with pytest.raises(RegardError, match=r"write 1\.txt for 1\.png"):
        read_folder(tmp_path)


def test_paths_count_from_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_text("photos/a.png\tone\nphotos/b.png\ttwo\n")
    pairs, _, medium = read_any(tmp_path / "pairs.tsv", None, DataSettings())
    assert medium == "image"
    assert [pair.source for pair in pairs] == [str(tmp_path / "photos" / name) for name in ("a.png", "b.png")]


def test_a_header_names_no_file(tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_text("photo\tcaption\na.png\tone\nb.png\ttwo\n")
    pairs, report, _ = read_any(tmp_path / "pairs.tsv", None, DataSettings())
    assert [pair.line for pair in pairs] == [2, 3]
    assert (report.lines, report.kept, report.first) == (2, 2, 2)
    assert "line 1 is a header" in str(report)


def test_an_item_has_as_many_places_as_its_layout() -> None:
    assert len(Item("x", np.zeros((9, 9, 1), np.uint8), (2, 3))) == 6
