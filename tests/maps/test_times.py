"""Word times: the best spans in order, by comparison with all of them; and subtitles as players read them."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from regard.errors import RegardError
from regard.maps import AttentionMap, Tokens, whole_words
from regard.maps.media import Sound
from regard.maps.times import LEAST_SHARE, WordTime, ordered_spans, save_times, times_json, times_srt, word_times

RATE, STEP = 8000, 0.1


def heard(weights: np.ndarray, target: Tokens, axes: tuple[str, ...] = ()) -> AttentionMap:
    """A map over a recording of a place for each column, the last of which is half empty."""
    places = weights.shape[-1]
    samples = np.zeros(round((places - 0.5) * STEP * RATE), np.int16)
    pieces = tuple(f"{place * STEP:.2f}s" for place in range(places))
    source = Tokens(pieces, tuple(range(places)), "a.wav")
    return AttentionMap(weights, source, target, axes, medium=Sound(samples, RATE, places, STEP))


def gain(weights: np.ndarray, spans: list[tuple[int, int]]) -> float:
    return sum(
        float((row[start:end] - LEAST_SHARE * row.max(initial=0)).sum())
        for row, (start, end) in zip(weights, spans, strict=True)
    )


@given(arrays(np.float64, st.tuples(st.integers(0, 3), st.integers(1, 5)), elements=st.floats(0, 1)))
def test_spans_are_the_best_of_all_in_order(weights: np.ndarray) -> None:
    count, places = weights.shape
    found = ordered_spans(weights)
    borders = [border for span in found for border in span]
    assert borders == sorted(borders)
    assert all(0 <= border <= places for border in borders)
    every = itertools.combinations_with_replacement(range(places + 1), 2 * count)
    best = max(gain(weights, list(zip(each[::2], each[1::2], strict=True))) for each in every)
    assert gain(weights, found) == pytest.approx(best, abs=1e-9)


def test_a_span_holds_what_weighs_a_tenth_of_the_heaviest() -> None:
    weights = np.array([[0, 0.02, 0.1, 0.5, 0.3, 0.04, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0.1, 0.8, 0.1, 0]])
    assert ordered_spans(weights) == [(2, 5), (6, 9)]


def test_words_looked_up_in_disorder_keep_the_order_that_loses_least() -> None:
    weights = np.array([[0, 0, 0, 0.1, 0.9], [0.6, 0, 0, 0, 0.3]])
    (first, second) = ordered_spans(weights)
    assert first == (3, 5)
    assert second[0] == second[1]


def test_times_of_words() -> None:
    weights = np.array([[0.0, 1, 0, 0, 0], [0, 0, 0.5, 0.3, 0.2], [0, 0, 0, 0, 1.0]])
    found = word_times(heard(weights, whole_words(["nine", "one", "</s>"], special=["</s>"])))
    assert [each.word for each in found] == ["nine", "one"]
    assert np.allclose([(each.start, each.end) for each in found], [(0.1, 0.2), (0.2, 0.45)])
    assert [each.confidence for each in found] == pytest.approx([1.0, 1.0])


def test_pieces_make_words() -> None:
    target = Tokens(
        ("ni", "ne", " o", "ne", "</s>"), (0, 0, 1, 1, -1), "nine one", ((0, 2), (2, 4), (4, 6), (6, 8), (8, 8))
    )
    weights = np.zeros((5, 6))
    weights[range(5), range(5)] = 1
    found = word_times(heard(weights, target))
    assert [(each.word, each.spaced) for each in found] == [("nine", False), ("one", True)]
    assert np.allclose([(each.start, each.end) for each in found], [(0.0, 0.2), (0.2, 0.4)])


def test_characters_without_spaces_are_joined() -> None:
    target = Tokens(("九", "一"), (0, 1), "九一", ((0, 1), (1, 2)))
    found = word_times(heard(np.eye(2), target))
    assert times_srt(found).splitlines()[2] == "九一"


def test_no_weights_no_places_no_words() -> None:
    silent = word_times(heard(np.zeros((2, 3)), whole_words(["a", "b"])))
    assert [(each.start, each.end, each.confidence) for each in silent] == [(0, 0, 0), (0, 0, 0)]
    crowded = word_times(heard(np.full((3, 1), 1.0), whole_words(["a", "b", "c"])))
    assert sum(each.end > each.start for each in crowded) == 1
    assert word_times(heard(np.zeros((0, 3)), whole_words([]))) == []
    assert times_srt([]) == ""


def test_maps_without_times() -> None:
    plain = AttentionMap(np.eye(2), whole_words(["a", "b"]), whole_words(["c", "d"]), ())
    with pytest.raises(RegardError, match="not over a recording"):
        word_times(plain)
    with pytest.raises(RegardError, match="choose with select"):
        word_times(heard(np.zeros((2, 1, 3)), whole_words(["a"]), ("head",)))


def test_json() -> None:
    words = [WordTime("neun", 0.12345, 0.5, 0.987654), WordTime('"', 0.5, 0.75, 0.0, spaced=False)]
    found = json.loads(times_json(words, "ä.wav"))
    assert found["source"] == "ä.wav"
    assert found["words"][0] == {"word": "neun", "start": 0.123, "end": 0.5, "confidence": 0.988, "spaced": True}
    assert found["words"][1]["word"] == '"'


def test_files(tmp_path: Path) -> None:
    words = [WordTime("九", 0.5, 1.5, 1.0)]
    save_times([("a.wav", words), ("b.wav", [])], tmp_path / "times.json")
    first, second = json.loads((tmp_path / "times.json").read_text("utf-8"))
    assert [first["words"][0]["word"], second] == ["九", {"source": "b.wav", "words": []}]
    save_times([("a.wav", words)], tmp_path / "times.srt")
    assert read((tmp_path / "times.srt").read_text("utf-8")) == [(0.5, 1.5, ["九"])]
    for name, words_of_error in (
        ("times.txt", r"FILE\.json or FILE\.srt"),
        ("times.srt", "subtitles are of one recording"),
    ):
        with pytest.raises(RegardError, match=words_of_error):
            save_times([("a.wav", words), ("b.wav", [])], tmp_path / name)


CLOCK = re.compile(r"(\d\d+):(\d\d):(\d\d),(\d\d\d) --> (\d\d+):(\d\d):(\d\d),(\d\d\d)")


def seconds(hours: str, minutes: str, whole: str, thousandths: str) -> float:
    assert int(minutes) < 60
    assert int(whole) < 60
    return 3600 * int(hours) + 60 * int(minutes) + int(whole) + int(thousandths) / 1000


def read(srt: str) -> list[tuple[float, float, list[str]]]:
    """Start, end and lines of each caption, as a player reads them."""
    captions = []
    for number, block in enumerate(srt.strip().split("\n\n"), start=1):
        first, times, *lines = block.split("\n")
        assert first == str(number)
        found = CLOCK.fullmatch(times)
        assert found is not None
        captions.append((seconds(*found.groups()[:4]), seconds(*found.groups()[4:]), lines))
    return captions


@st.composite
def spoken(draw: st.DrawFn) -> list[WordTime]:
    words, at = [], 0.0
    for _ in range(draw(st.integers(1, 40))):
        start = at + draw(st.sampled_from([0.0, 0.1, 0.5, 2.0, 4000.0]))
        at = start + draw(st.sampled_from([0.0, 0.0004, 0.3, 0.9, 8.0]))
        words.append(WordTime(draw(st.sampled_from(["a", "nine.", "seventeen", "x" * 50])), start, at, 0.5))
    return words


@given(spoken())
def test_captions_hold_every_word_in_order_and_do_not_overlap(words: list[WordTime]) -> None:
    captions = read(times_srt(words))
    assert " ".join(line for _, _, lines in captions for line in lines).split() == [word.word for word in words]
    for begin, end, lines in captions:
        assert begin < end
        assert len(lines) <= 2
        assert all(len(line) <= 42 or " " not in line or any(len(word) > 42 for word in line.split()) for line in lines)
    for (_, end, _), (begin, _, _) in itertools.pairwise(captions):
        assert end <= begin


def test_captions_end_with_sentences_and_pauses() -> None:
    words = [
        WordTime("Nine.", 0.5, 0.9, 1), WordTime("One", 1.0, 1.3, 1), WordTime("two", 1.4, 1.8, 1),
        WordTime("three", 3.0, 3.1, 1),
    ]  # fmt: skip
    assert read(times_srt(words)) == [(0.5, 1.0, ["Nine."]), (1.0, 2.0, ["One two"]), (3.0, 4.0, ["three"])]


def test_a_long_caption_has_two_even_lines() -> None:
    words = [WordTime("seventeen", place * 0.3, place * 0.3 + 0.3, 1) for place in range(8)]
    ((_, _, lines),) = read(times_srt(words))
    assert lines == ["seventeen seventeen seventeen seventeen"] * 2
    hour = times_srt([WordTime("late", 3661.5, 3662.75, 1)])
    assert "01:01:01,500 --> 01:01:02,750" in hour
