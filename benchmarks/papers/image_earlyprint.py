"""Lines of four early printed books, read by a model that first read lines drawn with the fonts of matplotlib.

    python benchmarks/papers/image_earlyprint.py --minutes 9

420 lines of books of 1476, 1495, 1500 and 1509 to train on, 60 to validate and 120 to test with. Before, the model
reads drawn lines of the words of the 420 in another order, and their letters; then it goes on with the books' own
(`regard train --from`). Beside it, the same model that has only seen the 420. The lists and the drawn lines are written
to a folder outside of the repository: $REGARD_PREPARED, or ~/.cache/regard.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from runner import Job, Record, corpora, main, prepared_place

from regard.data.pocket.draw import Draw
from regard.data.pocket.lines import drawn, drawn_style
from regard.data.pocket.pictures import Pictured, write_pictures
from regard.evaluation import statistics
from regard.files import make_folder, write_bytes
from regard.folder import STATE
from regard.predictor import Predictor
from regard.training.progress import Reporter
from regard.training.run import train

TABLE, CORPUS = "image_earlyprint", "image-earlyprint"
BOOKS = ("1476", "1495", "1500", "1509")
#: DejaVu Serif has the long s, the yogh and combining marks.
FONTS = ("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSans")
#: How many lines are drawn, and how many words they have; a quarter is of one or two letters, learned before others.
DRAWN, WORDS = 6000, (1, 4)

COMMON: dict[str, Any] = {
    "data.image.colours": "grey",
    "data.image.height": 32,
    "data.image.augment": 0.3,
    "data.target_tokens": "character",
    "model.encoder.stem": "convolution",
    "model.encoder.place": "32x4",
    "model.encoder.channels": 16,
    "model.encoder.kind": "none",
    "model.encoder.width": 160,
    "model.decoder.width": 192,
    "model.embedding": 64,
    "model.cross.score": "location_aware",
    "model.dropout": 0.1,
    "training.batch": 24,
    "training.batch_unit": "sentences",
    "training.schedule": "linear",
    "training.smoothing": 0.0,
    "training.metric": "cer",
    "search.beam": 1,
}
FIRST: dict[str, Any] = {"training.updates": 5000, "training.rate": 2e-3, "training.validate_every": 500}
THEN: dict[str, Any] = {"training.updates": 1500, "training.rate": 1e-3, "training.validate_every": 250}


def jobs() -> list[Job]:
    return [job(True), job(False)]


def job(pretrained: bool) -> Job:
    def training(folder: Path, report: Reporter) -> Predictor:
        lists, here = prepared(), {"training.threads": 1, "data.workers": 1}
        first = folder / "first"
        out = folder / "then"
        if pretrained and not (out / STATE).exists():
            drawn_lines = lists / "drawn"
            train(
                drawn_lines / "train.tsv",
                dev=drawn_lines / "dev.tsv",
                out=first,
                report=report,
                **COMMON,
                **FIRST,
                **here,
            )
        start = first if pretrained else None
        return train(
            lists / "train.tsv",
            dev=lists / "dev.tsv",
            out=out,
            start_from=start,
            report=report,
            **COMMON,
            **THEN,
            **here,
        )

    name = "drawn lines first" if pretrained else "the 420 lines alone"
    about = {
        "corpus": CORPUS,
        "model": name,
        "seed": 1,
        "settings": {**COMMON, **THEN},
        "before": {"lines": DRAWN, "words": list(WORDS), "short": 4, "fonts": list(FONTS), **FIRST}
        if pretrained
        else None,
    }
    return Job(name.replace(" ", "-"), about, training, scored, model="then")


def scored(predictor: Predictor) -> Mapping[str, Any]:
    """Wrong characters in per cent, of each book and of all."""
    rows = listed("test")
    found = [each.text for each in predictor.predict([path for path, _ in rows])]
    errors = statistics("cer", found, [text for _, text in rows])
    books = [Path(path).parent.name for path, _ in rows]
    return {
        "cer": errors.score().value,
        "by book": {book: errors.score(np.array([each == book for each in books])).value for book in BOOKS},
        "lines": len(rows),
    }


_SECTION = """## Early printed books

Lines of books of 1476, 1495, 1500 (German and Dutch) and 1509 (Latin), 420 to train on, 120 to test with, as
transcribed, with their long s, tildes and abbreviation signs. Wrong characters in per cent (CER), greedy. One model has
read {drawn:,} lines first that were drawn with the DejaVu fonts, of the words of the 420 in another order
({first:,} updates), and then the 420 ({then:,} updates, `regard train --from`); the other the 420 alone, as long as
that second part. Nothing was tuned for these books.

    python benchmarks/papers/image_earlyprint.py --minutes 9"""


def sections(found: Sequence[Record], table: Callable[[Sequence[str], Iterable[Sequence[str]]], str]) -> list[str]:
    """Of the page of results."""
    if not found:
        return []
    text = _SECTION.format(drawn=DRAWN, first=FIRST["training.updates"], then=THEN["training.updates"])
    rows = [
        [
            record["model"],
            *(f"{record['scores']['by book'][book]:.1f}" for book in BOOKS),
            f"{record['scores']['cer']:.1f}",
            f"{record['training']['cpu_seconds'] / 60:.0f} min",
        ]
        for record in found
    ]
    return [text, table(["model", *BOOKS, "all", "time of one core"], rows)]


# Files ----------------------------------------------------------------------------------------------------------------


@cache
def listed(part: str) -> list[tuple[str, str]]:
    """The path and the text of each line of a part."""
    lines = corpora() / CORPUS / "lines"
    rows = (line.split("\t") for line in (corpora() / CORPUS / "lines.tsv").read_text(encoding="utf-8").splitlines())
    return [(str(lines / name), text) for name, of, _, text in rows if of == part]


@cache
def prepared() -> Path:
    """The folder of the lists and of the drawn lines, written once."""
    folder = prepared_place(CORPUS)
    if (folder / "drawn" / "train.tsv").exists():
        return folder
    make_folder(folder)
    for part in ("train", "dev"):
        content = "".join(f"{path}\t{text}\n" for path, text in listed(part))
        write_bytes(folder / f"{part}.tsv", content.encode("utf-8"))
    write_pictures(folder / "drawn", map(_pictured, range(DRAWN + 100)))
    return folder


def _pictured(number: int) -> Pictured:
    """A drawn line of words of the books' in another order."""
    draw = Draw(number)
    words = [word for _, text in listed("train") for word in text.split()]
    text = " ".join(draw.pick(words) for _ in range(draw.between(*WORDS)))
    if number % 4 == 0:
        first = draw.between(0, len(text) - 1)
        text = text[first : first + draw.between(1, 2)].strip() or "a"
    return Pictured("train" if number < DRAWN else "dev", text, drawn(text, drawn_style(draw, FONTS)), {})


if __name__ == "__main__":
    sys.exit(main(TABLE, jobs(), str(__doc__).splitlines()[0]))
