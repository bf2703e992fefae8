"""Multi30k, English to German, for all contestants: the same 8,000 pieces, in the forms that each of them reads.

Written to `.data/`: the raw text, the SentencePiece model, the pieces of every sentence separated by spaces, and the
vocabulary as a list and with counts. The test sentences stand in the order of their length, which suits every toolkit.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from pathlib import Path

import sentencepiece

HERE = Path(__file__).resolve().parent
DATA = HERE / ".data"
CORPORA = Path(os.environ.get("REGARD_DATA", HERE.parents[2] / "shared" / "data"))
SPLITS = {"train": "train", "val": "val", "test": "test_2016_flickr"}
PIECES = 8000
SPECIAL = 4  # <unk>, <pad>, <s>, </s>, which every toolkit adds itself

Sides = dict[str, Sequence[str]]


def prepare() -> None:
    """Write all files, unless they are there."""
    done = DATA / "done"
    if done.exists():
        return
    DATA.mkdir(exist_ok=True)
    texts = {split: {side: _read(name, side) for side in ("en", "de")} for split, name in SPLITS.items()}
    order = sorted(range(len(texts["test"]["en"])), key=lambda index: len(texts["test"]["en"][index].split()))
    texts["test"] = {side: [lines[index] for index in order] for side, lines in texts["test"].items()}
    for split, sides in texts.items():
        _write(split, sides)
    sentencepiece.SentencePieceTrainer.train(
        input=[str(DATA / f"train.{side}") for side in ("en", "de")],
        model_prefix=str(DATA / "pieces"),
        vocab_size=PIECES,
        model_type="bpe",
        character_coverage=1.0,
        unk_id=0,
        pad_id=1,
        bos_id=2,
        eos_id=3,
        minloglevel=2,
    )
    processor = sentencepiece.SentencePieceProcessor(model_file=str(DATA / "pieces.model"))
    cut = {split: {side: _cut(processor, lines) for side, lines in sides.items()} for split, sides in texts.items()}
    for split, sides in cut.items():
        _write(f"{split}.pieces", sides)
    vocabulary = [processor.id_to_piece(number) for number in range(SPECIAL, PIECES)]
    _lines(DATA / "vocabulary.txt", vocabulary)
    _lines(DATA / "counts.txt", [f"{piece}\t{PIECES - place}" for place, piece in enumerate(vocabulary)])
    done.touch()


def _cut(processor: sentencepiece.SentencePieceProcessor, lines: Sequence[str]) -> list[str]:
    """The pieces of each line, separated by spaces."""
    return [" ".join(pieces) for pieces in processor.encode(list(lines), out_type=str)]


def _read(name: str, side: str) -> list[str]:
    with gzip.open(CORPORA / "multi30k" / f"{name}.{side}.gz", "rt", encoding="utf-8", newline="\n") as file:
        return [line.strip() for line in file]


def _write(name: str, sides: Sides) -> None:
    for side, lines in sides.items():
        _lines(DATA / f"{name}.{side}", lines)


def _lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    prepare()
