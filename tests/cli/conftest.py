"""Run a verb in this process, as a person would type it, in an empty folder."""

import importlib
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def message(self) -> str:
        return self.err.strip()


Verb = Callable[..., Result]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    monkeypatch.delenv("RNNVISION_DATA", raising=False)
    handler = signal.getsignal(signal.SIGTERM)
    with warnings.catch_warnings():  # a verb sets filters of its own
        yield
    signal.signal(signal.SIGTERM, handler)
    GlobalHydra.instance().clear()
    HydraConfig.instance().cfg = None


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Verb:
    def run(name: str, *words: str) -> Result:
        module = importlib.import_module(f"rnnvision.cli.{name}")
        GlobalHydra.instance().clear()
        os.environ.pop("HYDRA_FULL_ERROR", None)
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *words])
        capfd.readouterr()
        code = 0
        try:
            module.main()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return run


@pytest.fixture
def train(verb: Verb) -> Verb:
    """Train a tiny network on the digits for two epochs of a few steps."""

    def run(*words: str) -> Result:
        return verb("train", *words, "trainer=smoke", "device=cpu", "model.hidden_size=8")

    return run
