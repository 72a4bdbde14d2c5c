"""Run folders: written and read. Needs the standard library alone."""

from rnnvision.runs.environment import environment, versions
from rnnvision.runs.folder import RunFolder, is_first_process
from rnnvision.runs.predictions import Prediction, read_predictions, write_predictions
from rnnvision.runs.process import last_line, run_child
from rnnvision.runs.read import Run, find_runs, read_epochs, read_json
from rnnvision.runs.record import Record, read_record

__all__ = [
    "Prediction",
    "Record",
    "Run",
    "RunFolder",
    "environment",
    "find_runs",
    "is_first_process",
    "last_line",
    "read_epochs",
    "read_json",
    "read_predictions",
    "read_record",
    "run_child",
    "versions",
    "write_predictions",
]
