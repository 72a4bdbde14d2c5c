"""docs/extend.md: its files are written, its commands are run, in an empty folder."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from rnnvision.cli.frame.plugins import registries
from tests.cli.running import Here, Verb, forgotten

PAGE = (Path(__file__).parents[2] / "docs" / "extend.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, flags=re.DOTALL)
SECTIONS = ["A recurrent layer in 30 lines", "A scan, a network, a data set"]


@pytest.fixture(autouse=True)
def _parts_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("rnnvision.cli.compare.make_place", Here())
    with forgotten(registries()):
        yield


def write_files() -> None:
    for kind, block in BLOCKS:
        if kind in ("python", "yaml"):
            name = Path(block.splitlines()[0].removeprefix("# "))
            name.parent.mkdir(parents=True, exist_ok=True)
            name.write_text(block.partition("\n")[2])


def test_the_layer_has_thirty_lines() -> None:
    code = next(block for kind, block in BLOCKS if kind == "python")
    assert len([line for line in code.splitlines()[1:] if line.strip()]) <= 30


@pytest.mark.parametrize("section", SECTIONS)
def test_every_command_of_the_page_works(verb: Verb, section: str) -> None:
    write_files()
    text = PAGE.partition(f"## {section}\n")[2].partition("\n## ")[0]
    commands = [
        line for block in re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL) for line in block.splitlines()
    ]
    assert len(commands) >= 3
    for line in commands:
        name, *words = shlex.split(line.partition("#")[0])[1:]
        few = ["device=cpu", "trainer.limit_train_batches=3"]
        quick = ["device=cpu", "batch_sizes=[2]", "lengths=[4]", "rounds=1", "latency_rounds=1"]
        quick = {"benchmark": quick, "check": [], "compare": [*few, *quick[3:]], "train": few}.get(name, quick[:1])
        result = verb(name, *words, *quick)
        assert result.code == 0, f"{line}\n{result.err}"
