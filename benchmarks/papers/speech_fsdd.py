"""Spoken digits, one after the other, written down: the Free Spoken Digit Dataset, with the lists of `speech-fsdd`.

    python benchmarks/papers/speech_fsdd.py --minutes 9

The same recurrent model with one fixed context, with additive attention to the content of the memory (Bahdanau et al.
2015), and with attention that is aware of where it looked before (Chorowski et al. 2015). Utterances have 1 to 6 digits
in training, dev and test; `long` has 8 to 12, made of the recordings of the part test by the rule of `long_utterances`
(and `dev long` of those of the part dev, which settings were chosen by), predicted whole, and in pieces of at most
2 seconds that are cut at quiet moments (`search.piece`, chosen on `dev long` of 1, 2 and 3).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

import numpy as np
from runner import Job, Record, corpora, main, prepared_place, spread

from regard.data.pocket.tones import wav
from regard.data.sounds import read_sound
from regard.evaluation import by_length, statistics
from regard.predictor import Predictor
from regard.settings import SoundSettings
from regard.training.progress import Reporter
from regard.training.run import train

TABLE, CORPUS = "speech_fsdd", "speech-fsdd"
SEEDS = (1, 2, 3)
RATE, GAP = 8000, 400
LONG, LONG_COUNT, LONG_SEED = range(8, 13), 100, 2026
PIECE = 2.0

COMMON: dict[str, Any] = {
    "data.sound.rate": RATE,
    "data.sound.speed": 0.1,
    "data.sound.masks": 2,
    "data.sound.mask_frames": 10,
    "data.sound.mask_bands": 6,
    "data.target_tokens": "symbols",
    "model.encoder.stem": "frames",
    "model.encoder.place": "4",
    "model.encoder.channels": 16,
    "model.encoder.width": 192,
    "model.decoder.width": 128,
    "model.decoder.input_feeding": False,
    "model.embedding": 64,
    "model.dropout": 0.3,
    "training.batch": 32,
    "training.batch_unit": "sentences",
    "training.updates": 3000,
    "training.rate": 2e-3,
    "training.schedule": "linear",
    "training.warmup": 200,
    "training.validate_every": 300,
    "training.metric": "wer",
}
MODELS: dict[str, dict[str, Any]] = {
    "location-aware": {"model.cross.score": "location_aware"},
    "content": {"model.cross.score": "additive"},
    "fixed": {"model.context": "fixed"},
}


def jobs() -> list[Job]:
    """All models of the first seed, then of the second, ..."""
    return [job(model, seed) for seed in SEEDS for model in MODELS]


def job(model: str, seed: int) -> Job:
    settings = {**COMMON, **MODELS[model], "training.seed": seed}

    def training(folder: Path, report: Reporter) -> Predictor:
        data = prepared()
        return train(data / "train.tsv", dev=data / "dev.tsv", out=folder, report=report, **settings)

    about = {"corpus": CORPUS, "model": model, "seed": seed, "settings": settings}
    return Job(f"{model}-{seed}", about, training, scored)


def scored(predictor: Predictor) -> Mapping[str, Any]:
    """WER of each list, whole and by the digits of an utterance."""
    found: dict[str, Any] = {}
    for part in ("dev", "test", "dev long", "test long", "dev long in pieces", "test long in pieces"):
        name = part.removesuffix(" in pieces").replace(" ", "-")
        rows = [line.split("\t") for line in (prepared() / f"{name}.tsv").read_text().splitlines()]
        piece = PIECE if part.endswith("in pieces") else None
        said = predictor.predict([str(prepared() / file) for file, _ in rows], beam=5, piece=piece)
        counted = statistics("wer", [each.text for each in said], [words for _, words in rows])
        score = counted.score()
        found[part] = {"wer": score.value, "words": sum(len(words.split()) for _, words in rows), "of": len(rows)}
        found[part]["exact"] = 100 * float(
            np.mean([one.text == words for one, (_, words) in zip(said, rows, strict=True)])
        )
        lengths = [len(words.split()) for _, words in rows]
        found[part]["by digits"] = {
            name: [each.value, each.sentences] for name, each in by_length(counted, lengths, range(1, 12))
        }
    return found


_SECTION = """## Spoken digits

Utterances of 1 to 6 spoken English digits, of four speakers (Free Spoken Digit Dataset, the lists of `speech-fsdd`:
{words:,} words of test, no recording of which is in training). One recurrent model over frames with a fixed context C,
with additive attention to content, and with location-aware attention; word error rate in per cent, beam 5. The long
utterances have 8 to 12 digits of the same test recordings, more than any in training: whole, every model stops after
about six, which is as many as it has ever said; in pieces (`--piece {piece:g}`, cut at quiet moments, of which these
utterances have one after each digit), none does.

    python benchmarks/papers/speech_fsdd.py --minutes 9"""


def sections(found: Sequence[Record], table: Callable[[Sequence[str], Iterable[Sequence[str]]], str]) -> list[str]:
    """Of the page of results."""
    if not found:
        return []
    parts = ("dev", "test", "test long", "test long in pieces")
    rows = []
    for model in MODELS:
        of = [record for record in found if record["model"] == model]
        if of:
            wer = {part: [record["scores"][part]["wer"] for record in of] for part in parts}
            times = fmean(wer["test long in pieces"]) / fmean(wer["test"])
            parameters = of[0]["training"]["parameters"] / 1e6
            rows.append([model, *map(spread, wer.values()), f"{times:.2f} times", f"{parameters:.1f} M", str(len(of))])
    head = ["context", *parts, "in pieces to test", "parameters", "seeds"]
    return [_SECTION.format(words=found[0]["scores"]["test"]["words"], piece=PIECE), table(head, rows)]


# Audio ----------------------------------------------------------------------------------------------------------------


def prepared() -> Path:
    """The utterances as files with their lists, made once."""
    place = prepared_place(CORPUS)
    if not (place / "done").exists():
        _prepare(place)
    return place


def _prepare(place: Path) -> None:
    data = corpora() / CORPUS
    for part in ("train", "dev", "test"):
        rows = [line.split("\t") for line in (data / f"sequences.{part}.tsv").read_text().splitlines()]
        _write(place, part, [(name, files.split(" "), words) for name, _, files, words in rows])
    for part in ("dev", "test"):
        _write(place, f"{part}-long", long_utterances(part))
    (place / "done").touch()


def long_utterances(part: str) -> list[tuple[str, list[str], str]]:
    """Names, recordings and words: utterance i is of speaker i modulo 4, has 8 + (i / 4) modulo 5 digits, each drawn
    evenly from the speaker's recordings of the part by `random.Random(2026)`."""
    rows = [line.split("\t") for line in (corpora() / CORPUS / "recordings.tsv").read_text().splitlines()]
    rows = [row for row in rows if row[-1] == part]
    speakers = sorted({speaker for _, speaker, *_ in rows})
    random, found = Random(LONG_SEED), []
    for number in range(LONG_COUNT):
        mine = sorted(row for row in rows if row[1] == speakers[number % len(speakers)])
        digits = LONG[number // len(speakers) % len(LONG)]
        chosen = [mine[int(random.random() * len(mine))] for _ in range(digits)]
        found.append((f"{part}-long-{number:05}", [row[0] for row in chosen], " ".join(row[2] for row in chosen)))
    return found


def spoken(seconds: float) -> tuple[np.ndarray, list[str]]:
    """At least so many seconds of test recordings of all speakers, drawn as in `long_utterances`, and their words."""
    rows = [line.split("\t") for line in (corpora() / CORPUS / "recordings.tsv").read_text().splitlines()]
    rows = sorted(row for row in rows if row[-1] == "test")
    random, chosen, length = Random(LONG_SEED), list[list[str]](), 0.0
    while length < seconds:
        chosen.append(rows[int(random.random() * len(rows))])
        length += float(chosen[-1][3]) + GAP / RATE
    return joined([row[0] for row in chosen]), [row[2] for row in chosen]


def _write(place: Path, part: str, utterances: Sequence[tuple[str, Sequence[str], str]]) -> None:
    """The files of a part, and its list of files and words."""
    (place / part).mkdir(parents=True, exist_ok=True)
    lines = []
    for name, files, words in utterances:
        (place / part / f"{name}.wav").write_bytes(wav(joined(files), RATE))
        lines.append(f"{part}/{name}.wav\t{words}\n")
    (place / f"{part}.tsv").write_text("".join(lines))


def joined(files: Sequence[str]) -> np.ndarray:
    """Recordings one after the other, 50 ms of silence between them."""
    folder, settings = corpora() / CORPUS / "recordings", SoundSettings(rate=RATE)
    parts: list[np.ndarray] = []
    for file in files:
        parts += [np.zeros(GAP, np.int16)] if parts else []
        parts.append(read_sound(folder / file.split("_")[1] / file, settings).values)
    return np.concatenate(parts)


if __name__ == "__main__":
    sys.exit(main(TABLE, jobs(), str(__doc__).splitlines()[0]))
