"""The end of a study: its record, its best trial, and what to type next."""

from rnnvision.cli.frame.command_line.words import command, override
from rnnvision.cli.tune.best import FILE as BEST
from rnnvision.cli.tune.best import write_best
from rnnvision.cli.tune.settings import resumption
from rnnvision.errors import FailureError
from rnnvision.report.study.pictures import draw_study
from rnnvision.report.study.scores import command_of
from rnnvision.report.study.table import best_lines
from rnnvision.runs import RunFolder
from rnnvision.runs.study import TABLE, StudyRecord, write_study
from rnnvision.search.settings import Settings


def report(run: RunFolder, settings: Settings, record: StudyRecord, total: int) -> float:
    """Write and print what the trials found; returns the best score of the first metric.

    Raises:
        FailureError: if no trial has a score, or none keeps to the constraints.
    """
    write_study(run.path, record)
    best = record.best()
    print("", *best_lines(record), sep="\n")
    if not best:
        _refuse(record, settings, run)
    if record.importances:
        shares = sorted(record.importances.items(), key=lambda item: -item[1])
        print(f"matters   {', '.join(f'{key} {share:.0%}' for key, share in shares)}")
    write_best(run.path, record, best[0])
    run.write("metrics.json", dict(zip(record.metrics, best[0].values, strict=True)))
    print(f"results   {run.shown()}: {TABLE}, {BEST}{_pictures(run, record)}")
    if total > len(record.trials):
        print(f"more      {resumption(settings, run.shown())}")
    print(f"best      {command_of(record, best[0])}")
    print(f"same as   {command([*settings.config_dir, override('experiment', run.shown())], 'rnnvision train')}")
    return best[0].values[0]


def _pictures(run: RunFolder, record: StudyRecord) -> str:
    try:
        return "".join(f", {name}" for name in draw_study(run.path, record))
    except ImportError:
        return '\npictures  need matplotlib: pip install "rnnvision[plots]"'


def _refuse(record: StudyRecord, settings: Settings, run: RunFolder) -> None:
    if any(trial.state == "completed" for trial in record.trials):
        raise FailureError(f"no trial keeps to {', '.join(settings.constraints)}; allow more, or search elsewhere")
    errors = [trial.error for trial in record.trials if trial.error]
    why = f"all {len(errors)} trials failed, the last one because: {errors[-1]}" if errors else "no trial was completed"
    raise FailureError(f"{why}; see {run.shown()}/trials")
