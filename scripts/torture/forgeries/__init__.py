"""Forged files: each made from an honest one, by somebody who knows the format and computes its digests anew."""

from torture.forgeries import archives, checkpoints, configurations, exports, records, run_folders, states
from torture.forgeries.forgery import Forgery

# A list a family; what is added to one is tried by the trial `forged`.
FAMILIES: dict[str, list[Forgery]] = {
    "checkpoints": checkpoints.FORGERIES,
    "archives": archives.FORGERIES,
    "states": states.FORGERIES,
    "run folders": run_folders.FORGERIES,
    "configurations": configurations.FORGERIES,
    "records": records.FORGERIES,
    "exports": exports.FORGERIES,
}
