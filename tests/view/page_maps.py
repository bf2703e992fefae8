"""Attention maps to show on pages: short and long, of many layers and heads, in many scripts, and hostile ones.

`python tests/view/page_maps.py FOLDER` writes a page of each, to be looked at or tested in a browser.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from media_maps import dialled, line, scene

from regard.maps import NO_WORD, AttentionMap, Tokens, whole_words
from regard.view.page import write_page

#: What a text must not be able to do: end its element, begin another, turn the direction of the line, break the file.
HOSTILE = (
    "</script><script>document.title='broken'</script>",
    "<!--<script>",
    "]]>&amp;\"'`${x}",
    "a\u2028b\u2029c\x00\x07\x1b[31m",
    "\u202eevil\u202c\u2066",
    "\ud800",
    "\ufffe\uffff",
    "\U0001f469\u200d\U0001f680",
    "",
)


def _sentence(text: str) -> Tokens:
    return whole_words(text.split(), special=["</s>"])


def _peaked(rows: int, columns: int, generator: np.random.Generator, width: float = 0.8) -> np.ndarray:
    """Weights near the diagonal, with some elsewhere."""
    place = np.arange(columns)[None] - np.arange(rows)[:, None] * (columns - 1) / max(rows - 1, 1)
    scores = -(place**2) / (2 * width**2) + generator.normal(size=(rows, columns))
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)


def chinese() -> AttentionMap:
    """ "Tom chases Jerry." as the demonstration translates it: one matrix."""
    source = _sentence("Tom chases Jerry . </s>")
    target = _sentence("汤姆 追 杰瑞 。 </s>")
    weights = np.array(
        [
            [0.93, 0.03, 0.02, 0.01, 0.01],
            [0.04, 0.90, 0.05, 0.01, 0.00],
            [0.02, 0.06, 0.91, 0.01, 0.00],
            [0.01, 0.01, 0.02, 0.92, 0.04],
            [0.00, 0.01, 0.03, 0.31, 0.65],
        ]
    )
    return AttentionMap(weights, source, target, axes=())


_ENGLISH = (
    "When the old fish er man re turned to the har bour at night , he told every one that the sea had been quiet , "
    "and that he had seen a light far out , where no ship should have been ."
)
_GERMAN = (
    "Als der alte Fischer nachts in den Haf en zurück kehr te , erzähl te er allen , das Meer sei ruhig ge wesen , "
    "und er habe weit draußen ein Licht ge sehen , wo kein Schiff hätte sein sollen ."
)
_ENGLISH_ENDS = {"er", "man", "turned", "bour", "one"}
_GERMAN_ENDS = {"en", "kehr", "te", "wesen", "sehen"}


def _pieces(text: str, ends: set[str]) -> Tokens:
    pieces = text.split()
    words, whole, offsets = [], "", []
    for piece in pieces:
        joined = piece in ends and bool(words)
        whole = whole + ("" if joined or not whole else " ")
        words.append((words[-1] if words else -1) + (not joined))
        offsets.append((len(whole), len(whole) + len(piece)))
        whole += piece
    end = (len(whole), len(whole))
    return Tokens((*pieces, "</s>"), (*words, NO_WORD), whole, (*offsets, end))


def many_heads(layers: int = 12, heads: int = 12) -> AttentionMap:
    """A model of many layers and heads, of which each has a habit of its own."""
    generator = np.random.default_rng(0)
    source, target = _pieces(_ENGLISH, _ENGLISH_ENDS), _pieces(_GERMAN, _GERMAN_ENDS)
    rows, columns = len(target), len(source)
    weights = np.empty((layers, heads, rows, columns), dtype=np.float32)
    for layer in range(layers):
        for head in range(heads):
            width = 0.6 + 12 * abs(np.sin(layer * 1.7 + head * 2.3)) ** 3
            some = _peaked(rows, columns, generator, width)
            if (layer + head) % 7 == 3:
                some = np.full_like(some, 0.1 / columns)
                some[:, -1] += 0.9
            weights[layer, head] = np.roll(some, (layer * head) % 3 - 1, axis=-1)
    return AttentionMap(weights, source, target)


def arabic() -> AttentionMap:
    source = _sentence("ذهب الولد إلى المدرسة في الصباح .")
    target = _sentence("The boy went to school in the morning .")
    return AttentionMap(_peaked(len(target), len(source), np.random.default_rng(1)), source, target, axes=())


def hebrew() -> AttentionMap:
    source = _sentence("The boy went to school in the morning .")
    target = _sentence("הילד הלך לבית הספר בבוקר .")
    return AttentionMap(
        _peaked(len(target), len(source), np.random.default_rng(2))[None], source, target, axes=("head",)
    )


def japanese() -> AttentionMap:
    source = _sentence("吾輩 は 猫 で ある 。 名前 は まだ 無い 。")
    target = _sentence("I am a cat . As yet I have no name .")
    weights = _peaked(len(target), len(source), np.random.default_rng(3))
    weights[5] = 0
    return AttentionMap(weights, source, target, axes=())


def sparse() -> AttentionMap:
    """Weights of which nearly all are exactly 0, and some that were left out."""
    generator = np.random.default_rng(4)
    weights = np.where(generator.random((2, 3, 40, 300)) < 0.02, generator.random((2, 3, 40, 300)), 0)
    weights /= np.maximum(weights.sum(axis=-1, keepdims=True), 1) * 1.25
    tokens = whole_words([f"w{i}" for i in range(300)])
    left_out = np.full((2, 3, 40), 0.2)
    return AttentionMap(weights, tokens, whole_words([f"v{i}" for i in range(40)]), left_out=left_out)


def hostile() -> AttentionMap:
    words = tuple(range(len(HOSTILE)))
    tokens = Tokens(HOSTILE, words, "".join(HOSTILE))
    weights = _peaked(len(HOSTILE), len(HOSTILE), np.random.default_rng(5))
    return AttentionMap(
        weights, tokens, tokens, axes=(), place="</script>", note="</style><img src=x onerror=alert(1)>"
    )


def many_sentences(count: int = 600) -> list[AttentionMap]:
    """As a model of two layers and four heads would translate so many sentences."""
    generator = np.random.default_rng(6)
    nouns = ["Tom", "Jerry", "Anna", "Paul", "Marie", "cat", "dog", "fisherman", "teacher", "child"]
    verbs = ["chases", "sees", "knows", "finds", "likes", "calls"]
    found = []
    for _ in range(count):
        words = [*generator.choice(nouns, 1), *generator.choice(verbs, 1), *generator.choice(nouns, 1), "."]
        source = whole_words([str(word) for word in words])
        target = whole_words([f"{word}*" for word in words])
        weights = np.stack([_peaked(4, 4, generator) for _ in range(8)]).reshape(2, 4, 4, 4)
        found.append(AttentionMap(weights, source, target))
    return found


def long(tokens: int = 256, layers: int = 12, heads: int = 12) -> AttentionMap:
    generator = np.random.default_rng(7)
    scores = generator.normal(size=(layers, heads, tokens, tokens)).astype(np.float32)
    weights = np.exp(scores)
    weights /= weights.sum(axis=-1, keepdims=True)
    labels = whole_words([f"token{i}" for i in range(tokens)])
    return AttentionMap(weights, labels, labels, place="encoder.self")


def call() -> AttentionMap:
    return dialled(axes=("layer", "head"))


def media() -> list[AttentionMap]:
    """An image, a text and a recording on one page."""
    return [scene(("layer", "head")), chinese(), dialled()]


PAGES = {
    "chinese": chinese, "heads": many_heads, "arabic": arabic, "hebrew": hebrew, "japanese": japanese,
    "sparse": sparse, "hostile": hostile, "many": many_sentences, "long": long,
    "scene": scene, "line": line, "call": call, "media": media,
}  # fmt: skip


def write_pages(folder: Path) -> None:
    """A page of each, and one that holds a map as a notebook does."""
    folder.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        write_page(
            make(), folder / f"{name}.html", title="Tom chases Jerry" if name == "chinese" else f"Attention: {name}"
        )
    (folder / "notebook.html").write_text(
        f"<!DOCTYPE html><meta charset=utf-8><title>notebook</title>{chinese()._repr_html_()}", encoding="utf-8"
    )


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
