"""ImageData: a data set of the catalog as a LightningDataModule."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import torch

from rnnvision.checks import at_least, fraction, one_of
from rnnvision.data.catalog import CATALOG
from rnnvision.data.resident import ResidentLoader, count_train_batches
from rnnvision.data.splits import Split, Splits


class ImageData(L.LightningDataModule):
    """Serve one data set: train and val cut from its official training split, its official test split as it is.

    Args:
        name: an entry of `rnnvision.data.CATALOG`.
        root: folder that holds the data or will; None looks in $RNNVISION_DATA, ./data and the system's folder.
        batch_size: training samples a step and process.
        eval_batch_size: samples a step in validation and test.
        val_fraction: share of the training split that becomes the validation split, chosen by `split_seed`. Data with a
            validation split of its own keeps that.
        split_seed: of the generator that makes this choice.
        seed: of the order of the training samples, which is a function of (seed, epoch).
        max_train_samples: keep so many training samples at most, for trials.
        **options: those of the data set's reader, for example `image_size` of image_folder.

    Raises:
        ValueError: for an unknown name or a value out of range.
        DataError: (on `setup`) if the data is missing or damaged.
    """

    def __init__(
        self,
        name: str,
        *,
        root: str | None = None,
        batch_size: int = 128,
        eval_batch_size: int = 1000,
        val_fraction: float = 0.1,
        split_seed: int = 0,
        seed: int = 0,
        max_train_samples: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        one_of("name", name, CATALOG)
        at_least("batch_size", batch_size, 1)
        at_least("eval_batch_size", eval_batch_size, 1)
        fraction("val_fraction", val_fraction)
        if max_train_samples is not None:
            at_least("max_train_samples", max_train_samples, 1)
        self.name: str = name
        self.root = str(Path(root).expanduser().resolve()) if root else None
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.val_fraction = val_fraction
        self.split_seed = split_seed
        self.seed = seed
        self.max_train_samples = max_train_samples
        self.options = options
        self.tested_split = "test"  # which split `trainer.test` sees: train, val or test
        self._splits: Splits | None = None

    # Facts, known once the data is read.

    @property
    def splits(self) -> Splits:
        """Train, val and test, read on first use."""
        if self._splits is None:
            facts = CATALOG[self.name]
            read = facts.read(facts.class_names, self.root, **self.options)
            if read.val is None:
                train, val = read.train.divide(self.val_fraction, self.split_seed)
            else:  # train in a fixed random order here too, so that its first samples are of every class
                train, val = read.train.divide(0.0, self.split_seed)[0], read.val
            if not len(train) or not len(val):
                raise ValueError(f"val_fraction={self.val_fraction}: leaves a part of {len(read.train)} images empty")
            if self.max_train_samples is not None:
                train = train.select(torch.arange(min(self.max_train_samples, len(train))))
            self._splits = replace(read, train=train, val=val)
        return self._splits

    @property
    def val_split(self) -> Split:
        assert self.splits.val is not None
        return self.splits.val

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images."""
        channels, height, width = self.splits.train.images.shape[1:]
        return channels, height, width

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.splits.class_names

    @property
    def normalisation(self) -> dict[str, list[float]]:
        """Mean and standard deviation of each channel, pixels in [0, 1]."""
        facts, channels = CATALOG[self.name], self.input_shape[0]
        mean, std = (list(v) if len(v) == channels else [sum(v) / len(v)] * channels for v in (facts.mean, facts.std))
        return {"mean": mean, "std": std}

    def describe(self) -> dict[str, Any]:
        """The arguments that make this data again, as plain values."""
        return {
            "name": self.name,
            "root": self.splits.root,
            "eval_batch_size": self.eval_batch_size,
            "val_fraction": self.val_fraction,
            "split_seed": self.split_seed,
            **self.options,
        }

    def num_train_batches(self, world_size: int = 1, limit: int | float = 1.0) -> int:
        """Training batches an epoch and process; `limit` as Lightning's limit_train_batches."""
        batches = count_train_batches(len(self.splits.train), self.batch_size, world_size)
        return min(batches, limit) if isinstance(limit, int) else int(batches * limit)

    def summary(self) -> str:
        """One line: sizes, where the data came from, and how it is served."""
        s = self.splits
        parts = (s.train, self.val_split, s.test)
        megabytes = sum(part.images.nbytes for part in parts) / 2**20
        sizes = " / ".join(f"{len(part):,}" for part in parts)
        shape = " x ".join(map(str, self.input_shape))
        return (
            f"{self.name}, {sizes} images (train / val / test) of {shape}, {len(s.class_names)} classes, "
            f"from {s.origin}; resident: {megabytes:.1f} MB in memory"
        )

    # What Lightning calls.

    def setup(self, stage: str | None = None) -> None:
        _ = self.splits

    def train_dataloader(self) -> ResidentLoader:
        return self._loader(self.splits.train, self.batch_size, seed=self.seed)

    def val_dataloader(self) -> ResidentLoader:
        return self._loader(self.val_split, self.eval_batch_size)

    def test_dataloader(self) -> ResidentLoader:
        parts = {"train": self.splits.train, "val": self.val_split, "test": self.splits.test}
        return self._loader(parts[self.tested_split], self.eval_batch_size)

    def _loader(self, split: Split, batch_size: int, seed: int | None = None) -> ResidentLoader:
        norm = self.normalisation
        trainer = self.trainer
        where: dict[str, Any] = {}
        if trainer is not None:
            where = {
                "device": trainer.strategy.root_device,
                "rank": trainer.global_rank,
                "world_size": trainer.world_size,
            }
        return ResidentLoader(split, batch_size, tuple(norm["mean"]), tuple(norm["std"]), seed=seed, **where)
