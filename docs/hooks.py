"""What the built pages need beyond the Markdown of this folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

_RESULTS = Path(__file__).resolve().parent.parent / "benchmarks" / "results"


def on_files(files: Any, config: Any) -> Any:
    """Stored measurements are pages too."""
    for path in sorted(_RESULTS.glob("*.md")):
        files.append(File.generated(config, f"measurements/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links to them lead out of this folder in the repository, and to their place among the pages here."""
    return re.sub(r"\]\((?:\.\./)+benchmarks/results/([\w-]+\.md)\)", r"](measurements/\1)", markdown)
