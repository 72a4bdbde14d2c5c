"""A benchmark as a plot: samples a second over batch sizes, and seconds over lengths of the sequence."""

from pathlib import Path
from typing import Any

from rnnvision.report.style import colour, figure, label_ends

STAGES = ("train", "inference")


def plot_benchmark(path: Path, metrics: dict[str, Any]) -> None:
    """Draw the metrics.json of a benchmark.

    Raises:
        ImportError: where matplotlib is not installed.
    """
    with figure(path, 9.5, 3.6) as made:
        speeds, growths = made.subplots(1, 2)
        ends = {}
        for number, stage in enumerate(STAGES):
            sizes, rates = _series(metrics, f"{stage}/samples_per_second")
            if sizes:
                speeds.loglog(sizes, rates, "o-", color=colour(number))
                ends[stage] = (sizes[-1], rates[-1], colour(number))
        speeds.set(xlabel="batch size", ylabel="samples / s", title="speed")
        label_ends(speeds, ends)
        if "growth/exponent" in metrics:
            lengths, seconds = _series(metrics, "growth/seconds")
            growths.loglog(lengths, seconds, "o-", color=colour(0))
            growths.set(xlabel="tokens T", ylabel="seconds, forward + backward")
            growths.set_title(f"time grows as T^{metrics['growth/exponent']:.2f}")
        else:
            growths.set_axis_off()  # the network reads no sequence


def _series(metrics: dict[str, Any], prefix: str) -> tuple[list[int], list[float]]:
    found = {int(key.rpartition("/")[2]): value for key, value in metrics.items() if key.startswith(f"{prefix}/")}
    return list(found), list(found.values())
