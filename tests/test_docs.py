"""The code in the documentation runs, and what its pages show is what it prints."""

from __future__ import annotations

import contextlib
import io
import re
import sys
import warnings
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
sys.path.insert(0, str(DOCS))

import build  # noqa: E402


@pytest.mark.parametrize("page", ["attention.md", "observing.md"])
def test_the_code_on_a_page_runs(page: str) -> None:
    if page == "observing.md":
        pytest.importorskip("transformers")
    text = (DOCS / page).read_text(encoding="utf-8")
    names: dict[str, object] = {}
    out = io.StringIO()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)
    assert blocks
    with contextlib.redirect_stdout(out):
        for number, block in enumerate(blocks, 1):
            exec(compile(block, f"{page}, block {number}", "exec"), names)
    for shown in re.findall(r"^prints\n\n((?:    .*\n)+)", text, re.M):
        expected = re.sub(r"^    ", "", shown, flags=re.M)
        assert expected in out.getvalue()


@pytest.mark.slow
def test_the_page_on_attention_shows_what_its_code_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two models are trained for it, which takes about 45 seconds of one core."""
    text = (DOCS / "attention-model.md").read_text(encoding="utf-8")
    pictures = tmp_path / "docs" / "images" / "attention-model"
    pictures.mkdir(parents=True)
    (tmp_path / "benchmarks").symlink_to(DOCS.parent / "benchmarks")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="no font")  # a machine without Chinese letters draws boxes
        again = build.run(text, "attention-model.md")
    assert build.differences(text, again) == []
    shown = set(re.findall(r"images/attention-model/([\w-]+\.png)\)", text))
    assert shown == {path.name for path in pictures.iterdir()}
    assert shown == {path.name for path in (DOCS / "images" / "attention-model").iterdir()}


PAGE = """# Page

```python
number = 0.25
```

```python
print("it is", number, "of 12")
```
"""


def test_what_code_prints_is_written_below_it_and_stays_when_written_again() -> None:
    once = build.run(PAGE, "page")
    assert once.count("<!-- output -->") == 1
    assert "```text\nit is 0.25 of 12\n```" in once
    assert build.run(once, "page") == once


@pytest.mark.parametrize(
    ("now", "within", "same"),
    [
        ("0.26", "", True),
        ("0.28", "", False),
        ("0.28", " within 0.1", True),
        ("0.38", " within 0.1", False),
        ("0.25000, then", "", False),
    ],
)
def test_outputs_may_differ_by_as_much_as_the_page_says(now: str, within: str, same: bool) -> None:
    shown = build.run(PAGE, "page").replace("<!-- output -->", f"<!-- output{within} -->")
    printed = shown.replace("it is 0.25", f"it is {now}")
    assert (build.differences(shown, printed) == []) is same


def test_whole_numbers_and_words_must_be_the_same() -> None:
    shown = build.run(PAGE, "page")
    assert len(build.differences(shown, shown.replace("of 12\n`", "of 13\n`"))) == 1
    assert len(build.differences(shown, shown.replace("it is 0", "it was 0"))) == 1
    assert len(build.differences(shown, build.run(PAGE.replace("print", "len, "), "page"))) == 1
