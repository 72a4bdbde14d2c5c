"""The trials of a study as a table: the best ones in a terminal, all of them on a page."""

from collections.abc import Sequence
from pathlib import Path

from rnnvision.checks import counted, shortened
from rnnvision.report.page.blocks import Bar, Cell, Link, Table
from rnnvision.report.page.words import duration, label
from rnnvision.report.study.scale import scales_of
from rnnvision.report.study.scores import brief, is_share, last_score, shown
from rnnvision.runs.study import STATES, TABLE, StudyRecord, TrialRow

LONGEST = 24  # letters of a value in a terminal
MOST_ROWS = 500


def counts(record: StudyRecord) -> str:
    """How many trials there are, and how they ended: 40 trials: 12 completed, 26 pruned, 2 failed."""
    states = [trial.state for trial in record.trials]
    each = ", ".join(f"{states.count(state):,} {state}" for state in STATES if state in states)
    return f"{counted(len(states), 'trial')}{f': {each}' if each else ''}"


def best_lines(record: StudyRecord, most: int = 5, width: int = 110) -> list[str]:
    """The best trials, or those of the Pareto front, in lines of at most `width` letters: the least important
    parameters are left out where there is no room, and named in a line below."""
    ranked = record.best()
    if not ranked:
        errors = [f"trial {t.number}: {' '.join(t.error.split())}" for t in record.trials if t.error]
        return [f"{counts(record)}; none has a score", *errors[:1]]
    keys = [key for key in scales_of(record) if any(key in trial.params for trial in ranked)]
    names, best = short_names(keys), ranked[:most]
    head = ["trial", *record.metrics, *(names[key] for key in keys), "epochs", "time"]
    rows = [_words(record, trial, keys) for trial in best]
    left: list[str] = []
    while _width(head, rows) > width and len(left) < len(keys) - 1:
        place = 1 + len(record.metrics) + len(keys) - len(left) - 1
        left.insert(0, keys[place - 1 - len(record.metrics)])
        head, rows = [*head[:place], *head[place + 1 :]], [[*row[:place], *row[place + 1 :]] for row in rows]
    what = (
        ""
        if len(record.metrics) == 1
        else f"; {len(ranked)} on the Pareto front, the best in {record.metrics[0]} first"
    )
    lines = [f"{counts(record)}{what}", *_aligned(head, rows)]
    hidden = len(ranked) - len(best) if len(record.metrics) > 1 else 0
    notes = [f"{hidden} more of the front"] if hidden else []
    notes += [f"without {shortened(left, 3)}"] if left else []
    return [*lines, *([f"({'; '.join(notes)}: all in {TABLE})"] if notes else [])]


def _words(record: StudyRecord, trial: TrialRow, keys: Sequence[str]) -> list[str]:
    scores = [shown(metric, value) for metric, value in zip(record.metrics, trial.values, strict=True)]
    params = [label(brief(trial.params[key]), LONGEST) if key in trial.params else "-" for key in keys]
    return [str(trial.number), *scores, *params, str(len(trial.steps) or "-"), duration(trial.seconds)]


def _width(head: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    return max(map(len, _aligned(head, rows)))


def _aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return ["  ".join(word.rjust(wide) for word, wide in zip(row, widths, strict=True)) for row in (head, *rows)]


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Of each key its last part, where that tells it from the others.

    Examples:
        >>> short_names(["optimizer.lr", "a.size", "b.size"])
        {'optimizer.lr': 'lr', 'a.size': 'a.size', 'b.size': 'b.size'}
    """
    ends = [key.rpartition(".")[2] for key in keys]
    return {key: end if ends.count(end) == 1 else key for key, end in zip(keys, ends, strict=True)}


def trial_table(record: StudyRecord, folder: Path, to: Path, page: str) -> Table:
    """All trials, best first, with all that is known of each; one that has a report, `page`, is linked to it."""
    keys, metrics = list(scales_of(record)), record.metrics
    ranked = in_order(record)
    rows = []
    for trial in ranked[:MOST_ROWS]:
        own = folder / trial.folder / page
        name: Cell = Link.to(str(trial.number), own, to) if own.is_file() else str(trial.number)
        pairs = zip(metrics, trial.values, strict=True) if trial.values else ()
        values = [_score(metric, value) for metric, value in pairs] or _last(record, trial)
        params = [brief(trial.params[key]) if key in trial.params else "-" for key in keys]
        state = trial.state if trial.feasible else f"{trial.state}, breaks a constraint"
        error = trial.error or ""
        rows.append((name, state, *values, *params, str(len(trial.steps)), duration(trial.seconds), error))
    caption = counts(record) + (f"; the first {MOST_ROWS:,} are shown" if len(ranked) > MOST_ROWS else "")
    first, last = 2 + len(metrics), 2 + len(metrics) + len(keys)
    head = ("trial", "state", *metrics, *keys, "epochs", "time", "error")
    return Table(caption, head, tuple(rows), frozenset({0, 1, *range(first, last), last + 2}))


def in_order(record: StudyRecord) -> list[TrialRow]:
    """Best first: the front before all others; then pruned ones by their last score, then those without one."""
    front = record.best()
    first = {trial.number for trial in front}
    scored = sorted(record.scored, key=lambda trial: -record.signed(trial)[0])
    front += [trial for trial in scored if trial.number not in first]
    known = {trial.number for trial in front}
    sign = 1 if record.directions[0] == "maximize" else -1

    def rank(trial: TrialRow) -> tuple[int, float, int]:
        score = last_score(trial)
        return STATES.index(trial.state), 0.0 if score is None else -sign * score, trial.number

    return front + sorted((trial for trial in record.trials if trial.number not in known), key=rank)


def _score(metric: str, value: float) -> Cell:
    return Bar(shown(metric, value), value) if is_share(metric) and 0 <= value <= 1 else shown(metric, value)


def _last(record: StudyRecord, trial: TrialRow) -> list[str]:
    """In place of the values of a trial that was not completed: its last score, in brackets."""
    score = last_score(trial)
    first = "-" if score is None else f"({shown(record.metrics[0], score)})"
    return [first, *["-"] * (len(record.metrics) - 1)]
