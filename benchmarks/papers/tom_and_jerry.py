"""English to Chinese on Tatoeba with the package's own pairs added: the model of the README's picture.

    python benchmarks/papers/tom_and_jerry.py --minutes 9

Tatoeba has no Jerry, and next to nobody chases. The 6,000 pairs of the English-Chinese pocket corpus, in which no
sentence means "Tom chases Jerry.", are learned beside its own: the additive model of `tatoeba_cmn.py` with words in the
memory and coverage.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tatoeba_cmn
from runner import Job, corpora, main

from regard.data.reading import read_pairs
from regard.demonstration.english_chinese import SENTENCES, english_chinese
from regard.predictor import Predictor
from regard.training.progress import Reporter
from regard.training.run import train

TABLE = "tom_and_jerry"
SETTINGS: dict[str, Any] = {
    **tatoeba_cmn.COMMON,
    **tatoeba_cmn.MODELS["additive"],
    "model.encoder.memory": "words",
    "training.coverage": 0.2,
    "training.seed": 1,
}


def training(folder: Path, report: Reporter) -> Predictor:
    """Train on both corpora, and validate on Tatoeba."""
    data = corpora() / tatoeba_cmn.CORPUS
    (pairs, _), (dev, _) = read_pairs(data / "train.tsv.gz"), read_pairs(data / "dev.tsv")
    both = [(pair.source, pair.target) for pair in pairs]
    both += [(pair.source, pair.target) for pair in english_chinese().train]
    return train(both, dev=[(pair.source, pair.target) for pair in dev], out=folder, report=report, **SETTINGS)


def scored(predictor: Predictor) -> Mapping[str, Any]:
    """The scores of the Tatoeba table, and what becomes of the demonstration's sentences."""
    said = predictor.predict(list(SENTENCES), beam=5)
    return {**tatoeba_cmn.scored(predictor), "sentences said": {each.source: each.text for each in said}}


if __name__ == "__main__":
    about = {"corpora": [tatoeba_cmn.CORPUS, "pocket english-chinese"], "settings": SETTINGS}
    sys.exit(main(TABLE, [Job("both", about, training, scored)], str(__doc__).splitlines()[0]))
