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
RUNS_OF_EFLOMAL = 5
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
#: Nearly all of the loss is the links': what is to be learned is to align, of words that have been read. Where the word
#: before was found is what tells apart the many "the" and "of" of a sentence.
GUIDED: dict[str, Any] = {
    **COMMON,
    **_SMALL,
    **_LONG,
    "model.cross.score": "location_aware",
    "training.batch": 1000,
    "model.encoder.memory": "both",
    "model.decoder.input_feeding": False,
    "model.dropout": 0.2,
    "training.rate": 4e-3,
    "training.schedule": "linear",
    "training.guided_weight": 20.0,
    "training.guided_reading": True,
}


#: Aligners that err in different places, whose weights are averaged in the end.
MEMBERS: dict[str, dict[str, Any]] = {
    "additive": {**GUIDED, "model.cross.score": "additive", "training.updates": 3000, "training.validate_every": 3000},
    "location-aware": GUIDED,
    "to nothing": {**GUIDED, "model.cross.normalizer": "softmax:sink", "training.guided_unlinked": "nothing"},
    "smaller pieces": {
        **GUIDED,
        "data.source_tokens": "bpe:1500",
        "data.target_tokens": "bpe:1500",
        "training.batch": 1200,
    },
}


def jobs() -> list[Job]:
    guided = [(name, seed, _by_eflomal(name, seed)) for seed in SEEDS for name in MEMBERS]
    together = [_together(seed, [job for _, other, job in guided if other == seed]) for seed in SEEDS]
    others = [made(seed) for seed in SEEDS for made in (_by_itself, _transformer)]
    return [*(job for *_, job in guided), *together, *others]


# Jobs -----------------------------------------------------------------------------------------------------------------


def _by_itself(seed: int) -> Job:
    def training(folder: Path, report: Reporter) -> Predictor:
        make_folder(folder.parent / "text")
        english, french = _texts(folder.parent / "text")
        train_aligner(english, target=french, out=folder, rounds=1, report=report, **RECURRENT, **_seeded(seed))
        return load(folder / FORWARD)

    def scored(folder: Path) -> Mapping[str, Any]:
        rounds = {"recurrent, unguided": folder / UNGUIDED, "recurrent, guided by these links": folder}
        return {name: _scores(at) for name, at in rounds.items()}

    return _job(f"aligner-{seed}", {"model": "aligner", "settings": RECURRENT, "seed": seed}, training, scored)


def _transformer(seed: int) -> Job:
    def training(folder: Path, report: Reporter) -> Predictor:
        return _both(folder, None, {**TRANSFORMER, **_seeded(seed)}, report)

    def scored(folder: Path) -> Mapping[str, Any]:
        return {"Transformer, unguided": _scores(folder)}

    return _job(
        f"transformer-{seed}", {"model": "transformer", "settings": TRANSFORMER, "seed": seed}, training, scored
    )


def _by_eflomal(name: str, seed: int) -> Job:
    settings = MEMBERS[name]

    def training(folder: Path, report: Reporter) -> Predictor:
        return _both(folder, teacher(), {**settings, **_seeded(seed)}, report)

    def scored(folder: Path) -> Mapping[str, Any]:
        return {f"guided by eflomal, {name}": _scores(folder)}

    about = {"model": f"guided by eflomal, {name}", "settings": settings, "seed": seed}
    return _job(f"guided-{name.replace(' ', '-')}-{seed}", about, training, scored)


def _together(seed: int, members: list[Job]) -> Job:
    def training(folder: Path, report: Reporter) -> Predictor:
        make_folder(folder / FORWARD)
        for job in members:
            model = job.train(place(TABLE, job, "model"), report)
        # Of the trainings of all, the table is told the last.
        last = place(TABLE, members[-1], "model") / FORWARD / "metrics.jsonl"
        (folder / FORWARD / "metrics.jsonl").write_text(last.read_text(encoding="utf-8"), encoding="utf-8")
        return model

    def scored(_: Path) -> Mapping[str, Any]:
        return {"guided by eflomal, mean of all": _scores(*(place(TABLE, job, "model") for job in members))}

    about = {"model": "guided by eflomal, mean", "settings": MEMBERS, "seed": seed}
    return _job(f"mean-{seed}", about, training, scored)


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
    """Models of both directions, guided by the links in which the directions of the guide agree; the first."""
    make_folder(folder)
    texts = _texts(folder)
    models = []
    for name, (source, target) in ((FORWARD, texts), (BACKWARD, texts[::-1])):
        guided = None
        if guide is not None:
            guided = folder / f"{name}.pharaoh"
            links = [one & other for one, other in zip(guide.forward, guide.backward, strict=True)]
            write_lines(guided, map(pharaoh, links if name == FORWARD else map(flip, links)))
        models.append(train(source, target=target, out=folder / name, guided=guided, report=report, **settings))
    return models[0]


def _scores(*folders: Path) -> Mapping[str, Any]:
    """Of the models of a folder or several, with eflomal's on the same pairs, and how they compare."""
    models = [[load(folder / name) for folder in folders] for name in (FORWARD, BACKWARD)]
    made, found = alignment.score(models[0], models[1], held(), test())
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
def teacher(run: int = 0) -> eflomal.Aligned:
    """eflomal's links of the same pairs; each run draws numbers of its own, and the first is what teaches."""
    return eflomal.align(pairs(), RUNS / TABLE / (f"eflomal-{PAIRS}-{run}" if run else f"eflomal-{PAIRS}"))


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
    every = [
        alignment.symmetrised(found.forward[PAIRS:], found.backward[PAIRS:], held().gold, test().gold)
        for found in map(teacher, range(RUNS_OF_EFLOMAL))
    ]
    made, links = every[0]
    others = [scores["aer"] for scores, _ in every[1:]]
    return {**made, "other runs": others, "seconds": round(teacher(0).seconds, 1)}, links


if __name__ == "__main__":
    sys.exit(main(TABLE, jobs(), str(__doc__).splitlines()[0]))
