"""The commands of the recipes run as they stand, one after the other, on less data and for fewer updates."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from regard.cli import main

PAGE = Path(__file__).resolve().parent.parent / "docs" / "recipes.md"
SMALLER = {
    '"train"][:700]': '"train"][:150]',
    "[700:2700]": "[700:740]",
    "[2700:4700]": "[2700:2740]",
    'part["dev"],': 'part["dev"][:20],',
    'part["test"]}': 'part["test"][:20]}',
    "updates: 600": "updates: 6",
    "updates 1800": "updates 6",
    "validate_every: 300": "validate_every: 3",
    "{width: 128}": "{width: 16}",
    "embedding: 96": "embedding: 16",
    "width 64": "width 8",
}


def commands() -> list[str]:
    """Those of the page, of which some have several lines."""
    text = PAGE.read_text(encoding="utf-8").replace("\\\n", "")
    for long, short in SMALLER.items():
        assert long in text, long
        text = text.replace(long, short)
    found: list[str] = []
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.S | re.M):
        found += re.findall(r"python -c '.*?^'\n|cat > \S+ <<END\n.*?^END\n|.+\n", block, re.S | re.M)
    return [
        line.strip() for line in re.split(r"\n(?=regard |paste |cat |cut )", "\n".join(each.strip() for each in found))
    ]


@pytest.mark.skipif(not all(map(shutil.which, ("sh", "paste", "cut", "cat"))), reason="the recipes are for a shell")
def test_the_commands_of_the_recipes_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = 0
    for command in commands():
        if not command.startswith("regard "):
            shell = command.replace("python -c", f"{sys.executable} -c", 1)
            subprocess.run(["sh", "-c", shell], check=True)
            continue
        given, _, into = command.partition(" > ")
        with contextlib.ExitStack() as stack:
            if into:
                stack.enter_context(contextlib.redirect_stdout(stack.enter_context(Path(into).open("w"))))
            assert main(shlex.split(given)[1:]) == 0, command
        run += 1
    assert run == 10
    lines = {name: Path(name).read_text(encoding="utf-8").splitlines() for name in ("made.tsv", "said.tsv")}
    assert {name: len(each) for name, each in lines.items()} == {"made.tsv": 40, "said.tsv": 190}
    assert Path("student/model.safetensors").stat().st_size < Path("forward/model.safetensors").stat().st_size
