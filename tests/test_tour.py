"""docs/tour.ipynb: its ten cells run one after the other, in an empty folder, as a reader would run them."""

import json
import shlex
from pathlib import Path

import pytest

from tests.cli.running import exit_code_of, in_folder

NOTEBOOK = json.loads((Path(__file__).parents[1] / "docs" / "tour.ipynb").read_text())
IN_WORDS = (Path(__file__).parents[1] / "docs" / "tour.md").read_text()
CELLS = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def run_cell(source: str, names: dict[str, object]) -> object:
    """Run the commands and the Python of a cell; returns what a notebook would show, the value of its last line."""
    lines = source.splitlines()
    for command in (line[1:] for line in lines if line.startswith("!")):
        program, verb, *words = shlex.split(command)
        assert program == "rnnvision"
        assert exit_code_of(verb, *words) == 0, command
    code = [line for line in lines if not line.startswith("!")]
    if not code:
        return None
    exec("\n".join(code[:-1]), names)
    try:
        return eval(code[-1], names)
    except SyntaxError:
        exec(code[-1], names)
        return None


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_ten_cells_of_the_notebook_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    names: dict[str, object] = {}
    assert len(CELLS) == 10
    with in_folder(tmp_path / "here"):
        shown = [run_cell(cell, names) for cell in CELLS]
        of_a_file = run_cell(IN_WORDS.split("```python\n")[1].split("```")[0], names)
    _, _, labels, table, _, streamed, tokens, scores, verdicts, exported = shown
    assert labels[0][0]["score"] > 0.5  # type: ignore[index]
    assert len(table) == 5  # type: ignore[arg-type]
    assert streamed[0]["label"] == exported[0]["label"] == labels[0][0]["label"]  # type: ignore[index]
    assert 1 <= tokens <= 8  # type: ignore[operator]
    assert len(scores[0]) == 3  # type: ignore[index]
    assert verdicts
    assert of_a_file[0]["label"] == "7"  # type: ignore[index]


def test_the_notebook_is_committed_without_output() -> None:
    assert all(not cell.get("outputs") for cell in NOTEBOOK["cells"])
