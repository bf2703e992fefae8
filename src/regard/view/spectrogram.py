"""What was listened to in a recording: wave, spectrogram and weights, one below the other along the same seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from regard.errors import RegardError
from regard.maps import AttentionMap, Sound
from regard.maps.times import WordTime
from regard.view.drawing import COLOURS, QUIET, placed, shortened, weight_scale, widths, written
from regard.view.signal import envelope, heard, pooled, spectrogram

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

#: So many target tokens have a row; more are counted.
MOST_ROWS = 150
_MARGIN, _HEAD, _LABELS, _FOOT = 0.2, 0.55, 1.2, 0.85
_WORDS, _WAVE, _SPECTRUM, _GAP = 0.24, 0.65, 1.45, 0.06
_ROW = 0.21
_SECOND, _WIDTHS = 2.2, (8.0, 16.0)
#: Points of the picture across, and bands of its spectrogram.
_COLUMNS, _BANDS = 2400, 128
_MARK = "#d64500"


@dataclass(frozen=True)
class Section:
    """What a recording and its weights take of a page of pictures, in inches, and how they are drawn there."""

    map: AttentionMap
    title: str
    width: float
    height: float

    def draw(self, figure: Figure, top: float) -> None:
        """Draw it, `top` inches below the upper edge of the figure."""
        map, sound, rows = self.map, _sound_of(self.map), min(len(self.map.target), MOST_ROWS)
        room = self.width - 2 * _MARGIN
        written(figure, _MARGIN, top + 0.12, shortened(self.title, room, 11), fontsize=11)
        written(figure, _MARGIN, top + 0.36, shortened(_said(map), room, 8.5), fontsize=8.5, color=QUIET)
        top += _HEAD + _WORDS
        left, across = _MARGIN + _LABELS, room - _LABELS
        times = heard(map)
        wave = placed(figure, left, top, across, _WAVE)
        _draw_wave(wave, sound)
        _draw_words(wave, times, across / sound.seconds)
        top += _WAVE + _GAP
        spectrum = placed(figure, left, top, across, _SPECTRUM, sharex=wave)
        _draw_spectrum(spectrum, sound)
        top += _SPECTRUM + _GAP
        weights = placed(figure, left, top, across, rows * _ROW, sharex=wave)
        drawn = _draw_weights(weights, map, rows)
        for axes, colour in ((wave, _MARK), (spectrum, "white"), (weights, _MARK)):
            axes.spines[:].set_color("0.7")
            for time in times:
                for edge in (time.start, time.end) if time.end > time.start else ():
                    axes.axvline(edge, color=colour, linewidth=0.6, alpha=0.6)
        wave.set_xlim(0, sound.seconds)
        weight_scale(figure, drawn, left, top + rows * _ROW + 0.5, _explained(map, rows))


def section(map: AttentionMap, title: str) -> Section:
    """The recording of a single matrix: its wave, its spectrogram, and below them a row of weights for each word.

    Lines mark when each word was heard, by `regard.maps.times.word_times`. Of places that share a point of the
    picture, the heaviest counts.
    """
    sound = _sound_of(map)
    width = min(max(_SECOND * sound.seconds + _LABELS + 2 * _MARGIN, _WIDTHS[0]), _WIDTHS[1])
    height = _HEAD + _WORDS + _WAVE + _SPECTRUM + 2 * _GAP + min(len(map.target), MOST_ROWS) * _ROW + _FOOT
    return Section(map, title, width, height)


def _sound_of(map: AttentionMap) -> Sound:
    if not isinstance(map.medium, Sound):
        raise RegardError("this attention map is not over a recording")
    return map.medium


def _draw_wave(axes: Axes, sound: Sound) -> None:
    lowest, highest = envelope(sound, _COLUMNS)
    step = sound.seconds / len(lowest)
    times = [(place + 0.5) * step for place in range(len(lowest))]
    axes.fill_between(times, lowest, highest, color="0.35", linewidth=0.4)
    full = max(float(abs(lowest).max()), float(abs(highest).max())) or 1.0
    axes.set(ylim=(-1.08 * full, 1.08 * full), yticks=[])
    axes.tick_params(labelbottom=False, length=0)


def _draw_words(axes: Axes, times: list[WordTime], inches: float) -> None:
    """Each word above its time, as far as they do not run into each other; a second has so many inches."""
    end = -1.0
    for time, width in zip(times, widths([time.word for time in times], 9), strict=True):
        middle = (time.start + time.end) / 2 * inches
        if time.end > time.start and middle - width / 2 > end:
            axes.text(
                middle / inches, 1.06, time.word, transform=axes.get_xaxis_transform(), ha="center", va="bottom",
                fontsize=9, color=_MARK, parse_math=False, clip_on=False,
            )  # fmt: skip
            end = middle + width / 2 + 0.05


def _draw_spectrum(axes: Axes, sound: Sound) -> None:
    energy, highest = spectrogram(sound, _COLUMNS, _BANDS)
    axes.imshow(
        energy, cmap="magma", vmin=0, vmax=255, origin="lower", aspect="auto", interpolation="antialiased",
        extent=(0, sound.seconds, 0, highest / 1000),
    )  # fmt: skip
    axes.set_ylabel("kHz", fontsize=8.5, color=QUIET)
    axes.tick_params(labelsize=8, colors=QUIET, labelbottom=False, bottom=False)


def _draw_weights(axes: Axes, map: AttentionMap, rows: int) -> AxesImage:
    sound = _sound_of(map)
    matrix = pooled(map.matrix[:rows], _COLUMNS)
    drawn = axes.imshow(
        matrix, cmap=COLOURS, vmin=0, aspect="auto", interpolation="nearest",
        extent=(0, sound.places * sound.step, rows - 0.5, -0.5),
    )  # fmt: skip
    labels = [shortened(label, _LABELS - 0.15, 9) for label in map.target.labels[:rows]]
    axes.set_yticks(range(rows), labels, fontsize=9, parse_math=False)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8, colors=QUIET)
    axes.set_xlabel("seconds", fontsize=8.5, color=QUIET)
    return drawn


def _explained(map: AttentionMap, rows: int) -> str:
    more = f"; the first {rows} of {len(map.target):,} target tokens" if rows < len(map.target) else ""
    return f"weight{more}; lines: when each word was heard"


def _said(map: AttentionMap) -> str:
    how = "as each word was predicted" if map.convention == "predicting" else "as each word was read"
    return "; ".join(part for part in (f"{map.place} attention, {how}", map.note) if part)
