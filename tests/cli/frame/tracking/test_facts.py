"""What trackers are told of a run besides its figures."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from rnnvision.cli.frame.tracking.facts import OF_SEVERAL, checked_tags, group_of, parameters_of
from rnnvision.errors import UsageError
from tests.cli.running import Verb, one_line


@pytest.mark.parametrize("tags", ["word", ["a", ""], ["a,b"], [True], ["x" * 65], {"a": 1}, ["ä\n"]])
def test_tags_that_a_tracker_would_not_take_are_refused(tags: Any) -> None:
    with pytest.raises(UsageError, match=r"^tags=.*: must be a list of words .*; write tags=\[baseline,draft\]$"):
        checked_tags({"tags": tags})


def test_tags_are_words_each_once() -> None:
    assert checked_tags({"tags": ["a b", 2024, "a b", "v1.0:x/y"]}) == ["a b", "2024", "v1.0:x/y"]
    assert checked_tags({}) == checked_tags({"tags": None}) == []


def test_tags_are_refused_before_a_folder_is_made(verb: Verb) -> None:
    assert one_line(verb, "train", 'tags=["a!"]').startswith("tags=[a!]: must be a list of words")


def test_every_value_is_a_parameter_but_those_of_loggers() -> None:
    cfg = {"model": {"layer": {"bias": None}, "sizes": [1, 2]}, "logger": {"x": {"uri": "secret"}}, "tags": ["a"]}
    assert parameters_of(OmegaConf.create(cfg)) == {"model.layer.bias": None, "model.sizes": [1, 2]}


@pytest.mark.parametrize("file", OF_SEVERAL)
def test_a_group_is_the_folder_with_several_runs_that_a_run_lies_in(tmp_path: Path, file: str) -> None:
    run = tmp_path / "several" / "trials" / "0000"
    assert group_of(run) == group_of(tmp_path / "several") == ""
    run.mkdir(parents=True)
    (tmp_path / "several" / file).write_text("")
    assert group_of(run) == group_of(tmp_path / "several" / "0") == "several"
    assert group_of(tmp_path / "several") == ""
