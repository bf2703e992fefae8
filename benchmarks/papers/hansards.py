"""Word alignment of English and French, Hansards: attention as it is, guided by itself, and guided by eflomal's links.

    python benchmarks/papers/hansards.py --minutes 9

The pairs are the first 5,000 of the training text, the 500 of it that choices are made on, and the 200 that people have
aligned; of the last, the text alone. All aligners see the same pairs, eflomal too. Right, for the 500, is what eflomal
finds with all 100,000 pairs: sure are the links in which its directions agree, possible those of either.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import alignment
import eflomal
from alignment import Judged
from runner import RUNS, Job, corpora, main, place

from regard.aligner import BACKWARD, FORWARD, UNGUIDED, train_aligner
from regard.data.lines import write_lines
from regard.evaluation import Gold, read_gold
from regard.files import make_folder
from regard.maps import flip, pharaoh
from regard.predictor import Predictor, load
from regard.training.progress import Reporter
from regard.training.run import train

TABLE, CORPUS = "hansards", "align-en-fr-hansards"
PAIRS, HELD, SEEDS = 5_000, 500, (1,)
#: Subwords of both languages together, so that a name or a number is one and the same piece on either side.
COMMON: dict[str, Any] = {
    "data.joint": True,
    "data.source_tokens": "bpe:4000",
    "data.target_tokens": "bpe:4000",
    "model.share_embeddings": "all",
    "training.threads": 1,
}
_SMALL: dict[str, Any] = {"model.encoder.width": 128, "model.decoder.width": 128, "model.embedding": 128}
_LONG: dict[str, Any] = {"training.batch": 500, "training.updates": 2000, "training.validate_every": 2000}
RECURRENT: dict[str, Any] = {**COMMON, **_SMALL, **_LONG}
TRANSFORMER: dict[str, Any] = {
    **COMMON,
    **_LONG,
    "model.encoder.kind": "transformer",
    "model.decoder.kind": "transformer",
    "model.encoder.width": 128,
    "model.decoder.width": 128,
    "model.encoder.feedforward": 256,
    "model.decoder.feedforward": 256,
    "model.encoder.layers": 3,
    "model.decoder.layers": 3,
    "model.cross.score": "scaled_dot",
    "model.cross.heads": 4,
    "model.dropout": 0.2,
    "training.rate": 2e-3,
    "training.schedule": "linear",
}
#: Nearly all of the loss is the links': what is to be learned is to align, of words that have been read.
GUIDED: dict[str, Any] = {
    **COMMON,
    **_SMALL,
    **_LONG,
    "model.encoder.memory": "both",
    "model.decoder.input_feeding": False,
    "model.dropout": 0.2,
    "training.rate": 4e-3,
    "training.schedule": "linear",
    "training.guided_weight": 20.0,
    "training.guided_reading": True,
}


def jobs() -> list[Job]:
    return [made(seed) for seed in SEEDS for made in (_by_eflomal, _by_itself, _transformer)]


# Jobs -----------------------------------------------------------------------------------------------------------------


def _by_itself(seed: int) -> Job:
    def training(folder: Path, report: Reporter) -> Predictor:
        make_folder(folder.parent / "text")
        english, french = _texts(folder.parent / "text")
        train_aligner(english, target=french, out=folder, report=report, **RECURRENT, **_seeded(seed))
        return load(folder / FORWARD)

    def scored(folder: Path) -> Mapping[str, Any]:
        rounds = {"unguided": folder / UNGUIDED, "guided once": folder / "round-1", "guided twice": folder}
        return {name: _scores(at) for name, at in rounds.items()}

    return _job(f"aligner-{seed}", {"model": "aligner", "settings": RECURRENT, "seed": seed}, training, scored)


def _transformer(seed: int) -> Job:
    def training(folder: Path, report: Reporter) -> Predictor:
        return _both(folder, None, {**TRANSFORMER, **_seeded(seed)}, report)

    def scored(folder: Path) -> Mapping[str, Any]:
        return {"unguided": _scores(folder)}

    return _job(
        f"transformer-{seed}", {"model": "transformer", "settings": TRANSFORMER, "seed": seed}, training, scored
    )


def _by_eflomal(seed: int) -> Job:
    def training(folder: Path, report: Reporter) -> Predictor:
        # Each direction by eflomal's own: what both say independently of each other tells right links from wrong ones.
        return _both(folder, teacher(), {**GUIDED, **_seeded(seed)}, report)

    def scored(folder: Path) -> Mapping[str, Any]:
        return {"guided by eflomal": _scores(folder)}

    about = {"model": "guided by eflomal", "settings": GUIDED, "seed": seed}
    return _job(f"guided-{seed}", about, training, scored)


def _job(
    name: str,
    about: Mapping[str, Any],
    training: Callable[[Path, Reporter], Predictor],
    scored: Callable[[Path], Mapping[str, Any]],
) -> Job:
    described = {"corpus": CORPUS, "pairs": PAIRS, **about}
    made = Job(name, described, training, lambda _: scored(place(TABLE, made, "model")), model=FORWARD)
    return made


def _both(folder: Path, guide: eflomal.Aligned | None, settings: Mapping[str, Any], report: Reporter) -> Predictor:
    """Models of both directions; the first."""
    make_folder(folder)
    texts = _texts(folder)
    models = []
    for name, (source, target) in ((FORWARD, texts), (BACKWARD, texts[::-1])):
        guided = None
        if guide is not None:
            guided = folder / f"{name}.pharaoh"
            links = guide.forward if name == FORWARD else map(flip, guide.backward)
            write_lines(guided, map(pharaoh, links))
        models.append(train(source, target=target, out=folder / name, guided=guided, report=report, **settings))
    return models[0]


def _scores(folder: Path) -> Mapping[str, Any]:
    """Of the models of a folder, with eflomal's on the same pairs, and how they compare."""
    made, found = alignment.score(load(folder / FORWARD), load(folder / BACKWARD), held(), test())
    other, theirs = of_eflomal()
    return {**made, "eflomal": other, "eflomal less this": alignment.compared(found, theirs, test().gold)}


def _seeded(seed: int) -> dict[str, Any]:
    return {"training": {"seed": seed}}


# Texts and eflomal ----------------------------------------------------------------------------------------------------


@cache
def _everything() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The training text, and that of the gold links."""
    folder = corpora() / CORPUS
    sides = [gzip.decompress((folder / f"train.{side}.gz").read_bytes()).decode() for side in ("en", "fr")]
    gold = [(folder / f"dev.norm.{side}").read_text(encoding="utf-8") for side in ("en", "fr")]
    english, french, gold_english, gold_french = (text.rstrip("\n").split("\n") for text in (*sides, *gold))
    return list(zip(english, french, strict=True)), list(zip(gold_english, gold_french, strict=True))


def pairs() -> list[tuple[str, str]]:
    """What all aligners see: the part, the held out pairs, and the texts of the gold links."""
    text, gold = _everything()
    return [*text[:PAIRS], *text[-HELD:], *gold]


def _texts(folder: Path) -> list[Path]:
    paths = [folder / name for name in ("english.txt", "french.txt")]
    for side, path in enumerate(paths):
        write_lines(path, (pair[side] for pair in pairs()))
    return paths


@cache
def teacher() -> eflomal.Aligned:
    """eflomal's links of the same pairs."""
    return eflomal.align(pairs(), RUNS / TABLE / f"eflomal-{PAIRS}")


@cache
def held() -> Judged:
    """The pairs that choices are made on."""
    text, gold = _everything()
    found = eflomal.align([*text, *gold], RUNS / TABLE / "eflomal-all")
    part = slice(len(text) - HELD, len(text))
    links = [
        Gold(one & other, one | other) for one, other in zip(found.forward[part], found.backward[part], strict=True)
    ]
    return Judged(text[part], links)


@cache
def test() -> Judged:
    """The pairs that people have aligned."""
    return Judged(_everything()[1], read_gold(corpora() / CORPUS / "dev.talp"))


@cache
def of_eflomal() -> tuple[dict[str, Any], list[Any]]:
    """eflomal's scores, the seconds that it took, and its links."""
    found = teacher()
    made, links = alignment.symmetrised(found.forward[PAIRS:], found.backward[PAIRS:], held().gold, test().gold)
    return {**made, "seconds": round(found.seconds, 1)}, links


if __name__ == "__main__":
    sys.exit(main(TABLE, jobs(), str(__doc__).splitlines()[0]))
