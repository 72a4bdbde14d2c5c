"""The page of several runs: a table sorted by score, their curves in one plot, and in which settings they differ."""

import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rnnvision.report.page.blocks import Bar, Cell, Figure, Link, Page, Section, Table
from rnnvision.report.page.sections.curves import overlaid_plots
from rnnvision.report.page.sections.overview import title_of
from rnnvision.report.page.words import duration, number, percent
from rnnvision.runs import Run, versions
from rnnvision.runs.metrics import computable

MOST_KEYS = 40  # columns of the table of settings
SCORE, VALIDATION = "test/accuracy", "val/accuracy"


@dataclass(frozen=True)
class Entry:
    """A run, the name by which the page tells it from the others, and its settings: the key of each -> its value."""

    run: Run
    name: str
    settings: Mapping[str, str]

    @property
    def score(self) -> float | None:
        return self.figure(SCORE)

    def figure(self, name: str) -> float | None:
        """One of its figures; None where that is no number to compute with, too."""
        value = self.run.metrics.get(name)
        return value if value is not None and computable(value) else None


def runs_page(folder: Path, entries: Sequence[Entry], page: str) -> Page:
    """Of the runs in `folder`, best first; `page` is the file name of a run's own page, linked where there is one.

    The best is so on validation, where all have been validated: what is chosen by the test images looks better on them.
    """
    scored = [entry for entry in entries if entry.score is not None]
    validated = all(entry.figure(VALIDATION) is not None for entry in scored)
    figure = VALIDATION if validated else SCORE
    ranked = sorted(scored, key=lambda entry: -(entry.figure(figure) or 0.0))
    ranked += [entry for entry in entries if entry.score is None]
    differing = differences([entry.settings for entry in ranked])
    best = ranked[0]
    score = None
    if best.score is not None:
        where = " on validation" if validated else ""
        score = Figure(f"test accuracy of {best.name}", percent(best.score), f"The best of {len(ranked)} runs{where}.")
    failed = [entry for entry in ranked if not entry.run.completed]
    facts = (
        Figure("runs", f"{len(ranked)}"),
        Figure("completed", f"{len(ranked) - len(failed)}"),
        Figure("training in all", duration(sum(entry.run.training_seconds or 0.0 for entry in ranked))),
    )
    sections = [
        _ranking(folder, ranked, page),
        *_over_seeds(ranked, differing),
        *_curves(ranked),
        *_settings(ranked, differing),
    ]
    reasons = [
        ("Curves", "no run holds a metrics.csv with epochs", "curves"),
        ("Settings", "all runs have the same settings, or none holds .hydra/config.yaml", "settings"),
    ]
    present = {section.id for section in sections}
    return Page(
        title=title_of(Run(folder)),
        subtitle=f"{len(ranked)} runs side by side, in {folder}",
        score=score,
        figures=facts,
        sections=tuple(sections),
        missing=tuple((name, reason) for name, reason, id_ in reasons if id_ not in present),
        footer=f"Made by rnnvision {versions().get('rnnvision', '')}. Everything on this page is in this one file.",
    )


def names_of(runs: Sequence[Run]) -> list[str]:
    """Of each run a name: its folder's, or where that is the number of a job, what it alone was told."""
    told = [[word for word in run.overrides if not word.startswith("hydra.")] for run in runs]
    common = set.intersection(*map(set, told)) if told else set()
    names = []
    for run, words in zip(runs, told, strict=True):
        own = " ".join(word for word in words if word not in common)
        names.append((own or f"job {run.path.name}") if run.path.name.isdecimal() else title_of(run))
    return [
        name if names.count(name) == 1 else f"{name} ({run.path.name})" for name, run in zip(names, runs, strict=True)
    ]


def differences(settings: Sequence[Mapping[str, str]]) -> list[str]:
    """The keys in which some of them differ.

    Examples:
        >>> differences([{"seed": "0", "lr": "1"}, {"seed": "1", "lr": "1"}, {"lr": "1", "x": "2"}])
        ['seed', 'x']
    """
    keys = dict.fromkeys(key for found in settings for key in found)
    return [key for key in keys if len({found.get(key) for found in settings}) > 1]


def _ranking(folder: Path, ranked: Sequence[Entry], page: str) -> Section:
    rows = tuple(_row(folder, entry, page) for entry in ranked)
    head = ("run", "test accuracy", "val accuracy", "macro-F1", "NLL", "ECE", "training", "status")
    table = Table(f"{len(rows)} runs by test accuracy", head, rows, frozenset({0, 7}))
    return Section("runs", "Runs", "Best first.", (table,), ("accuracy", "F1", "NLL", "ECE", "validation"))


def _row(folder: Path, entry: Entry, page: str) -> tuple[Cell, ...]:
    run, metrics = entry.run, entry.run.metrics
    own = run.path / page
    name: Cell = Link.to(entry.name, own, folder) if own.is_file() else entry.name
    return (
        name,
        "-" if entry.score is None else Bar(percent(entry.score), entry.score),
        percent(metrics.get("val/accuracy")),
        percent(metrics.get("test/f1")),
        number(metrics.get("test/nll_calibrated", metrics.get("test/nll"))),
        number(metrics.get("test/ece_calibrated", metrics.get("test/ece"))),
        duration(run.training_seconds),
        run.outcome or "no record",
    )


def _over_seeds(ranked: Sequence[Entry], differing: Sequence[str]) -> Iterator[Section]:
    """Mean and deviation of the runs that differ in nothing but their seed, where there are such."""
    groups: dict[tuple[str | None, ...], list[Entry]] = {}
    for entry in ranked:
        if entry.score is not None:
            groups.setdefault(tuple(entry.settings.get(key) for key in differing if key != "seed"), []).append(entry)
    if "seed" not in differing or max(map(len, groups.values()), default=0) < 2:
        return
    rows = []
    for group in groups.values():
        scores = [entry.score for entry in group if entry.score is not None]
        mean = statistics.mean(scores)
        spread = percent(statistics.stdev(scores)) if len(scores) > 1 else "-"
        names = ", ".join(dict.fromkeys(re.sub(r" ?\bseed=\d+", "", entry.name) or "all" for entry in group))
        rows.append(
            (
                mean,
                (names, str(len(scores)), Bar(percent(mean), mean), spread, percent(min(scores)), percent(max(scores))),
            )
        )
    head = ("runs", "seeds", "mean accuracy", "deviation", "lowest", "highest")
    ordered = tuple(row for _, row in sorted(rows, key=lambda row: -row[0]))
    table = Table("Test accuracy over the seeds, mean and sample standard deviation", head, ordered)
    lead = "Runs that differ in nothing but their seed: a difference below the deviation says little."
    yield Section("seeds", "Seeds", lead, (table,), ("accuracy",))


def _curves(ranked: Sequence[Entry]) -> Iterator[Section]:
    block = overlaid_plots({entry.name: entry.run.epochs for entry in ranked})
    if block:
        yield Section("curves", "Curves", "The trainings in one plot.", (block,), ("epoch", "loss", "validation"))


def _settings(ranked: Sequence[Entry], differing: Sequence[str]) -> Iterator[Section]:
    if differing:
        keys = list(differing)[:MOST_KEYS]
        rows = tuple((entry.name, *(entry.settings.get(key, "-") for key in keys)) for entry in ranked)
        table = Table(
            "Settings that are not the same in all runs", ("run", *keys), rows, frozenset(range(len(keys) + 1))
        )
        more = f" {len(differing) - len(keys)} more are not shown." if len(differing) > len(keys) else ""
        yield Section("settings", "Settings", f"In what the runs differ; all else is the same.{more}", (table,))
