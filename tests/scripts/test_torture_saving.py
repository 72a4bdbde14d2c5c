"""The trials of saving, in short: kills during a save, a full disk, damaged checkpoints."""

from pathlib import Path
from typing import Any

import pytest
from torture.trials import damage, full_disk, save_kills

from rnnvision.training import VerifiedCheckpointIO
from rnnvision.training.saving import content

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def test_kills_during_a_save_leave_a_whole_checkpoint_and_nothing_else(tmp_path: Path) -> None:
    outcome = save_kills.run(3, 0, tmp_path, megabytes=4)
    assert (outcome.count, outcome.failures) == (3, [])


def test_a_full_disk_costs_nothing_that_was_there(tmp_path: Path) -> None:
    outcome = full_disk.run(3, 0, tmp_path, trainings=0)
    assert (outcome.count, outcome.failures) == (3, [])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return damage.trained(tmp_path_factory.mktemp("trained"), "mingru")


def test_no_damaged_checkpoint_is_accepted_with_other_content(
    tmp_path: Path, files: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(damage, "trained", lambda folder: files)
    outcome = damage.run(150, 0, tmp_path)
    assert (outcome.count, outcome.failures) == (150, [])


def test_the_trials_would_see_it(tmp_path: Path, files: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damage, "trained", lambda folder: files)
    with monkeypatch.context() as patch:
        patch.setattr("rnnvision.training.checkpoint.digests_of", lambda entries: dict.fromkeys(entries, ""))
        patch.setattr("rnnvision.training.checkpoint._changed", lambda entries, digests: [])
        assert any("other content" in failure for failure in damage.run(60, 0, tmp_path).failures)

    def save_in_place(self: Any, checkpoint: Any, path: Path) -> None:
        import torch

        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({**checkpoint, "digests": content.digests_of(checkpoint)}, path)

    monkeypatch.setattr(VerifiedCheckpointIO, "save_checkpoint", save_in_place)
    assert full_disk.run(1, 0, tmp_path, trainings=0).failures
