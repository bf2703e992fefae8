"""Lines of four early printed books, read by a model that first read lines drawn with the fonts of matplotlib.

    python benchmarks/papers/image_earlyprint.py --minutes 9

420 lines of books of 1476, 1495, 1500 and 1509 to train on, 60 to validate and 120 to test with. Before, the model
reads drawn lines of the words of the 420 in another order, and their letters; then it goes on with the books' own
(`regard train --from`). Beside it, the same model that has only seen the 420. The lists and the drawn lines are written
to a folder outside of the repository: $REGARD_WORK, or regard-benchmarks in the folder for temporary files.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from runner import Job, corpora, main

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
DRAWN, WORDS = 4000, (1, 4)

COMMON: dict[str, Any] = {
    "data.image.colours": "grey",
    "data.image.height": 32,
    "data.image.augment": 0.5,
    "data.target_tokens": "character",
    "model.encoder.stem": "convolution",
    "model.encoder.place": "32x4",
    "model.encoder.channels": 16,
    "model.encoder.width": 192,
    "model.decoder.width": 192,
    "model.embedding": 64,
    "model.cross.score": "location_aware",
    "model.dropout": 0.2,
    "training.batch": 24,
    "training.batch_unit": "sentences",
    "training.schedule": "linear",
    "training.smoothing": 0.0,
    "training.metric": "cer",
    "search.beam": 1,
}
FIRST: dict[str, Any] = {"training.updates": 3000, "training.rate": 2e-3, "training.validate_every": 500}
THEN: dict[str, Any] = {"training.updates": 800, "training.rate": 1e-3, "training.validate_every": 100}


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
        "before": {"lines": DRAWN, "words": list(WORDS), "fonts": list(FONTS), **FIRST} if pretrained else None,
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
    folder = Path(os.environ.get("REGARD_WORK", Path(tempfile.gettempdir()) / "regard-benchmarks")) / CORPUS
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
    return Pictured("train" if number < DRAWN else "dev", text, drawn(text, drawn_style(draw, FONTS)), {})


if __name__ == "__main__":
    sys.exit(main(TABLE, jobs(), str(__doc__).splitlines()[0]))
