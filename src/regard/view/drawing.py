"""What all pictures share: matplotlib without its global state, fonts that have the characters, files written whole.

matplotlib is an extra (`pip install 'regard[figures]'`); it is used through its objects alone: no window is opened and
no state of `pyplot` is touched.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regard.errors import RegardError
from regard.maps import written_beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

DOTS_PER_INCH = 150
#: Points of one inch.
POINTS = 72
#: The colours of weights, and the ink of what explains them.
COLOURS, QUIET = "Blues", "0.4"


def check_picture(path: str | Path) -> Path:
    """Raises RegardError for a path that does not end in .png or .svg, and without matplotlib."""
    path = Path(path)
    if path.suffix not in (".png", ".svg"):
        raise RegardError(f"{path}: pictures are .png or .svg files, not {path.suffix or 'one without an ending'}")
    if find_spec("matplotlib") is None:
        raise RegardError(f"{path}: drawing needs matplotlib: pip install 'regard[figures]'")
    return path


def blank(width: float, height: float, layout: str | None = None) -> Figure:
    """A figure of so many inches; matplotlib arranges it by `layout`, or not at all."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout=layout)  # type: ignore[arg-type]


def placed(figure: Figure, left: float, top: float, width: float, height: float, **more: Any) -> Axes:
    """Axes at a place of a figure that counts inches from its upper left corner."""
    across, down = figure.get_size_inches()
    return figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down), **more)


def written(figure: Figure, left: float, top: float, text: str, **style: Any) -> None:
    """A text below and to the right of a place that counts inches from the upper left corner, as it stands."""
    across, down = figure.get_size_inches()
    figure.text(left / across, 1 - top / down, text, va="top", parse_math=False, **style)


def weight_scale(figure: Figure, drawn: AxesImage, left: float, top: float, said: str) -> None:
    """The scale of a heat map as a bar from 0 to its largest weight, and what it is a scale of."""
    most = drawn.get_clim()[1]
    bar = placed(figure, left, top, 1.6, 0.09)
    figure.colorbar(drawn, cax=bar, orientation="horizontal", ticks=[0, most])
    bar.set_xticklabels(["0", f"{most:.2f}" if most >= 0.005 else f"{most:.1g}"])
    bar.tick_params(labelsize=8, length=0, colors=QUIET)
    written(figure, left + 1.8, top - 0.02, said, fontsize=8, color=QUIET)


def widths(texts: Iterable[str], size: float) -> list[float]:
    """How wide each text is in inches, at a size in points."""
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    renderer: Any = RendererAgg(1, 1, POINTS)  # type: ignore[no-untyped-call]
    font = FontProperties(size=size)
    return [renderer.get_text_width_height_descent(text, font, ismath=False)[0] / POINTS for text in texts]


def shortened(text: str, width: float, size: float) -> str:
    """The text, cut with an ellipsis where it is wider than so many inches."""
    if widths([text], size)[0] <= width:
        return text
    kept = len(text)
    while kept > 1 and widths([f"{text[:kept]}…"], size)[0] > width:
        kept -= max((kept - 1) // 8, 1)
    return f"{text[:kept]}…"


@contextmanager
def drawing(path: Path, text: str) -> Iterator[Any]:
    """Draw inside; what is yielded saves the figure. Fonts have the characters of `text` where this machine does."""
    import matplotlib

    from regard.view.fonts import families_for

    # Letters as shapes, so that an SVG looks the same on a machine without the fonts; no date and no random names, so
    # that the same map makes the same file.
    settings: dict[Any, Any] = {"font.family": families_for(text), "svg.fonttype": "path", "svg.hashsalt": "regard"}

    def save(figure: Figure) -> None:
        kind = path.suffix.removeprefix(".")
        metadata = {"Date": None} if kind == "svg" else {}
        with written_beside(path) as file:
            figure.savefig(file, format=kind, dpi=DOTS_PER_INCH, metadata=metadata)

    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # Missing characters were told of in one line; matplotlib would tell of each.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support .* natively")
        yield save
