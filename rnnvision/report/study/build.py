"""The page of a study: what is best and how to have it, how the search went, what each parameter does, every trial."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from rnnvision.report.page.blocks import Bar, Facts, Figure, Page, Plot, Plots, Section, Table, plots
from rnnvision.report.page.sections.overview import code_line, command_line, hardware_line, status_line, title_of
from rnnvision.report.page.words import duration, percent
from rnnvision.report.study.pictures import study_plots
from rnnvision.report.study.scores import brief, command_of, shown
from rnnvision.report.study.table import counts, trial_table
from rnnvision.runs import Run, versions
from rnnvision.runs.study import Axis, StudyRecord, as_word

MOST_COMMANDS = 20  # of a Pareto front
CODE = frozenset({"command", "folder", "every trial"})
NO_SCORE = "no trial has a score"
NO_SHARES = "they are computed when a study ends, from several completed trials whose scores differ"
PARTS = (  # id, title, lead, terms, and the files of its drawings: what each is called where it is left out, and why
    (
        "history",
        "History",
        "How the search went: the best so far, and each trial over its epochs.",
        ("trial", "pruned", "epoch"),
        {"history.png": ("History", NO_SCORE), "curves.png": ("Learning curves", "no trial reported a score")},
    ),
    (
        "importances",
        "Importances",
        "How much of the variation of the score each parameter explains.",
        ("importance",),
        {"importances.png": ("Importances", NO_SHARES)},
    ),
    (
        "parallel",
        "Parallel coordinates",
        "Which values go together in good trials.",
        ("parallel coordinates",),
        {"parallel.png": ("Parallel coordinates", "no trial was completed with a score")},
    ),
    (
        "slices",
        "Slices",
        "The score against each parameter: orange the best trial, grey rings pruned ones at their last score.",
        (),
        {"slices.png": ("Slices", NO_SCORE)},
    ),
)


def study_page(folder: Path, record: StudyRecord, to: Path, page: str) -> Page:
    """Of the study in `folder`; the page will lie in `to`, and `page` is the file name of a trial's own page."""
    run, drawn = Run(folder), study_plots(record)
    sections = [*_best(record, folder), *_front(record, drawn)]
    missing = [] if record.best() else [("Best", "no trial was completed with a score")]
    for id_, title, lead, terms, files in PARTS:
        found = {name: drawn[name] for name in files if name in drawn}
        if found:
            block = Plots(tuple(plot for plots in found.values() for plot in plots), found)
            sections.append(Section(id_, title, lead, (block,), terms))
        missing += [reason for name, reason in files.items() if name not in drawn]
    sections += [_trials(record, folder, to, page), _study(record, run)]
    return Page(
        title=record.name or title_of(run),
        subtitle=f"A search over {len(record.space)} parameters; {counts(record)}",
        score=_score(record),
        figures=_figures(record),
        sections=tuple(sections),
        missing=tuple(missing),
        footer=f"Made by rnnvision {versions().get('rnnvision', '')}. Everything on this page is in this one file.",
    )


def _score(record: StudyRecord) -> Figure | None:
    ranked = record.best()
    if not ranked:
        return None
    name = f"best {record.metrics[0]}, of trial {ranked[0].number}"
    others = f"{len(ranked)} trials are on the Pareto front." if len(record.metrics) > 1 else ""
    return Figure(name, shown(record.metrics[0], ranked[0].values[0]), others)


def _figures(record: StudyRecord) -> tuple[Figure, ...]:
    states = [trial.state for trial in record.trials]
    spent = [trial.seconds for trial in record.trials if trial.seconds is not None]
    epochs = sum(len(trial.steps) for trial in record.trials)
    return (
        Figure("trials", f"{len(states):,}"),
        *(Figure(s, f"{states.count(s):,}") for s in ("completed", "pruned", "failed", "running") if s in states),
        *((Figure("epochs in all", f"{epochs:,}"),) if epochs else ()),
        *((Figure("time of all trials", duration(sum(spent))),) if spent else ()),
    )


def _best(record: StudyRecord, folder: Path) -> Iterator[Section]:
    """The command of the best trial, and its parameters within their ranges."""
    ranked = record.best()
    if not ranked:
        return
    best = ranked[0]
    scores = ", ".join(f"{m} {shown(m, v)}" for m, v in zip(record.metrics, best.values, strict=True))
    pairs = (("command", command_of(record, best)), ("scores", scores), ("folder", str(folder / best.folder)))
    keys = [*best.params, *(key for key in record.space if key not in best.params)]
    rows = tuple(
        (
            key,
            brief(best.params[key]) if key in best.params else "-",
            range_of(record.space[key]) if key in record.space else "-",
            _importance(record.importances, key),
        )
        for key in sorted(keys, key=lambda key: -record.importances.get(key, 0.0))
    )
    head = ("parameter", f"trial {best.number}", "searched", "importance")
    known = len(head) if record.importances else len(head) - 1
    shown_rows = tuple(row[:known] for row in rows)
    table = Table("The parameters of the best trial", head[:known], shown_rows, frozenset({0, 1, 2}))
    lead = f"Trial {best.number}, the best in {record.metrics[0]}: the command trains it again."
    yield Section("best", "Best", lead, (Facts(pairs, CODE), table), ("importance",) if record.importances else ())


def _importance(shares: Mapping[str, float], key: str) -> Bar | str:
    return Bar(percent(shares[key], 0), min(max(shares[key], 0.0), 1.0)) if key in shares else "-"


def range_of(axis: Axis) -> str:
    """Examples:
    >>> range_of(Axis("float", 1e-4, 0.1, log=True)), range_of(Axis("choice", choices=("gru", None)))
    ('0.0001 to 0.1, logarithmic', 'gru, null')
    """
    if axis.kind == "choice":
        return ", ".join(map(as_word, axis.choices))
    step = f", in steps of {axis.step:g}" if axis.step and not (axis.kind == "int" and axis.step == 1) else ""
    whole = ", whole numbers" if axis.kind == "int" else ""
    return f"{axis.low:g} to {axis.high:g}{whole}{', logarithmic' if axis.log else ''}{step}"


def _front(record: StudyRecord, drawn: Mapping[str, tuple[Plot, ...]]) -> Iterator[Section]:
    front = record.best()
    if "front.png" not in drawn:
        return
    commands = tuple((f"trial {trial.number}", command_of(record, trial)) for trial in front[:MOST_COMMANDS])
    more = f" The first {MOST_COMMANDS} have their command here." if len(front) > MOST_COMMANDS else ""
    lead = f"{len(front)} trials that no other one beats in one metric without being worse in another.{more}"
    facts = Facts(commands, frozenset(name for name, _ in commands))
    yield Section("front", "Pareto front", lead, (plots("front.png", *drawn["front.png"]), facts), ("Pareto front",))


def _trials(record: StudyRecord, folder: Path, to: Path, page: str) -> Section:
    lead = "Best first; a score in brackets is the last one of a trial that was not completed."
    return Section("trials", "Trials", lead, (trial_table(record, folder, to, page),), ("trial", "validation"))


def _study(record: StudyRecord, run: Run) -> Section:
    """What was searched, how, and where."""
    goals = (f"{m} ({d})" for m, d in zip(record.metrics, record.directions, strict=True))
    pairs = (
        ("command", command_line(run)),
        ("searched for", ", ".join(goals)),
        *record.settings.items(),
        ("every trial", shlex.join(record.words)),
        ("status", status_line(run)),
        ("code", code_line(run.environment)),
        ("hardware", hardware_line(run.environment)),
        ("folder", str(run.path)),
    )
    shown_pairs = tuple((name, value) for name, value in pairs if value)
    return Section("study", "Study", "What was searched, how, and where.", (Facts(shown_pairs, CODE),))
