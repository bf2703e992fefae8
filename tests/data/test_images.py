"""Reading images: every kind of file and array gives the same pixels, and what is none is told of in one line."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from regard.data.augmentation import _NORMALS, _SMALLER, _moved, _noise
from regard.data.images import MOST_PIXELS, PLAIN, SEVERAL, STRETCHED, image_features, read_image
from regard.errors import RegardError
from regard.settings import ImageSettings

PLAINLY = ImageSettings()
GREY = ImageSettings(colours="grey")
RGB = ImageSettings(colours="rgb")


def _ramp(high: int = 6, wide: int = 9) -> NDArray[np.uint8]:
    return np.arange(high * wide, dtype=np.uint8).reshape(high, wide) * 4


def _coloured(high: int = 6, wide: int = 9) -> NDArray[np.uint8]:
    return np.stack([_ramp(high, wide), 255 - _ramp(high, wide), np.full((high, wide), 80, np.uint8)], 2)


def _file(image: Image.Image, kind: str = "PNG", **more: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **more)
    return file.getvalue()


def _values(source: Any, settings: ImageSettings = PLAINLY) -> NDArray[np.uint8]:
    found = read_image(source, settings).values
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    return found


# What is read ---------------------------------------------------------------------------------------------------------


def test_every_kind_of_source_gives_the_same(tmp_path: Path) -> None:
    pixels = _coloured()
    image = Image.fromarray(pixels)
    data = _file(image)
    path = tmp_path / "image.png"
    path.write_bytes(data)
    with path.open("rb") as file:
        sources = [
            path,
            str(path),
            data,
            file,
            io.BytesIO(data),
            image,
            pixels,
            pixels / 255,
            (pixels / 255).astype("f4"),
        ]
        for source in sources:
            np.testing.assert_array_equal(_values(source), pixels)
    grey = _ramp()
    for shape in (grey, grey[..., None], grey / np.float32(255)):
        np.testing.assert_array_equal(_values(shape), grey[..., None])


def test_an_array_needs_no_pillow() -> None:
    """Where none has to be scaled; and a clear word without Pillow where a file is to be read."""
    code = (
        "import sys; sys.modules['PIL'] = None\n"
        "import numpy as np\n"
        "from regard.data.images import read_image, image_features\n"
        "from regard.settings import ImageSettings\n"
        "assert image_features(read_image(np.eye(4), ImageSettings()).values, ImageSettings()).shape == (1, 4, 4)\n"
        "try: read_image(b'', ImageSettings())\n"
        "except ValueError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "the image given: reading images needs Pillow: pip install 'regard[images]'\n"


def test_colours() -> None:
    assert _values(_ramp(), RGB).shape == (6, 9, 3)
    assert _values(np.repeat(_ramp()[..., None], 3, 2)).shape == (6, 9, 1), "no colours are in it"
    np.testing.assert_array_equal(_values(np.repeat(_ramp()[..., None], 3, 2), GREY)[..., 0], _ramp())
    light = _values(_coloured(), GREY)[..., 0].astype(int)
    wanted = np.asarray(Image.fromarray(_coloured()).convert("L")).astype(int)
    assert np.abs(light - wanted).max() <= 1


def test_transparency_is_white() -> None:
    pixels = np.dstack([_coloured(), np.zeros((6, 9), np.uint8)])
    pixels[:, :4, 3] = 255
    for source in (pixels, _file(Image.fromarray(pixels))):
        found = _values(source)
        np.testing.assert_array_equal(found[:, :4], _coloured()[:, :4])
        assert (found[:, 4:] == 255).all()
    half = _values(np.array([[[0, 0, 0, 128]]], np.uint8))
    assert half.ravel().tolist() == [127]
    palette = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "L").convert("P")
    palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    found = _values(_file(palette, transparency=b"\xff\x00\xff"))
    assert found.tolist() == [[[255, 0, 0], [255, 255, 255], [0, 0, 255]]]
    assert _values(_file(Image.fromarray(np.array([[0, 9]], np.uint8)), transparency=0)).ravel().tolist() == [255, 9]


def test_kinds_of_pixels() -> None:
    cmyk = _values(_file(Image.new("CMYK", (3, 2), (0, 255, 255, 0)), "TIFF"))
    assert cmyk.tolist() == [[[255, 0, 0]] * 3] * 2
    deep = np.array([[0, 257 * 7, 65535]], dtype=np.uint16)
    for kind in ("PNG", "TIFF"):
        assert _values(_file(Image.fromarray(deep), kind)).ravel().tolist() == [0, 7, 255]
    assert _values(_file(Image.fromarray(np.array([[True, False]])), "PNG")).ravel().tolist() == [255, 0]
    read = read_image(_file(Image.fromarray(np.array([[-10.0, 90.0, 50.0]], "f4")), "TIFF"), PLAINLY)
    assert read.values.ravel().tolist() == [0, 255, 153]
    assert read.notes == (STRETCHED,)
    for mode in ("LAB", "YCbCr", "HSV", "RGBX", "PA", "LA", "RGBa", "La"):
        assert _values(Image.new(mode, (3, 2))).shape[:2] == (2, 3), mode


def test_turned_by_its_exif_data() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    found = _values(_file(Image.fromarray(_ramp()), exif=exif))
    np.testing.assert_array_equal(found[..., 0], np.rot90(_ramp(), -1))
    broken = _file(Image.fromarray(_ramp()), exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\0\0")
    np.testing.assert_array_equal(_values(broken)[..., 0], _ramp())


def test_the_first_of_several() -> None:
    frames = [Image.fromarray(np.full((4, 4), value, np.uint8)) for value in (0, 200)]
    frames[0].putpixel((1, 1), 90)
    for kind in ("GIF", "TIFF", "PNG"):
        read = read_image(_file(frames[0], kind, save_all=True, append_images=frames[1:]), PLAINLY)
        assert read.notes == (SEVERAL,)
        assert (read.values[1, 1, 0], read.values[0, 0, 0]) == (90, 0)


@pytest.mark.parametrize(
    ("size", "settings", "wanted"),
    [
        ((64, 300), ImageSettings(height=32), (32, 150)),
        ((16, 300), ImageSettings(height=32), (32, 600)),
        ((16, 3000), ImageSettings(height=32), (5, 1024)),
        ((3000, 1), ImageSettings(height=32), (32, 1)),
        ((1, 3000), ImageSettings(height=32), (1, 1024)),
        ((1, 1), ImageSettings(height=32), (32, 32)),
        ((900, 1200), ImageSettings(longest=100), (75, 100)),
        ((9, 12), ImageSettings(longest=100), (9, 12)),
    ],
)
def test_sizes(size: tuple[int, int], settings: ImageSettings, wanted: tuple[int, int]) -> None:
    assert _values(np.zeros(size), settings).shape == (*wanted, 1)
    coloured = np.zeros((*size, 3))
    coloured[..., 0] = 1
    found = _values(coloured, settings)
    assert found.shape == (*wanted, 3)
    assert (found == [255, 0, 0]).all()


def test_notes() -> None:
    assert read_image(np.zeros((1, 1)), PLAINLY).notes == (PLAIN,)
    assert read_image(_coloured(), PLAINLY).notes == ()


# What is none ---------------------------------------------------------------------------------------------------------


def _bomb() -> bytes:
    """A PNG whose header promises more than there could be."""
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def _noise_file(kind: str) -> bytes:
    return _file(Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)), kind)


@pytest.mark.parametrize(
    ("name", "data", "wanted"),
    [
        ("empty.png", b"", "the file is empty"),
        ("text.png", "Grüße an alle\n".encode() * 99, "this is no image that can be read, but text"),
        ("noise.png", bytes(range(128, 256)) * 9, "this is no image that can be read; PNG and JPEG can, and whatever"),
        ("cut.png", _noise_file("PNG")[:2000], "the image is cut off or broken"),
        ("cut.jpg", _noise_file("JPEG")[:800], "the image is cut off or broken"),
        ("header.png", _noise_file("PNG")[:20], "this is no image that can be read"),
        ("bomb.png", _bomb(), "more than 80,000,000 pixels; scale it down"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, data: bytes, wanted: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(RegardError) as told:
        read_image(path, PLAINLY)
    assert str(told.value).startswith(f"{path}: {wanted}")
    assert "\n" not in str(told.value)
    with pytest.raises(RegardError, match="the image given: "):
        read_image(data, PLAINLY)


def test_bad_paths(tmp_path: Path) -> None:
    for path, wanted in (
        (tmp_path / "none.png", "no such file"),
        (tmp_path, "this is a folder; name a file"),
        (Path("/dev/null"), "this is no file"),
        ("a\0b", "can't be read"),
    ):
        with pytest.raises(RegardError, match=wanted):
            read_image(path, PLAINLY)


def test_too_many_pixels_by_a_header() -> None:
    high = 9000
    file = b"P5 %d %d 255\n" % (MOST_PIXELS // high + 1, high)
    with pytest.raises(RegardError, match=f"8,889 x 9,000 pixels, more than {MOST_PIXELS:,}"):
        read_image(file, PLAINLY)


@pytest.mark.parametrize(
    ("array", "wanted"),
    [
        (np.zeros((3, 8, 8)), r"an array \(3, 8, 8\); it should be"),
        (np.zeros(8), r"an array \(8,\); it should be"),
        (np.zeros((0, 8)), r"there are no pixels in an array \(0, 8\)"),
        (np.full((2, 2), np.nan), "some of its pixels are no numbers"),
        (np.full((2, 2), 200.0), "floats from 200 to 200; pixels are floats from 0 to 1"),
        (np.full((2, 2), 200), "an array of int64; pixels are uint8"),
        (
            np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (MOST_PIXELS, 2), (0, 0)),
            "more than 80,000,000 pixels",
        ),
        (io.StringIO("text"), "open for text"),
        (7, "7 is neither a path, nor bytes, nor a file, nor an array"),
    ],
)
def test_bad_values(array: Any, wanted: str) -> None:
    with pytest.raises(RegardError, match=f"the image given: .*{wanted}"):
        read_image(array, PLAINLY)


@given(st.data())
def test_broken_files_are_told_of(data: st.DataObject) -> None:
    """Whatever is changed of a file, it is read, or refused in one line."""
    whole = bytearray(
        _file(Image.fromarray(_coloured()), data.draw(st.sampled_from(["PNG", "GIF", "BMP", "TIFF", "JPEG"])))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    del whole[data.draw(st.integers(1, len(whole))) :]
    told = ""
    try:
        assert read_image(bytes(whole), PLAINLY).values.ndim == 3
    except RegardError as error:
        told = str(error)
    except Warning:  # Pillow warns of odd data; warnings are errors in tests alone
        pass
    assert "\n" not in told


# Features -------------------------------------------------------------------------------------------------------------


@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 3]), st.integers(0, 2**32))
def test_features(high: int, wide: int, channels: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (high, wide, channels), np.uint8)
    found = image_features(pixels, PLAINLY)
    assert (found.shape, found.dtype) == ((channels, high, wide), np.float32)
    assert np.abs(found).max() <= 1
    flat = np.sort(pixels.reshape(-1, channels), axis=0)
    median = flat[(len(flat) + 1) // 2 - 1]
    away = pixels.astype("f4") - median
    np.testing.assert_allclose(found, away.transpose(2, 0, 1) / max(np.abs(away).max(), 32), atol=1e-6)
    strong = ImageSettings(augment=1.0)
    changed = image_features(pixels, strong, np.random.default_rng(seed))
    assert (changed.shape, changed.dtype) == (found.shape, np.float32)
    assert np.isfinite(changed).all()
    np.testing.assert_array_equal(changed, image_features(pixels, strong, np.random.default_rng(seed)))


def test_no_augmentation_unless_asked() -> None:
    pixels = _coloured()
    plain = image_features(pixels, ImageSettings(augment=1.0), None)
    np.testing.assert_array_equal(plain, image_features(pixels, PLAINLY, np.random.default_rng(0)))
    changed = image_features(pixels, ImageSettings(augment=1.0), np.random.default_rng(0))
    assert np.abs(changed - plain).max() > 0.05
    barely = image_features(pixels, ImageSettings(augment=1e-4), np.random.default_rng(0))
    np.testing.assert_allclose(barely, plain, atol=0.01)


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 50))
def test_noise_is_as_strong_everywhere(place: float, high: int) -> None:
    found = _noise((1, high, 300), place)
    assert found.shape == (1, high, 300)
    assert abs(found.mean()) < 6 / found.size**0.5
    assert abs(found.std() - 1) < 6 / found.size**0.5


def test_noise_of_large_images_begins_again() -> None:
    found = _noise((3, 300, 400), 0.5).ravel()
    np.testing.assert_array_equal(found[_NORMALS:], found[: len(found) - _NORMALS])


def test_augmentation_loses_no_ink() -> None:
    """A text that fills its image but for a small margin stays within, however it is bent, turned and moved."""
    pixels = np.full((32, 160, 1), 255, np.uint8)
    pixels[4:28, 6:154] = np.random.default_rng(0).choice([0, 255], (24, 148, 1))
    ink, least = (255.0 - pixels).sum(), (1 - _SMALLER) ** 2
    draws = [np.random.default_rng(seed) for seed in range(200)]
    moved = [255.0 - _moved(pixels, np.array([255], "f4"), 1.0, draw.random(8).tolist()) for draw in draws]
    left = [found.sum() / ink for found in moved]
    assert least * 0.95 < min(left) < 0.7
    assert 0.85 < max(left) < 1.01
    first = [np.flatnonzero(found.max(axis=(0, 2)) > 50)[0] for found in moved]
    assert np.std(first) > 3, "it moves"
