"""rnnvision report run=FOLDER: one HTML page of a run, of several runs side by side, or of a study."""

from pathlib import Path

from omegaconf import DictConfig

from rnnvision.cli.frame.app import run_verb
from rnnvision.cli.frame.reporting.write import require_packages, write_report
from rnnvision.errors import UsageError
from rnnvision.runs import RunFolder


def main() -> None:
    run_verb("report", report)


def report(cfg: DictConfig, run: RunFolder) -> None:
    """Write report.html of `cfg.run`, and PNG files beside it."""
    if cfg.run is None:
        raise UsageError(
            "run=null: give a run folder, or a folder of runs; try: rnnvision report run=logs/train/latest"
        )
    require_packages()
    folder = Path(str(cfg.run)).resolve()
    to = folder if cfg.to is None else Path(str(cfg.to))
    print("\n".join(write_report(folder, to, cfg.data.root)))


if __name__ == "__main__":
    main()
