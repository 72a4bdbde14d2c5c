"""With two processes of device=cpu_ddp, each sees half of the samples, and together they see all of them once."""

import warnings
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor, nn

from rnnvision.data import Augmentation, ImageData


class Recorder(L.LightningModule):
    """Trains nothing to speak of, and writes down what each process is given."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = folder
        self.scale = nn.Parameter(torch.ones(()))
        self.seen: list[Tensor] = []

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        self.seen.append(batch[0].flatten(1).sum(dim=1))
        return self.scale * batch[0].mean()

    def on_train_epoch_end(self) -> None:
        torch.save(torch.cat(self.seen), Path(self.folder, f"{self.current_epoch}_{self.global_rank}.pt"))
        self.seen = []

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


def _data(**options: Any) -> ImageData:
    return ImageData("fake", num_train=90, num_test=4, num_classes=3, batch_size=4, val_fraction=0.1, **options)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"format": "resident"}, {"format": "streaming", "num_workers": 1}])
def test_the_halves_are_disjoint_and_make_the_whole(tmp_path: Path, options: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the processes that are forked
        trainer = L.Trainer(
            accelerator="cpu",
            devices=2,
            strategy="ddp_fork",
            max_epochs=2,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            limit_val_batches=0,
        )
        trainer.fit(Recorder(str(tmp_path)), datamodule=_data(augmentation=Augmentation(), **options))
    whole = _data()
    expected = torch.cat([images.flatten(1).sum(dim=1) for images, _ in whole.train_dataloader()]).sort().values
    assert len(expected.unique()) == 81
    for epoch in (0, 1):
        first, second = (torch.load(tmp_path / f"{epoch}_{rank}.pt") for rank in (0, 1))
        assert len(first) == len(second) == 40  # of a last, single sample neither gets any
        union = torch.cat((first, second))
        assert len(union.unique()) == 80
        assert torch.isin(union, expected).all()
