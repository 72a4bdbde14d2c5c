"""Where a data set is searched: in a given root and nowhere else; it may be the data's own folder."""

import shutil
from pathlib import Path

import pytest

from rnnvision.data import CATALOG, DataError, ImageData, Splits
from rnnvision.data.sets import locate
from rnnvision.data.sets import mnist_family as idx
from rnnvision.data.sets.photos import IMAGENETTE_FOLDERS
from tests.data.cases import COUNTS, FOLDER, write_family
from tests.data.layouts import WRITERS, Made, md5, read, refusal, write_imagenette

NAMES = ("mnist", *WRITERS)


def write(name: str, root: Path, patch: pytest.MonkeyPatch) -> Made:
    """Put a data set into a root, MNIST too, whose published digests are set aside."""
    if name != "mnist":
        return WRITERS[name](root, patch)
    patch.setattr(idx, "COUNTS", COUNTS)
    patch.setattr(idx.Family, "digests", ("",) * 4)  # known, so that a folder of any name may be MNIST's
    read_idx = idx.read_idx
    patch.setattr(idx, "read_idx", lambda path, digest=None: read_idx(path))
    write_family(root / FOLDER)
    return Made(FOLDER, (6, None, 4), (1, 28, 28))


def read_from(name: str, root: Path | None) -> Splits:
    return CATALOG[name].read(CATALOG[name].class_names, None if root is None else str(root))


@pytest.mark.parametrize("place", ["environment", "data", "system"])
@pytest.mark.parametrize("name", NAMES)
def test_a_given_root_is_the_only_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, place: str) -> None:
    other = {"environment": tmp_path / "other", "data": Path("data").resolve(), "system": locate.SYSTEM_ROOT}[place]
    if place == "environment":
        monkeypatch.setenv(locate.ENVIRONMENT_VARIABLE, str(other))
    if place == "system":
        locate.SYSTEM_ROOT.rmdir()
    made = write(name, other, monkeypatch)
    given = tmp_path / "given"
    for _ in range(2):  # a root that is not there, and an empty one
        message = refusal(name, given)
        assert message.startswith(f"{name} is not in data.root={given}, ")
        assert message.endswith(f"it is in {other / made.folder}, try: data.root={other}")
        given.mkdir(exist_ok=True)
        assert list(given.iterdir()) == []
    assert read_from(name, None).root == str(other)
    assert read_from(name, other).origin == str(other / made.folder)


@pytest.mark.usefixtures("offline")
def test_files_that_are_begun_elsewhere_are_told_too(tmp_path: Path) -> None:
    Path("data").mkdir()
    Path("data/EuroSAT.zip").write_bytes(b"")  # torchvision would not look here
    assert "it is in" not in refusal("eurosat", tmp_path / "given")
    Path("data/eurosat").mkdir()
    Path("data/eurosat/EuroSAT.zip").write_bytes(b"")
    assert refusal("eurosat", tmp_path / "given").endswith(f"try: data.root={Path('data').resolve()}")


@pytest.mark.parametrize("name", NAMES)
def test_a_root_may_be_the_folder_of_the_data_or_lie_on_the_way_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    made = write(name, tmp_path / "root", monkeypatch)
    folder = tmp_path / "root" / made.folder
    for root in (folder, *folder.parents):
        if root == tmp_path:
            break
        splits = read_from(name, root)
        assert (splits.origin, splits.root) == (str(folder), str(root))
        again = read_from(name, Path(splits.root))
        assert (again.origin, len(again.train), len(again.test)) == (str(folder), len(splits.train), len(splits.test))
    monkeypatch.setenv(locate.ENVIRONMENT_VARIABLE, str(folder))
    assert read_from(name, None).origin == str(folder)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name != "flowers102"]
)  # its lists are torchvision's to read
def test_the_folder_of_the_data_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    made = write(name, tmp_path / "root", monkeypatch)
    mine = Path(shutil.move(tmp_path / "root" / made.folder, tmp_path / "mine"))
    splits = read_from(name, mine)
    assert splits.origin == splits.root == str(mine)
    assert (len(splits.train), len(splits.test)) == (made.sizes[0], made.sizes[2])


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("root", ["MNIST/raw", "MNIST", "mine"])
def test_the_files_of_a_sister_are_not_read_where_nothing_tells_them_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: str
) -> None:
    """KMNIST has files of the same names as MNIST, and no published digests."""
    monkeypatch.setattr(idx, "COUNTS", COUNTS)
    write_family(tmp_path / ("mine" if root == "mine" else FOLDER))
    assert refusal("kmnist", tmp_path / root).startswith("kmnist is not in")
    write_family(tmp_path / "KMNIST" / "raw")
    for mine in ("KMNIST/raw", "KMNIST", ""):
        assert len(read("kmnist", tmp_path / mine).train) == 6


@pytest.mark.parametrize("root", ["", " "])
def test_an_empty_root_is_no_root_left_out(root: str) -> None:
    with pytest.raises(ValueError, match=r"^root=: names no folder; give one, or null for the usual places$"):
        ImageData("mnist", root=root)


def test_a_folder_that_may_not_be_read_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(locate.ENVIRONMENT_VARIABLE, str(tmp_path / "closed"))
    write("mnist", locate.SYSTEM_ROOT, monkeypatch)
    is_file = Path.is_file

    def refuse(path: Path) -> bool:
        if "closed" in path.parts:
            raise PermissionError(13, "Permission denied", str(path))
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", refuse)
    assert read_from("mnist", None).root == str(locate.SYSTEM_ROOT)


# Sizes of Imagenette --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", IMAGENETTE_FOLDERS)
def test_the_size_of_imagenette_that_is_there_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    made = write_imagenette(tmp_path, monkeypatch, size)
    for root in (tmp_path, tmp_path / made.folder):
        data = ImageData("imagenette", root=str(root), image_size=8)
        assert data.known.origin == str(tmp_path / made.folder)
        assert data.describe()["size"] == size  # a checkpoint of it is measured on the same files


@pytest.mark.usefixtures("offline")
def test_a_size_that_is_asked_for_is_the_only_one_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = write_imagenette(tmp_path, monkeypatch, "160px")
    assert "or choose a size that is there: data.size=160px" in refusal("imagenette", tmp_path, size="320px")
    with pytest.raises(ValueError, match=r"^size=320px: .*imagenette2-160 holds 160px; choose size=160px, or leave it"):
        read("imagenette", tmp_path / made.folder, size="320px")
    write_imagenette(tmp_path, monkeypatch, "full")
    write_imagenette(tmp_path, monkeypatch, "320px")
    for size, folder in {**IMAGENETTE_FOLDERS, None: "imagenette2-320"}.items():
        assert read("imagenette", tmp_path, size=size).origin == str(tmp_path / folder)


# Archives that are there, but damaged ---------------------------------------------------------------------------------

ARCHIVES = {  # an archive below the root; what it is unpacked to
    "cifar10": ("cifar-10-python.tar.gz", "cifar-10-python.tar.gz or, unpacked, cifar-10-batches-py"),
    "cifar100": ("cifar-100-python.tar.gz", "cifar-100-python.tar.gz or, unpacked, cifar-100-python"),
    "mnist": ("MNIST/raw/train-images-idx3-ubyte.gz", "MNIST/raw"),
    "emnist": ("EMNIST/raw/gzip.zip", "EMNIST/raw"),
    "qmnist": ("QMNIST/raw/qmnist-test-labels-idx2-int.gz", "QMNIST/raw"),
    "stl10": ("stl10_binary.tar.gz", "stl10_binary.tar.gz or, unpacked, stl10_binary"),
    "usps": ("usps.t.bz2", "usps.bz2"),
    "svhn": ("test_32x32.mat", "train_32x32.mat"),
    "gtsrb": ("gtsrb/GTSRB_Final_Test_GT.zip", "gtsrb"),
    "eurosat": ("eurosat/EuroSAT.zip", "eurosat or, unpacked, eurosat/2750"),
    "imagenette": ("imagenette2-320.tgz", "imagenette2-320.tgz or, unpacked, imagenette2-320"),
    "flowers102": ("flowers-102/102flowers.tgz", "flowers-102"),
    "oxford_pets": ("oxford-iiit-pet/annotations.tar.gz", "oxford-iiit-pet"),
}


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_with_another_md5_is_named_with_what_it_would_be_unpacked_to(tmp_path: Path, name: str) -> None:
    archive, holds = ARCHIVES[name]
    path = tmp_path / archive
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"cut")
    message = refusal(name, tmp_path)
    assert f"; {path} is damaged or incomplete: its MD5 is {md5(path)}, not " in message
    assert f"to the folder that holds {holds}; " in message
    assert "delete" not in message
    assert path.read_bytes() == b"cut"


def test_a_damaged_file_beside_its_unpacked_one_may_be_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("mnist", tmp_path, monkeypatch)
    packed = tmp_path / FOLDER / f"{idx.FILES[0]}.gz"
    content = packed.read_bytes()
    packed.write_bytes(content[:-9])
    with pytest.raises(DataError, match="put the published file in its place"):
        read_from("mnist", tmp_path)
    write_family(tmp_path / FOLDER, packed=False)
    with pytest.raises(DataError, match=f"delete it to have {idx.FILES[0]} read"):
        read_from("mnist", tmp_path)
    packed.unlink()
    assert len(read_from("mnist", tmp_path).train) == 6
