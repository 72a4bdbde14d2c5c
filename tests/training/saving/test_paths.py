"""Paths in a checkpoint are not followed: what Lightning may remove lies in the run's own folder."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from rnnvision.training import BestCheckpoint, CheckpointError, VerifiedCheckpointIO, read_checkpoint
from rnnvision.training.saving.paths import in_own_folder
from tests.training.cases import make_data, make_learner, make_trainer

pytestmark = [
    pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty:UserWarning"),
]


def callbacks(folder: Path) -> list[ModelCheckpoint]:
    several = {"save_top_k": 2, "filename": "{epoch}", "mode": "min", "auto_insert_metric_name": False}
    return [
        BestCheckpoint(folder, monitor="val/loss"),
        ModelCheckpoint(folder, monitor="train/loss", **several),
        ModelCheckpoint(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False),
    ]


def fit(folder: Path, epochs: int, last: Path | None = None) -> None:
    data = make_data()
    trainer = make_trainer(folder, max_epochs=epochs, callbacks=callbacks(folder))
    trainer.fit(make_learner(data), datamodule=data, ckpt_path=last)


def forged(path: Path, victim: Path) -> None:
    """Let each path of each state be that of a victim, by a way through the folder itself."""
    checkpoint = read_checkpoint(path)
    for state in checkpoint["callbacks"].values():
        state["dirpath"] = str(path.parent)
        away = f"{path.parent}/../{victim.name}"
        state |= dict.fromkeys(("best_model_path", "kth_best_model_path", "last_model_path"), away)
        worst = torch.tensor(math.inf if "min" in str(state["monitor"]) else 1e9)
        state["best_k_models"] = {away: worst, str(victim): worst}
        state["kth_value"] = state["best_model_score"] = worst
    VerifiedCheckpointIO().save_checkpoint(checkpoint, path)


def test_a_file_that_a_state_names_is_not_removed(tmp_path: Path) -> None:
    folder, victim = tmp_path / "checkpoints", tmp_path / "victim.ckpt"
    fit(folder, 1)
    victim.write_text("of somebody else")
    forged(folder / "last.ckpt", victim)
    fit(folder, 4, folder / "last.ckpt")
    assert victim.read_text() == "of somebody else"
    assert {"last.ckpt", "best.ckpt"} <= {path.name for path in folder.iterdir()}


def test_a_copied_run_removes_its_own_files_and_none_of_the_other(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    fit(one, 2)
    other.mkdir()
    for path in one.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    before = {path.name: path.read_bytes() for path in one.iterdir()}
    fit(other, 4, other / "last.ckpt")
    assert {path.name: path.read_bytes() for path in one.iterdir()} == before
    assert len([path for path in other.iterdir() if path.stem.isdecimal()]) == 2  # save_top_k


def test_what_is_gone_is_not_the_best_any_more(tmp_path: Path) -> None:
    callback = ModelCheckpoint(tmp_path, monitor="val/loss", save_top_k=2)
    (tmp_path / "b.ckpt").touch()
    scores = {"/elsewhere/a.ckpt": torch.tensor(1.0), "/elsewhere/b.ckpt": torch.tensor(2.0)}
    state = in_own_folder({"best_k_models": scores, "best_model_path": "/elsewhere/a.ckpt"}, callback)
    best = str(tmp_path / "b.ckpt")
    assert (state["best_k_models"], state["best_model_path"]) == ({best: torch.tensor(2.0)}, best)
    assert (state["best_model_score"], state["kth_best_model_path"]) == (torch.tensor(2.0), "")


@pytest.mark.parametrize(("mode", "best", "worst"), [("min", "a", "b"), ("max", "b", "a")])
def test_the_best_of_several_is_still_the_best(tmp_path: Path, mode: str, best: str, worst: str) -> None:
    callback = ModelCheckpoint(tmp_path, monitor="val/loss", mode=mode, save_top_k=2)
    scores = {"a": torch.tensor(1.0), "b": torch.tensor(2.0)}
    for name in scores:
        (tmp_path / f"{name}.ckpt").touch()
    state = in_own_folder({"best_k_models": {f"/elsewhere/{k}.ckpt": v for k, v in scores.items()}}, callback)
    assert (state["best_model_path"], state["best_model_score"]) == (str(tmp_path / f"{best}.ckpt"), scores[best])
    assert (state["kth_best_model_path"], state["kth_value"]) == (str(tmp_path / f"{worst}.ckpt"), scores[worst])


@pytest.mark.parametrize("state", [None, [], {}, {"best_k_models": {"a.ckpt": 1.0}}, {"best_k_models": [1]}], ids=str)
def test_a_state_of_another_kind_is_refused(tmp_path: Path, state: Any) -> None:
    with pytest.raises(CheckpointError, match="holds no scores of files"):
        in_own_folder(state, ModelCheckpoint(tmp_path))
