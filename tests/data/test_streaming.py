"""Images read by workers: the same batches whatever their number, and what becomes of a worker that hangs or dies."""

import os
import pickle
import shutil
import signal
import time
from dataclasses import dataclass, replace
from multiprocessing import active_children
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
import torch
from PIL import Image
from torch import Tensor

from rnnvision.data import Augmentation, DataError, ImageData, Split
from rnnvision.data.augment import BatchTransform
from rnnvision.data.files import FileSplit, encode, read_all
from rnnvision.data.images import View
from rnnvision.data.loader import Loader
from rnnvision.data.resident import ResidentLoader
from rnnvision.data.splits import Samples
from rnnvision.data.streaming import StreamedImages, StreamingLoader

SIZE, CLASSES = 11, 3
HANGS = 2.0  # seconds, with a timeout of 1: long enough, and the process ends by itself
MEAN, STD = (0.2, 0.5, 0.7), (0.1, 0.3, 0.5)
AUGMENTATIONS = {
    "none": Augmentation(),
    "batch": Augmentation(shift=1, rotate=10.0, flip=0.5, erase=0.5),
    "mixed": Augmentation(flip=0.5, mixup=0.5, cutmix=0.5),
    "crop": Augmentation(crop=0.3),
    "crop and policy": Augmentation(crop=0.3, flip=0.5, policy="randaugment", erase=0.5, mixup=0.5),
    "trivialaugment": Augmentation(policy="trivialaugment"),
}
Batches = list[tuple[Tensor, Tensor]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> FileSplit:
    """Images of different sizes."""
    folder = tmp_path_factory.mktemp("pictures")
    generator = torch.Generator().manual_seed(0)
    for i in range(SIZE):
        small = torch.randint(256, (4, 5 + i % 3, 3), generator=generator).byte()
        Image.fromarray(small.numpy()).resize((20 + i, 24)).save(folder / f"{i:02}.{'jpg' if i % 2 else 'png'}")
    paths = sorted(folder.iterdir())
    return FileSplit(encode(paths), torch.arange(SIZE) % CLASSES, View(image_size=12, crop_ratio=0.875))


def stop(first: str) -> NoReturn:
    raise DataError(first)


def transform_of(augmentation: Augmentation, seed: int | None, rank: int = 0) -> BatchTransform:
    return BatchTransform(
        MEAN, STD, augmentation=augmentation, size=SIZE, seed=seed or 0, num_classes=CLASSES, rank=rank
    )


def streaming(
    samples: Samples,
    augmentation: Augmentation = AUGMENTATIONS["none"],
    *,
    batch_size: int = 4,
    seed: int | None = 5,
    rank: int = 0,
    **options: Any,
) -> StreamingLoader:
    transform = transform_of(augmentation, seed, rank)
    shared = {"augmentation": augmentation, "stop": stop, "seed": seed, "rank": rank}
    return StreamingLoader(samples, batch_size, transform, **{"timeout": 60.0, **shared, **options})


def read(loader: Loader, epoch: int = 0) -> Batches:
    loader.sampler.set_epoch(epoch)
    return list(loader)


def assert_same(one: Batches, other: Batches) -> None:
    assert len(one) == len(other)
    for (images, labels), (others, other_labels) in zip(one, other, strict=True):
        assert torch.equal(images, others)
        assert torch.equal(labels, other_labels)


# The same batches -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["none", "mixed", "crop and policy"])
def test_the_number_of_workers_changes_nothing(files: FileSplit, name: str) -> None:
    augmentation = AUGMENTATIONS[name]
    here = streaming(files, augmentation)
    expected = [read(here, epoch) for epoch in range(2)]
    assert [len(images) for images, _ in expected[0]] == [4, 4, 3]
    assert expected[0][0][0].shape == (4, 3, 12, 12)
    for workers in (1, 2):
        torch.manual_seed(workers)
        made = streaming(files, augmentation, num_workers=workers)
        for epoch in range(2):
            assert_same(read(made, epoch), expected[epoch])
    resumed = streaming(files, augmentation, num_workers=2)
    assert_same(read(resumed, 1), expected[1])
    assert not torch.equal(expected[0][0][0], expected[1][0][0])


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_that_is_left_early_spoils_none_that_follows(files: FileSplit, workers: int) -> None:
    augmentation = AUGMENTATIONS["crop"]
    made = streaming(files, augmentation, batch_size=2, num_workers=workers)
    for _ in range(2):
        for _ in zip(range(2), made, strict=False):
            pass
    assert_same(read(made, 3), read(streaming(files, augmentation, batch_size=2), 3))


@pytest.mark.parametrize("name", ["none", "batch", "mixed"])
@pytest.mark.parametrize("seed", [None, 5])
def test_streamed_batches_are_those_of_images_in_memory(files: FileSplit, name: str, seed: int | None) -> None:
    kept, bad = read_all(files)
    assert bad == []
    augmentation = AUGMENTATIONS[name]
    resident = ResidentLoader(kept, 4, transform_of(augmentation, seed), seed=seed)
    for epoch in range(2):
        assert_same(read(streaming(files, augmentation, seed=seed), epoch), read(resident, epoch))


@pytest.mark.parametrize("name", [name for name, a in AUGMENTATIONS.items() if a.needs_whole_images])
def test_what_a_worker_draws_depends_on_seed_epoch_and_index_alone(files: FileSplit, name: str) -> None:
    def pictures(batch_size: int = 4, epoch: int = 1, seed: int = 5, **options: Any) -> dict[int, Tensor]:
        numbered = replace(files, labels=torch.arange(SIZE))
        made = read(streaming(numbered, whole, batch_size=batch_size, seed=seed, **options), epoch)
        return {int(i): image for images, index in made for i, image in zip(index, images, strict=True)}

    whole = replace(AUGMENTATIONS[name], erase=0.0, mixup=0.0)
    expected = pictures()
    for other in (pictures(1), pictures(7), pictures(rank=0, world_size=2), pictures(rank=1, world_size=2)):
        assert all(torch.equal(image, expected[i]) for i, image in other.items())
    for other in (pictures(epoch=2), pictures(seed=6)):
        assert sum(not torch.equal(image, expected[i]) for i, image in other.items()) > SIZE // 2


def test_a_crop_is_a_part_of_the_image_of_the_share_that_was_asked_for() -> None:
    y, x = torch.meshgrid(torch.arange(200), torch.arange(200), indexing="ij")
    split = Split(torch.stack([x, y, x])[None].byte().expand(60, -1, -1, -1), torch.arange(60))
    loader = StreamingLoader(
        split,
        60,
        BatchTransform((0.0,) * 3, (1.0,) * 3, size=60),
        augmentation=Augmentation(crop=0.25),
        stop=stop,
        seed=0,
    )
    images = next(iter(loader))[0] * 255
    width = images[:, 0].amax(dim=(1, 2)) - images[:, 0].amin(dim=(1, 2)) + 1
    height = images[:, 1].amax(dim=(1, 2)) - images[:, 1].amin(dim=(1, 2)) + 1
    share, ratio = width * height / 200**2, width / height
    assert 0.22 < float(share.min()) < 0.5
    assert float(share.max()) > 0.8
    assert 0.7 < float(ratio.min()) < 0.9
    assert 1.1 < float(ratio.max()) < 1.4


@pytest.mark.parametrize("policy", ["randaugment", "trivialaugment"])
def test_a_policy_works_on_grey_images_in_memory(policy: str) -> None:
    tiny = {"image_shape": (1, 12, 12), "num_classes": 3, "num_train": 40, "num_test": 10}
    data = ImageData("fake", augmentation=Augmentation(policy=policy, crop=0.5), num_workers=0, **tiny)
    assert data.splits.train
    assert data.serving.streams
    images = torch.cat([images for images, _ in data.train_dataloader()])
    assert images.shape == (36, 1, 12, 12)
    plain = torch.cat([images for images, _ in ImageData("fake", **tiny).train_dataloader()])
    assert not torch.equal(images, plain)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_generators_of_torch_are_left_alone(
    files: FileSplit, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(seed: int) -> None:
        raise AssertionError("the generators of the GPUs were seeded")

    if not workers:
        monkeypatch.setattr(torch.cuda, "manual_seed_all", refuse)
    torch.default_generator.manual_seed(4)
    before = torch.get_rng_state()
    read(streaming(files, AUGMENTATIONS["crop and policy"], num_workers=workers))
    assert torch.equal(torch.get_rng_state(), before)


# Processes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [None, 5])
def test_two_ranks_read_halves_that_make_the_whole(files: FileSplit, seed: int | None) -> None:
    numbered = replace(files, labels=torch.arange(SIZE))
    parts = [read(streaming(numbered, seed=seed, rank=r, world_size=2, batch_size=2), 1) for r in range(2)]
    whole = read(streaming(numbered, seed=seed, batch_size=4), 1)
    seen: list[int] = []
    for batch, (_, labels) in enumerate(whole):
        halves = [part[batch][1].tolist() for part in parts if batch < len(part)]
        if batch < 2:
            assert halves == [labels[0::2].tolist(), labels[1::2].tolist()]
        seen += sum(halves, [])  # noqa: RUF017 (a few numbers)
    assert sorted(seen) == list(range(SIZE))
    assert [len(part) for part in parts] == [3, 3]


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_what_workers_are_given_can_be_sent_to_a_new_process(files: FileSplit, name: str) -> None:
    """Where processes are spawned, as on macOS, it is pickled."""
    pictures = StreamedImages(files, AUGMENTATIONS[name], 5, batch_size=2, num_slots=1, workers=0)
    again = pickle.loads(pickle.dumps(pictures))
    assert torch.equal(again.image(1, 3, 3), pictures.image(1, 3, 3))


@dataclass(frozen=True)
class Sick(Samples):
    """Samples of which one is never finished: it hangs, or its process dies."""

    files: FileSplit
    illness: str
    at: int
    labels: Tensor

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.files.image_shape

    def load(self, index: int) -> Tensor:
        if index == self.at and self.illness == "hangs":
            time.sleep(HANGS)
        if index == self.at and self.illness == "dies":
            os._exit(3)
        return self.files.seen(index)

    def select(self, index: Tensor) -> "Sick":
        raise NotImplementedError


@dataclass(frozen=True)
class SickFiles(FileSplit):
    """The same as files."""

    illness: str = ""
    at: int = 0

    def seen(self, index: int) -> Tensor:
        if index == self.at and self.illness == "hangs":
            time.sleep(HANGS)
        elif index == self.at:
            os._exit(3)
        return super().seen(index)


def sick(files: FileSplit, illness: str, at: int) -> SickFiles:
    return SickFiles(files.files, files.labels, files.view, illness=illness, at=at)


@pytest.mark.parametrize(
    ("illness", "told", "workers"),
    [
        ("hangs", "gave nothing for 1 s", 2),
        ("dies", "died", 1),
        ("dies", "died", 2),
        pytest.param("hangs", "gave nothing for 1 s", 1, marks=pytest.mark.slow),
    ],
)
def test_a_worker_that_hangs_or_dies_is_told_with_its_file(
    files: FileSplit, illness: str, told: str, workers: int
) -> None:
    loader = streaming(sick(files, illness, 6), seed=None, num_workers=workers, timeout=1.0)
    started, batches = time.monotonic(), []
    with pytest.raises(DataError) as error:
        batches.extend(loader)
    assert time.monotonic() - started < 10
    message = str(error.value)
    assert message.startswith(f"a worker {told} while it read one of ")
    assert str(files.path(6)) in message
    assert "\n" not in message
    assert len(batches) <= 1
    loader.close()


def test_a_sample_without_a_file_is_told_by_its_number(files: FileSplit) -> None:
    loader = streaming(Sick(files, "hangs", 6, files.labels), seed=None, num_workers=1, timeout=1.0)
    with pytest.raises(DataError, match=r"gave nothing for 1 s while it read one of sample 6; "):
        read(loader)
    loader.close()


def test_too_little_shared_memory_is_told(files: FileSplit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=5 * 4 * 12 * 12 * 3 - 1))
    monkeypatch.setattr(Path, "is_dir", lambda self: True)
    with pytest.raises(ValueError, match=r"^num_workers: the batches of the workers need .* data\.num_workers"):
        streaming(files, num_workers=2)
    streaming(files, num_workers=1).close()


def pids(loader: StreamingLoader) -> list[int]:
    return [worker.pid for worker in loader._loader._iterator._workers]  # type: ignore[union-attr]


def test_workers_live_as_long_as_the_loader_and_end_with_it(files: FileSplit) -> None:
    loader = streaming(files, AUGMENTATIONS["crop"], num_workers=2)
    read(loader, 0)
    first = pids(loader)
    read(loader, 1)
    assert pids(loader) == first
    assert len(first) == 2
    started = time.monotonic()
    del loader
    assert not {child.pid for child in active_children()} & set(first)
    assert time.monotonic() - started < 4  # a worker that was not told to end is waited for, five seconds


def test_a_stopped_worker_ends_with_the_loader(files: FileSplit) -> None:
    loader = streaming(files, num_workers=1)
    next(iter(loader))
    (worker,) = pids(loader)
    os.kill(worker, signal.SIGSTOP)
    loader.close()
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


@pytest.mark.parametrize("ending", ["teardown", "on_exception"])
def test_the_workers_of_all_loaders_end_with_the_run(ending: str) -> None:
    tiny = {"image_shape": (1, 12, 12), "num_classes": 3, "num_train": 40, "num_test": 10}
    data = ImageData("fake", format="streaming", num_workers=1, batch_size=8, **tiny)
    loaders = [data.train_dataloader(), data.val_dataloader()]
    begun = [iter(loader) for loader in loaders]
    for batches in begun:  # neither is read to its end
        next(batches)
    workers = [pid for loader in loaders for pid in pids(loader)]
    assert len(workers) == 2
    data.teardown("fit") if ending == "teardown" else data.on_exception(KeyboardInterrupt())
    assert not {child.pid for child in active_children()} & set(workers)
    assert len(list(loaders[0])) == 5
    data.teardown("fit")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_file_that_cannot_be_read_stops_and_is_not_replaced(files: FileSplit, tmp_path: Path, workers: int) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    paths = [files.path(i) for i in range(SIZE)]
    paths[5] = broken
    loader = streaming(replace(files, files=encode(paths)), seed=None, num_workers=workers)
    batches = []
    with pytest.raises(DataError, match=f"^{broken}: cannot be read as an image"):
        batches.extend(loader)
    assert [labels.tolist() for _, labels in batches] == [[0, 1, 2, 0]]  # the one before it
