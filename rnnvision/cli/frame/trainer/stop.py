"""Stop: SIGTERM ends a training as every other signal does, however many processes it has."""

import signal
import threading

import lightning as L
from lightning.pytorch.callbacks import Callback


class Stop(Callback):
    """Put back the handler of SIGTERM that Lightning replaces.

    Lightning's ends the training after the step, with nothing saved and no exit code. Of several processes it would
    broadcast from within the handler, that is in the middle of whatever these processes exchange just then; each of
    them may wait for ever for what another one does not send.
    """

    def __init__(self) -> None:
        self._handler = signal.getsignal(signal.SIGTERM)

    def on_sanity_check_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._put_back()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._put_back()

    def _put_back(self) -> None:
        in_main = threading.current_thread() is threading.main_thread()  # no other one may set it
        if in_main and self._handler is not None:
            signal.signal(signal.SIGTERM, self._handler)
