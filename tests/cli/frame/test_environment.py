"""What Lightning does to a process is put right, for the next job in it and for whoever waits for its exit code."""

import os
from typing import Any

import lightning as L
import pytest

from rnnvision.cli.frame.trainer.environment import OF_PROCESSES
from rnnvision.training import Learner
from tests.cli.running import Verb


def test_what_lightning_sets_for_several_processes_is_gone_after_a_training(
    train: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later job would take OMP_NUM_THREADS for the user's own, and not give way."""
    fit = L.Trainer.fit

    def fit_by_several(self: L.Trainer, *arguments: Any, **options: Any) -> None:
        fit(self, *arguments, **options)
        os.environ.update(dict.fromkeys(OF_PROCESSES, "1"))

    monkeypatch.setattr(L.Trainer, "fit", fit_by_several)
    for name in OF_PROCESSES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MASTER_PORT", "12")
    assert train("trainer.max_epochs=1", "callbacks=none").code == 0
    assert {name: os.environ.get(name) for name in OF_PROCESSES if name in os.environ} == {"MASTER_PORT": "12"}


@pytest.mark.parametrize("step", ["validation_step", "test_step"])
def test_an_interruption_of_the_score_is_one(train: Verb, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Learner, step, interrupted)
    result = train("trainer.max_epochs=1", "trainer.limit_val_batches=1")
    assert result.code == 130
    assert "interrupted" in result.message
