"""The README's commands: each composes and binds, and its Python runs."""

import re
import shlex
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from rnnvision.cli.frame import app
from tests.cli.frame.test_config import bind, composed

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
LINES = [line.partition("#")[0].strip() for kind, block in BLOCKS if kind == "bash" for line in block.splitlines()]
TRAIN = [line for line in LINES if line.startswith("python train.py")]


def test_it_opens_with_the_two_commands() -> None:
    assert LINES[:2] == ["make train", "make test"]
    makefile = (Path(__file__).parents[1] / "Makefile").read_text()
    assert all(f"\n{line.removeprefix('make ')}:" in makefile for line in LINES if line.startswith("make"))


@pytest.mark.parametrize("line", [line for line in TRAIN if "resume" not in line and "--help" not in line])
def test_every_training_command_composes_and_binds(line: str) -> None:
    OmegaConf.register_new_resolver("run_dir", app._run_dir, replace=True)
    OmegaConf.register_new_resolver("config_subdir", app._config_subdir, replace=True)
    words = [word for word in shlex.split(line)[2:] if word != "-m"]
    bind(composed(*(re.sub(r",.*", "", word) if "[" not in word else word for word in words)))


def test_its_python_runs() -> None:
    (code,) = [block for kind, block in BLOCKS if kind == "python"]
    names: dict[str, object] = {}
    exec(code, names)
    assert names["anytime"].shape == (8, 28, 10)  # type: ignore[attr-defined]


def test_its_pictures_and_pages_are_there() -> None:
    for target in re.findall(r"\]\(([\w./-]+)\)", README):
        assert (Path(__file__).parents[1] / target).is_file(), target
