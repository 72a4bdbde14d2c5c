"""The trackers, one class each: how it is begun or gone on with, where it is found, how it is told the end.

Each is begun once a run, gets the figures of each epoch from Lightning, and at the end the final ones, as final/NAME.
"""

import importlib
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from rnnvision.cli.frame.command_line.words import yaml_text
from rnnvision.cli.frame.tracking.unfailing import without_password
from rnnvision.cli.frame.trainer.environment import environment_kept
from rnnvision.runs.lock import Lock

Figures = Mapping[str, float]
NOTHING: Any = None
LONGEST_PARAMETER = 250  # characters of a value, of which Lightning tells MLflow no more


@dataclass
class Tracker:
    """A logger of the configuration.

    Attributes:
        name: its key below `logger`.
        arguments: of the configuration, checked.
        folder: of the run.
        known: what tracking.json says of it, in a run that goes on or begins anew.
        tags: of the run.
        group: the sweep or study that the run is part of, "" for none.
        record: what tracking.json is to say of it.
        logger: Lightning's, once it is made.
    """

    name: str
    arguments: dict[str, Any]
    folder: Path
    known: dict[str, Any]
    tags: list[str]
    group: str
    record: dict[str, Any] = field(default_factory=dict)
    logger: Any = NOTHING

    def extra(self) -> dict[str, Any]:
        """Further arguments of the logger."""
        return {}

    def make(self, made: type[Any], arguments: dict[str, Any]) -> None:
        self.logger = made(**arguments, **self.extra())

    def begin(self, parameters: dict[str, Any], facts: dict[str, str]) -> None:
        """Begin the run, or go on with it; say where it is found in `record`."""

    def end(self, figures: Figures, step: int) -> None:
        self.logger.log_metrics({f"final/{name}": value for name, value in figures.items()}, step)

    def close(self, status: str) -> None:
        """status: finished, failed or killed."""

    def title(self) -> str:
        """The name of the run, with its folder where it is one of several of that name."""
        return f"{self.arguments.get('name') or self.arguments.get('run_name')} {self.folder.name}"


class CSV(Tracker):
    """metrics.csv, a row an epoch, and summary.csv, a row for each parameter, fact and final figure."""

    def begin(self, parameters: dict[str, Any], facts: dict[str, str]) -> None:
        self.logger.log_hyperparams({**parameters, **facts})
        self.record |= {"address": _within(self.logger.path, self.folder)}

    def end(self, figures: Figures, step: int) -> None:
        self.logger.log_summary({f"final/{name}": value for name, value in figures.items()})

    def close(self, status: str) -> None:
        with suppress(OSError):  # a full disk, which has been told
            self.logger.log_summary({"run.status": status})


class TensorBoard(Tracker):
    """Scalars, and a session of the HParams tab.

    TensorBoard keeps the first thing that it reads of a session, and stops to follow a file when a later one is there:
    the session lies in files of its own, one older and one younger than that of the scalars, made anew by a resume.
    """

    def begin(self, parameters: dict[str, Any], facts: dict[str, str]) -> None:
        folder = Path(self.logger.log_dir)
        for name in self.known.get("session", []):
            with suppress(OSError):
                (folder / Path(name).name).unlink()
        self.logger.hparams.update({**parameters, **facts})  # which it writes to hparams.yaml
        self.record |= {"address": _within(folder, self.folder), "session": []}
        self._write("start", {**parameters, **facts})
        _ = self.logger.experiment

    def close(self, status: str) -> None:
        self.logger.finalize("success" if status == "finished" else "failed")
        self._write("end", status)

    def _write(self, part: str, content: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
        from tensorboard.plugins.hparams import api_pb2, metadata
        from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        if part == "start":
            info = SessionStartInfo(group_name=str(self.folder.absolute()), start_time_secs=time.time())
            for key, value in content.items():
                if isinstance(value, bool):
                    info.hparams[key].bool_value = value
                elif isinstance(value, (int, float)):
                    info.hparams[key].number_value = value
                else:
                    info.hparams[key].string_value = yaml_text(value)
            data = HParamsPluginData(session_start_info=info, version=metadata.PLUGIN_DATA_VERSION)
            tag = metadata.SESSION_START_INFO_TAG
        else:
            found = api_pb2.STATUS_SUCCESS if content == "finished" else api_pb2.STATUS_FAILURE
            end = SessionEndInfo(status=found, end_time_secs=time.time())
            data = HParamsPluginData(session_end_info=end, version=metadata.PLUGIN_DATA_VERSION)
            tag = metadata.SESSION_END_INFO_TAG
        plugin = SummaryMetadata.PluginData(plugin_name=metadata.PLUGIN_NAME, content=data.SerializeToString())
        summary = Summary(value=[Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=plugin))])
        folder = Path(self.logger.log_dir)
        suffix = f".{part}"
        writer = EventFileWriter(str(folder), filename_suffix=suffix)
        writer.add_event(Event(wall_time=time.time(), summary=summary))
        writer.close()
        self.record["session"] += [path.name for path in folder.glob(f"events.*.{os.getpid()}.*{suffix}")]


class WeightsAndBiases(Tracker):
    """A run of Weights & Biases, under its own id again after a resume."""

    EXIT_CODES: ClassVar = {"finished": 0, "failed": 1, "killed": 255}

    def extra(self) -> dict[str, Any]:
        found: dict[str, Any] = {"tags": self.tags} if self.tags else {}
        if self.group:
            found["group"] = self.group
        if self.known.get("id") and not (self.arguments.get("id") or self.arguments.get("version")):
            found["id"] = self.known["id"]
        return found

    def make(self, made: type[Any], arguments: dict[str, Any]) -> None:
        super().make(made, {**arguments, "name": self.title()} if self.group else arguments)

    def begin(self, parameters: dict[str, Any], facts: dict[str, str]) -> None:
        with environment_kept("WANDB_MODE"):  # which Lightning sets for a run that is kept on this machine
            experiment = self.logger.experiment
        self.logger.log_hyperparams({**parameters, **facts})
        kept = _within(Path(experiment.dir).parent, self.folder)
        self.record |= {"address": kept if experiment.offline else experiment.url, "id": experiment.id}

    def close(self, status: str) -> None:
        self.logger.experiment.finish(exit_code=self.EXIT_CODES[status])


class MLflow(Tracker):
    """A run of MLflow, gone on with after a resume where it is still there."""

    STATUS: ClassVar = {"finished": "FINISHED", "failed": "FAILED", "killed": "KILLED"}

    def make(self, made: type[Any], arguments: dict[str, Any]) -> None:
        for name in ("mlflow", "lightning.pytorch.loggers.mlflow"):  # which say that they make what is not there
            importlib.import_module(name)
            logging.getLogger(name).setLevel(logging.ERROR)
        address = str(arguments.get("tracking_uri") or "")
        named = {**arguments, "run_name": self.title()} if self.group else arguments
        with _alone(address):
            self.logger = made(**named)
            if self.known.get("id") and not arguments.get("run_id") and self._is_there(self.known["id"]):
                self.logger = made(**named, run_id=self.known["id"])

    def _is_there(self, run_id: str) -> bool:
        try:
            return bool(self.logger._mlflow_client.get_run(run_id).info.lifecycle_stage == "active")
        except Exception:  # of another server, or removed
            return False

    def begin(self, parameters: dict[str, Any], facts: dict[str, str]) -> None:
        client, run_id = self._started()
        told = client.get_run(run_id).data.params  # which cannot be changed
        texts = {key: yaml_text(value) for key, value in parameters.items()}
        self.logger.log_hyperparams({key: text for key, text in texts.items() if key not in told})
        changed = {key: text for key, text in texts.items() if key in told and told[key] != text[:LONGEST_PARAMETER]}
        for key, text in {**facts, **dict.fromkeys(self.tags, "true"), **changed}.items():
            client.set_tag(run_id, key, text)
        client.update_run(run_id, status="RUNNING")
        address = without_password(str(self.logger._tracking_uri))
        if address.startswith("http"):
            address = f"{address.rstrip('/')}/#/experiments/{self.logger.experiment_id}/runs/{run_id}"
        self.record |= {"address": address, "id": run_id}

    def _started(self) -> tuple[Any, str]:
        """Its client and the id of the run; the experiment may be made by another job in the same moment."""
        try:
            return self.logger.experiment, str(self.logger.run_id)
        except Exception as error:
            if getattr(error, "error_code", "") != "RESOURCE_ALREADY_EXISTS":
                raise
        return self.logger.experiment, str(self.logger.run_id)

    def close(self, status: str) -> None:
        self.logger.experiment.set_terminated(self.logger.run_id, self.STATUS[status])


KINDS: dict[str, type[Tracker]] = {
    "RunLog": CSV,
    "TensorBoardLogger": TensorBoard,
    "WandbLogger": WeightsAndBiases,
    "MLFlowLogger": MLflow,
}


def _within(path: Path, folder: Path) -> str:
    """A path as seen from the run folder, which may be moved, where it lies in there."""
    path = path.absolute()
    return str(path.relative_to(folder.absolute()) if path.is_relative_to(folder.absolute()) else path)


@contextmanager
def _alone(address: str) -> Iterator[None]:
    """Within, no other process is at work on a data base in a file: each would make its tables."""
    path = re.fullmatch(r"sqlite:///(.+)", address)
    lock = Lock(Path(f"{path[1]}.lock")) if path else None
    while lock is not None and not lock.acquire():
        time.sleep(0.05)
    try:
        yield
    finally:
        if lock is not None:
            lock.release()
