"""Streaming: images are read while the network trains, decoded and cropped in workers, finished on the device.

What a worker draws for an image is a function of (seed, epoch, index), so the number of workers changes nothing.
"""

import shutil
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from rnnvision.data.augment import Augmentation, BatchTransform
from rnnvision.data.files import EncodedSplit
from rnnvision.data.images import Part, cut
from rnnvision.data.loader import Loader
from rnnvision.data.splits import DataError, Samples
from rnnvision.seeding import derive_seed

# Slot, epoch (workers live longer than one), indices, and the numbers that their augmentation is drawn by.
Request = tuple[int, int, list[int], list[int]]
Filled = tuple[int, list[int], list[int], list[str]]  # slot, indices, numbers, and what is wrong with files not read
NOTHING = -1


class StreamedImages(Dataset[Filled]):
    """The data set of the workers, which fill batches with images of the size that the network sees.

    Batches are in shared memory that is reused: no image is sent from a worker, and no memory is mapped anew for each
    batch.

    Attributes:
        slots: uint8 (S, B, H, W, C), a batch each; channels last, as decoders return an image.
        reading: int64 (workers,), the index that each worker is reading.
    """

    def __init__(
        self, samples: Samples, augmentation: Augmentation, seed: int, *, batch_size: int, num_slots: int, workers: int
    ) -> None:
        self.samples = samples
        channels, height, width = samples.image_shape
        self.slots = torch.empty(num_slots, batch_size, height, width, channels, dtype=torch.uint8)
        self.reading = torch.full((max(workers, 1),), NOTHING)
        if workers:
            _check_shared_memory(self.slots.numel())
            self.slots.share_memory_()
            self.reading.share_memory_()
        self._seed = seed
        self._draws = augmentation.needs_whole_images
        self._crop = RandomResizedCrop(samples.image_shape[1:], augmentation.crop) if augmentation.crop else None
        self._steps = policy_steps(augmentation)

    def __getitem__(self, request: Request) -> Filled:
        slot, epoch, indices, numbers = request
        worker, wrong = get_worker_info(), []
        for place, (index, number) in enumerate(zip(indices, numbers, strict=True)):
            if worker is not None:
                self.reading[worker.id] = index
            try:
                self.slots[slot, place] = self.image(epoch, index, number).permute(1, 2, 0)
            except DataError as error:
                wrong.append(str(error))
        return slot, indices, numbers, wrong

    def image(self, epoch: int, index: int, number: int) -> Tensor:
        """uint8 (C, H, W), changed as (seed, epoch, number) say; DataError where it cannot be read."""
        if not self._draws:
            return self.samples.seen(index)
        with torch.random.fork_rng(devices=[]):  # torchvision draws from torch's own generator
            torch.default_generator.manual_seed(derive_seed("picture", self._seed, epoch, number))  # and no GPU's
            picture = self.samples.seen(index) if self._crop is None else self._cropped(index, self._crop)
            for step in self._steps:
                picture = step(picture)
            return picture

    def _cropped(self, index: int, crop: "RandomResizedCrop") -> Tensor:
        if isinstance(self.samples, EncodedSplit):  # which may decode no more than the part needs
            return self.samples.seen(index, crop.part)
        picture = self.samples.load(index)
        return cut(picture, *crop.part(*picture.shape[1:]))


def _check_shared_memory(needed: int) -> None:
    """Linux lets a program map more than there is, and kills it when it is used."""
    folder = Path("/dev/shm")
    if folder.is_dir() and (free := shutil.disk_usage(folder).free) < needed:
        raise ValueError(
            f"num_workers: the batches of the workers need {needed / 2**20:,.0f} MB of shared memory, of which "
            f"{free / 2**20:,.0f} are free; try a smaller data.prefetch, data.num_workers or data.eval_batch_size"
        )


class RandomResizedCrop:
    """A random crop of at least the share `smallest` of the area, resized (arXiv 1409.4842).

    The distortion is of 3/4 to 4/3, so that the aspect ratio of the crop is that times the one of `size`.

    torchvision draws the box; cropping and resizing it in one step is twice as fast.
    """

    def __init__(self, size: tuple[int, int], smallest: float) -> None:
        self.size = size
        self.smallest = smallest

    def part(self, height: int, width: int) -> Part:
        """A part of an image of this size, drawn from torch's own generator."""
        from torchvision.transforms import RandomResizedCrop as Torchvision

        ratio = self.size[1] / self.size[0]
        picture = torch.empty(1, height, width, device="meta")  # of which only the size is looked at
        return Torchvision.get_params(picture, [self.smallest, 1.0], [3 / 4 * ratio, 4 / 3 * ratio]), self.size


def policy_steps(augmentation: Augmentation) -> list[Callable[[Any], Any]]:
    """The policy of an augmentation, for an image as the network sees it: uint8 (C, H, W) -> uint8 (C, H, W)."""
    from torchvision.transforms import v2

    if augmentation.policy is None:
        return []
    policies = {"randaugment": v2.RandAugment, "trivialaugment": v2.TrivialAugmentWide}
    # On PIL images a policy is three times as fast as on tensors.
    return [v2.ToPILImage(), policies[augmentation.policy](), v2.PILToTensor()]


class StreamingLoader(Loader):
    """Iterate over samples that are read by workers; the other arguments are those of `Loader`.

    Args:
        samples: the samples, loaded one by one.
        augmentation: the part of it that works on whole images happens in the workers.
        stop: called with the first file that cannot be read; it raises.
        device: where batches are finished; for CUDA they are copied from pinned memory, as uint8.
        num_workers: processes that read; 0 reads in this one.
        prefetch: batches that each worker prepares ahead.
        timeout: seconds without a batch after which a worker is treated as hung.
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
        super().__init__(len(samples), batch_size, transform, shard_of=samples.shard_of, **options)
        self._device = torch.device(device)
        self.first = 0  # the batch with which the epoch begins that is read now
        self._labels = samples.labels
        self._stop = stop
        self._timeout = timeout
        self._streamed = StreamedImages(
            samples,
            augmentation,
            self.sampler.seed or 0,
            batch_size=batch_size,
            num_slots=prefetch * num_workers + 1,  # those requested, and the one that is being finished
            workers=num_workers,
        )
        self._loader = DataLoader(
            self._streamed,
            batch_size=None,  # a request is for a batch
            sampler=_Requests(self, len(self._streamed.slots)),
            collate_fn=_as_it_is,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            prefetch_factor=prefetch if num_workers else None,
            timeout=timeout if num_workers else 0,
            generator=torch.Generator(),  # its numbers are unused; else each epoch would draw one from torch's own
        )

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        self.transform.start(self.sampler.epoch)
        self.first = self._begins_at()
        for batch, (slot, indices, numbers, wrong) in enumerate(self._read(), self.first):
            if wrong:
                self._stop(wrong[0])
            index, number = torch.tensor(indices), torch.tensor(numbers)
            images = self._streamed.slots[slot, : len(index)]  # (B, H, W, C), free again when the next one is asked for
            labels = self._labels[index]
            if self._device.type == "cuda":
                images, labels, number = images.pin_memory(), labels.pin_memory(), number.pin_memory()
            images, labels, number = (x.to(self._device, non_blocking=True) for x in (images, labels, number))
            yield self.transform(images.permute(0, 3, 1, 2), labels, number, batch)

    def close(self) -> None:
        """End the workers now; a further epoch starts new ones."""
        iterator: Any = self._loader._iterator  # of the kind with workers, where there are some
        if iterator is None:
            return
        iterator._shutdown_workers()
        for worker in iterator._workers:
            if worker.is_alive():  # torch has sent SIGTERM after five seconds; a stopped process does not hear it
                worker.kill()
                worker.join()
        self._loader._iterator = None

    def _read(self) -> Iterator[Filled]:
        try:
            yield from self._loader
        except RuntimeError as error:  # what torch raises for a worker that hangs or dies
            message = str(error)
            if "timed out" not in message and "exited unexpectedly" not in message and "is killed" not in message:
                raise
            files = [self._name(index) for index in self._streamed.reading.tolist() if index != NOTHING]
            what = f"gave nothing for {self._timeout:g} s" if "timed out" in message else "died"
            raise DataError(
                f"a worker {what} while it read one of {', '.join(files) or 'the first files'}; "
                "try a larger data.timeout, or data.num_workers=0"
            ) from error

    def _name(self, index: int) -> str:
        samples = self._streamed.samples
        return samples.name(index) if isinstance(samples, EncodedSplit) else f"sample {index}"


def _as_it_is(filled: Any) -> Any:
    return filled


class _Requests(Sampler[Request]):
    """The batches of a loader's current epoch as requests to the DataLoader's workers, the slots in turn."""

    def __init__(self, loader: StreamingLoader, num_slots: int) -> None:
        self._loader = weakref.proxy(loader)  # a cycle would end the workers too late, and wait for them
        self._num_slots = num_slots

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Request]:
        sampler, first = self._loader.sampler, self._loader.first
        order = sampler.indices()
        numbers = sampler.numbers(order)
        both = zip(self._loader.batches(order, first), self._loader.batches(numbers, first), strict=True)
        for batch, (index, number) in enumerate(both, first):
            yield batch % self._num_slots, sampler.epoch, index.tolist(), number.tolist()
