"""Every test of a verb runs in an empty folder; trainings that several tests look at are made once and copied."""

import shutil
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from tests.cli.running import TINY, Copy, Result, Verb, exit_code_of, in_folder


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    monkeypatch.delenv("RNNVISION_DATA", raising=False)
    with in_folder(tmp_path / "here"):
        yield


@pytest.fixture
def _quick_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    """A benchmark neither multiplies large matrices nor draws: test_benchmark.py sees to that."""
    monkeypatch.setattr("rnnvision.insight.matrix_rate", lambda *_: 1e9)
    monkeypatch.setattr("rnnvision.cli.benchmark.plot_benchmark", lambda *_: None)


@pytest.fixture
def verb(capfd: pytest.CaptureFixture[str]) -> Verb:
    def run(name: str, *words: str) -> Result:
        capfd.readouterr()
        code = exit_code_of(name, *words)
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return run


@pytest.fixture
def train(verb: Verb) -> Verb:
    """Train a tiny network on the digits for two epochs of a few steps."""

    def run(*words: str) -> Result:
        return verb("train", *words, *TINY)

    return run


@pytest.fixture(scope="session")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "here"
    with in_folder(folder), redirect_stdout(StringIO()) as out:
        assert exit_code_of("train", *TINY, "hydra.run.dir=run") == 0
        Path("said.txt").write_text(out.getvalue())
    return folder / "run"


@pytest.fixture
def trained(_trained: Path) -> Copy:
    """Puts a run folder into this folder: that of `train`, made once."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(_trained, name))

    return copy


@pytest.fixture
def said(_trained: Path) -> str:
    """What was printed by the training that `trained` copies."""
    return (_trained.parent / "said.txt").read_text()
