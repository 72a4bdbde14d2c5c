"""The checkpoints of a run on its disk: the one it goes on from is whole, and there is space for those that come."""

from typing import TYPE_CHECKING, Any

from rnnvision.cli.frame.arguments import plain
from rnnvision.cli.frame.paths import elsewhere
from rnnvision.cli.frame.trainer.attributes import callbacks_of, is_trial
from rnnvision.disk import DiskError, free, size
from rnnvision.runs import RunFolder, is_first_process

if TYPE_CHECKING:
    import lightning as L
    from torch import nn

    from rnnvision.cli.frame.setup import Training


def mend_checkpoints(run: RunFolder, callbacks: dict[str, Any]) -> None:
    """Let a run that is resumed find a last.ckpt that is whole; say where that, or the best one, is not what it was.

    Args:
        run: its folder.
        callbacks: of its configuration, as it was trained so far.

    Raises:
        CheckpointError: where it is damaged, and no other is whole.
    """
    from rnnvision.training import mend_best, mend_last

    if not is_first_process():
        return
    last = callbacks.get("last") or {"save_top_k": 0}
    is_written = last.get("save_top_k", 1) != 0
    for folder, has_last in (("pretrain", True), ("checkpoints", is_written)):
        lines = (mend_last(run.path / folder, is_written=has_last), mend_best(run.path / folder))
        for line in filter(None, lines):
            print(f"resume    {line}", flush=True)


def require_space(training: "Training") -> None:
    """Refuse a training whose checkpoints will not fit on the disk.

    Raises:
        DiskError: with what they take, and what is free.
    """
    trainer, run = training.trainer, training.run
    number = _number(trainer)
    if not number or not is_first_process():
        return
    each = _bytes(training.learner.network, plain(training.cfg.optimizer) or {}, trainer)
    there = sum(path.stat().st_size for path in (run.path / "checkpoints").glob("*.ckpt"))
    number += 2 if training.cfg.get("pretrain") is not None else 0  # the last of the pre-training, and the one before
    needed, left = number * each - there, free(run.path)
    if left is not None and left < needed:
        raise DiskError(
            f"{run.shown()}: no space left on the device for the checkpoints of this run: {number} of {size(each)}, "
            f"{size(left)} are free; make space, or {elsewhere('on another disk')}"
        )


def _number(trainer: "L.Trainer") -> int:
    """The checkpoints that are there at once: those that are kept, the one before the last, and one being written."""
    from lightning.pytorch.callbacks import ModelCheckpoint

    if is_trial(trainer):
        return 0
    found = [c for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint) and c.save_top_k]
    kept = sum(max(callback.save_top_k, 1) for callback in found)
    return kept + any(callback.filename == "last" for callback in found) + 1 if kept else 0


def _bytes(network: "nn.Module", optimizer: dict[str, object], trainer: "L.Trainer") -> int:
    """Of one checkpoint: weights, their averages, and what the optimiser keeps of each that is trained."""
    from lightning.pytorch.callbacks import WeightAveraging

    weights = sum(tensor.nbytes for tensor in network.state_dict().values())
    trained = sum(parameter.nbytes for parameter in network.parameters() if parameter.requires_grad)
    averaged = any(isinstance(callback, WeightAveraging) for callback in callbacks_of(trainer))
    moments = 2 * ("betas" in optimizer) + ("alpha" in optimizer) + bool(optimizer.get("momentum"))
    return weights * (1 + averaged) + trained * moments
