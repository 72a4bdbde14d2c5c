"""How a trial is marked, alike in every plot of a study: by its state, and the best one apart."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from rnnvision.report.style import colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GREY = "#8c8c8c"  # is seen on white and on black
COMPLETED: dict[str, Any] = {"color": colour(0), "marker": "o", "linestyle": "", "label": "completed", "zorder": 3}
BEST: dict[str, Any] = {"color": colour(1), "marker": "D", "linestyle": "", "label": "best", "zorder": 5}
PRUNED: dict[str, Any] = {
    "color": GREY,
    "marker": "o",
    "markerfacecolor": "none",
    "linestyle": "",
    "label": "pruned, at its last score",
    "zorder": 2,
}
FAILED: dict[str, Any] = {"color": colour(3), "marker": "x", "linestyle": "", "label": "failed", "zorder": 2}
LEGEND: dict[str, Any] = {
    "loc": "lower left",
    "bbox_to_anchor": (0.0, 1.0),
    "ncols": 4,
    "frameon": False,
    "fontsize": 8,
    "handletextpad": 0.3,
    "columnspacing": 1.2,
    "borderaxespad": 0.2,
}  # above the axes, never over the data


MOST_LINES = 300
AS_PIXELS = 1000  # more marks than this become a picture within the drawing, which stays small
JITTER = 0.22  # of the distance between two choices, to each side
GOLDEN = 0.6180339887  # multiples of it, without their whole part, never crowd
Line = TypeVar("Line")


def marked(axes: "Axes", style: dict[str, Any], points: Sequence[tuple[float, float]]) -> None:
    """Draw one kind of trials; smaller and fainter where there are many."""
    if points:
        x, y = zip(*points, strict=True)
        many = len(points) > 100
        size = 3.2 if many else 4.5
        axes.plot(x, y, **style, alpha=0.65 if many else 0.9, markersize=size, rasterized=len(points) > AS_PIXELS)


def thinned(lines: Sequence[Line]) -> list[Line]:
    """At most so many as a plot can show, the first one among them, the others evenly from the first to the last."""
    if len(lines) <= MOST_LINES:
        return list(lines)
    return [lines[round(i * (len(lines) - 1) / (MOST_LINES - 1))] for i in range(MOST_LINES)]


def explain_marks(axes: "Axes") -> None:
    """The legend, of what is drawn."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(handles, labels, **LEGEND)


def jitter(number: int) -> float:
    """How far a trial is moved beside its choice, so that equal scores are all seen."""
    return JITTER * (2 * (number * GOLDEN % 1) - 1)
