"""The pictures of a study, as files."""

from pathlib import Path

from rnnvision.report.page.blocks import Plot
from rnnvision.report.page.drawing import save_png
from rnnvision.report.study.front import front_plots
from rnnvision.report.study.history import curve_plot, history_plot
from rnnvision.report.study.importances import importance_plot
from rnnvision.report.study.parallel import parallel_plot
from rnnvision.report.study.slices import slice_plots
from rnnvision.runs.study import StudyRecord


def study_plots(record: StudyRecord) -> dict[str, tuple[Plot, ...]]:
    """File -> the drawings in it, of those that the trials give so far."""
    found = {
        "history.png": tuple(history_plot(record, which) for which in range(len(record.metrics))),
        "front.png": front_plots(record),
        "importances.png": (importance_plot(record),),
        "parallel.png": (parallel_plot(record),),
        "slices.png": slice_plots(record),
        "curves.png": (curve_plot(record),),
    }
    drawn = {name: tuple(plot for plot in plots if plot is not None) for name, plots in found.items()}
    return {name: plots for name, plots in drawn.items() if plots}


def draw_study(folder: Path, record: StudyRecord) -> list[str]:
    """Write the pictures into `folder`; returns their names.

    Raises:
        ImportError: where matplotlib is not installed.
    """
    found = study_plots(record)
    for name, plots in found.items():
        save_png(folder / name, plots)
    return list(found)
