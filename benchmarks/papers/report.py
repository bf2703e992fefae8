"""`docs/results.md` and its pictures, from what the tables have stored.

python benchmarks/papers/report.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import curves
import defaults
import g2p
import hansards
import hard_attention
import image_earlyprint
import image_mnist
import inflection
import luong
import multi30k
import pocket_aligner
import scan
import speech_fsdd
import tatoeba_cmn
import tom_and_jerry
import yoyodyne
from runner import HERE, Job, Record, records, spread

from regard.view.figure import curves as picture

DOCS = HERE.parents[1] / "docs"
PAGE = DOCS / "results.md"
LENGTH_PICTURE, CURVES_PICTURE = "images/tatoeba-cmn-length.png", "images/curves.png"
NAMES = {"bleu": "BLEU", "chrf": "chrF"}
#: Those that say themselves what the page tells of them, in the order of the page.
TABLES: tuple[Any, ...] = (
    hard_attention,
    yoyodyne,
    multi30k,
    luong,
    defaults,
    g2p,
    inflection,
    scan,
    speech_fsdd,
    image_mnist,
    image_earlyprint,
)


def finished(table: str, jobs: Iterable[Job]) -> list[Record]:
    """The results that there are, in the order of the jobs."""
    known = records(table)
    return [known[job.digest] for job in jobs if job.digest in known]


def page() -> str:
    """The whole page."""
    chinese = finished(tatoeba_cmn.TABLE, tatoeba_cmn.jobs())
    learned = finished(curves.TABLE, curves.jobs())
    both = list(records(tom_and_jerry.TABLE).values())
    aligned = finished(hansards.TABLE, hansards.jobs())
    pocket = finished(pocket_aligner.TABLE, pocket_aligner.jobs())
    parts, every = [_OPENING, *_chinese(chinese), *_both(both), *_curves(learned)], [*chinese, *both, *learned]
    for table in TABLES:
        found = finished(table.TABLE, table.jobs())
        parts += table.sections(found, _table)
        every += found
    parts += [*_hansards(aligned), *_pocket(pocket), *_surroundings([*every, *aligned, *pocket])]
    return "\n\n".join(parts) + "\n"


_OPENING = """# Results

What Regard's models score on public corpora. Every figure is the mean over seeds and, after ±, their standard
deviation. Every line in `benchmarks/results/papers/` is one training with its settings, seed, scores and time; this
page is made from them by `python benchmarks/papers/report.py`."""


# English to Chinese ---------------------------------------------------------------------------------------------------

_CHINESE = """## What attention brings: English to Chinese

Tatoeba, English to Chinese: 24,404 pairs to train on, 1,500 sentences to test with, each with all its known
translations. Three recurrent models (bidirectional LSTM encoder, LSTM decoder, width 256) differ in one setting only:
one fixed context C for the whole sentence, additive attention, or bilinear attention. All learn from the same batches
in {updates:,} updates of {batch} tokens, {epochs:.0f} epochs; so does the Transformer, of two layers of width 256 on
each side. Sources are cut into 4,000 subwords, targets into characters; beam 5. BLEU is of characters (sacreBLEU,
tokenizer `zh`).

    python benchmarks/papers/tatoeba_cmn.py --minutes 9    # again and again, until all is done"""


def _chinese(found: Sequence[Record]) -> list[str]:
    if not found:
        return []
    common = tatoeba_cmn.COMMON
    text = _CHINESE.format(
        updates=common["training.updates"],
        batch=common["training.batch"],
        epochs=fmean(record["training"]["epochs"] for record in found),
    )
    models = [model for model in tatoeba_cmn.MODELS if any(record["model"] == model for record in found)]
    of = {model: [record for record in found if record["model"] == model] for model in models}

    def row(model: str) -> list[str]:
        some = of[model]
        training = [record["training"] for record in some]
        return [
            model,
            *(spread(record["scores"][metric]["all"] for record in some) for metric in tatoeba_cmn.METRICS),
            str(len(some)),
            f"{training[0]['parameters'] / 1e6:.1f} M",
            f"{fmean(each['cpu_seconds'] for each in training) / 60:.0f} min",
        ]

    parts = [text, _table(["model", "BLEU", "chrF", "seeds", "parameters", "time of one core"], map(row, models))]
    parts.append("By the length of the source in words (punctuation marks count), with the number of sentences:")
    for metric in tatoeba_cmn.METRICS:
        ranges = found[0]["scores"][metric]["by length"]
        head = [f"{NAMES[metric]}, words", *(f"{name} ({count})" for name, (_, count) in ranges.items())]
        rows = [[model, *(spread(_at(of[model], metric, name)) for name in ranges)] for model in models]
        if "no attention" in of and "additive" in of:
            ahead = [
                (_mean_at(of["additive"], metric, name), _mean_at(of["no attention"], metric, name)) for name in ranges
            ]
            rows.append(["additive less none", *(f"{more - less:+.1f}" for more, less in ahead)])
            rows.append(["additive to none", *(f"{more / less:.2f} times" for more, less in ahead)])
        parts.append(_table(head, rows))
    parts.append(f"![BLEU by source length, with and without attention]({LENGTH_PICTURE})")
    return [*parts, *_said(models, of)]


def _at(found: Sequence[Record], metric: str, name: str) -> list[float]:
    return [record["scores"][metric]["by length"][name][0] for record in found]


def _mean_at(found: Sequence[Record], metric: str, name: str) -> float:
    return fmean(_at(found, metric, name))


_JERRY = """What becomes of four sentences, with each seed. The training part has thousands of sentences with Tom, three
with any form of "chase" (the last two of these are among them), and none with Jerry: no model can know how that name is
written in Chinese. (`regard demo` learns a corpus that has both.)"""


def _said(models: Sequence[str], of: dict[str, list[Record]]) -> list[str]:
    rows = [
        [sentence, model, *(record["scores"]["said"][sentence]["text"] for record in of[model])]
        for sentence in tatoeba_cmn.SENTENCES
        for model in models
    ]
    most = max(map(len, rows))
    head = ["source", "model", *(f"seed {seed}" for seed in range(1, most - 1))]
    return [_JERRY, _table(head, [row + [""] * (most - len(row)) for row in rows])]


_BOTH = """### With the pairs of the demonstration

The additive model with words in the memory and coverage, trained on the 24,404 pairs of Tatoeba and the 6,000 of
`regard demo`'s corpus together. None of them means "Tom chases Jerry.", but Jerry is in hundreds of them, and a hundred
or so chase. The test is that of above: {scores}.

    python benchmarks/papers/tom_and_jerry.py --minutes 9"""


def _both(found: Sequence[Record]) -> list[str]:
    if not found:
        return []
    scores = found[-1]["scores"]
    reached = ", ".join(f"{NAMES[metric]} {scores[metric]['all']:.1f}" for metric in tatoeba_cmn.METRICS)
    said = scores["sentences said"] | {source: each["text"] for source, each in scores["said"].items()}
    return [_BOTH.format(scores=reached), _table(["source", "output"], [list(pair) for pair in said.items()])]


# Curves ---------------------------------------------------------------------------------------------------------------

_CURVES = """## How many pairs it takes: default settings

Trainings with nothing given but the pairs; sizes, batches and updates are chosen from the data. Tatoeba, English to
Bengali, is scored on 400 test sentences with all their known translations, Bulgarian words to phones (SIGMORPHON
2020, task 1) on 450 test words. Each seed draws its own pairs; the smaller parts lie in the larger ones.

    python benchmarks/papers/curves.py --minutes 9         # again and again, until all is done
    regard train pairs.tsv --curve --out curve/            # the same for any file of pairs

WER is the percentage of words with any error, PER that of wrong phones. With all 3,600 words, Gorman et al. (2020)
report 31.1 WER and 5.9 PER for their LSTM, 34.0 and 7.9 for their Transformer, each the best of a sweep of settings;
the best system of that task, an ensemble, had 22.2 WER."""


def _curves(found: Sequence[Record]) -> list[str]:
    if not found:
        return []
    parts = [_CURVES]
    for corpus, title, columns in _LEARNED:
        some = [record for record in found if record["corpus"] == corpus]
        rows = []
        for size in sorted({record["pairs"] for record in some}):
            same = [record for record in some if record["pairs"] == size]
            scores = [spread(value(record["scores"]) for record in same) for _, value in columns]
            minutes = fmean(record["training"]["cpu_seconds"] for record in same) / 60
            rows.append([f"{size:,}", *scores, str(len(same)), f"{minutes:.1f} min"])
        parts.append(_table([f"{title}: pairs", *(name for name, _ in columns), "seeds", "time of one core"], rows))
    return [*parts, f"![Scores by the number of pairs, default settings]({CURVES_PICTURE})"]


_Column = tuple[str, Callable[[dict[str, float]], float]]
_LEARNED: tuple[tuple[str, str, tuple[_Column, ...]], ...] = (
    (
        "tatoeba-ben",
        "English to Bengali",
        (("chrF", lambda scores: scores["chrf"]), ("BLEU", lambda scores: scores["bleu"])),
    ),
    (
        "g2p-bul",
        "Bulgarian to phones",
        (("WER", lambda scores: 100 - scores["accuracy"]), ("PER", lambda scores: scores["per"])),
    ),
)


# Word alignments ------------------------------------------------------------------------------------------------------

_HANSARDS = """## Word alignment: English and French

The 200 sentence pairs of the Hansards with links by people (Och and Ney 2003), of which the aligners know the text
alone. All of them learn from the same {pairs:,} pairs: the first {part:,} of the training text, {held} held out ones on
which layers, heads, rows and symmetrisations are chosen, and the 200. For the choices, right is what eflomal finds with
all 100,000 pairs, which favours links that are made as eflomal makes them. AER is of both directions as one, in per
cent, with the interval of 95 % on resampled pairs; the last but one column is eflomal's AER less that of the line on
the same resamples: above 0 is better than eflomal. A guided model was taught by eflomal's links of all these pairs,
those of the 200 too; no link by people was seen in training. eflomal draws random numbers: the run that taught had
{aer:.1f}, {runs} others {others}. The links by people were looked at twice while settings were sought, for a first
guided model and for the mean of four; what was kept, location-aware scores and several models, was best on the 500 too.

    python benchmarks/papers/hansards.py --minutes 9       # needs eflomal: benchmarks/papers/eflomal.py says how"""

_POCKET = """## Word alignment: the pocket corpus

`regard train-aligner` on the 6,000 English-Chinese pairs of `regard demo`, with its sizes and words as tokens, on the
1,000 test pairs: unseen sentences of seen constructions, whose right links are known. Thresholds and symmetrisations
are chosen on the 500 dev pairs.

    python benchmarks/papers/pocket_aligner.py --minutes 9"""

_ALIGNED = ("links", "AER", "95 %", "precision", "recall", "to French", "to English", "symmetrised by")


def _hansards(found: Sequence[Record]) -> list[str]:
    if not found:
        return []
    part, held = hansards.PAIRS, hansards.HELD
    rows = []
    for record in found:
        minutes = f"{record['training']['cpu_seconds'] / 60:.0f} min"
        for how, scores in record["scores"].items():
            less = scores["eflomal less this"]
            ahead = f"{less['difference']:+.1f} [{less['low']:+.1f}, {less['high']:+.1f}]"
            rows.append([*_aligned(how, scores), ahead, minutes])
    other = next(iter(found[-1]["scores"].values()))["eflomal"]
    rows.append([*_aligned("eflomal", other), "", f"{other['seconds'] / 60:.1f} min (wall)"])
    others = ", ".join(f"{aer:.1f}" for aer in other["other runs"])
    text = _HANSARDS.format(
        pairs=part + held + 200, part=part, held=held, aer=other["aer"], runs=len(other["other runs"]), others=others
    )
    return [text, _table([*_ALIGNED, "eflomal less this", "time of one core, whole job"], rows)]


def _pocket(found: Sequence[Record]) -> list[str]:
    if not found:
        return []
    rows = [
        [*_aligned(f"{how}, seed {record['seed']}", scores), f"{record['training']['cpu_seconds'] / 60:.0f} min"]
        for record in found
        for how, scores in record["scores"].items()
    ]
    head = [name.replace("French", "Chinese") for name in _ALIGNED]
    return [_POCKET, _table([*head, "time of one core, all rounds"], rows)]


def _aligned(name: str, scores: Record) -> list[str]:
    values = [f"{scores[rate]:.1f}" for rate in ("precision", "recall", "forward", "backward")]
    low, high = scores["interval"]
    return [name, f"{scores['aer']:.1f}", f"{low:.1f} to {high:.1f}", *values, scores["symmetrise"]]


# Both -----------------------------------------------------------------------------------------------------------------


def _surroundings(found: Sequence[Record]) -> list[str]:
    """On which machines, with which versions, and when."""
    if not found:
        return []
    machines = dict.fromkeys(
        f"{each['processor']}, {each['threads']} of {each['cores']} cores"
        for each in (record["machine"] for record in found)
    )
    versions = dict.fromkeys(
        ", ".join(f"{name} {version}" for name, version in record["versions"].items()) for record in found
    )
    dates = sorted(record["date"] for record in found)
    when = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    return [f"{'; '.join(machines)}. {'; '.join(versions)}. {when}."]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


# Pictures -------------------------------------------------------------------------------------------------------------


def draw(folder: Path = DOCS) -> None:
    """BLEU by the length of the source (in the manner of Bahdanau et al. 2015, figure 2), and scores by pairs."""
    chinese = finished(tatoeba_cmn.TABLE, tatoeba_cmn.jobs())
    by_length: Lines = {}
    for record in chinese:
        ranges = record["scores"]["bleu"]["by length"].values()
        line = by_length.setdefault(record["model"], {})
        for length, (value, _) in zip(record["scores"]["mean lengths"], ranges, strict=True):
            line.setdefault(length, []).append(value)
    _picture(by_length, folder / LENGTH_PICTURE, "words of the source (means of five ranges)", "BLEU of characters")
    by_pairs: Lines = {}
    for record in finished(curves.TABLE, curves.jobs()):
        metric = next(iter(record["scores"]))
        name = f"{record['corpus']}: {NAMES.get(metric, 'right words, %')}"
        by_pairs.setdefault(name, {}).setdefault(record["pairs"], []).append(record["scores"][metric])
    _picture(by_pairs, folder / CURVES_PICTURE, "pairs trained on", "score (higher is better)", log_x=True)


#: Name -> x -> a score for each seed.
Lines = dict[str, dict[float, list[float]]]


def _picture(lines: Lines, path: Path, xlabel: str, ylabel: str, log_x: bool = False) -> None:
    """Means over the seeds as lines, from the lowest to the highest seed as bands."""
    if not lines:
        return
    path.parent.mkdir(exist_ok=True)
    means = {name: (sorted(line), [fmean(line[x]) for x in sorted(line)]) for name, line in lines.items()}
    ranges = {
        name: ([min(line[x]) for x in sorted(line)], [max(line[x]) for x in sorted(line)])
        for name, line in lines.items()
    }
    picture(means, path, xlabel, ylabel, log_x, ranges)


if __name__ == "__main__":
    draw()
    PAGE.write_text(page(), encoding="utf-8")
