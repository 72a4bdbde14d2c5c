"""GiveWay: which trainings may change the number of their threads, and that none keeps what it has changed."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from rnnvision.cli.frame.trainer.give_way import GiveWay
from rnnvision.nn import build

MADE = "rnnvision.cli.frame.trainer.give_way.Threads"


@pytest.mark.parametrize(
    ("device", "precision", "exact"),
    [("cpu", "32-true", [True]), ("cpu", "64-true", [False]), ("cpu", "bf16-mixed", [False]), ("cuda", "32-true", [])],
)
def test_only_float32_on_the_cpu_is_exact(
    device: str, precision: str, exact: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bool] = []

    def threads(exact: bool) -> Any:
        made.append(exact)
        return SimpleNamespace(gives_way=False)

    monkeypatch.setattr(MADE, threads)
    strategy = SimpleNamespace(root_device=torch.device(device))
    trainer: Any = SimpleNamespace(strategy=strategy, precision=precision, is_global_zero=True)
    network = build("sequence_classifier", input_shape=(1, 4, 4), num_classes=2, recurrence="rnn")
    learner: Any = SimpleNamespace(network=network)
    GiveWay().setup(trainer, learner, "fit")
    assert made == exact


class _Fails(Callback):
    def setup(self, *_: Any, **__: Any) -> None:
        raise KeyboardInterrupt


def test_threads_are_restored_where_a_run_ends_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []
    threads = SimpleNamespace(gives_way=False, restore=lambda: ended.append("restored"))
    monkeypatch.setattr(MADE, lambda exact: threads)
    monkeypatch.setattr("rnnvision.cli.frame.trainer.give_way.is_exact_in_threads", lambda network: True)
    learner = L.LightningModule()
    learner.network = torch.nn.Linear(1, 1)
    learner.training_step = learner.configure_optimizers = lambda *_: None  # type: ignore[method-assign,assignment]
    trainer = L.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, callbacks=[GiveWay(), _Fails()],
        default_root_dir=str(tmp_path), enable_progress_bar=False, enable_model_summary=False, max_epochs=1,
    )  # fmt: skip
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        trainer.fit(learner, torch.utils.data.DataLoader([1.0, 2.0]))
    assert ended == ["restored"]
