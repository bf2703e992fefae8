"""The page's program: the committed bundle is that of the committed sources, and its own tests pass where node is."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from page_maps import write_pages

ROOT = Path(__file__).resolve().parents[2]
WEB, ASSETS = ROOT / "web", ROOT / "src" / "regard" / "view" / "assets"
_BROWSERS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (WEB / "node_modules").is_dir(), reason="needs node, and `npm ci` in web/"
)


def _run(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=WEB,
        env={**os.environ, "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stdout[-6000:] + done.stderr[-6000:]
    return done.stdout


def _tool(name: str) -> str:
    return str(WEB / "node_modules" / ".bin" / name)


def test_the_bundle_names_the_sources_that_it_was_made_of() -> None:
    made = [path for path in (WEB / "src").rglob("*") if path.is_file()]
    digest = hashlib.sha256()
    for path in sorted(
        [*made, WEB / "build.mjs", WEB / "package-lock.json"], key=lambda path: path.relative_to(WEB).as_posix()
    ):
        digest.update(path.relative_to(WEB).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    for name in ("attention.js", "attention.css"):
        first = (ASSETS / name).read_text(encoding="utf-8").splitlines()[0]
        found = re.search(r"sources ([0-9a-f]{16})\.", first)
        assert found
        assert found[1] == digest.hexdigest()[:16], f"{name} is out of date: run `npm run build` in web/"


def test_packages_come_from_the_public_registry_alone() -> None:
    for host in re.findall(r'"resolved": "([^"]*)"', (WEB / "package-lock.json").read_text(encoding="utf-8")):
        assert host.startswith("https://registry.npmjs.org/")


@needs_node
def test_the_bundle_is_what_the_sources_build(tmp_path: Path) -> None:
    _run("node", "build.mjs", str(tmp_path))
    for name in ("attention.js", "attention.css"):
        assert (tmp_path / name).read_bytes() == (ASSETS / name).read_bytes(), f"{name}: run `npm run build` in web/"


@needs_node
@pytest.mark.slow
def test_the_sources_are_well_typed() -> None:
    _run(_tool("tsc"), "--noEmit")


@needs_node
@pytest.mark.slow
def test_the_program_by_itself() -> None:
    assert re.search(r"Tests +\d+ passed", _run(_tool("vitest"), "run"))


@needs_node
@pytest.mark.slow
@pytest.mark.skipif(not any(map(os.path.exists, _BROWSERS)), reason="needs Chromium")
def test_pages_in_a_browser(tmp_path: Path) -> None:
    write_pages(tmp_path)
    shown = _run(_tool("vitest"), "run", "--config", "vitest.browser.config.ts", REGARD_PAGES=str(tmp_path))
    assert re.search(r"Tests +\d+ passed \(\d+\)", shown)
    assert "skipped" not in shown
