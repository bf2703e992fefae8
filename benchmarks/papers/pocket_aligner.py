"""Word alignment of English and Chinese, by nothing but pairs: the pocket corpus, whose gold links are known.

    python benchmarks/papers/pocket_aligner.py --minutes 9

Trained on the 6,000 pairs of its training part, with the sizes of `regard demo`; choices are made on the dev part, and
the figures are of the test part: unseen sentences of seen constructions, which no aligner was trained on.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import alignment
from alignment import Judged
from runner import Job, main, place

from regard.aligner import BACKWARD, FORWARD, UNGUIDED, train_aligner
from regard.configuration import flatten
from regard.data.lines import write_lines
from regard.data.pocket import PocketPair
from regard.demonstration.english_chinese import SETTINGS as DEMONSTRATION
from regard.demonstration.english_chinese import english_chinese
from regard.evaluation import Gold
from regard.files import make_folder
from regard.predictor import Predictor, load
from regard.training.progress import Reporter

TABLE, SEEDS = "pocket_aligner", (1, 2, 3)
_SIZES = (
    "model.encoder.width",
    "model.decoder.width",
    "model.embedding",
    "model.dropout",
    "training.batch",
)
SETTINGS: dict[str, Any] = {
    **{name: value for name, value in flatten(DEMONSTRATION).items() if name in _SIZES},
    "data.source_tokens": "symbols",
    "data.target_tokens": "symbols",
    "training.updates": 1500,
    "training.validate_every": 1500,
    "training.threads": 1,
}
#: The folders of the models, by how they were made: those of the default, and what becomes of a round after them.
ROUNDS = {"by pairs alone": UNGUIDED, "guided by these links": "."}


def jobs() -> list[Job]:
    return [job(seed) for seed in SEEDS]


def job(seed: int) -> Job:
    def training(folder: Path, report: Reporter) -> Predictor:
        text = folder.parent / "text"
        make_folder(text)
        english, chinese = text / "english.txt", text / "chinese.txt"
        for path, side in ((english, 0), (chinese, 1)):
            write_lines(path, (pair[side] for pair in spaced(english_chinese().train)))
        train_aligner(english, target=chinese, out=folder, rounds=1, report=report, **SETTINGS, training={"seed": seed})
        return load(folder / FORWARD)

    def scored(_: Predictor) -> Mapping[str, Any]:
        folder = place(TABLE, made, "model")
        models = {name: (load(folder / at / FORWARD), load(folder / at / BACKWARD)) for name, at in ROUNDS.items()}
        return {
            name: alignment.score([both[0]], [both[1]], judged("dev"), judged("test"))[0]
            for name, both in models.items()
        }

    about = {"corpus": "pocket english-chinese", "settings": SETTINGS, "seed": seed}
    made = Job(f"aligner-{seed}", about, training, scored, model=FORWARD)
    return made


def spaced(pairs: Sequence[PocketPair]) -> list[tuple[str, str]]:
    """The texts with spaces between all words, as links count them."""
    return [(" ".join(pair.source_words), " ".join(pair.target_words)) for pair in pairs]


@cache
def judged(part: str) -> Judged:
    pairs: Sequence[PocketPair] = getattr(english_chinese(), part)
    return Judged(spaced(pairs), [Gold(pair.links, pair.possible) for pair in pairs])


if __name__ == "__main__":
    sys.exit(main(TABLE, jobs(), str(__doc__).splitlines()[0]))
