"""Training: the Learner, optimisers and schedules, checkpoints, the run log. Knows no data set and no config."""

from typing import TYPE_CHECKING

from rnnvision.lazy import lazily

if TYPE_CHECKING:
    from rnnvision.training.best import FIGURES, BestCheckpoint
    from rnnvision.training.checkpoint import (
        CheckpointError,
        load_body,
        load_network,
        read_checkpoint,
        require_network,
    )
    from rnnvision.training.class_weight import check_class_weight, class_weights
    from rnnvision.training.failures import TrainingError
    from rnnvision.training.learner import Learner
    from rnnvision.training.losses import check_anytime
    from rnnvision.training.optim import OPTIMIZERS, SCHEDULES, count_steps, make_optimizer, make_scheduler
    from rnnvision.training.run_log import RunLog
    from rnnvision.training.saving.choose import best_is_lost, facts_of, find_checkpoint, mend_best, mend_last
    from rnnvision.training.saving.io import VerifiedCheckpointIO
    from rnnvision.training.temperature import Calibration, fit_temperature
else:  # Lightning takes longer to import than torch, and reading a checkpoint does not need it
    __getattr__ = lazily(
        __name__,
        losses="check_anytime",
        best="FIGURES BestCheckpoint",
        checkpoint="CheckpointError load_body load_network read_checkpoint require_network",
        class_weight="check_class_weight class_weights",
        failures="TrainingError",
        learner="Learner",
        optim="OPTIMIZERS SCHEDULES count_steps make_optimizer make_scheduler",
        run_log="RunLog",
        temperature="Calibration fit_temperature",
        **{
            "saving.choose": "best_is_lost facts_of find_checkpoint mend_best mend_last",
            "saving.io": "VerifiedCheckpointIO",
        },
    )

__all__ = [
    "FIGURES",
    "OPTIMIZERS",
    "SCHEDULES",
    "BestCheckpoint",
    "Calibration",
    "CheckpointError",
    "Learner",
    "RunLog",
    "TrainingError",
    "VerifiedCheckpointIO",
    "best_is_lost",
    "check_anytime",
    "check_class_weight",
    "class_weights",
    "count_steps",
    "facts_of",
    "find_checkpoint",
    "fit_temperature",
    "load_body",
    "load_network",
    "make_optimizer",
    "make_scheduler",
    "mend_best",
    "mend_last",
    "read_checkpoint",
    "require_network",
]
