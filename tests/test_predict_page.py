"""docs/predict.md: every command and every line of Python in it runs."""

import io
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tests.cli.running import TINY, exit_code_of, in_folder

PAGE = (Path(__file__).parents[1] / "docs" / "predict.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
COMMANDS = [line for kind, block in BLOCKS if kind == "bash" for line in block.splitlines()]


@pytest.fixture(scope="module")
def _here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Two trained networks, and photographs."""
    with in_folder(tmp_path_factory.mktemp("page") / "here"):
        assert exit_code_of("train", *TINY) == 0
        shutil.copytree(Path("logs/train/latest"), "other")
        Path("photos").mkdir()
        for i, name in enumerate(("cat", "dog")):
            pixels = np.random.default_rng(i).integers(0, 256, (30, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(f"photos/{name}.jpg")
        yield


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_runs(line: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    before, _, typed = line.rpartition(" | ")
    if before:
        paths = subprocess.run(shlex.split(before), capture_output=True, check=True).stdout
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(paths))))
    program, verb, *words = shlex.split(typed)
    assert (program, verb) == ("rnnvision", "predict")
    assert exit_code_of(verb, "device=cpu", *words) == 0
    out, _ = capfd.readouterr()
    outputs = [word.removeprefix("output=") for word in words if word.startswith("output=")]
    assert "cat.jpg" in out or all(Path(name).stat().st_size > 100 for name in outputs)


@pytest.mark.usefixtures("_here")
def test_the_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for kind, block in BLOCKS:
        if kind == "python":
            exec(block, names)
    assert Path("answers.csv").read_text().startswith("image,label,score")
    assert capsys.readouterr().out.count("photos/cat.jpg") == 1


def test_the_page_has_commands() -> None:
    assert len(COMMANDS) > 8
