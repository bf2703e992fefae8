"""The corpus `tones`: telephone keys dialled by tones, as a line with noise carries them, to be written down.

Each key is two tones at once, that of its row and that of its column (ITU-T Q.23). People dial at their own speed and
wait between keys as they like; the level, the balance of the two tones, their exact pitch, and the noise of the line
(white, humming, or crackling) are drawn anew for each recording. The target is the keys, "5 5 5 0 1 #", and the gold is
when each of them sounds. No number of dev or test is dialled in another part.
"""

from __future__ import annotations

import io
import json
import math
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from regard.data.pocket.draw import Draw
from regard.files import make_folder, write_bytes

RATE = 8000
ROWS, COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477)
KEYS = "123456789*0#"
#: The frequencies of each key in Hz.
PITCHES = {key: (ROWS[place // 3], COLUMNS[place % 3]) for place, key in enumerate(KEYS)}

Part = Literal["train", "dev", "test"]
SIZES: dict[Part, int] = {"train": 1500, "dev": 100, "test": 300}
FEWEST, MOST = 3, 8
#: Seconds that the tones of one recording last, those of its pauses, and of a hesitation.
TONE, PAUSE, HESITATION = (0.08, 0.25), (0.05, 0.25), (0.3, 0.8)
#: Signal to noise in decibels.
NOISE = (3.0, 25.0)

_RAMP = 0.004
_FULL = 32767


@dataclass(frozen=True)
class Dialled:
    """One recording: its keys, when each sounds, and all that its samples follow from.

    Args:
        part: train, dev or test.
        keys: what was dialled.
        spans: start and end of each tone, in seconds; whole samples.
        seconds: the length of the recording.
        level: of the tones' sum, 1 being full.
        balance: amplitude of the column's tone by that of the row's.
        detuned: factor of all frequencies.
        signal_to_noise: in decibels, while a tone sounds.
        line: what the noise is: white, hum or crackle.
        noise_seed: of the noise.
    """

    part: Part
    keys: str
    spans: tuple[tuple[float, float], ...]
    seconds: float
    level: float
    balance: float
    detuned: float
    signal_to_noise: float
    line: Literal["white", "hum", "crackle"]
    noise_seed: int

    @property
    def target(self) -> str:
        """The keys, a space between them."""
        return " ".join(self.keys)

    def samples(self) -> NDArray[np.int16]:
        """int16 (N,), `RATE` a second: the same on every machine but for rounding."""
        count = round(self.seconds * RATE)
        signal = np.zeros(count)
        amplitudes = np.array([1.0, self.balance]) * self.level / (1 + self.balance)
        for key, (start, end) in zip(self.keys, self.spans, strict=True):
            first, last = round(start * RATE), round(end * RATE)
            time = np.arange(last - first) / RATE
            angles = 2 * math.pi * self.detuned * np.outer(PITCHES[key], time)
            ramp = np.minimum(1.0, np.minimum(time, time[::-1]) / _RAMP)
            signal[first:last] = ramp * (amplitudes @ np.sin(angles))
        power = float(np.square(amplitudes).sum()) / 2
        noise = self._noise(count)
        noise *= math.sqrt(power / 10 ** (self.signal_to_noise / 10) / max(float(np.square(noise).mean()), 1e-12))
        found: NDArray[np.int16] = np.clip(np.rint(_FULL * (signal + noise)), -_FULL, _FULL).astype(np.int16)
        return found

    def _noise(self, count: int) -> NDArray[np.float64]:
        random = np.random.RandomState(self.noise_seed)  # the one whose numbers stay as they are
        white: NDArray[np.float64] = random.standard_normal(count)
        if self.line == "white":
            return white
        if self.line == "hum":
            time = np.arange(count) / RATE
            hum = sum(np.sin(2 * math.pi * 50 * k * time + random.uniform(0, 2 * math.pi)) / k for k in (1, 2, 3, 5))
            return 0.4 * white + hum
        crackle = np.where(random.uniform(size=count) < 0.005, 8 * random.standard_normal(count), 0.0)
        return 0.5 * white + crackle


def tones(seed: int = 0) -> list[Dialled]:
    """The whole corpus of a seed, the recordings of a part one after the other."""
    draw = Draw(seed)
    numbers: dict[str, None] = {}  # in order, unlike a set
    while len(numbers) < sum(SIZES.values()):
        numbers["".join(_number(draw))] = None
    supply = iter(numbers)
    return [_dialled(next(supply), part, draw) for part, size in SIZES.items() for _ in range(size)]


def write(folder: str | Path, seed: int = 0) -> list[tuple[Path, Dialled]]:
    """Write the corpus to a folder, and return the path of each recording with it.

    `train.tsv`, `dev.tsv` and `test.tsv` have lines `FILE TAB KEYS`, the files named as seen from the folder;
    `gold.jsonl` has the spans of the keys of each file. Raises RegardError where it can't be written.
    """
    folder = Path(folder)
    lines: dict[Part, list[str]] = {part: [] for part in SIZES}
    gold, written = list[str](), list[tuple[Path, Dialled]]()
    for part in SIZES:
        make_folder(folder / part)
    for dialled in tones(seed):
        rows = lines[dialled.part]
        name = f"{dialled.part}/{len(rows) + 1:04}.wav"
        write_bytes(folder / name, wav(dialled.samples()))
        written.append((folder / name, dialled))
        rows.append(f"{name}\t{dialled.target}\n")
        gold.append(json.dumps({"file": name, "keys": dialled.target, "spans": dialled.spans}) + "\n")
    for part in SIZES:
        write_bytes(folder / f"{part}.tsv", "".join(lines[part]).encode())
    write_bytes(folder / "gold.jsonl", "".join(gold).encode())
    return written


def wav(samples: NDArray[np.int16], rate: int = RATE) -> bytes:
    """The samples of one channel as a WAV file."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return stream.getvalue()


def _number(draw: Draw) -> list[str]:
    """Keys as people dial them: one of four is the one before, so that a key has to be counted, not only heard."""
    keys = [draw.pick(KEYS)]
    for _ in range(draw.between(FEWEST, MOST) - 1):
        keys.append(keys[-1] if draw.chance(0.2) else draw.pick(KEYS))
    return keys


def _dialled(keys: str, part: Part, draw: Draw) -> Dialled:
    length, pause = _within(draw, TONE), _within(draw, PAUSE)
    at, spans = _within(draw, PAUSE), []
    for place in range(len(keys)):
        if place:
            at += _within(draw, HESITATION) if draw.chance(0.1) else max(pause * _within(draw, (0.7, 1.5)), PAUSE[0])
        end = at + max(length * _within(draw, (0.8, 1.2)), TONE[0])
        spans.append((_rounded(at), _rounded(end)))
        at = spans[-1][1]
    return Dialled(
        part=part,
        keys=keys,
        spans=tuple(spans),
        seconds=_rounded(at + _within(draw, PAUSE)),
        level=10 ** (_within(draw, (-30.0, -12.0)) / 20),
        balance=10 ** (_within(draw, (-4.0, 4.0)) / 20),
        detuned=_within(draw, (0.985, 1.015)),
        signal_to_noise=_within(draw, NOISE),
        line=draw.pick(("white", "hum", "crackle")),
        noise_seed=draw.between(0, 2**31),
    )


def _rounded(seconds: float) -> float:
    return round(seconds * RATE) / RATE


def _within(draw: Draw, limits: tuple[float, float]) -> float:
    return limits[0] + (limits[1] - limits[0]) * draw.fraction()
