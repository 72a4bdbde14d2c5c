"""What of a run may change when it is resumed: what leaves the training what it is, and how long it takes."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnvision.cli.frame.early.again import OF_COMMAND, in_words
from rnnvision.errors import UsageError
from rnnvision.masking import is_secret_key, masked_values
from rnnvision.report.two_runs import flat
from rnnvision.runs import Run

if TYPE_CHECKING:
    from rnnvision.cli.frame.setup import Training

# Of the trainer: how long, where, and what is shown and looked for. Anything else would make it another training.
OF_TRAINER = (
    *("max_epochs", "max_steps", "max_time", "min_epochs", "min_steps", "limit_test_batches"),
    *("accelerator", "strategy", "deterministic", "benchmark", "detect_anomaly", "num_sanity_val_steps"),
    *("enable_progress_bar", "log_every_n_steps", "profiler", "inference_mode", "enable_autolog_hparams"),
)
MAY_CHANGE = (
    *(f"trainer.{key}" for key in OF_TRAINER),
    *("callbacks.", "logger.", "report", "tags", "data.root", "data.cache", "data.num_workers", "data.timeout"),
    "save_every",
)
NOT_OF_TRAINING = (*OF_COMMAND, "tags", "plugins", "report", "logger", "hydra", "experiment", "sweep", "debug")
ENTRY = "configuration"  # of the description of a checkpoint


def may_change(key: str) -> bool:
    """Whether a run goes on as it began with another value of this key."""
    if key.startswith("data.") and is_secret_key(key):
        return True  # it opens what is read, and may have been renewed
    return any(key == name or (name.endswith(".") and key.startswith(name)) for name in MAY_CHANGE)


def allowed() -> str:
    """The keys that may change, for people."""
    names = [f"{name}*" if name.endswith(".") else name for name in MAY_CHANGE]
    trainers = [name.removeprefix("trainer.") for name in names if name.startswith("trainer.")]
    return ", ".join([f"trainer.({', '.join(trainers[:4])} ...)", *(n for n in names if not n.startswith("trainer."))])


def configuration(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a configuration, as plain values, a training depends on: single values by their keys."""
    found = flat(masked_values({key: value for key, value in config.items() if key not in NOT_OF_TRAINING}))
    return {key: value for key, value in found.items() if not may_change(key) and not _is_place(value)}


def _is_place(value: object) -> bool:
    """Whether a value may hold the run folder, which can be moved."""
    return isinstance(value, str) and "/" in value


def require_same(checkpoint: Path, config: Mapping[str, Any]) -> None:
    """Check that a configuration is the one that a checkpoint was trained with, see `configuration`.

    Raises:
        UsageError: that lists what differs.
    """
    from rnnvision.training import facts_of

    trained, now = facts_of(checkpoint)["rnnvision"].get(ENTRY) or {}, configuration(config)
    known = [key for key in trained if key in now]  # another version may have keys of its own
    changed = {key: (trained[key], now[key]) for key in known if trained[key] != now[key]}
    if changed:
        raise UsageError(
            f"{checkpoint}: was trained with another configuration than .hydra/config.yaml of this run has: "
            f"{in_words(changed)}; put back what was there, or begin a run of its own"
        )


def trained_on(training: "Training") -> dict[str, Any]:
    """Where and in what a training computes: with another value its weights are close, but not the same."""
    import torch

    trainer = training.trainer
    device = trainer.strategy.root_device.type
    threads = {"threads": torch.get_num_threads()} if device == "cpu" else {}
    return {"device": device, "precision": str(trainer.precision), "processes": trainer.world_size, **threads}


def place_lines(training: "Training") -> list[str]:
    """Of a run that goes on elsewhere than it was, or in another number of threads."""
    from rnnvision.nn import is_exact_in_threads
    from rnnvision.training import facts_of

    last = Run(training.run.path).last_checkpoint
    if training.cfg.resume is None or last is None:
        return []
    before, now = facts_of(last)["rnnvision"].get("trained_on", {}), trained_on(training)
    exact = now["precision"] == "32-true" and is_exact_in_threads(training.learner.network)
    told = {key: (before[key], now.get(key)) for key in before if before[key] != now.get(key)}
    if not told or (exact and set(told) == {"threads"}):
        return []
    return [f"note      not where it was trained so far ({in_words(told)}): the weights will be close, not the same"]
