"""Training: the Learner, optimisers and schedules, checkpoints, the run log. Knows no data set and no config."""

from rnnvision.training.best import FIGURES, BestCheckpoint
from rnnvision.training.checkpoint import (
    CheckpointError,
    VerifiedCheckpointIO,
    find_checkpoint,
    load_body,
    load_network,
    read_checkpoint,
    require_network,
)
from rnnvision.training.class_weight import check_class_weight, class_weights
from rnnvision.training.learner import Learner, TrainingError
from rnnvision.training.optim import OPTIMIZERS, SCHEDULES, count_steps, make_optimizer, make_scheduler
from rnnvision.training.run_log import RunLog

__all__ = [
    "FIGURES",
    "OPTIMIZERS",
    "SCHEDULES",
    "BestCheckpoint",
    "CheckpointError",
    "Learner",
    "RunLog",
    "TrainingError",
    "VerifiedCheckpointIO",
    "check_class_weight",
    "class_weights",
    "count_steps",
    "find_checkpoint",
    "load_body",
    "load_network",
    "make_optimizer",
    "make_scheduler",
    "read_checkpoint",
    "require_network",
]
