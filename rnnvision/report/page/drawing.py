"""Plots -> SVG within the page, and PNG beside it, in the one style of the project.

In the SVG text stays text, black becomes the colour of the page's text and each colour of a series a variable of its
style sheet, so that a dark page has its own.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from itertools import zip_longest
from pathlib import Path

from rnnvision.report.page.blocks import Plot
from rnnvision.report.style import COLOURS, INK, PAPER, SETTINGS, figure

GRID = "#c9c9c6"
IN_PAGE = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "grid.color": GRID,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "rnnvision",
}
VARIABLES = {INK: "currentColor", PAPER: "var(--card)", GRID: "var(--grid)"}
VARIABLES |= {tint.lower(): f"var(--series-{i})" for i, tint in enumerate(COLOURS) if tint.lower() not in VARIABLES}


def svg(plot: Plot, prefix: str) -> str:
    """The drawing as an <svg> element; `prefix` keeps its ids apart from those of other drawings of the page.

    Raises:
        ImportError: where matplotlib is not installed.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(SETTINGS | IN_PAGE), _quiet():
        made = Figure(figsize=(plot.width, plot.height), layout="constrained")
        plot.draw(made.subplots())
        text = StringIO()
        made.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _as_element(text.getvalue(), prefix)


def save_png(path: Path, plots: tuple[Plot, ...]) -> None:
    """The same drawings beside each other in a PNG; many in several rows.

    Raises:
        ImportError: where matplotlib is not installed.
    """
    columns = len(plots) if len(plots) <= 4 else 3
    rows = -(-len(plots) // columns)
    ratios = [plot.width for plot in plots[:columns]]
    height = max(plot.height for plot in plots)
    with _quiet(), figure(path, sum(ratios), rows * height) as made:
        places = made.subplots(rows, columns, squeeze=False, width_ratios=ratios).flat
        for axes, plot in zip_longest(places, plots):
            axes.set_axis_off() if plot is None else plot.draw(axes)


def _as_element(document: str, prefix: str) -> str:
    element = document[document.index("<svg") :]
    for part in ("metadata", "style"):  # what `style` says of every path, the page's style sheet does
        element = re.sub(rf"<{part}[^>]*>.*?</{part}>\s*", "", element, count=1, flags=re.DOTALL)
    head = re.sub(r'\s(width|height|version|xmlns(:xlink)?)="[^"]*"', "", element[: element.index(">")])
    element = f'{head} aria-hidden="true" focusable="false"{element[element.index(">") :]}'
    return re.sub("<[^>]*>", lambda tag: _adapted(tag[0], prefix), element)


def _adapted(tag: str, prefix: str) -> str:
    """A tag with ids of its own and with the colours of the page; the text between tags is left alone."""
    tag = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', tag)
    tag = re.sub(r'(href="#|url\(#)', rf"\1{prefix}-", tag)
    return re.sub("|".join(VARIABLES), lambda match: VARIABLES[match[0]], tag)


@contextmanager
def _quiet() -> Iterator[None]:
    """Names of classes may hold letters that the font of a plot lacks; they are right in the page's own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        yield
