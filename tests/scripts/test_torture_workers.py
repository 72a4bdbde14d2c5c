"""The trial `workers`, for what hears no signal but one: a worker and a process that are stopped."""

import sys
from pathlib import Path

import pytest
from torture.trials import workers


def test_a_stopped_worker_ends_its_run(tmp_path: Path) -> None:
    assert workers.Worker("stopped", "train", 1).failure(tmp_path, 2) is None


@pytest.mark.slow
@pytest.mark.parametrize("how", ["stopped", "killed", "with a NaN"])
def test_a_process_of_a_distributed_training_ends_its_run(tmp_path: Path, how: str) -> None:
    assert workers.Rank(how, (sys.executable,)).failure(tmp_path, 0) is None
