"""Images in shards: the same samples and batches as from files, each once an epoch, in stretches; damage is named."""

import builtins
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from rnnvision.data import CATALOG, Augmentation, DataError, ImageData, loader
from rnnvision.data.loader import EpochOrder, Loader
from rnnvision.data.shard_writer import check_shards, make_shards
from rnnvision.data.shards import ShardSplit

CLASSES = ("ant", "bee", "cat")
KINDS = ("png", "jpg", "bmp")
OPENED: list[ImageData] = []


def pack(name: str, root: Path, shards: Path, shard_mb: float = 64.0) -> None:
    facts = CATALOG[name]
    make_shards(name, facts.read(facts.class_names, str(root)), root, shards, shard_mb)


def draw(folder: Path, count: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = torch.randint(256, (13 + i, 17 - i % 5, 3), generator=generator, dtype=torch.uint8)
            Image.fromarray(pixels.numpy()).save(folder / name / f"{i}.{KINDS[i % 3]}")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for seed, (part, count) in enumerate({"train": 12, "test": 3}.items()):
        draw(folder / part, count, seed)
    return folder


@pytest.fixture(scope="module")
def made(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of some three images to a chunk."""
    folder = tmp_path_factory.mktemp("made") / "shards"
    pack("image_folder", pictures, folder, 0.003)
    return folder


@pytest.fixture
def shards(made: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(made, tmp_path / "shards"))


@pytest.fixture
def one_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """All chunks are shuffled among each other, as if there were few."""
    monkeypatch.setattr(loader, "SHARDS_AT_ONCE", 1000)


def data(root: Path | str, format: str = "shards", **options: Any) -> ImageData:
    options = {"image_size": 8, "batch_size": 5, "eval_batch_size": 4, "num_workers": 0, "val_fraction": 0.25} | options
    OPENED.append(ImageData("image_folder", root=str(root), format=format, seed=3, **options))
    return OPENED[-1]


@pytest.fixture(autouse=True)
def no_worker_outlives_its_test() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().teardown("fit")


def epoch(made: Loader, number: int) -> list[tuple[Tensor, Tensor]]:
    made.sampler.set_epoch(number)
    return list(made)


def same(ones: list[tuple[Tensor, Tensor]], others: list[tuple[Tensor, Tensor]]) -> bool:
    pairs = zip(ones, others, strict=True)
    return all(torch.equal(a, b) and torch.equal(c, d) for (a, c), (b, d) in pairs)


# The same as from files -----------------------------------------------------------------------------------------------


def test_every_file_comes_back_byte_for_byte(pictures: Path, made: Path) -> None:
    files, found = data(pictures, "streaming").splits, data(made).splits
    for part in ("train", "val", "test"):
        one, other = getattr(files, part), getattr(found, part)
        assert torch.equal(one.labels, other.labels)
        for index in range(len(one)):
            name, content = other.files.read(int(other.places[index]))
            assert content == one.path(index).read_bytes()
            assert name.endswith(f": {one.path(index).relative_to(pictures)}")
            assert torch.equal(one.load(index), other.load(index))


@pytest.mark.parametrize("num_workers", [0, 1, 2])
@pytest.mark.usefixtures("one_group")
def test_batches_are_those_from_files(pictures: Path, made: Path, num_workers: int) -> None:
    augmentation = Augmentation(crop=0.3, flip=0.5, policy="trivialaugment")
    files = data(pictures, "streaming", augmentation=augmentation)
    found = data(made, augmentation=augmentation, num_workers=num_workers)
    one, other = files.train_dataloader(), found.train_dataloader()
    for number in (0, 1):
        assert same(epoch(one, number), epoch(other, number))
    assert same(list(files.val_dataloader()), list(found.val_dataloader()))
    assert same(list(files.test_dataloader()), list(found.test_dataloader()))


def test_litdata_reads_them_by_itself(made: Path) -> None:
    import litdata

    found = {(name, label): content for label, name, content in litdata.StreamingDataset(str(made / "train"))}
    split = data(made).splits.train
    assert isinstance(split, ShardSplit)
    for index in range(len(split)):
        name, content = split.files.read(int(split.places[index]))
        assert found[name.partition(": ")[2].encode(), int(split.labels[index])] == content


# Order ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [None, 0, 1])
@pytest.mark.parametrize("size", [1, 5, 100, 333])
def test_an_order_by_blocks_holds_each_sample_once_and_each_block_in_one_stretch(size: int, seed: int | None) -> None:
    blocks = torch.randperm(size, generator=torch.Generator().manual_seed(0)) // 3
    order = EpochOrder(size, seed, blocks)
    indices = order.indices()
    assert torch.equal(indices.sort().values, torch.arange(size))
    stretch = 3 * loader.SHARDS_AT_ONCE
    ends = [
        int((blocks[indices] == block).nonzero().max() - (blocks[indices] == block).nonzero().min()) for block in blocks
    ]
    assert max(ends) < stretch
    order.set_epoch(1)
    if seed is None:
        assert torch.equal(order.indices(), indices)
    elif size > 5:
        assert not torch.equal(order.indices(), indices)
    if seed is not None and size > 2 * stretch:  # other blocks come first
        first, then = (set(blocks[i[:stretch]].tolist()) for i in (indices, order.indices()))
        assert first != then


def test_an_epoch_goes_through_the_chunks_in_stretches(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "SHARDS_AT_ONCE", 2)
    train = data(made).splits.train
    blocks = train.shard_of
    assert blocks is not None
    assert blocks.max() >= 5
    order = data(made).train_dataloader().sampler
    for number in (0, 1):
        order.set_epoch(number)
        indices = order.indices()
        assert torch.equal(indices.sort().values, torch.arange(len(train)))
        changes = blocks[indices].tolist()
        spans = [len(changes) - changes[::-1].index(b) - changes.index(b) for b in set(changes)]
        assert max(spans) <= 2 * torch.bincount(blocks).max()


def test_a_resumed_epoch_and_two_ranks_see_what_they_should(made: Path) -> None:
    one, again = data(made).train_dataloader(), data(made).train_dataloader()
    epoch(one, 0)
    assert same(epoch(one, 1), epoch(again, 1))
    parts = []
    for rank in (0, 1):
        half = data(made).train_dataloader()
        half._rank, half._world_size = rank, 2
        half.sampler.set_epoch(1)
        parts.append([i for batch in half.batches(half.sampler.indices()) for i in batch.tolist()])
    assert not set(parts[0]) & set(parts[1])
    assert sorted(parts[0] + parts[1]) == list(range(len(data(made).splits.train)))


# Kept with a run ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("one_group")
def test_a_network_keeps_its_splits_between_files_and_shards(pictures: Path, made: Path) -> None:
    """Trained on either, measured on the other."""
    files, found = data(pictures, "streaming"), data(made)
    assert files.known.notes == found.known.notes == ()
    for first, root, options in ((files, made, {"format": "shards"}), (found, pictures, {"format": "streaming"})):
        assert first.record is not None
        description = {"data": first.describe(), "class_names": CLASSES, "files": first.record.plain()}
        again = ImageData.of_checkpoint(description, root=str(root), num_workers=0, **options)
        OPENED.append(again)
        assert same(list(first.test_dataloader()), list(again.test_dataloader()))
        assert same(list(first.val_dataloader()), list(again.val_dataloader()))
        assert again.known.notes == ()


def test_a_description_makes_the_same_data_again(made: Path) -> None:
    first = data(made)
    again = ImageData(**first.describe(), num_workers=0)
    assert same(list(first.val_dataloader()), list(again.val_dataloader()))
    assert again.serving.reason == "shards, read by 0 workers"
    assert again.class_names == CLASSES


# Fetched --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RNNVISION_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def chunks_in(folder: Path) -> Iterator[Path]:
    return folder.rglob("*.bin")


def test_an_address_is_fetched_chunk_by_chunk_and_kept(shards: Path, cache: Path) -> None:
    found = data(f"local:{shards}/", num_workers=2)
    assert not list(chunks_in(cache))
    assert found.describe()["root"] == f"local:{shards}"
    found.splits.test.load(0)
    assert len(list(chunks_in(cache))) == 1
    assert same(list(found.test_dataloader()), list(data(shards).test_dataloader()))
    for path in chunks_in(shards / "test"):
        path.unlink()
    assert same(list(found.test_dataloader()), list(data(f"local:{shards}").test_dataloader()))
    assert not list(cache.rglob("*.part"))


def test_shards_made_anew_are_fetched_anew(shards: Path, cache: Path) -> None:
    data(f"local:{shards}").splits.test.load(0)
    meta = shards / "meta.json"
    meta.write_text(meta.read_text() + " ")
    data(f"local:{shards}").splits.test.load(0)
    assert len(list(chunks_in(cache))) == 2


def test_a_cache_that_cannot_be_made_is_told(shards: Path, cache: Path) -> None:
    cache.write_text("a file")
    assert "set RNNVISION_CACHE to a folder" in refusal(f"local:{shards}")


@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
@pytest.mark.usefixtures("cache")
def test_a_chunk_that_arrives_damaged_is_refused(shards: Path, damage: str) -> None:
    for path in chunks_in(shards / "test"):
        content = path.read_bytes()
        path.unlink()
        if damage != "gone":
            path.write_bytes(content[:-1] if damage == "cut" else content[:-1] + bytes([content[-1] ^ 1]))
    found = data(f"local:{shards}")
    wrong = "cannot be fetched" if damage == "gone" else "what arrived is not the file that was made"
    for _ in range(2):
        with pytest.raises(DataError, match=rf"local:{shards}/test/chunk-.*\.bin: {wrong}"):
            found.splits.test.load(0)
    with pytest.raises(DataError, match=wrong):
        list(found.test_dataloader())


# Mistakes and damage --------------------------------------------------------------------------------------------------


def refusal(root: Path | str, **options: Any) -> str:
    with pytest.raises(DataError) as error:
        data(root, **options).setup()
    return str(error.value)


def test_every_file_that_is_cut_or_missing_is_named_before_anything_is_read(shards: Path) -> None:
    cut, gone = shards / "train/chunk-0-1.bin", shards / "test/chunk-0-0.bin"
    size = cut.stat().st_size
    cut.write_bytes(cut.read_bytes()[:-10])
    gone.unlink()
    first, *files = refusal(shards).split("\n  ")
    assert first.startswith(f"{shards}: 2 of ")
    assert files == [
        f"train/chunk-0-1.bin: {size - 10:,} bytes instead of {size:,}",
        "test/chunk-0-0.bin: missing",
    ]


def test_a_check_of_the_digests_finds_a_changed_byte(shards: Path) -> None:
    assert check_shards(str(shards)) == len([path for path in shards.glob("*/*") if path.suffix in (".bin", ".npy")])
    path = shards / "train/chunk-0-2.bin"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    data(shards).setup()  # reads no digest
    with pytest.raises(DataError) as error:
        check_shards(str(shards))
    assert str(error.value).endswith("\n  train/chunk-0-2.bin: changed since it was made")


def test_a_chunk_damaged_within_is_named_by_sample(shards: Path) -> None:
    for path in chunks_in(shards / "test"):
        content = path.read_bytes()
        path.write_bytes(content[:4] + b"\xff" * 40 + content[44:])
    with pytest.raises(DataError, match=r"test/chunk-0-0\.bin, sample \d: cannot be read \(it lies outside the file\)"):
        list(data(shards).test_dataloader())


def test_changed_labels_are_found(shards: Path) -> None:
    path = shards / "train/samples.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert "train/samples.npy: changed since it was made" in refusal(shards)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (np.array([[0, 1], [5, 5]], np.int32), "is no table of 36 samples"),
        (np.zeros((2, 10), np.float32), "is no table of 36 samples"),
        ("labels", "has labels of more than 3 classes"),
        ("places", "its places are not those of 36 samples"),
        (np.array([None]), "is no table of 36 samples"),
    ],
    ids=["shape", "type", "labels", "places", "pickle"],
)
def test_tables_of_strangers_are_checked(shards: Path, table: Any, said: str) -> None:
    """With digests that are right."""
    path, meta = shards / "train/samples.npy", shards / "meta.json"
    if isinstance(table, str):
        row = ["labels", "places"].index(table)
        table = np.load(path)
        table[row, 0] = table[row, 1] = 200 if row == 0 else 0
    np.save(path, table, allow_pickle=True)
    content = path.read_bytes()
    entry = {"file": "train/samples.npy", "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    described = json.loads(meta.read_text())
    described["splits"]["train"]["samples"] = entry
    meta.write_text(json.dumps(described))
    assert said in refusal(shards)


def test_a_folder_without_meta_is_told(shards: Path, pictures: Path) -> None:
    (shards / "meta.json").unlink()
    for root in (shards, pictures):
        assert refusal(root).startswith(f"{root}: holds no meta.json, so it is no folder of shards")
        assert "rnnvision shards" in refusal(root)
    assert refusal(shards / "nowhere") == f"data.root={shards / 'nowhere'}: there is no such folder"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 3}, "version 3, of which 2 and lower are known; update rnnvision"),
        ({"format": "others"}, "is no meta.json of shards"),
        ({"splits": {}}, "is no meta.json of shards"),
        ({"data": "imagenet"}, "holds the data set imagenet; choose data=imagenet"),
    ],
)
def test_a_strange_meta_is_told(shards: Path, change: dict[str, Any], message: str) -> None:
    meta = shards / "meta.json"
    meta.write_text(json.dumps(json.loads(meta.read_text()) | change))
    assert message in refusal(shards)


def test_a_meta_cannot_name_files_elsewhere(shards: Path) -> None:
    meta = shards / "meta.json"
    meta.write_text(meta.read_text().replace("test/chunk-0-0.bin", "test/../../x.bin"))
    assert "is no file of a split" in refusal(shards)
    meta.write_text("{")
    assert "is no meta.json of shards" in refusal(shards)


def test_shards_of_strangers_run_no_code(shards: Path) -> None:
    """litdata would unpickle items of a folder whose index.json says that they are pickled."""
    index = shards / "train/index.json"
    index.write_text(index.read_text().replace('"bytes"', '"pickle"'))
    data(shards).splits.train.load(0)


def test_a_missing_package_is_told(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name.partition(".")[0] == "litdata":
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ValueError, match=r'^format=shards: .*pip install "rnnvision\[shards\]"$'):
        data(made).setup()


def test_data_that_is_not_in_files_has_no_shards(made: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^format=shards: digits is not kept as image files"):
        ImageData("digits", root=str(made), format="shards").setup()
    with pytest.raises(DataError, match=r"^digits: is not kept as image files"):
        pack("digits", tmp_path, tmp_path / "new")
    assert not (tmp_path / "new" / "meta.json").exists()


def test_an_existing_folder_is_not_written_to(pictures: Path, made: Path) -> None:
    with pytest.raises(DataError, match=rf"^{made}: is there already; delete it or give another folder"):
        pack("image_folder", pictures, made)


def test_a_cluster_that_litdata_would_wait_for_is_put_back(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    pack("image_folder", pictures, tmp_path / "new")
    assert os.environ["WORLD_SIZE"] == "2"
    assert check_shards(str(tmp_path / "new")) > 0


def test_a_image_that_cannot_be_read_is_named_or_skipped(tmp_path: Path) -> None:
    for part in ("train", "test"):
        draw(tmp_path / "files" / part, 3, 0)
    (tmp_path / "files/train/bee/1.jpg").write_bytes(b"no picture")
    pack("image_folder", tmp_path / "files", tmp_path / "shards")
    with pytest.raises(DataError, match=r"train/chunk-0-0\.bin: train/bee/1\.jpg: cannot be read as an image"):
        data(tmp_path / "shards").setup("fit")
    skipping = data(tmp_path / "shards", on_bad_file="skip")
    assert sum(len(labels) for _, labels in skipping.train_dataloader()) + len(skipping.val_split) == 8
    assert len(skipping.bad_files) == 1
