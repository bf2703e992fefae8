"""Does `regard likelihood` find what is mistyped? Of 3,000 pairs 60 are spoilt, and the model has learned them too.

    OMP_NUM_THREADS=1 python benchmarks/likelihood.py            # results/likelihood.jsonl and .md

Of the training part of a pocket corpus 3,000 pairs are drawn. 30 of them get the target of another pair, and 30 a
target with one letter replaced by another of the corpus. A model learns all of them, as it would learn a corpus of
unknown quality, with the settings that `regard train` chooses (but dates in fewer updates), and ranks them: how many
of the spoilt ones are among the first? A job is a corpus and a seed, of the draw and of the training. Both take about
four minutes of one core.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import measure

PAIRS, EACH, FIRST = 3000, 30, (60, 120, 300)
UPDATES = {"dates": 600}
QUICK_PAIRS, QUICK_UPDATES = 400, 60
CORPORA, SEED = ("english-chinese", "dates"), 1
KINDS = {"target": "another's target", "letter": "a wrong letter"}
RANKED = ("per_token", "least", "log_prob")
Pair = tuple[str, str]


def result(name: str, seed: int, quick: bool) -> dict[str, Any]:
    import regard
    from regard.data.pocket import corpus

    draw = random.Random(seed)
    learned = [(pair.source, pair.target) for pair in corpus(name) if pair.part == "train"]
    pairs = draw.sample(learned, QUICK_PAIRS if quick else PAIRS)
    pairs, spoilt = spoil(pairs, draw)
    updates = QUICK_UPDATES if quick else UPDATES.get(name)
    more = {} if updates is None else {"training.updates": updates}
    cpu = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pairs.tsv"
        file.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")
        settings = {"training.seed": seed, "training.device": "cpu", **more}
        model = regard.train(file, out=Path(folder) / "model", report=False, **settings)
        trained = time.process_time() - cpu
        known = model.likelihood(*map(list, zip(*pairs, strict=True)))
    found: dict[str, Any] = {
        "pairs": len(pairs),
        "updates": model.settings.training.updates,
        "cpu_s": round(trained, 1),
    }
    said = [each for each in known if each is not None]
    assert len(said) == len(pairs)
    orders = {
        "per_token": [each.per_token for each in said],
        "least": [min(each.log_probs) for each in said],
        "log_prob": [each.log_prob for each in said],
    }
    for by, numbers in orders.items():
        order = sorted(range(len(pairs)), key=numbers.__getitem__)
        found[by] = {kind: [len(of & set(order[:first])) for first in FIRST] for kind, of in spoilt.items()}
    return found


def spoil(pairs: Sequence[Pair], draw: random.Random) -> tuple[list[Pair], dict[str, set[int]]]:
    """The pairs with some targets made wrong, and the numbers of these for each kind of error."""
    spoilt, letters = list(pairs), sorted({letter for _, target in pairs for letter in target if letter.isalnum()})
    chosen = draw.sample(range(len(pairs)), 2 * EACH)
    for number in chosen[:EACH]:
        source, target = pairs[number]
        spoilt[number] = source, draw.choice([other for _, other in pairs if other != target])
    for number in chosen[EACH:]:
        source, target = pairs[number]
        place = draw.choice([place for place, letter in enumerate(target) if letter.isalnum()])
        wrong = draw.choice([letter for letter in letters if letter != target[place]])
        spoilt[number] = source, target[:place] + wrong + target[place + 1 :]
    return spoilt, {"target": set(chosen[:EACH]), "letter": set(chosen[EACH:])}


def report(path: Path) -> str:
    records = measure.records(path)
    found = {job: record["result"] for job, record in records.items() if "result" in record}
    parts = [
        "# Measured: does `regard likelihood` find what is mistyped?",
        "Written by `OMP_NUM_THREADS=1 python benchmarks/likelihood.py` from `likelihood.jsonl`. Of 3,000 pairs of a "
        f"pocket corpus {EACH} have the target of another pair and {EACH} a target with one letter replaced by another "
        "of the corpus. A model has learned all of them, with the settings that `regard train` chooses (dates in "
        f"{UPDATES['dates']} updates), and ranks them, the least probable first: how many of the spoilt pairs are "
        "among the first? Chance: what an order at random gives on the mean.",
        measure.provenance(records),
    ]
    for job, of in found.items():
        rows = [
            (by, what, *_counts(of[by], kinds))
            for by in RANKED
            for what, kinds in (
                (f"all {2 * EACH}", tuple(KINDS)),
                *((f"{EACH} with {KINDS[kind]}", (kind,)) for kind in KINDS),
            )
        ]
        rows.append(("chance", f"all {2 * EACH}", *(f"{2 * EACH * first / of['pairs']:.1f}" for first in FIRST)))
        parts += [
            f"## {job.split('/')[0]}",
            f"{of['updates']:,} updates, {of['cpu_s']:.0f} seconds of a core.",
            measure.table(("--sort", "spoilt pairs", *(f"first {first}" for first in FIRST)), rows),
        ]
    return "\n\n".join(parts)


def _counts(of: dict[str, list[int]], kinds: Sequence[str]) -> list[int]:
    return [sum(each) for each in zip(*(of[kind] for kind in kinds), strict=True)]


if __name__ == "__main__":
    jobs = {f"{name}/{SEED}": partial(result, name, SEED) for name in CORPORA}
    sys.exit(measure.main(str(__doc__).splitlines()[0], "likelihood", jobs, report))
