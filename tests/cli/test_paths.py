"""The two paths of docs/architecture.md, read off the stack of a run."""

import re
import traceback
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import rnnvision
from rnnvision.training import Learner
from tests.cli.running import Verb

PACKAGE = Path(rnnvision.__file__).parent
PAGE = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text()


def own_files() -> set[str]:
    """The files of the package whose code is being run."""
    frames = [Path(frame.filename) for frame in traceback.extract_stack()]
    return {str(file.relative_to(PACKAGE)) for file in frames if file.is_relative_to(PACKAGE)}


def test_the_paths_from_the_command_line_are_those_of_the_page(verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, set[str]] = {}
    made, stepped = nn.LSTM.__init__, Learner.training_step

    def make(self: nn.LSTM, *args: Any, **kwargs: Any) -> None:
        found.setdefault("nn.LSTM", own_files())
        made(self, *args, **kwargs)

    def step(self: Learner, *args: Any, **kwargs: Any) -> Any:
        found.setdefault("first step", own_files())
        return stepped(self, *args, **kwargs)

    monkeypatch.setattr(nn.LSTM, "__init__", make)
    monkeypatch.setattr(Learner, "training_step", step)
    result = verb("train", "model.hidden_size=64", "data=fake", "trainer=smoke", "trainer.max_epochs=1", "device=cpu")
    assert result.code == 0, result.err

    network, first_step = PAGE.partition("## Two paths")[2].partition("\n## ")[0].split("**From argv")
    numbered = re.findall(r"^\d\. `([\w/]+\.py)`", network, flags=re.MULTILINE)
    assert len(numbered) <= 6
    assert found["nn.LSTM"] == set(numbered)
    assert found["first step"] <= set(re.findall(r"`([\w/]+\.py)`", first_step))
    assert 0 < len(found["first step"]) <= 6
