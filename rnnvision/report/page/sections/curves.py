"""Training curves: loss, accuracy and learning rate over the epochs, of one run or of several."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rnnvision.report.page.blocks import Plot, Plots, Section, plots
from rnnvision.report.page.found import Found
from rnnvision.report.style import INK, colour, label_ends, line_style, marker

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = Sequence[Mapping[str, str]]  # of metrics.csv
Points = list[tuple[float, float]]  # epoch, value
LABELLED = 8  # so many runs are told apart in one plot


def points(rows: Rows, name: str) -> Points:
    """The values of a column of metrics.csv by epoch, counted from 1; what is empty or not finite is left out."""
    found = []
    for row in rows:
        try:
            epoch, value = int(row["epoch"]) + 1, float(row[name])
        except (KeyError, TypeError, ValueError):
            continue
        if math.isfinite(value):
            found.append((float(epoch), value))
    return found


def curve_section(found: Found) -> Iterator[Section]:
    """Loss, accuracy and learning rate; nothing where no epoch has a figure."""
    rows = found.run.epochs
    drawn = []
    for what, unit in (("loss", "nats"), ("accuracy", "share of images")):
        series = {part: points(rows, f"{part}/{what}") for part in ("train", "val")}
        series = {part: found for part, found in series.items() if found}
        if series:
            last = ", ".join(f"{part} {found[-1][1]:.4f}" for part, found in series.items())
            alt = f"{what.capitalize()} over {len(rows)} epochs; in the last one: {last}."
            drawn.append(Plot(_lines(series, f"{what}, {unit}"), alt, _verdict(what, series)))
    if rates := points(rows, "lr"):
        alt = f"Learning rate over {len(rates)} epochs, at most {max(rate for _, rate in rates):g}."
        drawn.append(
            Plot(_lines({"": rates}, "learning rate"), alt, "What the schedule gave at the end of each epoch.")
        )
    if drawn:
        lead = f"How the training went, over {len(rows)} epochs."
        terms = ("epoch", "loss", "accuracy", "validation", "learning rate")
        yield Section("curves", "Curves", lead, (plots("results.png", *drawn),), terms)


def _verdict(what: str, series: Mapping[str, Points]) -> str:
    """What to look at, from the numbers."""
    if "val" not in series:
        return "Training only: there was no validation."
    best = (max if what == "accuracy" else min)(series["val"], key=lambda point: point[1])
    found = f"Best validation {what}: {best[1]:.4f}, in epoch {best[0]:.0f} of {series['val'][-1][0]:.0f}."
    return found if what == "accuracy" else f"{found} Dropout and label smoothing raise the training loss alone."


def overlaid_plots(runs: Mapping[str, Rows]) -> Plots | None:
    """Validation accuracy and training loss of several runs in one plot each, the first ones labelled."""
    drawn = []
    for name, what in (("val/accuracy", "validation accuracy"), ("train/loss", "training loss, nats")):
        series = {run: found for run, rows in runs.items() if (found := points(rows, name))}
        if series:
            alt = f"{what.capitalize()} over the epochs of {len(series)} runs."
            note = f"The {LABELLED} best are labelled, the others are grey." if len(series) > LABELLED else ""
            drawn.append(Plot(_lines(series, what), alt, note, 5.0, 3.4))
    return plots("results.png", *drawn) if drawn else None


def _lines(series: Mapping[str, Points], what: str) -> "Callable[[Axes], None]":
    def draw(axes: "Axes") -> None:
        from matplotlib.ticker import MaxNLocator

        ends = {}
        for number, (name, found) in enumerate(series.items()):
            x, y = zip(*found, strict=True)
            if number >= LABELLED:
                axes.plot(x, y, color="#999999", linewidth=0.7, alpha=0.6, zorder=1)
                continue
            style: Any = {"color": colour(number % 6), "linestyle": line_style(number), "marker": marker(7 * number)}
            axes.plot(x, y, **style, markevery=max(1, len(x) // 10))
            ends[name] = (x[-1], y[-1], INK)
        axes.set(xlabel="epoch", ylabel=what)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        label_ends(axes, ends)

    return draw
