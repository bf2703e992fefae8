"""Seeded damage to corpora, settings and model folders: what a fuzzed case is made of.

Everything follows from the number of a case, so that a case that fails can be made again.
"""

from __future__ import annotations

import gzip
import json
import random
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import yaml

from regard.configuration import Setting

TINY: dict[str, Any] = {
    "data": {"source_tokens": "symbols", "target_tokens": "symbols"},
    "model": {
        "encoder": {"width": 8}, "decoder": {"width": 8, "feedforward": 8}, "embedding": 8, "longest": 16,
        "self_attention": {"heads": 1},
    },
    "training": {"updates": 2, "batch": 60, "validate_every": 2, "seed": 3, "device": "cpu", "threads": 1},
}  # fmt: skip
"""The settings of a model that is made and trained in no time."""

# Pieces of text that have broken programs before.
ODD = (
    "\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x00", "\ufeff", "\u200b", "\u200d", "\u0301" * 40,
    "\U0010fffd", "\ud7ff", "\ufffe", "\r", "\r\n", "\n", "\t", "\t\t", " ", "\xa0", "<pad>", "<eos>", "<unk>", "\\",
    "{", "[", "汤姆", "ßﬁİ", "👩‍👩‍👧", "नमस्ते", "a" * 3000, "w " * 2000, "-", "0", "%s", "../..", "\x1b[31m", "",
)  # fmt: skip
BYTES = (
    b"\xff",
    b"\xfe\xff",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\x1f\x8b\x08",
    b"\x80",
    b"\xed\xa0\x80",
    b"\xc0\xaf",
    b"\0",
)
NUMBERS: tuple[Any, ...] = (
    0, 1, 2, 3, 4, 7, 8, -1, 0.5, 1.5, -0.0, 1e-300, 1e9, 1e300, 2**31, 2**63, 2**64, 10**30, float("nan"),
    float("inf"), "1e400", "0x10", "1_000", "٣", "²",
)  # fmt: skip
WORDS: tuple[Any, ...] = (
    None, True, False, "", "none", "null", "yes", "auto", "all", "fixed", "transformer", "recurrent", "gru", "post",
    "learned", "rotary", "relative", "alibi", "before", "character", "symbols", "bpe", "bpe:30", "unigram:40", "bpe:5",
    "bpe:9999999", "unigram", "nowhere.json", "nowhere.model", ".json", "entmax:1.3", "entmax:0", "top_k:2", "top_k:0",
    "top_k:1.5", "threshold:0.2", "threshold:7", "sigmoid", "argmax", "location", "location_aware", "coverage",
    "distance:0.5", "cosine", "bilinear", "sparsemax", "softmax:sink", "entmax:learned", "dot:3", "adamw", "noam",
    "plateau", "sentences", "bf16-mixed", "cuda", "mps", "accuracy", "bleu", "fold", "source", "3", "0", "-1",
    [], [1], {}, {"a": 1}, "x" * 5000, "汤", "a.b", "!", "*a", "&a", "2026-01-01",
)  # fmt: skip


def small_pairs(count: int) -> list[tuple[str, str]]:
    """Pairs such as ("two one", "1 2"), all of them different."""
    draw = random.Random(0)
    digits = {"zero": "0", "one": "1", "two": "2", "three": "3"}
    sources: dict[str, None] = {}
    while len(sources) < count:
        sources[" ".join(draw.choice(list(digits)) for _ in range(draw.randint(1, 5)))] = None
    return [(source, " ".join(digits[word] for word in reversed(source.split()))) for source in sources]


def damaged_bytes(draw: random.Random, content: bytes) -> bytes:
    """A few random edits: bytes changed, dropped, doubled, cut off, moved."""
    made = bytearray(content)
    for _ in range(draw.randint(1, 6)):
        at = draw.randint(0, len(made))
        to = min(len(made), at + draw.choice((1, 1, 2, 8, 40)))
        match draw.randrange(7):
            case 0:
                made[at:to] = bytes(draw.randrange(256) for _ in range(to - at))
            case 1:
                del made[at:to]
            case 2:
                made[at:at] = made[at:to] * draw.choice((1, 2, 50))
            case 3:
                made[at:at] = draw.choice(BYTES)
            case 4:
                made[at:at] = draw.choice(ODD).encode("utf-8", "surrogatepass")
            case 5:
                del made[at:]
            case 6 if made:
                made[at - 1 if at else 0] ^= 1 << draw.randrange(8)
            case _:
                pass
    return bytes(made)


def corpus(draw: random.Random) -> tuple[str, bytes]:
    """A small corpus in one of the formats, damaged in its structure and perhaps in its bytes; its name."""
    rows = [[_text(draw), _text(draw)] for _ in range(draw.choice((0, 1, 2, 3, 8, 30)))]
    for _ in range(draw.randint(0, 4)):
        if rows:
            row = rows[draw.randrange(len(rows))]
            place = draw.randrange(len(row) + 1)
            row[place : place + draw.randint(0, 1)] = [draw.choice(ODD)] * draw.randint(0, 2)
            row = row or [""]
    if draw.random() < 0.3:
        name = "pairs.jsonl"
        records: list[Any] = [_record(draw, row) for row in rows]
        content = "\n".join(json.dumps(record) for record in records).encode()
    else:
        name = draw.choice(("pairs.tsv", "pairs", "pairs.txt"))
        end = draw.choice(("\n", "\n", "\n", "\r\n", "\r"))
        head = draw.choice(("", "", "", "source\ttarget" + end, "target\tsource" + end, "\ufeff"))
        content = (head + end.join("\t".join(row) for row in rows)).encode("utf-8", "surrogatepass")
    if draw.random() < 0.5:
        content = damaged_bytes(draw, content)
    if draw.random() < 0.1:
        content = gzip.compress(content, mtime=0)
        content = damaged_bytes(draw, content) if draw.random() < 0.5 else content
    return name, content


def _record(draw: random.Random, row: Sequence[str]) -> Any:
    record: Any = dict(zip(("source", "target", "extra"), row, strict=False))
    if draw.random() < 0.1:
        record = draw.choice((record | {"target": list(row)}, list(row), row[0] if row else None, {"source": 3}, {}))
    return record


def _text(draw: random.Random) -> str:
    words = draw.choice(
        (("one", "two", "three", "four"), ("猫", "狗", "追"), ("a", "b", "c", "d"), ("Tom", "chases", "it."))
    )
    text = " ".join(draw.choice(words) for _ in range(draw.randint(1, 6)))
    return text if draw.random() < 0.9 else text + draw.choice(ODD)


def config(draw: random.Random, base: Mapping[str, Any], known: Mapping[str, Setting]) -> bytes:
    """The YAML of some settings, of which some are odd and some wrong, perhaps damaged in its bytes."""
    tree: Any = json.loads(json.dumps(base))
    for _ in range(draw.randint(1, 5)):
        name = draw.choice(list(known))
        value = _fitting(draw, known[name].type) if draw.random() < 0.8 else draw.choice(draw.choice((NUMBERS, WORDS)))
        *path, last = name.split(".")
        at = tree
        for part in path:
            inner = at.setdefault(part, {})
            at = inner if isinstance(inner, dict) else at
        if draw.random() < 0.03:
            last = draw.choice((f"{last}s", last[1:], name, "", "__class__"))
        at[last] = value
    if draw.random() < 0.05:
        tree["version"] = draw.choice((*NUMBERS, *WORDS))
    text = yaml.safe_dump(tree, allow_unicode=True, default_flow_style=draw.choice((True, False, None)))
    content = text.encode("utf-8", "surrogatepass")
    if draw.random() < 0.15:
        content = damaged_bytes(draw, content)
    if draw.random() < 0.03:
        content = draw.choice(BOMBS)
    return content


def _fitting(draw: random.Random, kind: Any) -> Any:
    """A value of a type that a setting has, small, or at the edge of what makes sense."""
    if get_origin(kind) in (Union, types.UnionType):
        return _fitting(draw, draw.choice(get_args(kind)))
    if get_origin(kind) is Literal:
        return draw.choice(get_args(kind))
    if kind is bool:
        return draw.random() < 0.5
    if kind is int:
        return draw.choice((0, 1, 1, 2, 2, 3, 4, 5, 8, 12, 64, -1, 10**10))
    if kind is float:
        return draw.choice((0, 0.1, 0.5, 0.9, 1, 1.0, 2.5, 1e-12, 1e-3, 100.0, 1e8, -1.0))
    return None if kind is type(None) else draw.choice(WORDS)


BOMBS = (
    b"[" * 5000,
    b"{a: " * 5000,
    b"- " * 5000,
    b"? " * 5000,
    b"a: &a {b: *a}\n",
    b"a0: &a {x: 1}\n" + b"".join(b"a%d: &b%d {x: *a, y: *a, z: *a}\n" % (n, n) for n in range(12)),
    b"training: {updates: &x [1, 1, 1, 1, 1, 1, 1, 1]}\n" + b"a: &y [*x, *x, *x, *x, *x, *x, *x, *x]\n",
    b"training: {updates: 0x" + b"f" * 6000 + b"}\n",
    b"training: {updates: " + b"9" * 6000 + b"}\n",
    b"training: {updates: 1" + b":59" * 3000 + b"}\n",
    b"training: {updates: !!binary aGk=, seed: !!set {a, b}, rate: 2001-01-01}\n",
    b"training: {updates: !!python/name:os.system x}\n",
    b"<<: [{training: {updates: 2}}, 3]\n",
    b"%YAML 9.9\n---\na: 1\n",
    b"---\na: 1\n---\nb: 2\n",
    b"training: {updates: 2}\ntraining: {seed: 3}\n",
    b"\xff\xfet\0r\0",
)  # fmt: skip


def damaged_json(draw: random.Random, content: bytes) -> bytes:
    """The JSON with some of its values replaced, removed or repeated."""
    tree = json.loads(content)
    for _ in range(draw.randint(1, 3)):
        at, steps = tree, draw.randint(0, 4)
        edit: Callable[[Any], None] | None = None
        for _ in range(steps + 1):
            if isinstance(at, dict) and at:
                key = draw.choice(list(at))
            elif isinstance(at, list) and at:
                key = draw.randrange(len(at))
            else:
                break
            edit, inner = _edit(draw, at, key), at[key]
            at = inner
        if edit is not None:
            edit(draw)
    return json.dumps(tree).encode()


def _edit(draw: random.Random, holder: Any, key: Any) -> Callable[[random.Random], None]:
    def edit(draw: random.Random) -> None:
        if draw.random() < 0.2:
            del holder[key]
        else:
            value = draw.choice((*NUMBERS, *WORDS, *ODD, "\ud800"))
            holder[key] = value

    return edit


def damaged_folder(draw: random.Random, folder: Path) -> str:
    """Damage one file of a model's folder; which, and how."""
    name = draw.choice(("config.yaml", "facts.json", "source.json", "target.json", "model.safetensors"))
    path = folder / name
    content = path.read_bytes()
    how = draw.choice(("bytes", "bytes", "structure", "structure", "foreign", "cut"))
    if how == "structure" and name.endswith(".json"):
        content = damaged_json(draw, content)
    elif how == "structure" and name == "config.yaml":
        tree = yaml.safe_load(content)
        content = yaml.safe_dump(json.loads(damaged_json(draw, json.dumps(tree).encode()))).encode()
    elif how == "structure":
        content = _damaged_header(draw, content)
    elif how == "foreign":
        content = draw.choice(
            (b"", b"{}", b"[]", b"null", b"\0" * 100, b"PK\x03\x04", gzip.compress(b"x"), b"1e999", *BOMBS)
        )
    elif how == "cut":
        content = content[: draw.randint(0, len(content))]
    else:
        content = damaged_bytes(draw, content)
    path.write_bytes(content)
    return f"{name}, {how}"


def _damaged_header(draw: random.Random, content: bytes) -> bytes:
    """Weights whose header says something else than it should."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    name = draw.choice([key for key in header if key != "__metadata__"])
    match draw.randrange(6):
        case 0:
            header[name]["dtype"] = draw.choice(("F64", "F16", "I64", "BOOL", "F8_E4M3", "X", 3))
        case 1:
            header[name]["shape"] = draw.choice(
                ([2**62, 2**62], [0], [], [-1], [10**12], "x", header[name]["shape"][::-1])
            )
        case 2:
            header[name]["data_offsets"] = draw.choice(([0, 2**63], [5, 1], [0, 0], [-1, 4], []))
        case 3:
            header["../../etc/passwd"] = header.pop(name)
        case 4:
            del header[name]
        case _:
            header[f"{name}.more"] = header[name]
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return draw.choice((len(text), len(text), 2**62)).to_bytes(8, "little") + text + content[8 + size :]
