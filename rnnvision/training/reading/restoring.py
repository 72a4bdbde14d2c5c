"""While Lightning puts the states of a checkpoint where they belong: what fails there is the checkpoint's fault."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
from lightning.fabric.utilities.exceptions import MisconfigurationException

from rnnvision.errors import FailureError, UsageError
from rnnvision.training.checkpoint import CheckpointError

STAGES = ("_restore_modules_and_callbacks", "restore_training_state")


def blame_checkpoint(trainer: L.Trainer, path: Path) -> None:
    """Have what fails while a Trainer restores the checkpoint `path` said in one line.

    States of Lightning's loops and of callbacks, a user's own among them, are theirs to know: what of them is wrong
    shows where they take it.
    """
    connector = trainer._checkpoint_connector
    for name in STAGES:
        setattr(connector, name, _blaming(getattr(connector, name), path))


def _blaming(restore: Callable[..., Any], path: Path) -> Callable[..., Any]:
    def restored(*arguments: Any, **named: Any) -> Any:
        try:
            return restore(*arguments, **named)
        except (UsageError, FailureError, MisconfigurationException, MemoryError):
            raise
        except Exception as error:
            told = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            raise CheckpointError(f"{path}: a training cannot go on from it: {told}") from error

    return restored
