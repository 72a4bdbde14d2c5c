"""A comparison as a picture: accuracy against multiply-adds, and against the time of the training."""

from pathlib import Path

from rnnvision.cli.compare_table import Row


def plot(path: Path, rows: list[Row]) -> str:
    """Draw the rows that have a score; returns what to say of it."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return '\npicture   needs matplotlib: pip install "rnnvision[plots]"'
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    compute, seconds = figure.subplots(1, 2, sharey=True)
    drawn = [row for row in rows if row.accuracy is not None]
    for number, row in enumerate(drawn):
        assert row.accuracy is not None
        error = None if row.accuracy_std is None else 100 * row.accuracy_std
        for axes, value in ((compute, row.multiply_adds), (seconds, row.train_seconds)):
            if value:
                color = f"C{number % 10}"
                axes.errorbar(value, 100 * row.accuracy, yerr=error, fmt="o", color=color, capsize=3, markersize=6)
                axes.annotate(
                    row.label,
                    (value, 100 * row.accuracy),
                    xytext=(6, 5),
                    textcoords="offset points",
                    fontsize=8,
                    color=color,
                )
    compute.set(xlabel="multiply-adds an image", ylabel="test accuracy, %")
    seconds.set(xlabel="seconds of training")
    for axes in (compute, seconds):
        axes.set_xscale("log")
        axes.margins(x=0.15)
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
    return f", {path.name}"
