"""How large the pages of attention maps are, and how long a browser takes to open them, beside BertViz's.

    (cd web && npm ci)
    python benchmarks/views.py --bertviz PYTHON --files FOLDER

The peer needs an interpreter of its own (`pip install bertviz torch ipython`), and what its page would fetch from a
content network: FOLDER holds require.min.js, d3.min.js and jquery.min.js, which the browser is given at once.
Results are kept in `results/views.jsonl`, the table of them in `results/views.md`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import measure
from views_weights import weights

SIZES = (64, 128, 256, 512)
SIDES = ("regard", "regard-sharp", "regard-sparse", "model_view", "head_view")
RESULTS = measure.RESULTS / "views.jsonl"
#: A page counts as open in the first frame that has this: the matrix drawn; an <svg> (BertViz draws it in one go).
_OPEN = {"regard": "html[data-shown]", "bertviz": "svg"}
_PATIENCE = 120_000  # milliseconds


def jobs() -> Iterator[str]:
    for side in SIDES:
        for size in SIZES:
            # BertViz would write 1.7 GB for 512 tokens, which no browser takes as one script.
            if side == "regard" or size == 256 or (size < 256 and not side.startswith("regard")):
                yield f"{side}/{size}"


def measured(job: str) -> dict[str, Any]:
    """The page of a job: its bytes, the seconds to write it, and its opening times."""
    side, tokens = job.split("/")[0], int(job.split("/")[1])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        if side.startswith("regard"):
            return _written(path, side, tokens) | _opened(path, _OPEN["regard"], times=5)
        command = [os.environ["REGARD_BERTVIZ"], str(measure.HERE / "views_bertviz.py"), side, str(tokens), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result | _opened(path, _OPEN["bertviz"], times=3 if result["bytes"] < 5e7 else 1)


def _written(path: Path, side: str, tokens: int) -> dict[str, Any]:
    from regard.maps import AttentionMap, whole_words
    from regard.view.page import write_page

    found = weights(tokens, sharpness=1 if side == "regard" else 4)
    if side == "regard-sparse":
        found[found < 0.01] = 0
    labels = whole_words([f"token{i}" for i in range(tokens)])
    map = AttentionMap(found, labels, labels, place="encoder.self")
    begin = time.perf_counter()
    write_page(map, path)
    seconds = time.perf_counter() - begin
    nonzero = float((found > 0).mean())
    return {"bytes": path.stat().st_size, "write_s": round(seconds, 2), "nonzero": round(nonzero, 3)}


def _opened(path: Path, selector: str, times: int) -> dict[str, Any]:
    script = measure.HERE.parent / "web" / "e2e" / "open.mjs"
    command = ["node", str(script), str(path), selector, str(times), str(_PATIENCE), os.environ.get("REGARD_FILES", "")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    failed = [each["failed"] for each in found["opened"] if "failed" in each]
    if failed:
        return {"browser": found["browser"], "open": failed[0]}
    return {
        "browser": found["browser"],
        "open_ms": statistics.median(each["ms"] for each in found["opened"]),
        "open_ms_each": [each["ms"] for each in found["opened"]],
        "asked": found["asked"],
    }


def report() -> str:
    found = measure.records(RESULTS)
    meaning = {
        "regard": "Regard",
        "regard-sharp": "Regard, sharp weights",
        "regard-sparse": "Regard, sparse weights",
        "model_view": "BertViz model_view",
        "head_view": "BertViz head_view",
    }
    rows = []
    for job in jobs():
        if job not in found:
            continue
        side, tokens = job.split("/")
        if "failed" in found[job]:
            rows.append((meaning[side], tokens, "-", "-", found[job]["failed"], "-", "-"))
            continue
        result = found[job]["result"]
        opened = f"{result['open_ms'] / 1000:.2f}" if "open_ms" in result else result["open"]
        rows.append(
            (
                meaning[side],
                tokens,
                result["bytes"] / 1e6,
                result["write_s"],
                opened,
                ", ".join(sorted(result.get("asked", []))) or "nothing" if "asked" in result else "-",
                result["beside"],
            )
        )
    head = ("page", "tokens", "MB", "s to write", "s to open", "asks the network for", "measured beside")
    last, dates = list(found.values())[-1], [record["date"] for record in found.values()]
    browsers = sorted({record["result"].get("browser", "") for record in found.values() if "result" in record})
    return "\n\n".join(
        [
            "# Measured: the page of attention maps",
            "Written by `python benchmarks/views.py` from `views.jsonl`. 12 layers x 12 heads of self-attention; "
            "weights are the softmax of normal scores, which is close to the hardest there is to compress (sharp: of "
            "4 times such scores; sparse: the same without all weights under 0.01). A page is open in the first frame "
            "in which the matrix (BertViz: its drawing) is there, counted from the start of the navigation, in "
            f"headless Chromium {', '.join(browsers)} without a GPU; the median of 5 tabs (BertViz: 3, above 50 MB 1). "
            "What BertViz asks a content network for was answered at once from a file (jQuery 2.1.0 for its 2.0.0, "
            "which npm does not have). Bar: under 15 MB and 2 s at 256 tokens.",
            f"{last['cpu']} ({last['vectors']}), {last['cores']} cores; {min(dates)} to {max(dates)}.",
            measure.table(head, rows),
        ]
    )


def main() -> None:
    parser = measure.arguments(__doc__.splitlines()[0], "views.py")
    parser.add_argument("--bertviz", metavar="PYTHON", help="an interpreter that has bertviz, torch and IPython")
    parser.add_argument("--files", metavar="FOLDER", help="require.min.js, d3.min.js and jquery.min.js, for BertViz")
    parser.add_argument("--beside", metavar="TEXT", help="what else ran meanwhile, to be kept (default: nothing)")
    settings = parser.parse_args()
    if settings.job:
        print(json.dumps(measured(settings.job) | {"beside": os.environ.get("REGARD_BESIDE", "nothing")}))
        return
    if settings.beside:
        os.environ["REGARD_BESIDE"] = settings.beside
    if settings.bertviz:
        os.environ["REGARD_BERTVIZ"] = settings.bertviz
    if settings.files:
        os.environ["REGARD_FILES"] = settings.files
    wanted = [job for job in jobs() if settings.bertviz or job.startswith("regard")]
    wanted = [job for job in wanted if not settings.quick or job.endswith("/64")]
    done = measure.drive("views.py", wanted, RESULTS, settings)
    RESULTS.with_suffix(".md").write_text(report() + "\n", encoding="utf-8")
    sys.exit(not done)


if __name__ == "__main__":
    main()
