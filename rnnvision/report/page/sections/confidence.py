"""Calibration: whether an answer of probability p is right in a share p of cases."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rnnvision.insight.reliability import Bin, calibration_error, reliability_bins
from rnnvision.report.page.blocks import Plot, Section, plots
from rnnvision.report.page.words import percent
from rnnvision.report.style import INK, colour, plain_logarithms
from rnnvision.runs import Prediction

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SURE = 0.9


def calibration_section(answers: Sequence[Prediction], temperature: float | None) -> Section:
    """The reliability diagram, and how many answers have which probability."""
    confidences, right = [a.probability for a in answers], [a.right for a in answers]
    bins = [one for one in reliability_bins(confidences, right) if one.count]
    error = calibration_error(confidences, right)
    mean, accuracy = sum(confidences) / len(confidences), sum(right) / len(right)
    way = "too sure" if mean > accuracy else "too cautious"
    lead = (
        f"The answers have a probability of {percent(mean)} on average and are right in {percent(accuracy)} of cases:"
        f" on the whole the network is {way if abs(mean - accuracy) >= 0.002 else 'neither too sure nor too cautious'}."
    )
    used = f"Temperature {temperature:.3f}." if temperature is not None else "No temperature was fitted."
    gap = f"ECE {error:.4f}: the mean distance of the points from the dashed line, by their number of images. {used}"
    sure = sum(p >= SURE for p in confidences) / len(confidences)
    few = f"{percent(sure, 1)} of the answers have a probability of at least {SURE}."
    drawn = (
        Plot(
            _reliability(bins), f"Reliability diagram of {len(bins)} bins; expected calibration error {error:.4f}.", gap
        ),
        Plot(_counts(bins), f"Number of answers in each of {len(bins)} bins of probability.", few),
    )
    return Section(
        "calibration",
        "Calibration",
        lead,
        (plots("reliability.png", *drawn),),
        ("calibration", "ECE", "probability", "temperature"),
    )


def _reliability(bins: Sequence[Bin]) -> "Callable[[Axes], None]":
    def draw(axes: "Axes") -> None:
        axes.plot([0, 1], [0, 1], "--", color=INK, linewidth=0.9)
        axes.annotate("as sure as right", (0.3, 0.3), xytext=(4, -9), textcoords="offset points", fontsize=8)
        x, y = [b.confidence or 0.0 for b in bins], [b.accuracy or 0.0 for b in bins]
        axes.vlines(x, x, y, color=colour(1), linewidth=1.2)
        axes.plot(x, y, "o-", color=colour(0))
        axes.set(
            xlim=(0, 1.02), ylim=(-0.02, 1.04), xlabel="mean probability of the answer", ylabel="share that is right"
        )

    return draw


def _counts(bins: Sequence[Bin]) -> "Callable[[Axes], None]":
    def draw(axes: "Axes") -> None:
        for one in bins:
            axes.bar((one.low + one.high) / 2, one.count, (one.high - one.low) * 0.86, color=colour(0))
        axes.set_yscale("log")
        plain_logarithms(axes)
        axes.set(xlim=(0, 1.02), xlabel="probability of the answer", ylabel="answers (log scale)")

    return draw
