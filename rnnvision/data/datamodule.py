"""ImageData: a data set of the catalog as a LightningDataModule."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import lightning as L
import torch

from rnnvision.checks import at_least, fraction, one_of, seed_number, shares
from rnnvision.data import reading
from rnnvision.data.augment import Augmentation, BatchTransform
from rnnvision.data.catalog import CATALOG
from rnnvision.data.loader import Loader, check_loading, count_train_batches
from rnnvision.data.membership import PARTS, Record
from rnnvision.data.resident import ResidentLoader
from rnnvision.data.serving import FORMATS, ServedSplits, Serving, choose, refusal, treatments
from rnnvision.data.splits import DataError, Samples, Split, Splits
from rnnvision.data.store import is_address
from rnnvision.data.streaming import StreamingLoader

EVAL_BATCH_SIZE = 1000


class ImageData(L.LightningDataModule):
    """Serve one data set: train and val cut from its official training split, its official test split as it is.

    Args:
        name: an entry of `rnnvision.data.CATALOG`.
        root: folder that holds the data or will, or the data's own folder; no other place is searched. None looks in
            $RNNVISION_DATA, ./data and the system's folder. For shards it may be an address, such as s3://bucket/folder.
        batch_size: training samples per step and process.
        eval_batch_size: samples per batch in validation and test; None leaves it to the verb, which knows the network.
        val_fraction: share of the training split that becomes the validation split, chosen by `split_seed`. Data with a
            validation split of its own keeps that.
        split_seed: of the generator that makes this choice.
        seed: of the order of the training samples, which is a function of (seed, epoch), and of their augmentation,
            which is one of (seed, epoch, index).
        sampler: "shuffle" serves each training image once an epoch; "balanced" draws as many with replacement, each
            class that occurs equally often on average. An image that is drawn twice is augmented in two ways.
        max_train_samples: keep so many training samples at most, for trials.
        augmentation: of the training images; None for none.
        format: "resident" keeps all images in memory on the training device, "streaming" reads each when it is
            needed; "auto" streams files that would take more than 1 GiB, or whose augmentation works on whole images.
            "shards" streams from the shards that `rnnvision shards` has made, in a folder or an object store.
        on_bad_file: for files that cannot be read, "stop" names them all and stops (before training, for up to 20,000
            streamed images; for more, when the first one is met; of what is only tested the begin of each file is read
            then, and its pixels when it is tested), "skip" leaves them out and lists them in `bad_files`; "convert" is
            "stop" but reads 16-bit and CMYK images, at a loss; ["skip", "convert"] does both.
        num_workers: processes that read images while streaming; None for half of the cores, 8 at most.
        prefetch: batches that each of them prepares ahead.
        timeout: seconds without a batch after which one of them is treated as hung.
        cache: keep decoded images on disk for later runs, in this folder, or for True in that of the user; not those
            that stream. None stands for True where there are image files, which False turns off.
        mean, std: of each channel, by which images are normalised, pixels in [0, 1]; one value stands for all channels.
            None for the data set's own.
        **options: those of the data set's reader, for example `image_size` of image_folder.

    Raises:
        ValueError: for an unknown name or a value out of range.
        DataError: (on `setup`, or while files are streamed) if the data is missing or damaged.

    Examples:
        >>> data = ImageData("digits", batch_size=32)
        >>> data.input_shape, len(data.splits.train), len(data.splits.val), len(data.splits.test)
        ((1, 8, 8), 1293, 144, 360)
        >>> images, labels = next(iter(data.train_dataloader()))
        >>> images.shape, images.dtype, labels.shape
        (torch.Size([32, 1, 8, 8]), torch.float32, torch.Size([32]))
    """

    def __init__(
        self,
        name: str,
        *,
        root: str | None = None,
        batch_size: int = 128,
        eval_batch_size: int | None = None,
        val_fraction: float = 0.1,
        split_seed: int = 0,
        seed: int = 0,
        sampler: str = "shuffle",
        max_train_samples: int | None = None,
        augmentation: Augmentation | None = None,
        format: str = "auto",
        on_bad_file: str | Sequence[str] = "stop",
        num_workers: int | None = None,
        prefetch: int = 2,
        timeout: float = 120.0,
        cache: bool | str | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        one_of("name", name, CATALOG)
        fraction("val_fraction", val_fraction)
        seed_number("split_seed", split_seed)
        seed_number("seed", seed)
        if max_train_samples is not None:
            at_least("max_train_samples", max_train_samples, 1)
        one_of("format", format, FORMATS)
        check_loading(batch_size, eval_batch_size, sampler, num_workers, prefetch, timeout)
        if mean is not None:
            shares("mean", mean)
        if std is not None:
            shares("std", std, zero=False)
        reading.check_place(name, root, format)
        self.name: str = name
        self.root = str(Path(root).expanduser().resolve()) if root and not is_address(root) else root or None
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size or EVAL_BATCH_SIZE
        self.eval_batch_size_is_free = eval_batch_size is None
        self.smallest_batch = 1  # of training; a last one with fewer samples is left out
        self.val_fraction, self.split_seed, self.seed = val_fraction, split_seed, seed
        self.sampler = sampler
        self.max_train_samples = max_train_samples
        self.augmentation = augmentation or Augmentation()
        self.format = format
        self.on_bad_file = treatments(on_bad_file)
        self.num_workers = min(8, (os.cpu_count() or 1) // 2) if num_workers is None else num_workers
        self.prefetch, self.timeout = prefetch, timeout
        self.cache = reading.settled_cache(cache, name, format)
        self.mean, self.std = mean, std
        self.options = options
        self.tested_split = "test"  # which split `trainer.test` sees: train, val or test
        self.parts: tuple[str, ...] = PARTS  # those that are needed
        self.record: Record | None = None  # which file is in which split, for a user's folder; known with the splits
        self._trained: Mapping[str, Any] = {}  # what a checkpoint says of itself
        self._notes: tuple[str, ...] = ()
        self._splits: ServedSplits | None = None
        self._looked_through = False
        self._streams: list[StreamingLoader] = []

    @classmethod
    def of_checkpoint(
        cls, description: Mapping[str, Any], *, parts: Sequence[str] = PARTS, **changes: Any
    ) -> "ImageData":
        """The data of a trained network, with each file in the split that it was in.

        Args:
            description: what a checkpoint says of itself, see `rnnvision.training.checkpoint`.
            parts: the splits that are needed; no image of another is decoded.
            **changes: arguments in place of those that it was trained with.
        """
        arguments, notes = reading.arguments_of(description, changes)
        data = cls(**arguments)
        data._notes = notes
        data.parts = tuple(parts)
        return data.as_trained(description)

    def as_trained(self, description: Mapping[str, Any]) -> "ImageData":
        """Keep each file in the split, and each class in the place, that the checkpoint of a network gives it."""
        self._trained = description
        if self.format != "shards" and (cut_by_position := reading.options_of(description, self.name)):
            self.options |= cut_by_position
            self._notes = (*self._notes, reading.NO_RECORD)
        return self

    # Facts, known once the data is read.

    @property
    def splits(self) -> ServedSplits:
        """Train, val and test as they are served. They are found on first use; each is decoded when it is asked for."""
        if self._splits is None:
            read = reading.read_splits(
                self.name, self.root, self.format, self.options, self._trained.get("class_names", ()), self.cache
            )
            CATALOG[self.name].normalisation(read.train.image_shape[0], self.mean, self.std)  # is it right for them?
            found = reading.divided(read, self.val_fraction, self.split_seed, allow_empty=bool(self._trained))
            found, self.record = reading.recorded(found, self._trained.get("files"))
            found = reading.limited(found, self.parts, self.max_train_samples)
            serving = choose(found, self.parts, self.format, self.augmentation, self.num_workers)
            self._splits = ServedSplits(found, serving, self.on_bad_file, self.num_workers, self.parts)
            before = self._trained.get("images", {}) if self.record is None else {}
            self._splits.add_notes(*self._notes, *reading.count_notes(self._splits, self.parts, before))
        return self._splits

    @property
    def known(self) -> Splits:
        """The splits as far as they are known without decoding: those that have been read as they are served."""
        return self.splits.known

    @property
    def serving(self) -> Serving:
        return self.splits.serving

    @property
    def bad_files(self) -> list[str]:
        """What is wrong with each file that was left out of the splits that have been read."""
        return self.splits.bad_files

    @property
    def val_split(self) -> Samples:
        return self.splits.val

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images."""
        return self.known.train.image_shape

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.known.class_names

    @property
    def normalisation(self) -> dict[str, list[float]]:
        """Mean and standard deviation of each channel, pixels in [0, 1]."""
        return CATALOG[self.name].normalisation(self.input_shape[0], self.mean, self.std)

    def describe(self) -> dict[str, Any]:
        """The arguments that reproduce this data, as plain values."""
        return {
            "name": self.name,
            "root": self.known.root,
            "eval_batch_size": self.eval_batch_size,
            "val_fraction": self.val_fraction,
            "split_seed": self.split_seed,
            "on_bad_file": self.on_bad_file[0] if len(self.on_bad_file) == 1 else list(self.on_bad_file),
            **{key: list(v) for key, v in (("mean", self.mean), ("std", self.std)) if v is not None},
            **({"format": "shards"} if self.format == "shards" else {}),  # since `root` then leads to shards
            **({"max_train_samples": self.max_train_samples} if self.max_train_samples is not None else {}),
            **self.options,
            **self.known.settled,
        }

    def num_train_batches(self, world_size: int = 1, limit: int | float = 1.0) -> int:
        """Training batches per epoch and process; `limit` as Lightning's limit_train_batches."""
        batches = count_train_batches(len(self.splits.train), self.batch_size, world_size, self.smallest_batch)
        return min(batches, limit) if isinstance(limit, int) else int(batches * limit)

    def class_counts(self, part: str) -> list[int]:
        """The number of images of each class in a split as it is served."""
        return reading.class_counts(self.splits[part], self.class_names)

    def class_lines(self) -> list[str]:
        """How many images each class has, and which classes a split lacks, as far as is known without decoding."""
        return reading.class_lines(self.known, self.parts)

    def summary(self) -> str:
        """One line: sizes, where the data came from, and how it is served; what else to know is in `known.notes`."""
        augmented = "" if self.augmentation == Augmentation() else f"; augmentation: {self.augmentation}"
        return f"{self.name}, {reading.in_words(self.splits)}; {self.serving.reason}{augmented}"

    def _stop_for_bad_files(self, first: str) -> NoReturn:
        """Raise an error that names every file that cannot be read, now that one was met."""
        bad = self.splits.unreadable({})
        raise refusal(bad) if bad else DataError(first)

    # Called by Lightning.

    def setup(self, stage: str | None = None) -> None:
        """Read what a training needs, or with no stage whatever is needed; what is tested, when it is tested."""
        now = {"fit": ("train", "val"), None: self.parts}.get(stage, ())
        for part in now:
            self.splits[part]
        if stage == "fit" and not self._looked_through:
            self._looked_through = True
            self.splits.look_through(now)

    def teardown(self, stage: str | None = None) -> None:
        """End the workers, of which each loader has its own."""
        for stream in self._streams:
            stream.close()
        self._streams.clear()

    def on_exception(self, exception: BaseException) -> None:
        self.teardown()

    def train_dataloader(self) -> Loader:
        return self._loader(self.splits.train, self.batch_size, seed=self.seed)

    def val_dataloader(self) -> Loader:
        return self._loader(self.val_split, self.eval_batch_size)

    def test_dataloader(self) -> Loader:
        return self._loader(self.splits[self.tested_split], self.eval_batch_size)

    def _loader(self, samples: Samples, batch_size: int, seed: int | None = None) -> Loader:
        trainer, norm = self.trainer, self.normalisation
        device = trainer.strategy.root_device if trainer is not None else torch.device("cpu")
        rank, world_size = (trainer.global_rank, trainer.world_size) if trainer is not None else (0, 1)
        augmentation = Augmentation() if seed is None else self.augmentation
        sizes = {"size": len(samples), "num_classes": len(self.class_names), "seed": seed or 0, "rank": rank}
        mean, std = tuple(norm["mean"]), tuple(norm["std"])
        transform = BatchTransform(mean, std, device, augmentation=augmentation, **sizes)
        order: dict[str, Any] = {"seed": seed, "smallest": self.smallest_batch}
        order |= {"rank": rank, "world_size": world_size, "device": device}
        if seed is not None and self.sampler == "balanced":
            order["balance"] = samples.labels
        if not self.serving.streams:
            assert isinstance(samples, Split)
            return ResidentLoader(samples, batch_size, transform, **order)
        order |= {"num_workers": self.num_workers, "prefetch": self.prefetch, "timeout": self.timeout}
        stop = self._stop_for_bad_files
        stream = StreamingLoader(samples, batch_size, transform, augmentation=augmentation, stop=stop, **order)
        self._streams.append(stream)
        return stream
