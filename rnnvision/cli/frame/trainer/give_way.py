"""GiveWay: the threads of a training on the CPU give way to other processes."""

from typing import Any, cast

import lightning as L
from lightning.pytorch.callbacks import Callback

from rnnvision.checks import counted
from rnnvision.nn import is_exact_in_threads
from rnnvision.nn.kernels.threads import Threads
from rnnvision.others import cores
from rnnvision.training import Learner


class GiveWay(Callback):
    """Look between the steps at what others use of the machine; a training says so, once."""

    def __init__(self) -> None:
        self.threads: Threads | None = None
        self._silent = True

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if trainer.strategy.root_device.type == "cpu" and self.threads is None:
            network = cast(Learner, pl_module).network  # whose weights Lightning has yet to bring into the precision
            self.threads = Threads(is_exact_in_threads(network) and trainer.precision == "32-true")
            self._silent = stage != "fit" or not trainer.is_global_zero
            self._say()

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._end()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self._end()

    def on_train_batch_start(self, trainer: L.Trainer, *rest: Any) -> None:
        self._look()

    def on_validation_batch_start(self, trainer: L.Trainer, *rest: Any) -> None:
        self._look()

    def on_test_batch_start(self, trainer: L.Trainer, *rest: Any) -> None:
        self._look()

    def _look(self) -> None:
        if self.threads is not None and self.threads.look():
            self._say()

    def _say(self) -> None:
        threads = self.threads
        if self._silent or threads is None or not threads.gives_way:
            return
        self._silent = True
        now = counted(threads.count, "thread")
        print(
            f"threads   others use {threads.load:.1f} of {counted(int(cores()), 'core')}: while they do, "
            f"{now if threads.count < threads.most else f'the {now} do not spin'}, with the same result",
            flush=True,
        )

    def _end(self) -> None:
        if self.threads is not None:
            self.threads.restore()
            self.threads = None
