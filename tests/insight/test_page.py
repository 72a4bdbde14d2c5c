"""docs/insight.md: its examples run from top to bottom, and name every function that is no matter of cost."""

import re
from pathlib import Path

import pytest

from rnnvision import insight
from tests.cli.running import TINY, exit_code_of, in_folder

PAGE = (Path(__file__).parents[2] / "docs" / "insight.md").read_text()


def test_the_examples_run(tmp_path: Path) -> None:
    with in_folder(tmp_path / "here"):
        assert exit_code_of("train", *TINY) == 0
        names: dict[str, object] = {}
        for block in re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE):
            exec(block, names)
    assert isinstance(names["suspects"], list)


COSTS = {"cost", "kernels", "memory", "speed"}  # modules that docs/benchmarks.md is about
FUNCTIONS = [
    name
    for name in insight.__all__
    if name[0].islower() and getattr(insight, name).__module__.rpartition(".")[2] not in COSTS
]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_question_is_on_the_page(name: str) -> None:
    assert f"insight.{name}(" in PAGE
