"""The page of attention maps: what is embedded is what was given, and no text in it can do anything."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from page_maps import HOSTILE, PAGES, hostile, many_heads, many_sentences, sparse

from regard.cli import main
from regard.errors import RegardError
from regard.maps import AttentionMap, Tokens, save_maps, whole_words
from regard.view.packing import packed
from regard.view.page import page, write_page


class _Elements(HTMLParser):
    """Every element of a page with its attributes and its text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None], str]] = []
        self._inside = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), ""))
        self._inside = True

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            tag, attributes, text = self.found[-1]
            self.found[-1] = (tag, attributes, text + data)


def _inflated(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text, validate=True), -zlib.MAX_WBITS)


def _header(text: str) -> dict[str, Any]:
    (found,) = [body for tag, attributes, body in _Elements(text).found if attributes.get("id") == "header"]
    header: dict[str, Any] = json.loads(_inflated(found))
    return header


def _blocks(text: str) -> list[str]:
    return [body for _, attributes, body in _Elements(text).found if attributes.get("class") == "block"]


def _numbers(data: bytes) -> Iterator[int]:
    """The numbers of LEB128, one after the other."""
    number = shift = 0
    for byte in data:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield number
            number = shift = 0


def _weights(map: dict[str, Any], blocks: list[str]) -> tuple[np.ndarray, np.ndarray | None]:
    """The weights of a map and what was left out, decoded as the form is described, slowly."""
    *axes, rows, columns = map["shape"]
    values: list[np.ndarray] = []
    gone: list[np.ndarray] = []
    for (matrices, form), block in zip(map["blocks"], blocks, strict=True):
        data = _inflated(block)
        lines = matrices * rows
        scales = np.array(struct.unpack_from(f"<{lines}f", data))
        data = data[4 * lines :]
        if map["leftOut"]:
            gone.append(np.array(struct.unpack_from(f"<{lines}f", data)))
            data = data[4 * lines :]
        if form == "exact":
            values.append(np.frombuffer(data, "<f4").reshape(lines, columns))
            continue
        if form == "dense":
            codes = np.frombuffer(data, np.uint8).reshape(lines, columns)
        else:
            codes = np.zeros((lines, columns), np.uint8)
            numbers = _numbers(data)
            counts = [next(numbers) for _ in range(lines)]
            entries = sum(counts)
            values_of = iter(data[len(data) - entries :]) if entries else iter(b"")
            for line, count in enumerate(counts):
                column = -1
                for _ in range(count):
                    column += next(numbers) + 1
                    codes[line, column] = next(values_of)
        values.append(codes * scales[:, None] / 255)
    shape = (*axes, rows, columns)
    weights = np.concatenate(values).reshape(shape) if values else np.zeros(shape)
    if not map["leftOut"]:
        return weights, None
    return weights, np.concatenate(gone).reshape(shape[:-1]) if gone else np.zeros(shape[:-1])


def _shown(map: AttentionMap, exact: bool) -> tuple[np.ndarray, np.ndarray | None]:
    blocks = list(packed(map, exact))
    described = {"shape": map.weights.shape, "leftOut": map.left_out is not None}
    described["blocks"] = [(block.matrices, block.form) for block in blocks]
    return _weights(described, [base64.b64encode(block.data).decode() for block in blocks])


def _assert_kept(map: AttentionMap, exact: bool) -> None:
    weights, left_out = _shown(map, exact)
    most = map.weights.max(axis=-1, keepdims=True, initial=0)
    assert (np.abs(weights - map.weights) <= most * ((0 if exact else 1 / 510) + 1e-6) + 1e-37).all()
    assert (weights[map.weights == 0] == 0).all()
    if map.left_out is None:
        assert left_out is None
    else:
        np.testing.assert_allclose(left_out, map.left_out, rtol=1e-6)


# Weights --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(PAGES.keys() - {"many", "long", "media"}))
def test_weights_are_kept_exactly_or_to_1_in_510_of_their_row(name: str) -> None:
    made = PAGES[name]()
    assert isinstance(made, AttentionMap)
    _assert_kept(made, exact=True)
    _assert_kept(made, exact=False)


@settings(deadline=None, max_examples=60)
@given(
    shape=st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 300)),
    share=st.sampled_from([0.0, 0.01, 0.3, 1.0]),
    largest=st.sampled_from([1e-45, 1e-30, 0.004, 1.0, 3.0, 1e30, 1e300]),
    with_left_out=st.booleans(),
    exact=st.booleans(),
    seed=st.integers(0, 9),
)
def test_weights_of_any_size_and_sparsity(
    shape: tuple[int, int, int], share: float, largest: float, with_left_out: bool, exact: bool, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    weights = np.where(generator.random(shape) < share, generator.random(shape) * largest, 0)
    left_out = generator.random(shape[:-1]) if with_left_out else None
    source = whole_words([f"s{i}" for i in range(shape[2])])
    target = whole_words([f"t{i}" for i in range(shape[1])])
    made = AttentionMap(weights, source, target, axes=("head",), left_out=left_out)
    if largest <= 3e38:
        _assert_kept(made, exact)
    else:  # beyond single precision a weight is as large as a page can tell
        assert float(_shown(made, exact)[0].max(initial=0)) <= 3.5e38


def test_sparse_weights_are_packed_sparsely_and_large_maps_in_several_blocks() -> None:
    assert [block.form for block in packed(sparse())] == ["sparse"]
    assert [block.form for block in packed(many_heads(2, 2))] == ["dense"]
    tokens = whole_words([f"w{i}" for i in range(800)])
    large = AttentionMap(np.full((1, 4, 800, 800), 1 / 800, dtype=np.float16), tokens, tokens)
    assert [block.matrices for block in packed(large)] == [1, 1, 1, 1]
    _assert_kept(large, exact=False)


def test_few_weights_are_exact_and_only_as_many_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def forms(maps: list[AttentionMap]) -> list[str]:
        return [form for map in _header(page(maps))["maps"] for _, form in map["blocks"]]

    tokens = whole_words(["a", "b"])
    made = AttentionMap(np.array([[0.28477, 0.71523], [0.0744, 0.9256]]), tokens, tokens, axes=())
    text = page(made)
    weights, _ = _weights(_header(text)["maps"][0], _blocks(text))
    np.testing.assert_array_equal(weights, made.weights.astype(np.float32))
    monkeypatch.setattr("regard.view.page.EXACT", 8)
    assert forms([made] * 3) == ["exact", "exact", "dense"]


def test_twelve_layers_of_twelve_heads_at_256_tokens_stay_under_15_mb() -> None:
    text = page(PAGES["long"]())
    assert len(text.encode()) < 15e6


# Labels ---------------------------------------------------------------------------------------------------------------


def test_labels_and_how_to_read_the_map() -> None:
    header = _header(page(many_heads(2, 3), title="A & B", words=True))
    assert header["title"] == "A & B"
    assert header["unit"] == "word"
    (map,) = header["maps"]
    assert (map["axes"], map["shape"], map["place"], map["convention"]) == (
        ["layer", "head"], [2, 3, 43, 44], "cross", "predicting",
    )  # fmt: skip
    source = map["source"]
    assert source["pieces"][3:6] == ["fish", "er", "man"]
    assert source["words"][3] == "fisherman"
    assert source["sizes"][3] == 3
    assert sum(source["sizes"]) == 44
    assert source["special"] == [43]
    assert source["text"].startswith("When the old fisherman returned")


def test_without_a_text_the_words_stand_for_it() -> None:
    tokens = Tokens(("a", "b"), (0, 1))
    (map,) = _header(page(AttentionMap(np.eye(2), tokens, tokens, axes=())))["maps"]
    assert map["source"]["text"] == "a b"


def test_pages_of_none_and_of_many() -> None:
    assert _header(page([]))["maps"] == []
    maps = many_sentences(30)
    text = page(iter(maps))
    header, blocks = _header(text), _blocks(text)
    assert len(header["maps"]) == len(blocks) == 30
    for made, described, block in zip(maps, header["maps"], blocks, strict=True):
        assert described["source"]["text"] == made.source.text
        np.testing.assert_allclose(_weights(described, [block])[0], made.weights, atol=1 / 500)


# Safety ---------------------------------------------------------------------------------------------------------------


def _structure(text: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(tag, tuple(attributes)) for tag, attributes, _ in _Elements(text).found]


def test_no_text_adds_an_element_or_leaves_base64() -> None:
    harmless = page(AttentionMap(hostile().weights, *[whole_words("abcdefghi")] * 2, axes=()), title="x")
    for title in HOSTILE:
        text = page(hostile(), title=title)
        assert _structure(text) == _structure(harmless)
        text.encode("utf-8")  # no half of a surrogate pair
        assert not re.search("[\x00-\x09\x0b-\x1f\u2028\u2029\u202a-\u202e\u2066-\u2069]", text)
        for tag, attributes, body in _Elements(text).found:
            if attributes.get("type") == "text/plain":
                assert re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", body)
            assert not any(name.startswith("on") for name in attributes), tag


@settings(deadline=None, max_examples=80)
@given(st.text(st.characters(), max_size=20), st.text(st.characters(), max_size=20))
def test_any_text_is_shown_without_what_can_not_be_seen(label: str, title: str) -> None:
    tokens = Tokens((label,), (0,), label)
    text = page(AttentionMap(np.ones((1, 1)), tokens, tokens, axes=(), note=label, place=label), title=title)
    header = _header(text)
    shown = [header["title"], *(header["maps"][0][key] for key in ("note", "place"))]
    shown += [value for side in ("source", "target") for value in (header["maps"][0][side]["text"],)]
    for each in [*shown, *header["maps"][0]["source"]["pieces"], *header["maps"][0]["source"]["words"]]:
        assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]", each)
    assert len(header["maps"][0]["source"]["pieces"][0]) >= 1


def test_the_policy_allows_the_one_script_and_the_one_style_sheet_alone() -> None:
    text = page(hostile())
    found = _Elements(text).found
    (policy,) = [
        attributes["content"] for _, attributes, _ in found if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in str(policy).split(";"))
    assert rules["default-src"] == "'none'"
    assert set(rules) == {"default-src", "script-src", "style-src", "base-uri", "form-action"}

    def digest(body: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'"

    (script,) = re.findall(r"<script>(.*?)</script>", text, re.S)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
    assert (rules["script-src"], rules["style-src"]) == (digest(script), digest(style))
    # What stands in the elements is what a browser takes for it.
    assert "</" not in style
    assert not re.search("</script|<!--|<script", script, re.I)
    assert not re.search(r"https?://(?!www\.w3\.org/)", script + style)


# Files and notebooks --------------------------------------------------------------------------------------------------


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    assert write_page(many_sentences(3), path) == 3
    before = path.read_text(encoding="utf-8")
    assert before == page(many_sentences(3))

    def breaking() -> Iterator[AttentionMap]:
        yield from many_sentences(1)
        raise KeyError("the model failed")

    with pytest.raises(KeyError):
        write_page(breaking(), path)
    assert path.read_text(encoding="utf-8") == before
    with pytest.raises(RegardError, match="can't be written") as caught:
        write_page([], tmp_path / "nowhere" / "a.html")
    assert "\n" not in str(caught.value)
    assert [found.name for found in tmp_path.iterdir()] == ["a.html"]


def test_the_same_maps_make_the_same_bytes() -> None:
    assert page(many_heads(2, 2)) == page(many_heads(2, 2))


def test_a_notebook_shows_the_page_in_a_sandbox() -> None:
    made = hostile()
    ((tag, attributes, _),) = _Elements(made._repr_html_()).found
    assert tag == "iframe"
    assert attributes["srcdoc"] == page(made)
    assert attributes["sandbox"] == "allow-scripts allow-downloads"


def test_show_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored, out = tmp_path / "three.npz", tmp_path / "three.html"
    save_maps(many_sentences(3), stored)
    assert main(["show", str(stored), "--html", str(out), "--words", "--layer", "1"]) == 0
    assert capsys.readouterr().out == ""
    header = _header(out.read_text(encoding="utf-8"))
    assert (header["title"], header["unit"], len(header["maps"])) == ("three", "word", 3)
    assert header["maps"][0]["axes"] == ["head"]
    assert header["maps"][0]["note"] == "layer 1"
    assert main(["show", str(stored), "--html", str(tmp_path / "nowhere" / "a.html")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
