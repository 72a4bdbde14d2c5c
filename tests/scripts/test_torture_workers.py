"""The trial `workers`: a worker that is stopped, which hears no signal but one."""

from pathlib import Path

from torture.trials import workers


def test_a_stopped_worker_ends_its_run(tmp_path: Path) -> None:
    assert workers.Worker("stopped", "train", 1).failure(tmp_path, 2) is None
