"""Pictures that are read while the network trains: decoded and cropped in workers, finished on the device.

What a worker draws for a picture is a function of (seed, epoch, index), so the number of workers changes nothing.
"""

import weakref
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from rnnvision.data.augment import Augmentation, BatchTransform
from rnnvision.data.files import EncodedSplit
from rnnvision.data.loader import Loader
from rnnvision.data.splits import DataError, Samples
from rnnvision.seeding import derive_seed

Item = tuple[int, int]  # (epoch, index): workers live longer than an epoch
Loaded = tuple[Tensor | None, int, str]  # picture uint8 (C, H, W) or None, index, what is wrong
NOTHING = -1


class Pictures(Dataset[Loaded]):
    """One picture at a time, of the size that the network sees: what a worker does."""

    def __init__(self, samples: Samples, augmentation: Augmentation, seed: int, reading: Tensor) -> None:
        self.samples = samples
        self.reading = reading  # (workers,) shared memory: the index that each is at
        self._seed = seed
        self._draws = augmentation.needs_whole_pictures
        self._change = whole_picture_transform(samples, augmentation)

    def __getitem__(self, item: Item) -> Loaded:
        epoch, index = item
        worker = get_worker_info()
        if worker is not None:
            self.reading[worker.id] = index
        try:
            picture = self.samples.load(index)
        except DataError as error:
            return None, index, str(error)
        if not self._draws:
            return self._change(picture), index, ""
        with torch.random.fork_rng(devices=[]):  # torchvision draws from torch's own generator
            torch.default_generator.manual_seed(derive_seed("picture", self._seed, epoch, index))  # and no GPU's
            return self._change(picture), index, ""


def whole_picture_transform(samples: Samples, augmentation: Augmentation) -> Callable[[Tensor], Tensor]:
    """The part of an augmentation that works on whole pictures, one at a time: (C, any, any) -> (C, H, W), uint8."""
    from torchvision.transforms import v2

    policies = {"randaugment": v2.RandAugment, "trivialaugment": v2.TrivialAugmentWide}
    to_size: Callable[[Tensor], Tensor] = samples.square
    if augmentation.crop:
        to_size = v2.RandomResizedCrop(list(samples.image_shape[1:]), scale=(augmentation.crop, 1.0), antialias=True)
    if augmentation.policy is None:
        return to_size
    return v2.Compose([to_size, policies[augmentation.policy]()])  # no lambda: where workers are spawned it is pickled


def collate(loaded: list[Loaded]) -> tuple[Tensor, Tensor, list[str]]:
    """uint8 (B, C, H, W), the indices (B,), and what is wrong with the pictures that could not be read."""
    pictures = [picture for picture, _, _ in loaded if picture is not None]
    index = torch.tensor([index for picture, index, _ in loaded if picture is not None])
    return torch.stack(pictures) if pictures else torch.empty(0), index, [wrong for _, _, wrong in loaded if wrong]


class StreamingLoader(Loader):
    """Iterate over samples that are read by workers; the other arguments are those of `Loader`.

    Args:
        samples: what `load` reads one by one.
        augmentation: the part of it that works on whole pictures happens in the workers.
        stop: called with the first file that cannot be read; it raises.
        device: where batches are finished; for CUDA they travel from pinned memory, as uint8.
        num_workers: processes that read; 0 reads in this one.
        prefetch: batches that each worker is ahead.
        timeout: seconds after which a worker that gives nothing is taken for hung.
    """

    def __init__(
        self,
        samples: Samples,
        batch_size: int,
        transform: BatchTransform,
        *,
        augmentation: Augmentation,
        stop: Callable[[str], NoReturn],
        device: torch.device | str = "cpu",
        num_workers: int = 0,
        prefetch: int = 2,
        timeout: float = 120.0,
        **options: Any,
    ) -> None:
        super().__init__(len(samples), batch_size, transform, blocks=samples.blocks, **options)
        self._device = torch.device(device)
        self._labels = samples.labels
        self._stop = stop
        self._timeout = timeout
        reading = torch.full((max(num_workers, 1),), NOTHING).share_memory_()
        self._pictures = Pictures(samples, augmentation, self.sampler.seed or 0, reading)
        self._loader = DataLoader(
            self._pictures,
            batch_sampler=_EpochBatches(self),
            collate_fn=collate,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            prefetch_factor=prefetch if num_workers else None,
            pin_memory=self._device.type == "cuda",
            timeout=timeout if num_workers else 0,
            generator=torch.Generator(),  # of numbers that nobody uses; else each epoch would draw one from torch's own
        )

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        self.transform.start(self.sampler.epoch)
        for batch, (images, index, wrong) in enumerate(self._read()):
            if wrong:
                self._stop(wrong[0])
            labels = self._labels[index].to(self._device, non_blocking=True)
            images, index = images.to(self._device, non_blocking=True), index.to(self._device, non_blocking=True)
            yield self.transform(images, labels, index, batch)

    def close(self) -> None:
        """End the workers now; a further epoch starts new ones."""
        if self._loader._iterator is not None:
            self._loader._iterator._shutdown_workers()  # type: ignore[attr-defined]  # of the kind with workers
            self._loader._iterator = None

    def _read(self) -> Iterator[tuple[Tensor, Tensor, list[str]]]:
        try:
            yield from self._loader
        except RuntimeError as error:  # what torch raises for a worker that hangs or dies
            message = str(error)
            if "timed out" not in message and "exited unexpectedly" not in message and "is killed" not in message:
                raise
            files = [self._name(index) for index in self._pictures.reading.tolist() if index != NOTHING]
            what = f"gave nothing for {self._timeout:g} s" if "timed out" in message else "died"
            raise DataError(
                f"a worker {what} while it read one of {', '.join(files) or 'the first files'}; "
                "try a larger data.timeout, or data.num_workers=0"
            ) from error

    def _name(self, index: int) -> str:
        samples = self._pictures.samples
        return samples.name(index) if isinstance(samples, EncodedSplit) else f"sample {index}"


class _EpochBatches:
    """The batches of a loader's current epoch, as the DataLoader's workers want them."""

    def __init__(self, loader: Loader) -> None:
        self._loader = weakref.proxy(loader)  # in a cycle, the workers would be told to end too late, and waited for

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[list[Item]]:
        sampler = self._loader.sampler
        for index in self._loader.batches(sampler.indices()):
            yield [(sampler.epoch, i) for i in index.tolist()]
