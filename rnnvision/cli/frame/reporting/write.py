"""report.html of a run folder, of a folder of several runs, or of a study."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rnnvision.errors import FailureError, UsageError
from rnnvision.runs import Run, StudyRecord, find_runs, read_study
from rnnvision.runs.read import CONFIG

if TYPE_CHECKING:
    from rnnvision.data.splits import Samples

PAGE = "report.html"
WITHOUT_EFFECT = ("name", "log_dir", "report", "resume")  # settings that no result depends on


def require_packages() -> None:
    """Refuse to begin where what draws is not installed.

    Raises:
        UsageError: with the command that installs it.
    """
    if find_spec("matplotlib") is None:
        raise UsageError('a report needs matplotlib; pip install "rnnvision[plots]"')


def write_report(folder: Path, to: Path, root: str | None = None, tested: "Samples | None" = None) -> list[str]:
    """Write the page into `to`; returns the lines to print. `tested` are the images of the test, if they are at hand.

    Raises:
        UsageError: for a folder without a run, or one that cannot be written.
    """
    from rnnvision.report.page.build import run_page
    from rnnvision.report.page.render import write_page
    from rnnvision.report.page.side_by_side import Entry, names_of, runs_page

    if (record := study_in(folder)) is not None:
        from rnnvision.report.study.build import study_page

        page = study_page(folder, record, to.resolve(), PAGE)
    elif len(runs := runs_in(folder)) == 1 and runs[0].path == folder:
        from rnnvision.cli.frame.reporting.gather import gather

        page = run_page(gather(folder, root, tested))
    else:
        named = zip(runs, names_of(runs), strict=True)
        page = runs_page(folder, [Entry(run, name, settings_of(run)) for run, name in named], PAGE)
    try:
        to.mkdir(parents=True, exist_ok=True)
        pictures = write_page(to / PAGE, page)
    except OSError as error:
        raise UsageError(f"to={to}: {error.strerror}; choose a folder that can be written: to=FOLDER") from error
    lines = [f"report    {os.path.relpath(to / PAGE)}", f"pictures  {', '.join(pictures)}" if pictures else ""]
    return [*filter(None, lines), *(f"left out  {name}: {reason}" for name, reason in page.missing)]


def study_in(folder: Path) -> StudyRecord | None:
    """The study whose folder this is, if it is one.

    Raises:
        FailureError: where its record is damaged.
        UsageError: where it has none yet.
    """
    try:
        return read_study(folder)
    except ValueError as error:
        raise FailureError(f"{error}; rnnvision tune writes it anew when it goes on") from error
    except OSError:
        if (folder / "study.json").is_file():
            raise UsageError(f"run={folder}: this study has no trial yet; report it when one has ended") from None
        return None


def runs_in(folder: Path) -> list[Run]:
    """The runs that a report of `folder` is about: itself, or those below it. Trials and what holds them are not.

    Raises:
        UsageError: where there is none.
    """
    if not folder.is_dir():
        near = next((above for above in folder.parents if _is_a_run(above)), "logs/train/latest")
        raise UsageError(f"run={folder}: there is no such folder; try: rnnvision report run={near}")
    if _is_a_run(folder):
        return [Run(folder)]
    inside = [run for run in find_runs(folder) if run.path != folder and not _holds_several(run.path)]
    below = [run for run in inside if "trials" not in run.path.relative_to(folder).parts]
    if any(_is_a_run(run.path) for run in below):
        # Those that failed at their beginning too; not what other verbs, such as this one, have completed.
        return [run for run in below if not run.completed or _is_a_run(run.path)]
    if (run := Run(folder)).status and not run.completed and not _holds_several(folder):
        return [run]  # it failed at its beginning: of that there is a page, too
    raise UsageError(
        f"run={folder}: holds no run; give a run folder, or one of several; try: rnnvision report run=logs/train/latest"
    )


def _is_a_run(folder: Path) -> bool:
    """A training or an evaluation, not a folder that holds several."""
    marks = ("checkpoints", "metrics.csv", "predictions.csv")
    return not _holds_several(folder) and any((folder / mark).exists() for mark in marks)


def _holds_several(folder: Path) -> bool:
    marks = ("comparison.json", "multirun.yaml", "sweep.json", "study.json")
    return any((folder / mark).is_file() for mark in marks)


def settings_of(run: Run) -> dict[str, str]:
    """The configuration of a run, flat: model.hidden_size -> 128. {} where the folder does not hold it."""
    from omegaconf import OmegaConf

    from rnnvision.cli.frame.strangers.reading import read_pairs
    from rnnvision.report.two_runs import flat

    path = run.path / CONFIG
    if not path.is_file():
        return {}
    content = OmegaConf.to_container(read_pairs(path), resolve=False)
    found = flat({str(key): value for key, value in content.items()}) if isinstance(content, dict) else {}
    kept = {key: value for key, value in found.items() if key not in WITHOUT_EFFECT and not str(value).startswith("${")}
    return {key: "null" if value is None else str(value) for key, value in kept.items()}
