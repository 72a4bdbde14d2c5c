"""A comparison as a plot: accuracy against multiply-adds, and against the time of the training."""

from pathlib import Path

from rnnvision.report.comparison import Row
from rnnvision.report.style import colour, figure, label_ends, marker


def plot_comparison(path: Path, rows: list[Row]) -> None:
    """Draw the rows that have a score, with bars as long as the deviation over the seeds.

    Raises:
        ImportError: where matplotlib is not installed.
    """
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    with figure(path, 11, 4.5) as made:
        compute, seconds = made.subplots(1, 2, sharey=True)
        points: dict[str, dict[str, tuple[float, float, str]]] = {"compute": {}, "seconds": {}}
        for number, row in enumerate(rows):
            if row.accuracy is None:
                continue
            error = None if row.accuracy_std is None else 100 * row.accuracy_std
            for axes, name, value in ((compute, "compute", row.multiply_adds), (seconds, "seconds", row.train_seconds)):
                if value is not None and value > 0:
                    style = {"fmt": marker(number), "color": colour(number), "capsize": 3}
                    axes.errorbar(value, 100 * row.accuracy, yerr=error, **style)
                    points[name][row.label] = (value, 100 * row.accuracy, colour(number))
        compute.set(xlabel="multiply-adds an image", ylabel="test accuracy, %")
        seconds.set(xlabel="seconds of training")
        for axes, name in ((compute, "compute"), (seconds, "seconds")):
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(EngFormatter())
            axes.xaxis.set_minor_formatter(NullFormatter())
            low, high = axes.get_xlim()
            low, high = min(low, 0.5 * (low * high) ** 0.5), max(high, 2 * (low * high) ** 0.5)  # some labels at least
            axes.set_xlim(low, high)
            axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 1000 * low else (1.0,)))
            label_ends(axes, points[name])
