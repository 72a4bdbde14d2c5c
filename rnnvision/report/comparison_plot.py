"""A comparison as a picture: accuracy against multiply-adds, and against the time of the training."""

from pathlib import Path

from rnnvision.report.comparison import Row

MARKERS = "osD^vP*X"


def plot(path: Path, rows: list[Row]) -> str:
    """Draw the rows that have a score, with bars as long as the deviation over the seeds; returns what to say of it."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter
    except ImportError:
        return '\npicture   needs matplotlib: pip install "rnnvision[plots]"'
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    compute, seconds = figure.subplots(1, 2, sharey=True)
    for number, row in enumerate(rows):
        if row.accuracy is None:
            continue
        error = None if row.accuracy_std is None else 100 * row.accuracy_std
        style = {"fmt": MARKERS[number // 10 % len(MARKERS)], "color": f"C{number % 10}", "capsize": 3}
        for axes, value in ((compute, row.multiply_adds), (seconds, row.train_seconds)):
            if value:
                axes.errorbar(value, 100 * row.accuracy, yerr=error, label=row.label, **style)
    compute.set(xlabel="multiply-adds an image", ylabel="test accuracy, %")
    seconds.set(xlabel="seconds of training")
    for axes in (compute, seconds):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(EngFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
        low, high = axes.get_xlim()
        low, high = min(low, 0.5 * (low * high) ** 0.5), max(high, 2 * (low * high) ** 0.5)  # some labels at least
        axes.set_xlim(low, high)
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 1000 * low else (1.0,)))  # room for each
        axes.grid(alpha=0.3)
    figure.legend(*seconds.get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    figure.savefig(path, dpi=120)
    return f", {path.name}"
