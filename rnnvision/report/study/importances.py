"""How much each parameter matters: bars, the most important on top."""

import math
from typing import TYPE_CHECKING, Any

from rnnvision.report.page.blocks import Plot
from rnnvision.report.study.scale import key_label
from rnnvision.report.style import INK, LABEL_SIZE, colour
from rnnvision.runs.study import StudyRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 20


def importance_plot(record: StudyRecord) -> Plot | None:
    """The shares of `record.importances`; None where there is none above 0."""
    shares = {key: share for key, share in record.importances.items() if math.isfinite(share)}
    ranked = sorted(shares, key=lambda key: -shares[key])[:MOST]
    if not ranked or shares[ranked[0]] <= 0:
        return None

    def draw(axes: "Axes") -> None:
        places = range(len(ranked))
        axes.barh(places, [shares[key] for key in ranked], height=0.62, color=colour(0))
        for place, key in zip(places, ranked, strict=True):
            right: dict[str, Any] = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
            axes.annotate(f"{100 * shares[key]:.0f} %", (shares[key], place), fontsize=LABEL_SIZE, color=INK, **right)
        axes.set_yticks(places, [key_label(key) for key in ranked])
        axes.set_ylim(len(ranked) - 0.4, -0.6)
        axes.set_xlim(0, 1.15 * shares[ranked[0]])
        axes.set_xticks([])
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"share in the variation of {record.metrics[0]}")

    alt = "Importances: " + ", ".join(f"{key} {100 * shares[key]:.0f} %" for key in ranked) + "."
    return Plot(draw, alt, _note(record, ranked[0]), 5.0, max(1.6, 0.6 + 0.28 * len(ranked)))


def _note(record: StudyRecord, first: str) -> str:
    trials = len(record.scored)
    few = " These are few trials: take it as a hint." if trials < 5 * max(len(record.space), 2) else ""
    return f"{first} matters most, within its range and among {trials} completed trials.{few}"
