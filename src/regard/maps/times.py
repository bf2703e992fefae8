"""When each word was said: spans of a recording, in order, where a map's weights are, as JSON and as subtitles."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from regard.errors import RegardError
from regard.files import write_bytes
from regard.maps.attention_map import AttentionMap
from regard.maps.media import Sound
from regard.maps.tokens import Tokens

#: What a place has to weigh to be a part of a word, as a share of the word's heaviest place.
LEAST_SHARE = 0.1

# What is read with ease on a screen: one or two lines, begun anew after a pause, none so short that it flashes by.
_LINE, _LINES = 42, 2
_LONGEST, _SHORTEST, _PAUSE = 6.0, 1.0, 0.8
_SENTENCE_ENDS = tuple(".?!…。？！।؟")


@dataclass(frozen=True)
class WordTime:
    """A word that was heard from `start` to `end`, in seconds; `confidence` is the weight between them, from 0 to 1.

    `spaced` is whether white space parts the word from the one before it.
    """

    word: str
    start: float
    end: float
    confidence: float
    spaced: bool = True


def word_times(map: AttentionMap) -> list[WordTime]:
    """The words of the target of a map over a recording, in order, each with the time at which the model heard it.

    With w_ij the weight of place j when word i was said (the mean over its pieces) and m_i = max_j w_ij, the words have
    the spans [s_i, e_i), e_i <= s_(i+1), that maximise

        sum_i sum_(s_i <= j < e_i) (w_ij - m_i / 10)

    so that a span holds the places that weigh at least a tenth of its heaviest, and words that were looked up in
    disorder keep the order that loses least. A word for which no place is left, or without weights, has the moment at
    which the word before it ends, and confidence 0. Times are those of what was looked at, which may be a part of a
    word: often its end, where the encoder reads both ways.

    Raises `RegardError` for a map over something else than a recording, or of several layers or heads.
    """
    medium = map.medium
    if not isinstance(medium, Sound):
        raise RegardError("word times: this attention map is not over a recording")
    map = map.merged()
    rows = [row for row, outside in enumerate(map.target.special) if not outside]
    weights = map.matrix[rows].astype(np.float64)
    words = map.target.take(rows)
    length = len(medium.samples) / medium.rate
    return [
        WordTime(
            label,
            min(start * medium.step, length),
            min(end * medium.step, length),
            min(float(row[start:end].sum()), 1.0),
            spaced,
        )
        for label, spaced, row, (start, end) in zip(
            words.labels, _spaced(words), weights, ordered_spans(weights), strict=True
        )
    ]


def ordered_spans(weights: npt.NDArray[np.float64], share: float = LEAST_SHARE) -> list[tuple[int, int]]:
    """For each row of weights (T, S) its half-open span, as in `word_times`; the first and shortest of equals.

    Takes time and memory in proportion to T x S.
    """
    count, places = weights.shape
    ends = np.zeros((count, places + 1), np.int32)  # where the span of a row ends if it may not reach beyond a place
    starts = np.zeros((count, places + 1), np.int32)  # where it begins if it ends at a place
    best = np.zeros(places + 1)  # of the rows so far, before each place
    for row in range(count):
        heaviest = weights[row].max(initial=0.0)
        gain = np.concatenate([[0.0], np.cumsum(weights[row] - share * heaviest)])
        before, starts[row] = _running_best(best - gain)
        best, ends[row] = _running_best(before + gain)
    spans, limit = list[tuple[int, int]](), places
    for row in reversed(range(count)):
        end = int(ends[row, limit])
        limit = int(starts[row, end])
        spans.append((limit, end))
    return spans[::-1]


def _running_best(values: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """The greatest value up to each place, and the first place where it stood."""
    greatest = np.maximum.accumulate(values)
    new = np.concatenate([[True], greatest[1:] > greatest[:-1]])
    return greatest, np.maximum.accumulate(np.where(new, np.arange(len(values)), 0))


def _spaced(words: Tokens) -> list[bool]:
    """For each word whether white space is before it; where that is not known there is."""
    if words.text is None or words.offsets is None or not len(words):
        return [True] * len(words)
    ends = [0, *(end for _, end in words.offsets[:-1])]
    return [
        any(character.isspace() for character in words.text[before : _first_letter(words.text, start, end)])
        for before, (start, end) in zip(ends, words.offsets, strict=True)
    ]


def _first_letter(text: str, start: int, end: int) -> int:
    return end - len(text[start:end].lstrip())


# Files ----------------------------------------------------------------------------------------------------------------


def times_json(words: Sequence[WordTime], source: str = "") -> str:
    """The words of one recording as an object of JSON, on one line; times in seconds, to the millisecond.

    >>> times_json([WordTime("nine", 0.4, 0.72, 0.9)], "a.wav")
    '{"source": "a.wav", "words": [{"word": "nine", "start": 0.4, "end": 0.72, "confidence": 0.9, "spaced": true}]}'
    """

    def plain(word: WordTime) -> dict[str, Any]:
        return {name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(word).items()}

    return json.dumps({"source": source, "words": [plain(word) for word in words]}, ensure_ascii=False)


def times_srt(words: Sequence[WordTime]) -> str:
    """The words of one recording as subtitles (SubRip): numbered from 1, `hh:mm:ss,mmm --> hh:mm:ss,mmm`, text.

    A caption has up to two lines of 42 characters, lasts 6 seconds at most, ends with a sentence or before a pause of
    0.8 seconds, and stays for a second where the next one leaves it the time.

    >>> print(times_srt([WordTime("nine", 0.4, 0.72, 0.9), WordTime("one", 0.9, 1.5, 0.8)]), end="")
    1
    00:00:00,400 --> 00:00:01,500
    nine one
    """
    captions = list(_captions(words))
    blocks, end = list[str](), 0
    for number, caption in enumerate(captions, start=1):
        following = captions[number][0].start if number < len(captions) else math.inf
        begin = max(round(1000 * caption[0].start), end)
        stays = min(max(caption[-1].end, caption[0].start + _SHORTEST), following)
        end = max(round(1000 * stays), begin + 1)
        blocks.append(f"{number}\n{_clock(begin)} --> {_clock(end)}\n{_lines(caption)}\n")
    return "\n".join(blocks)


def check_times(path: str | Path, recordings: int) -> str:
    """How a file of word times ends, `.json` or `.srt`; raises RegardError where it can't be of so many recordings."""
    ending = Path(path).suffix.lower()
    if ending not in (".json", ".srt"):
        raise RegardError(f"{path}: word times are written to FILE.json or FILE.srt")
    if ending == ".srt" and recordings != 1:
        raise RegardError(f"{path}: subtitles are of one recording, and there are {recordings:,}; take FILE.json")
    return ending


def save_times(recordings: Sequence[tuple[str, Sequence[WordTime]]], path: str | Path) -> None:
    """Write the words of recordings, each with its name: a list of `times_json`, or `times_srt`.

    Raises RegardError as `check_times`, and where the file can't be written.
    """
    if check_times(path, len(recordings)) == ".srt":
        text = times_srt(recordings[0][1])
    else:
        text = "[" + ",\n ".join(times_json(words, name) for name, words in recordings) + "]\n"
    write_bytes(path, text.encode())


def _captions(words: Sequence[WordTime]) -> Iterator[list[WordTime]]:
    caption: list[WordTime] = []
    for word in words:
        if caption and (
            len(_joined([*caption, word])) > _LINES * _LINE
            or word.end - caption[0].start > _LONGEST
            or word.start - caption[-1].end > _PAUSE
            or (caption[-1].word.endswith(_SENTENCE_ENDS) and word.spaced)
        ):
            yield caption
            caption = []
        caption.append(word)
    if caption:
        yield caption


def _joined(words: Sequence[WordTime]) -> str:
    return "".join(f" {word.word}" if word.spaced and place else word.word for place, word in enumerate(words))


def _lines(caption: Sequence[WordTime]) -> str:
    """The text of a caption, on two lines of about the same length where one is too short for it."""
    text = _joined(caption)
    if len(text) <= _LINE:
        return text
    cuts = [place for place in range(1, len(caption)) if caption[place].spaced] or range(1, len(caption))
    halves = [(_joined(caption[:cut]), _joined(caption[cut:])) for cut in cuts]
    return "\n".join(min(halves, key=lambda pair: max(map(len, pair)), default=(text,)))


def _clock(milliseconds: int) -> str:
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02},{thousandths:03}"
