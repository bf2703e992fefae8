"""Images: reading them from files and arrays as pixels of one scale, and what is made of the pixels.

Files are read by Pillow, an extra (`pip install 'regard[images]'`); arrays that need no scaling do without it.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from regard.data.augmentation import augmented, paper_and_contrast
from regard.data.read import Read
from regard.errors import RegardError, one_line, shown
from regard.settings import ImageSettings

if TYPE_CHECKING:
    from PIL.Image import Image

#: A path, the bytes of a file, a file that is open for reading, an image of Pillow, or an array of pixels.
ImageSource: TypeAlias = "str | os.PathLike[str] | bytes | BinaryIO | Image | NDArray[Any]"

SEVERAL = "several images in one file, of which the first was read"
PLAIN = "all of one colour"
STRETCHED = "pixels of an unknown range, stretched from the darkest to the lightest"
TURNED_UNKNOWN = "which way up it is can't be read from its EXIF data"

#: More pixels than this are taken for an attack on the memory. Pillow itself would warn of them.
MOST_PIXELS = 80_000_000

__all__ = ["MOST_PIXELS", "PLAIN", "SEVERAL", "STRETCHED", "ImageSource", "image_features", "read_image"]


def read_image(source: ImageSource, settings: ImageSettings) -> Read:
    """The pixels of an image, uint8 (H, W, C), and notes about it; C is 1 for grey and 3 for red, green and blue.

    `source` is a path, bytes, a binary file object, an image of Pillow, or an array (H, W), (H, W, 1), (H, W, 3) or
    (H, W, 4) of uint8, or of floats from 0 to 1. It is turned as its EXIF data say, transparency becomes white, and its
    size is scaled to `settings.height`, and down to `settings.longest`. With `settings.colours` None it has three
    channels where any of its pixels has a colour. Noted are several images in one file (the first is read), one colour
    all over, and pixels of a range that nothing tells.

    Raises `RegardError`, one line that begins with the path, for what is no image: a path that is not there, another
    kind of file, one that is cut off or broken, more than 80 million pixels, nothing in it, numbers that are no pixels.
    """
    with _told_of(_name(source)):
        if isinstance(source, np.ndarray):
            pixels, notes = _of_array(source), list[str]()
        elif _is_pillow(source):
            pixels, notes = _decoded(cast("Image", source))
        else:
            with _opened(source) as file, _recognised(file) as image:
                pixels, notes = _decoded(image)
        pixels = _scaled(_coloured(pixels, settings.colours), settings)
        if (pixels == pixels[0, 0]).all():
            notes.append(PLAIN)
        return Read(pixels, tuple(notes))


def image_features(
    pixels: NDArray[np.uint8], settings: ImageSettings, draw: np.random.Generator | None = None
) -> NDArray[np.float32]:
    """What a model sees of pixels (H, W, C): float32 (C, H, W), (x - paper) / contrast, from -1 to 1.

    The paper is the median of each channel, so that it becomes 0, and padding with 0 is more paper. The contrast is the
    greatest difference from it, but no less than an eighth of the whole scale, so that faint ink is as good as dark
    one, and an empty page is not all noise. With `draw`, the image is changed as `settings.augment` says, the same for
    the same draws; its size stays.
    """
    if draw is not None and settings.augment > 0:
        return augmented(pixels, settings.augment, draw)
    ground, contrast = paper_and_contrast(pixels)
    return np.ascontiguousarray((pixels.transpose(2, 0, 1) - ground[:, None, None]) / contrast)


# What is wrong --------------------------------------------------------------------------------------------------------


class _UnfitError(Exception):
    """What is wrong with an image, without its name."""


def _name(source: ImageSource) -> str:
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    name = getattr(source, "name", None) or getattr(source, "filename", None)  # of a file object, or of a Pillow image
    return name if isinstance(name, str) else "the image given"


@contextmanager
def _told_of(name: str) -> Iterator[None]:
    """Whatever is wrong inside is told in one line that begins with the name."""
    try:
        yield
    except _UnfitError as error:
        raise RegardError(f"{one_line(name)}: {error}") from None
    except OSError as error:
        raise RegardError(f"{one_line(name)}: can't be read ({one_line(error.strerror or error)})") from None


# Files ----------------------------------------------------------------------------------------------------------------


@contextmanager
def _opened(source: ImageSource) -> Iterator[BinaryIO]:
    if isinstance(source, (bytes, bytearray, memoryview)):
        yield io.BytesIO(source)
    elif isinstance(source, (str, os.PathLike)):
        try:
            path = Path(source)
            kind = path.stat().st_mode
        except FileNotFoundError:
            raise _UnfitError("no such file") from None
        except ValueError as error:  # a path with a zero byte
            raise _UnfitError(f"can't be read ({one_line(error)})") from None
        if stat.S_ISDIR(kind):
            raise _UnfitError("this is a folder; name a file")
        if not stat.S_ISREG(kind):  # reading a pipe might wait for ever
            raise _UnfitError("this is no file")
        with path.open("rb") as file:
            yield file
    elif hasattr(source, "read"):
        yield io.BytesIO(_all_of(source))
    else:
        raise _UnfitError(f"{shown(source)} is neither a path, nor bytes, nor a file, nor an array")


def _all_of(file: Any) -> bytes:
    """What is left of a file object, which may not be able to go back, as Pillow has to."""
    found = file.read()
    if not isinstance(found, bytes):
        raise _UnfitError("this file is open for text; open it in binary mode")
    return found


@contextmanager
def _recognised(file: BinaryIO) -> Iterator[Image]:
    pillow = _pillow()
    try:
        image = pillow.open(file)
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning):  # the latter where warnings are errors
        raise _UnfitError(f"more than {MOST_PIXELS:,} pixels; scale it down") from None
    except Exception as error:  # a file may be broken in any way, and Pillow then fails in any way
        if isinstance(error, MemoryError):
            raise
        raise _UnfitError(_why_none(file)) from None
    with image:
        yield image


def _why_none(file: BinaryIO) -> str:
    file.seek(0)
    begin = file.read(512)
    if not begin:
        return "the file is empty"
    try:
        begin.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(begin) - 4:  # the last letter may be cut in two
            return "this is no image that can be read; PNG and JPEG can, and whatever else Pillow knows"
    return "this is no image that can be read, but text"


def _decoded(image: Image) -> tuple[NDArray[np.uint8], list[str]]:
    """The pixels of an image of Pillow as they are, (H, W, 1) or (H, W, 3), and notes."""
    wide, high = image.size
    if wide * high > MOST_PIXELS:
        raise _UnfitError(f"{wide:,} x {high:,} pixels, more than {MOST_PIXELS:,}; scale it down")
    if not wide * high:
        raise _UnfitError("there are no pixels in it")
    try:
        notes = [SEVERAL] if _several(image) else []
        image.load()
        image, more = _upright(image)
        pixels, note = _pixels(image)
        return pixels, notes + more + note
    except _UnfitError:
        raise
    except Exception as error:  # as above
        if isinstance(error, MemoryError):
            raise
        raise _UnfitError(f"the image is cut off or broken ({one_line(error)})") from None


def _several(image: Image) -> bool:
    # Telephones keep a small preview beside the photograph, which is nothing to speak of.
    return bool(getattr(image, "is_animated", False)) and image.format != "MPO"


def _upright(image: Image) -> tuple[Image, list[str]]:
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image), []
    except Exception as error:  # these data are not needed for the image, and may be broken in any way
        if isinstance(error, MemoryError):
            raise
        return image, [TURNED_UNKNOWN]


def _pixels(image: Image) -> tuple[NDArray[np.uint8], list[str]]:
    if image.mode.startswith("I") or image.mode == "F":
        return _deep(np.asarray(image))
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        if image.mode in ("La", "RGBa"):  # these are known to one other mode alone
            image = image.convert(image.mode.upper())
        return _on_white(np.asarray(image.convert("RGBA"))), []
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))[..., None], []
    return np.asarray(image.convert("RGB")), []


def _deep(values: NDArray[Any]) -> tuple[NDArray[np.uint8], list[str]]:
    """Grey of more than 8 bits, whose full scale is 16 bits as in PNG, or 1 of floats; else it is stretched."""
    if not np.isfinite(values).all():
        raise _UnfitError("some of its pixels are no numbers")
    low, high = float(values.min()), float(values.max())
    whole = np.issubdtype(values.dtype, np.integer)
    notes = []
    if low >= 0 and high <= (65535 if whole else 1):
        low, high = 0.0, 65535.0 if whole else 1.0
    else:
        notes.append(STRETCHED)
    scaled = (values.astype(np.float64) - low) * (255 / max(high - low, 1e-30))
    return np.rint(scaled).astype(np.uint8)[..., None], notes


def _on_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Red, green, blue and alpha, (H, W, 4), laid on white."""
    alpha = pixels[..., 3:].astype(np.uint16)
    mixed = pixels[..., :3] * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


# Arrays ---------------------------------------------------------------------------------------------------------------


def _of_array(values: NDArray[Any]) -> NDArray[np.uint8]:
    grey = values.ndim == 2
    if not (grey or (values.ndim == 3 and values.shape[2] in (1, 3, 4))):
        raise _UnfitError(f"an array {values.shape}; it should be (height, width), or with 1, 3 or 4 channels behind")
    if not values.size:
        raise _UnfitError(f"there are no pixels in an array {values.shape}")
    if values.shape[0] * values.shape[1] > MOST_PIXELS:
        raise _UnfitError(f"more than {MOST_PIXELS:,} pixels; scale it down")
    if values.dtype == np.bool_ or np.issubdtype(values.dtype, np.floating):
        values = _of_floats(values)
    elif values.dtype != np.uint8:
        raise _UnfitError(f"an array of {values.dtype}; pixels are uint8 from 0 to 255, or floats from 0 to 1")
    pixels: NDArray[np.uint8] = values[..., None] if grey else values
    return _on_white(pixels) if pixels.shape[2] == 4 else pixels


def _of_floats(values: NDArray[Any]) -> NDArray[np.uint8]:
    if not np.isfinite(values).all():
        raise _UnfitError("some of its pixels are no numbers")
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1:
        raise _UnfitError(f"floats from {low:.4g} to {high:.4g}; pixels are floats from 0 to 1, or uint8 from 0 to 255")
    return np.rint(values.astype(np.float64) * 255).astype(np.uint8)


# Colours and sizes ----------------------------------------------------------------------------------------------------


def _coloured(pixels: NDArray[np.uint8], colours: str | None) -> NDArray[np.uint8]:
    if colours == "rgb":
        return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    if pixels.shape[2] == 1:
        return pixels
    if colours is None and (pixels != pixels[..., :1]).any():
        return pixels
    # How light a colour looks (ITU-R BT.601), in thousandths, so that grey stays what it is.
    light = pixels.astype(np.uint32) @ np.array([299, 587, 114], dtype=np.uint32)
    return ((light + 500) // 1000).astype(np.uint8)[..., None]


def _scaled(pixels: NDArray[np.uint8], settings: ImageSettings) -> NDArray[np.uint8]:
    high, wide = pixels.shape[:2]
    factor = min((settings.height or high) / high, settings.longest / max(high, wide))
    size = max(1, round(wide * factor)), max(1, round(high * factor))
    if size == (wide, high):
        return np.ascontiguousarray(pixels)
    pillow = _pillow()
    grey = pixels.shape[2] == 1
    image = pillow.fromarray(pixels[..., 0] if grey else pixels)
    resized = np.array(image.resize(size, pillow.Resampling.BILINEAR))
    return resized[..., None] if grey else resized


def _is_pillow(source: Any) -> bool:
    """Whether this is an image of Pillow, without importing Pillow to see."""
    return any(kind.__module__ == "PIL.Image" and kind.__name__ == "Image" for kind in type(source).__mro__)


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise _UnfitError("reading images needs Pillow: pip install 'regard[images]'") from None
    return Image
