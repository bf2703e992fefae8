"""The code in the documentation runs."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"


@pytest.mark.parametrize("page", ["attention.md"])
def test_the_code_on_a_page_runs(page: str) -> None:
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
