"""One style for every plot of the project, and what a command says where there is nothing to draw with.

Colours are those of Okabe and Ito (2008), which people with any colour vision can tell apart; a line is labelled at its
end, in its colour, in place of a legend over the data.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnvision.atomic import replaced

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vP*X"
LINES = ("-", "--", ":", "-.")
INK = "#000000"  # of text and axes
PAPER = "#fefefe"  # behind letters that stand on lines
BOX: Any = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.8, "alpha": 0.8}
SETTINGS: Any = {
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "font.size": 9,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "savefig.dpi": 130,
    "text.parse_math": False,  # a class may be named $x$
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}
LABEL_SIZE, LABEL_HEIGHT, LABEL_WIDTH = 8, 1.25, 0.6  # points; of the size: between two lines, of a letter


def colour(number: int) -> str:
    """Of the series with this number."""
    return COLOURS[number % len(COLOURS)]


def marker(number: int) -> str:
    """Another one for each round of the colours, so that two series never look alike."""
    return MARKERS[number // len(COLOURS) % len(MARKERS)]


def line_style(number: int) -> str:
    """Another one for each round of the colours."""
    return LINES[number // len(COLOURS) % len(LINES)]


@contextmanager
def figure(path: Path, width: float, height: float) -> "Iterator[Figure]":
    """A figure of so many inches to draw on, written to `path` at the end.

    Raises:
        ImportError: where matplotlib is not installed.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(SETTINGS):
        made = Figure(figsize=(width, height), layout="constrained")
        yield made
        with replaced(path, suffix=path.suffix) as temporary:
            made.savefig(temporary)


def plain_logarithms(axes: "Axes") -> None:
    """Label a logarithmic y-axis in plain text, 0.01 and not a power in markup, at a few ticks at least."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 50 * low else (1.0,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def label_ends(axes: "Axes", ends: Mapping[str, tuple[float, float, str]], **style: Any) -> None:
    """Write each label beside the point where its line ends, (x, y, colour); one that would meet another moves down.

    `style` is that of the text, such as `bbox=BOX`, where labels stand on lines.
    """
    axes.figure.canvas.figure.draw_without_rendering()  # so that the limits of the axes are known
    point = axes.figure.dpi / 72  # in pixels
    step = LABEL_HEIGHT * LABEL_SIZE * point
    placed: list[tuple[float, float, float]] = []  # left, right, height
    for label, (x, y, tint) in sorted(ends.items(), key=lambda end: -axes.transData.transform(end[1][:2])[1]):
        left, height = axes.transData.transform((x, y))
        right, wanted = left + LABEL_WIDTH * LABEL_SIZE * point * len(label) + LABEL_SIZE * point, height
        for other_left, other_right, other in sorted(placed, key=lambda place: -place[2]):
            if left < other_right and other_left < right and abs(other - height) < step:
                height = other - step
        placed.append((left, right, height))
        offset = (6, (height - wanted) / point)
        place: dict[str, Any] = {"xytext": offset, "textcoords": "offset points", "va": "center"}
        axes.annotate(label, (x, y), color=tint, fontsize=LABEL_SIZE, annotation_clip=False, **place, **style)


def drawn(plot: Callable[..., None], path: Path, *arguments: Any) -> str:
    """Draw into `path`, if matplotlib is here; returns what to say of it."""
    try:
        plot(path, *arguments)
    except ImportError:
        return '\npicture   needs matplotlib: pip install "rnnvision[plots]"'
    return f", {path.name}"
