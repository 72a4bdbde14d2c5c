"""Paths in the state of a checkpoint callback: of a file that somebody else may have written, none is followed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from rnnvision.training.checkpoint import CheckpointError


def stay_in_own_folders(checkpoint: dict[str, Any], trainer: L.Trainer) -> None:
    """Let the states of a Trainer's checkpoint callbacks name nothing but files in the folders of these callbacks.

    A run folder may have been moved or copied since, and a file that a state names may be anyone's: Lightning removes
    the one that a better one replaces.

    Raises:
        CheckpointError: for a state that no such callback writes.
    """
    states = checkpoint.get("callbacks", {})
    if not isinstance(states, dict):
        raise CheckpointError("the checkpoint holds no states of callbacks; begin a run of its own")
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.state_key in states:
            states[callback.state_key] = in_own_folder(states[callback.state_key], callback)


def in_own_folder(state: Mapping[str, Any], callback: ModelCheckpoint) -> dict[str, Any]:
    """The state of a callback, of the checkpoints that still lie in its folder."""
    folder = Path(str(callback.dirpath))
    kept = state.get("best_k_models") if isinstance(state, dict) else None
    if not isinstance(kept, dict) or not all(isinstance(s, Tensor) and s.numel() == 1 for s in kept.values()):
        raise CheckpointError(f"the state of {callback.state_key} holds no scores of files; begin a run of its own")
    here = {_here(path, folder): score for path, score in kept.items()}
    here = {path: score for path, score in here.items() if path}
    order = sorted(here, key=lambda path: float(here[path]), reverse=callback.mode == "max")
    is_full = 0 < callback.save_top_k <= len(order)
    return {
        **state,
        "dirpath": callback.dirpath,
        "best_k_models": here,
        "best_model_path": order[0] if order else _here(state.get("best_model_path"), folder),
        "best_model_score": here[order[0]] if order else None,
        "kth_best_model_path": order[-1] if is_full else "",
        "kth_value": here[order[-1]] if is_full else state.get("kth_value"),
        "last_model_path": _here(state.get("last_model_path"), folder),
    }


def _here(path: object, folder: Path) -> str:
    """The file of this name in a folder; "" where there is none."""
    found = folder / Path(str(path or "")).name if path else None
    return str(found) if found is not None and found.suffix == ".ckpt" and found.is_file() else ""
