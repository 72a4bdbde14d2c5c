"""Lightning as its tutorials write it: a torchvision data set, a DataLoader, a metric updated and logged each step."""

import logging
import warnings
from typing import Any

import lightning as L
import torch
import torchvision
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from torchmetrics.classification import MulticlassAccuracy
from torchvision import transforms

from peers.loop import Network
from peers.project import Clock
from peers.work import BATCH_SIZE, BETAS, CLIP_NORM, EPSILON, NETWORKS, NUM_CLASSES, Turns, Work, arguments


class Classifier(L.LightningModule):
    def __init__(self, work: Work, steps: int) -> None:
        super().__init__()
        self.work, self.steps = work, steps
        self.network = Network(work)
        self.accuracy = MulticlassAccuracy(NUM_CLASSES, average="micro")

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, labels = batch
        logits = self.network(images.squeeze(1))
        loss = cross_entropy(logits, labels)
        self.accuracy.update(logits, labels)
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        self.log("train/accuracy", self.accuracy, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> Any:
        work = self.work
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[work.optimizer]
        optimizer = kind(self.parameters(), work.lr, BETAS, EPSILON, work.weight_decay)
        if not work.one_cycle:
            return optimizer
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, work.lr, self.steps, cycle_momentum=False)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def main() -> None:
    told, turns = arguments(), Turns()
    torch.set_num_threads(told.threads)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*does not have many workers")
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((told.mean,), (told.std,))])
    loader: DataLoader[Any] = DataLoader(
        torchvision.datasets.MNIST(told.images, train=True, transform=transform),
        BATCH_SIZE,
        shuffle=True,
        num_workers=told.workers,
        persistent_workers=told.workers > 0,  # starting them anew would weigh more here than in a whole epoch
    )
    names = {"torch": torch.__version__, "lightning": L.__version__, "torchvision": torchvision.__version__}
    trainer = L.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=told.epochs,
        gradient_clip_val=CLIP_NORM,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Clock(turns)],
    )
    turns.ready(versions=names, threads=torch.get_num_threads())
    trainer.fit(Classifier(NETWORKS[told.network], told.epochs * len(loader)), loader)


if __name__ == "__main__":
    main()
