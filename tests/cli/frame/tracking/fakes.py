"""Stand-ins for the trackers whose packages the tests do not have: what a server would keep, and who may change it."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from lightning.pytorch.loggers import Logger


@dataclass
class Kept:
    """A run, as a server keeps it."""

    id: str
    parameters: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    figures: list[tuple[str, float, int | None]] = field(default_factory=list)  # name, value, step
    status: list[str] = field(default_factory=list)  # one after the other
    arguments: dict[str, Any] = field(default_factory=dict)

    def last(self, name: str) -> float:
        return [value for key, value, _ in self.figures if key == name][-1]


SERVER: dict[str, Kept] = {}


class AwayError(Exception):
    """The server does not answer."""


class Fake(Logger):
    is_away = False  # from the first figure on

    def __init__(self, arguments: dict[str, Any]) -> None:
        super().__init__()
        self.arguments = arguments
        self.kept: Kept | None = None

    @property
    def name(self) -> str:
        return "fake"

    @property
    def version(self) -> str:
        return ""

    def run(self, run_id: str | None) -> Kept:
        if self.kept is None:
            self.kept = SERVER.setdefault(run_id or f"run{len(SERVER)}", Kept(run_id or f"run{len(SERVER)}"))
            self.kept.arguments = self.arguments
        return self.kept

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if self.is_away:
            raise AwayError("no answer from https://me:secret@server\nwithin 30 s")
        assert self.kept is not None
        self.kept.figures += [(name, float(value), step) for name, value in metrics.items()]


class WandbLogger(Fake):
    """As Lightning's: nothing is begun before its `experiment` is asked for."""

    def __init__(self, name: str, project: str, save_dir: str, offline: bool, id: str = "", **arguments: Any) -> None:
        super().__init__({"name": name, "id": id, **arguments})
        self.offline = offline

    @property
    def experiment(self) -> Any:
        kept = self.run(self.arguments["id"] or None)
        kept.tags = self.arguments.get("tags", [])

        def finish(exit_code: int) -> None:
            kept.status.append({0: "finished", 1: "failed", 255: "killed"}[exit_code])

        url = f"https://server/{kept.id}"
        return SimpleNamespace(id=kept.id, url=url, dir="kept/run/files", offline=self.offline, finish=finish)

    def log_hyperparams(self, params: dict[str, Any]) -> None:
        assert self.kept is not None
        self.kept.parameters |= {key: value for key, value in params.items() if not key.startswith("run.")}
        self.kept.facts |= {key: value for key, value in params.items() if key.startswith("run.")}


class MLFlowLogger(Fake):
    """As Lightning's; a parameter cannot be told a second time."""

    def __init__(self, experiment_name: str, run_name: str, tracking_uri: str, run_id: str | None = None) -> None:
        super().__init__({"name": run_name})
        self._tracking_uri, self._run_id = tracking_uri, run_id
        self._mlflow_client = self.Client()
        self.experiment_id = "1"

    class Client:
        def get_run(self, run_id: str) -> Any:
            info = SimpleNamespace(lifecycle_stage="active")
            return SimpleNamespace(info=info, data=SimpleNamespace(params=dict(SERVER[run_id].parameters)))

        def set_tag(self, run_id: str, key: str, value: str) -> None:
            if value == "true" and not key.startswith("trainer."):
                SERVER[run_id].tags.append(key)
            else:
                SERVER[run_id].facts[key] = value

        def update_run(self, run_id: str, status: str) -> None:
            assert status == "RUNNING"

        def set_terminated(self, run_id: str, status: str) -> None:
            SERVER[run_id].status.append(status.lower())

    @property
    def experiment(self) -> Any:
        self.run(self._run_id)
        return self._mlflow_client

    @property
    def run_id(self) -> str:
        return self.run(self._run_id).id

    def log_hyperparams(self, params: dict[str, str]) -> None:
        kept = self.run(self._run_id)
        assert not params.keys() & kept.parameters.keys(), "cannot be changed"
        kept.parameters |= {key: text[:250] for key, text in params.items()}
