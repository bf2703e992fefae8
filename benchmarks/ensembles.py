"""What several models together cost, and what `regard predict` pays for parts of the search that nobody asked for.

    OMP_NUM_THREADS=1 python benchmarks/ensembles.py            # results/ensembles.jsonl and .md

`members`: 1, 2, 3 and 5 models of one size predict the same sentences in turn, in one process; each output is forced to
16 tokens, so that all do the same work. N models should take N times as long, or less. `unused`: `predict` as it is,
beside the last commit before outputs could be drawn, begun as given, or have maps for each of several: two processes
with the same model in turn. Seconds are of the processor, so that other work on the machine counts less.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measure

BEFORE = "47b59be"
COUNTS = (1, 2, 3, 5)
FORCED, SENTENCES, SECONDS = 16, 20, 60.0
SEARCH = {"beam": 5, "min_length": FORCED, "max_length": FORCED}
#: What a process of either version does: at each line it reads, predict and print the seconds of the processor.
CHILD = f"""
import json, sys, time, regard
model, texts = regard.load(sys.argv[1], device="cpu"), json.loads(sys.argv[2])
for line in sys.stdin:
    begin = time.process_time()
    found = [model.predict(part, **{SEARCH!r}) for part in ([texts] if line.strip() == "together" else texts)]
    seconds = time.process_time() - begin
    found = found[0] if isinstance(found[0], list) else found
    print(json.dumps([seconds, [each.text for each in found]]), flush=True)
"""


def members(quick: bool) -> dict[str, Any]:
    """One and several models of random weights, width 256."""
    import torch

    from regard.data.pocket import corpus
    from regard.data.tokenisers import make_tokeniser
    from regard.folder import Facts
    from regard.predictor import Predictor, make_model
    from regard.predictor.ensemble import EnsemblePredictor
    from regard.settings import DecoderSettings, EncoderSettings, ModelSettings, Settings

    torch.set_num_threads(1)
    pairs = [pair for pair in corpus("english-chinese") if pair.part == "train"]
    source = make_tokeniser("symbols", [pair.source for pair in pairs])
    target = make_tokeniser("character", [pair.target for pair in pairs])
    chosen = Settings(model=ModelSettings(encoder=EncoderSettings(width=256), decoder=DecoderSettings(width=256)))
    made = []
    for seed in range(max(COUNTS)):
        torch.manual_seed(seed)
        made.append(Predictor(make_model(chosen, source, target), source, target, chosen, Facts()))
    texts = [pair.source for pair in pairs[:SENTENCES]]

    def side(count: int) -> Callable[[], object]:
        names = [str(number) for number in range(count)]
        model = made[0] if count == 1 else EnsemblePredictor(made[:count], names)
        return lambda: model.predict(texts, **SEARCH)

    sides = {str(count): side(count) for count in COUNTS}
    found = measure.alternate(sides, seconds=0 if quick else SECONDS, least=2 if quick else 5, clock=time.process_time)
    return {**found.summary(), "times": {str(count): round(found.ratio(str(count), "1"), 3) for count in COUNTS}}


def unused(quick: bool) -> dict[str, Any]:
    """Two versions of the package, a process each."""
    root = measure.HERE.parent
    with tempfile.TemporaryDirectory() as folder:
        tree, model = Path(folder) / "before", Path(folder) / "model"
        subprocess.run(["git", "worktree", "add", "--detach", "-q", tree, BEFORE], cwd=root, check=True)
        try:
            texts = _make(Path(folder), tree)
            processes = {
                name: subprocess.Popen(
                    [sys.executable, "-c", CHILD, str(model), json.dumps(texts)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env={**os.environ, "PYTHONPATH": str(where / "src")},
                )
                for name, where in (("before", tree), ("now", root))
            }
            result: dict[str, Any] = {"before_commit": BEFORE}
            for how in ("together", "one by one"):
                found = _in_turn(processes, how, 2 if quick else 15)
                low, high = (100 * part / found.median("before") for part in found.added("now", "before")[1:])
                result[how] = {
                    **found.summary(),
                    "times": round(found.ratio("now", "before"), 4),
                    "added_percent_from_to": [round(low, 2), round(high, 2)],
                }
            for process in processes.values():
                process.communicate()
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=root, check=True)
    return result


def _make(folder: Path, tree: Path) -> list[str]:
    """A model of the earlier version, trained for a few updates, and sentences for it."""
    from regard.data.pocket import corpus

    pairs = [pair for pair in corpus("english-chinese") if pair.part == "train"]
    file = folder / "pairs.tsv"
    file.write_text("".join(f"{pair.source}\t{pair.target}\n" for pair in pairs), encoding="utf-8")
    code = "import sys, regard; regard.train(sys.argv[1], out=sys.argv[2], **{'training.updates': 3})"
    subprocess.run(
        [sys.executable, "-c", code, str(file), str(folder / "model")],
        env={**os.environ, "PYTHONPATH": str(tree / "src")},
        check=True,
        capture_output=True,
    )
    return [pair.source for pair in pairs[:SENTENCES]]


def _in_turn(processes: dict[str, subprocess.Popen[str]], how: str, rounds: int) -> measure.Times:
    """Seconds of each, A B, B A, ..., after a first call that does not count; both have to say the same."""
    found: dict[str, list[float]] = {name: [] for name in processes}
    order = list(processes)
    for round_ in range(rounds + 1):
        said = {}
        for name in order:
            process = processes[name]
            assert process.stdin is not None
            assert process.stdout is not None
            print(how, file=process.stdin, flush=True)
            seconds, said[name] = json.loads(process.stdout.readline())
            if round_:
                found[name].append(seconds)
        assert said["before"] == said["now"]
        order.reverse()
    return measure.Times(found)


def report(path: Path) -> str:
    records = measure.records(path)
    found = {job: record["result"] for job, record in records.items() if "result" in record}
    parts = [
        "# Measured: several models together, and the search's unused parts",
        "Written by `OMP_NUM_THREADS=1 python benchmarks/ensembles.py` from `ensembles.jsonl`. "
        f"{SENTENCES} sentences of the English-Chinese pocket corpus, beam 5, each output forced to {FORCED} tokens; "
        "recurrent models of width 256. Milliseconds of the processor for all sentences, medians of calls in turn.",
        measure.provenance(records),
    ]
    if "members" in found:
        of = found["members"]
        rows = [
            (
                count,
                of[str(count)]["median"],
                f"{of['times'][str(count)]:.2f}",
                f"{of['times'][str(count)] / count:.2f}",
            )
            for count in COUNTS
        ]
        head = ("members", "ms", "times one model", "a member, to one model")
        parts += ["## Several models", measure.table(head, rows)]
    if "unused" in found:
        of = found["unused"]
        rows = [
            (how, of[how]["before"]["median"], of[how]["now"]["median"], f"{of[how]['times']:.3f}", _interval(of[how]))
            for how in ("together", "one by one")
        ]
        said = f"`predict` without any of them, beside commit {of['before_commit']}, the last one before they came."
        head = ("sentences", "ms before", "ms now", "now / before", "added, 95 %")
        parts += ["## Drawing, beginnings and maps of several outputs, unused", said, measure.table(head, rows)]
    return "\n\n".join(parts)


def _interval(of: dict[str, Any]) -> str:
    low, high = of["added_percent_from_to"]
    return f"{low:.1f} to {high:.1f} %"


if __name__ == "__main__":
    jobs = {"members": members, "unused": unused}
    sys.exit(measure.main(str(__doc__).splitlines()[0], "ensembles", jobs, report))
