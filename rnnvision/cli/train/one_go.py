"""A fit in one go: a support vector machine, by scikit-learn; the run folder is that of a training."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from rnnvision.cli.frame.setup import Training, one_go_refusal
from rnnvision.errors import UsageError

if TYPE_CHECKING:
    from rnnvision.training.svm_fit import Examples


class OneGoFit:
    """Fit on the training split, validate, write checkpoints/best.ckpt."""

    line = (
        "fit       by scikit-learn, in one go on the CPU: optimizer, scheduler, label_smoothing, callbacks and what\n"
        "          trainer= limits play no part"
    )

    def __init__(self, training: Training) -> None:
        if refused := one_go_refusal(training.cfg, training.data, training.trainer.world_size):
            what, remedy = refused
            raise UsageError(f"{what}; choose {remedy}")
        self.training = training

    def run(self) -> dict[str, float]:
        from rnnvision.training.svm_fit import fit_in_one_go

        trainer, learner, data = self.training.trainer, self.training.learner, self.training.data
        train, val = self._examples("train"), self._examples("val")
        started = time.monotonic()
        changed = _beside(lambda: fit_in_one_go(learner.network, train, val))
        learner.description["network"].update(changed)
        seconds = time.monotonic() - started
        trainer.validate(learner, datamodule=data, verbose=False)
        trainer.save_checkpoint(self.training.run.path / "checkpoints" / "best.ckpt")
        return {"train/seconds": round(seconds, 3)}

    def _examples(self, split: str) -> "Examples":
        """All of a split in its own order: (N, C, H, W), (N,)."""
        import torch

        data = self.training.data
        before, data.tested_split = data.tested_split, split
        try:
            batches = list(data.test_dataloader())
        finally:
            data.teardown()
            data.tested_split = before
        return torch.cat([images for images, _ in batches]), torch.cat([labels for _, labels in batches])


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
