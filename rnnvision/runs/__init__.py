"""Run folders: written and read. Needs the standard library alone."""

from rnnvision.runs.environment import environment, versions
from rnnvision.runs.folder import RunFolder
from rnnvision.runs.predictions import Prediction, read_predictions, write_predictions
from rnnvision.runs.process import last_line
from rnnvision.runs.ranks import is_first_process
from rnnvision.runs.read import Run, find_runs, read_epochs, read_json
from rnnvision.runs.record import Record, read_record
from rnnvision.runs.study import Axis, StudyRecord, TrialRow, read_study, write_study

__all__ = [
    "Axis",
    "Prediction",
    "Record",
    "Run",
    "RunFolder",
    "StudyRecord",
    "TrialRow",
    "environment",
    "find_runs",
    "is_first_process",
    "last_line",
    "read_epochs",
    "read_json",
    "read_predictions",
    "read_record",
    "read_study",
    "versions",
    "write_predictions",
    "write_study",
]
