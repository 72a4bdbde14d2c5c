"""ImageNet's validation images in one folder: their labels from each official list, and what is missing is told."""

import hashlib
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from rnnvision.data import DataError, ImageData, Splits
from rnnvision.data.files import FileSplit
from rnnvision.data.sets import flat_imagenet
from rnnvision.data.sets.flat_imagenet import DEVKIT, VAL_ARCHIVE
from rnnvision.data.sets.folders import read_imagenet

WNIDS = ["n02099601", "n01440764", "n15075141"]  # the number of each in the devkit is its place here, from 1
NAMES = {"n02099601": "golden retriever", "n01440764": "tench", "n15075141": "toilet tissue"}
TRUTH = [WNIDS[i] for i in (2, 0, 0, 1, 2, 1, 0)]


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)


def draw(root: Path, classes: list[str] = WNIDS) -> Path:
    for wnid in classes:
        for i in range(3):
            picture(root / "train" / wnid / f"{wnid}_{i}.JPEG")
    for i in range(1, len(TRUTH) + 1):
        picture(root / "val" / f"ILSVRC2012_val_{i:08d}.JPEG")
    return root


def solution(root: Path) -> None:
    lines = [f"ILSVRC2012_val_{i:08d},{wnid} 1 2 3 4 {wnid} 5 6 7 8 " for i, wnid in enumerate(TRUTH, 1)]
    (root / "LOC_val_solution.csv").write_text("\n".join(["ImageId,PredictionString", *reversed(lines)]))


def devkit(root: Path) -> None:
    data = root / DEVKIT / "data"
    data.mkdir(parents=True)
    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("gloss", "O"), ("num_children", "O")]
    synsets = np.array([(i, wnid, "a, b", "...", 0) for i, wnid in enumerate(WNIDS, 1)], dtype=kind)
    savemat(data / "meta.mat", {"synsets": synsets})
    truth = "\n".join(str(WNIDS.index(wnid) + 1) for wnid in TRUTH)
    (data / "ILSVRC2012_validation_ground_truth.txt").write_text(truth + "\n")


def packed_devkit(root: Path) -> None:
    devkit(root)
    with tarfile.open(root / f"{DEVKIT}.tar.gz", "w:gz") as archive:
        archive.add(root / DEVKIT, arcname=DEVKIT)
    for path in sorted((root / DEVKIT).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (root / DEVKIT).rmdir()


LISTS: dict[str, Callable[[Path], None]] = {"solution": solution, "devkit": devkit, "packed devkit": packed_devkit}


def read(root: Path, class_names: tuple[str, ...] = ()) -> Splits:
    return read_imagenet(class_names, str(root), image_size=8)


def labels_of(splits: Splits) -> dict[str, str]:
    test = splits.test
    assert isinstance(test, FileSplit)
    return {test.path(i).stem: splits.class_names[int(test.labels[i])] for i in range(len(test))}


EXPECTED = {f"ILSVRC2012_val_{i:08d}": NAMES[wnid] for i, wnid in enumerate(TRUTH, 1)}


@pytest.mark.parametrize("name", LISTS)
def test_the_labels_are_those_of_the_list(tmp_path: Path, name: str) -> None:
    LISTS[name](draw(tmp_path))
    before = sorted(tmp_path.rglob("*"))
    splits = read(tmp_path)
    assert splits.class_names == ("tench", "golden retriever", "toilet tissue")
    assert labels_of(splits) == EXPECTED
    assert len(splits.train) == 9
    assert labels_of(read(tmp_path, splits.class_names)) == EXPECTED
    assert sorted(tmp_path.rglob("*")) == before
    data = ImageData("imagenet", root=str(tmp_path), image_size=8)
    assert len(next(iter(data.test_dataloader()))[1]) == len(TRUTH)


def test_the_folder_of_kaggle_is_read_from_its_top(tmp_path: Path) -> None:
    solution(tmp_path)
    images = draw(tmp_path / "ILSVRC" / "Data" / "CLS-LOC")
    for root in (tmp_path, images):
        splits = read(root)
        assert (splits.origin, labels_of(splits)) == (str(images), EXPECTED)


@pytest.mark.parametrize("name", LISTS)
def test_some_classes_and_images_are_enough(tmp_path: Path, name: str) -> None:
    draw(tmp_path, WNIDS[:2])
    LISTS[name](tmp_path)
    (tmp_path / "val" / "ILSVRC2012_val_00000002.JPEG").unlink()
    splits = read(tmp_path)
    assert labels_of(splits) == {k: v for k, v in EXPECTED.items() if v != "toilet tissue" and not k.endswith("2")}
    assert "left out: 2 images of val of classes that train lacks" in splits.notes


def test_an_unpacking_that_was_interrupted_half_way_loses_none(tmp_path: Path) -> None:
    solution(draw(tmp_path))
    for wnid in WNIDS:
        (tmp_path / "val" / wnid).mkdir()
    for i in (1, 2, 3):
        path = tmp_path / "val" / f"ILSVRC2012_val_{i:08d}.JPEG"
        path.rename(path.parent / TRUTH[i - 1] / path.name)
    assert labels_of(read(tmp_path)) == EXPECTED


def pack(folder: Path, archive: Path) -> None:
    """What is in a folder, as an archive; and no folder any more."""
    with tarfile.open(archive, "w") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, arcname=path.name)
    shutil.rmtree(folder)


def archives(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The three archives of image-net.org: of train one of an archive for each class."""
    packed_devkit(draw(root))
    for wnid in WNIDS:
        pack(root / "train" / wnid, root / "train" / f"{wnid}.tar")
    meta = {"train": "ILSVRC2012_img_train.tar", "val": VAL_ARCHIVE}
    for part, name in meta.items():
        pack(root / part, root / name)
    md5s = {part: (name, hashlib.md5((root / name).read_bytes()).hexdigest()) for part, name in meta.items()}
    monkeypatch.setattr("torchvision.datasets.imagenet.ARCHIVE_META", md5s)


def test_the_archives_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archives(tmp_path, monkeypatch)
    (tmp_path / ".unpacking-killed" / "train").mkdir(parents=True)
    splits = read(tmp_path)
    assert labels_of(splits) == EXPECTED
    assert len(splits.train) == 9
    assert not list(tmp_path.glob(".unpacking*"))


@pytest.mark.parametrize("fault", ["missing", "damaged", "killed"])
def test_train_does_not_appear_before_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    archives(tmp_path, monkeypatch)
    archive = tmp_path / "ILSVRC2012_img_train.tar"
    if fault == "missing":
        archive.unlink()
    elif fault == "damaged":
        archive.write_bytes(archive.read_bytes()[:-1])
    else:

        def kill(inner: Path, folder: Path) -> None:
            if inner.stem == WNIDS[0]:
                raise KeyboardInterrupt
            real(inner, folder)

        real = flat_imagenet.extract
        monkeypatch.setattr(flat_imagenet, "extract", kill)
    with pytest.raises(KeyboardInterrupt if fault == "killed" else DataError):
        read(tmp_path)
    assert not (tmp_path / "train").exists()


@pytest.mark.parametrize("folder", ["", "tiny-imagenet-200"])
def test_tiny_imagenet_is_read_as_it_is_unpacked(tmp_path: Path, folder: str) -> None:
    root = tmp_path / folder
    lines = []
    for number, wnid in enumerate(WNIDS):
        for i in range(3):
            picture(root / "train" / wnid / "images" / f"{wnid}_{i}.JPEG")
        (root / "train" / wnid / f"{wnid}_boxes.txt").write_text("...")
        picture(root / "val" / "images" / f"val_{number}.JPEG")
        picture(root / "test" / "images" / f"test_{number}.JPEG")
        lines.append(f"val_{number}.JPEG\t{wnid}\t0\t1\t2\t3")
    (root / "val" / "val_annotations.txt").write_text("\n".join(lines))
    splits = read(tmp_path)
    assert labels_of(splits) == {f"val_{number}": NAMES[wnid] for number, wnid in enumerate(WNIDS)}
    assert (len(splits.train), splits.val) == (9, None)
    assert "left out: test/; 3 files without the name of an image (3 .txt)" in splits.notes
    (root / "val" / "val_annotations.txt").write_text("\n".join([*lines[:2], "val_2.JPEG"]))
    with pytest.raises(DataError, match=r"val_annotations.txt, line 3: names no image and class$"):
        read(tmp_path)


def test_without_a_list_it_is_said_which_to_put_there(tmp_path: Path) -> None:
    draw(tmp_path)
    with pytest.raises(DataError) as error:
        read(tmp_path)
    assert str(error.value) == (
        f"{tmp_path / 'val'}: holds images in no class folder, and their labels are not here; "
        f"put LOC_val_solution.csv or {DEVKIT}.tar.gz into {tmp_path}"
    )
    (tmp_path / VAL_ARCHIVE).write_bytes(b"")
    with pytest.raises(DataError, match=f"or delete val/ to have {VAL_ARCHIVE} unpacked again$"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["LOC_val_solution.csv", f"{DEVKIT}.tar.gz", f"{DEVKIT}/data/meta.mat"])
def test_a_damaged_list_is_named(tmp_path: Path, name: str) -> None:
    draw(tmp_path)
    if name.startswith(f"{DEVKIT}/"):
        devkit(tmp_path)
    (tmp_path / name).write_bytes(b"ImageId\nx\n")
    with pytest.raises(DataError, match=f"^{tmp_path}.*{DEVKIT if DEVKIT in name else 'LOC_val'}") as error:
        read(tmp_path)
    assert "\n" not in str(error.value)


def test_an_image_that_no_list_names_is_told(tmp_path: Path) -> None:
    solution(draw(tmp_path))
    picture(tmp_path / "val" / "ILSVRC2012_val_00000099.JPEG")
    with pytest.raises(
        DataError, match=r"val_00000099.JPEG: is in no class folder, and no list names its class \(1 such"
    ):
        read(tmp_path)
