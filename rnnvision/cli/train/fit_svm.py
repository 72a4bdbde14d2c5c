"""The run of a network that is fitted in one go, a support vector machine: the same folder as a training leaves."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from rnnvision.cli.frame.messages import UsageError
from rnnvision.runs.folder import RunFolder

if TYPE_CHECKING:
    import lightning as L

    from rnnvision.data import ImageData
    from rnnvision.training import Learner
    from rnnvision.training.svm_fit import Examples

LINE = (
    "fit       by scikit-learn, in one go on the processor: optimizer, scheduler, label_smoothing, callbacks and what\n"
    "          trainer= limits play no part\n"
)


def is_fitted(cfg: DictConfig) -> bool:
    """Whether a configuration asks for such a network."""
    from rnnvision.nn.controls.svm import SVMS

    return cfg.model.get("name") in SVMS


def check(cfg: DictConfig, data: "ImageData", world_size: int = 1) -> None:
    """Check that nothing is asked for that only a training over epochs can do.

    Raises:
        UsageError: that names the key, and what is legal.
    """
    if is_fitted(cfg) and cfg.resume is not None:
        raise UsageError(f"resume={cfg.resume}: {_why(cfg)}; there is nothing to go on with, start a run of its own")
    if refused := refusal(cfg, data, world_size):
        what, remedy = refused
        raise UsageError(f"{what}; choose {remedy}")


def refusal(cfg: DictConfig, data: "ImageData", world_size: int = 1) -> tuple[str, str] | None:
    """What stands in the way of a fit, and what to choose instead; None where nothing does."""
    from rnnvision.data import Augmentation

    if not is_fitted(cfg):
        return None
    if data.augmentation != Augmentation():
        return f"augmentation: {_why(cfg)}, and sees each picture as it is", "augmentation=none"
    devices: Any = cfg.trainer.get("devices")
    if world_size > 1 or (isinstance(devices, int) and devices > 1):
        return f"trainer.devices={devices}: {_why(cfg)}, by one process", "trainer.devices=1"
    return None


def _why(cfg: DictConfig) -> str:
    return f"model={cfg.model.name} is fitted in one go, not trained over epochs"


def fit_at_once(run: RunFolder, trainer: "L.Trainer", learner: "Learner", data: "ImageData") -> float:
    """Fit on the training split, validate, write checkpoints/best.ckpt; returns the seconds that the fit took."""
    from rnnvision.training.svm_fit import fit

    train, val = (_examples(data, split) for split in ("train", "val"))
    started = time.monotonic()
    changed = _beside(lambda: fit(learner.network, train, val))
    learner.description["network"].update(changed)
    seconds = time.monotonic() - started
    trainer.validate(learner, datamodule=data, verbose=False)
    trainer.save_checkpoint(run.path / "checkpoints" / "best.ckpt")
    return seconds


def _beside(call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What it returns, from a thread of its own: no signal ends compiled code, and Ctrl-C would wait for minutes."""
    future: Future[dict[str, Any]] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    thread = threading.Thread(target=run, daemon=True)  # which does not outlive the process
    thread.start()
    while thread.is_alive():
        thread.join(0.5)
    return future.result()


def _examples(data: "ImageData", split: str) -> "Examples":
    """All of a split in its own order: (N, C, H, W), (N,)."""
    import torch

    before, data.tested_split = data.tested_split, split
    try:
        batches = list(data.test_dataloader())
    finally:
        data.teardown()
        data.tested_split = before
    return torch.cat([images for images, _ in batches]), torch.cat([labels for _, labels in batches])
