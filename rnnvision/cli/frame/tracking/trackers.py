"""Trackers: those of a run together, begun once, told the end whatever it is, and written down in tracking.json."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from rnnvision.cli.frame.arguments import check_target, missing_package, plain
from rnnvision.cli.frame.tracking.facts import checked_tags, facts_of, group_of, parameters_of
from rnnvision.cli.frame.tracking.kinds import CSV, KINDS, Tracker
from rnnvision.cli.frame.tracking.unfailing import attempt, said, unfailing
from rnnvision.errors import FailureError, UsageError
from rnnvision.runs import RunFolder, is_first_process, read_json
from rnnvision.runs.read import TRACKING


class Trackers:
    """The loggers of a configuration, made but not begun: nothing is told anybody before `followed`.

    Raises:
        UsageError: for a logger that cannot be made; it names the key.
    """

    def __init__(self, cfg: DictConfig, run: RunFolder) -> None:
        self.run = run
        self.tags = checked_tags(cfg)
        known = read_json(run.path / TRACKING)  # of a run that goes on, or that was killed before its first checkpoint
        group = group_of(run.path)
        self.all = [
            _made(name, arguments, run.path, known.get(name) or {}, self.tags, group)
            for name, arguments in (plain(cfg.logger) or {}).items()
            if arguments is not None
        ]

    @property
    def loggers(self) -> list[Any]:
        """Lightning's."""
        return [tracker.logger for tracker in self.all]

    @contextmanager
    def followed(self, cfg: DictConfig) -> Iterator[None]:
        """Within, the run is at each tracker; its end is told them whatever it is.

        Raises:
            FailureError: for one that cannot be begun.
        """
        if not is_first_process():
            yield
            return
        status = "finished"
        try:
            self._begin(cfg)
            yield
        except Exception:  # whatever it was, the trackers hear of it
            status = "failed"
            raise
        except BaseException:  # Ctrl-C, SIGTERM
            status = "killed"
            raise
        finally:
            self._close(status)

    def _begin(self, cfg: DictConfig) -> None:
        autolog = plain(cfg.trainer).get("enable_autolog_hparams", True)
        parameters = parameters_of(cfg) if autolog else {}
        facts = facts_of(self.run, self.tags)
        for tracker in self.all:
            try:
                tracker.begin(parameters, facts)
            except Exception as error:
                if isinstance(tracker, CSV) and isinstance(error, OSError):  # of the run folder
                    raise
                kind = UsageError if type(error).__name__ == "UsageError" else FailureError  # W&B's: not logged in
                raise kind(
                    f"logger={tracker.name}: cannot be begun: {said(error)}; see docs/tracking.md, or choose logger=csv"
                ) from error
            if not isinstance(tracker, CSV):
                address = tracker.record["address"]
                inside = (self.run.path / address).exists()
                shown = f"{self.run.shown()}/{address}" if inside and not Path(address).is_absolute() else address
                run_id = f", run {tracker.record['id']}" if "id" in tracker.record and "id" not in address else ""
                print(f"tracking  {tracker.name}: {shown}{run_id}", flush=True)
        self._write()

    def end(self, figures: dict[str, float], step: int) -> None:
        """Tell the final figures."""
        for tracker in self.all:
            attempt(tracker.logger, tracker.end, figures, step)

    def _close(self, status: str) -> None:
        for tracker in self.all:
            if tracker.record:  # it was begun
                attempt(tracker.logger, tracker.close, status)
                tracker.record["status"] = "lost" if tracker.logger.lost else status
        with suppress(OSError):  # a full disk; the error that has ended the run is worth more
            self._write()

    def _write(self) -> None:
        if found := {tracker.name: tracker.record for tracker in self.all if tracker.record}:
            self.run.write(TRACKING, found)


def _made(name: str, arguments: Any, folder: Path, known: dict[str, Any], tags: list[str], group: str) -> Tracker:
    key = f"logger.{name}"
    made: Any = check_target(key, arguments)
    given = {k: v for k, v in arguments.items() if k != "_target_"}
    tracker = KINDS[made.__name__](name, given, folder, known, tags, group)
    try:
        tracker.make(unfailing(made), given)
    except ImportError as error:
        raise missing_package(made) from error
    except Exception as error:  # each tracker has errors of its own
        raise UsageError(f"{key}: {said(error)}") from error
    return tracker
