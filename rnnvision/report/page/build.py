"""The page of one run: its sections in their order, and why one was left out."""

from collections.abc import Callable, Iterator

from rnnvision.report.page.blocks import Page, Section
from rnnvision.report.page.found import Found
from rnnvision.report.page.sections.classes import class_section, confusion_section
from rnnvision.report.page.sections.confidence import calibration_section
from rnnvision.report.page.sections.curves import curve_section
from rnnvision.report.page.sections.mistakes import label_section, mistake_section
from rnnvision.report.page.sections.overview import figures, run_section, score, score_section, title_of
from rnnvision.report.page.sections.reading import (
    anytime_section,
    gradient_section,
    reading_gallery,
    scan_section,
    trajectory_section,
)
from rnnvision.runs import versions


def _answers(found: Found) -> Iterator[Section]:
    if found.answers:
        yield class_section(found.answers, found.class_names)
        yield confusion_section(found.answers, found.class_names)
        yield calibration_section(found.answers, found.temperature)


def _reading(found: Found) -> Iterator[Section]:
    if found.reading is not None:
        yield anytime_section(found.reading, found.answers)


def _scan(found: Found) -> Iterator[Section]:
    if found.scan is not None:
        yield scan_section(found.scan)


def _gradient(found: Found) -> Iterator[Section]:
    if found.gradient is not None:
        yield gradient_section(found.gradient)


def _states(found: Found) -> Iterator[Section]:
    if found.states is not None:
        yield trajectory_section(found.states)


def _mistakes(found: Found) -> Iterator[Section]:
    if found.mistakes is not None:
        unit = found.reading.unit if found.reading else "token"
        yield mistake_section(found.mistakes, sum(not a.right for a in found.answers or ()), unit)


def _labels(found: Found) -> Iterator[Section]:
    if found.labels is not None:
        yield label_section(found.labels)


Maker = Callable[[Found], Iterator[Section]]
PARTS: dict[str, tuple[str, Maker]] = {  # in the order of the page: what it is called where it is left out
    "scores": ("Scores", score_section),
    "curves": ("Curves", curve_section),
    "answers": ("Classes, confusion, calibration", _answers),
    "mistakes": ("Surest mistakes", _mistakes),
    "labels": ("Probably wrong labels", _labels),
    "reading": ("While reading", _reading),
    "scan": ("Scan", _scan),
    "gradient": ("Gradient through time", _gradient),
    "states": ("States", _states),
}


WITHOUT = {  # why the files of a run give no such part
    "scores": "metrics.json holds no score",
    "curves": "metrics.csv holds no epoch; a network that is fitted in one go has none",
}


def run_page(found: Found) -> Page:
    """Everything that was found, and of what was not the reason."""
    sections, missing = [run_section(found)], []
    for name, (title, make) in PARTS.items():
        made = list(make(found))
        sections += made
        if not made:
            missing.append((title, found.missing.get(name) or WITHOUT.get(name, "the run folder does not hold it")))
    return Page(
        title=title_of(found.run),
        subtitle=found.network,
        score=score(found),
        figures=figures(found),
        sections=tuple(sections),
        hero=reading_gallery(found.progress) if found.progress else None,
        missing=tuple(missing),
        footer=f"Made by rnnvision {versions().get('rnnvision', '')}. Everything on this page is in this one file.",
    )
