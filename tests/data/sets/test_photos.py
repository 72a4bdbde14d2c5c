"""Sets of images in files: lists and images that are missing or wrong are named, with what to delete."""

from pathlib import Path

import pytest

from rnnvision.data.sets import locate
from tests.data.layouts import WRITERS, read, refusal, write_imagenette


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


BY_CLASS = {  # a picture, and what is unpacked with it, below the root; of how many pictures it is one
    "gtsrb": (
        "gtsrb/GTSRB/Training/00007/00001_00000.ppm",
        "gtsrb/GTSRB/Training",
        86,
        "gtsrb/GTSRB-Training_fixed.zip",
    ),
    "eurosat": ("eurosat/2750/River/River_2.jpg", "eurosat/2750", 50, "eurosat/EuroSAT.zip"),
    "imagenette": (
        "imagenette2-320/val/n03000684/n03000684_0.JPEG",
        "imagenette2-320",
        10,
        "imagenette2-320.tgz",
    ),
}


def with_archive(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put an archive there that passes for the published one."""
    archive.write_bytes(b"archive")
    monkeypatch.setattr(locate, "wrong_md5", lambda path, md5: "")


@pytest.mark.parametrize("change", ["missing", "class", "more"])
@pytest.mark.parametrize("name", BY_CLASS)
def test_a_class_folder_that_is_incomplete_is_told(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str, change: str
) -> None:
    WRITERS[name](root, monkeypatch)
    picture, unpacked, count, archive = BY_CLASS[name]
    path = root / picture
    if change == "more":
        (path.parent / f"more{path.suffix}").write_bytes(path.read_bytes())
    else:
        path.unlink()
        if change == "class":
            for other in path.parent.iterdir():
                other.unlink()
            path.parent.rmdir()
    a_class = {"gtsrb": 2, "eurosat": 5, "imagenette": 1}[name]
    found = {"more": count + 1, "missing": count - 1, "class": count - a_class}
    which = f" (none in {path.parent.name})" if not path.parent.is_dir() or not any(path.parent.iterdir()) else ""
    start = f"{path.parents[1]}: holds {found[change]:,} images of its classes, not {count:,}{which}; "
    assert refusal(name, root) == f"{start}what belongs there is in {archive.rpartition('/')[2]}"
    with_archive(root / archive, monkeypatch)
    again = f"delete {root / unpacked} to have it unpacked again from {archive.rpartition('/')[2]}"
    assert refusal(name, root) == start + again


LISTED = {  # a picture that a list names, and its folder has
    "gtsrb": "gtsrb/GTSRB/Final_Test/Images/00010.ppm",
    "flowers102": "flowers-102/jpg/image_00150.jpg",
    "oxford_pets": "oxford-iiit-pet/images/Maine_Coon_20.jpg",
}


@pytest.mark.parametrize("name", LISTED)
def test_a_listed_image_that_is_missing_is_named(root: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    made = WRITERS[name](root, monkeypatch)
    path = root / LISTED[name]
    path.unlink()
    message = refusal(name, root)
    assert message.startswith(
        f"{path}: there is no such file (1 of {made.sizes[2]} are missing); what belongs there is in"
    )
    assert "delete" not in message


LISTS = {  # a list, what is unpacked with it, and from what
    "gtsrb": (
        "gtsrb/GT-final_test.csv",
        "gtsrb/GTSRB/Final_Test",
        ("GTSRB_Final_Test_Images.zip", "GTSRB_Final_Test_GT.zip"),
    ),
    "oxford_pets": (
        "oxford-iiit-pet/annotations/test.txt",
        "oxford-iiit-pet/annotations",
        ("annotations.tar.gz",),
    ),
}
DAMAGE = {
    "missing": "there is no such file",
    "shorter": "images, not",
    "label": "label 9",
    "no number": "invalid literal",
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_is_damaged_is_named(root: Path, monkeypatch: pytest.MonkeyPatch, name: str, damage: str) -> None:
    made = WRITERS[name](root, monkeypatch)
    path, unpacked, archives = LISTS[name]
    listed = root / path
    lines = listed.read_text().splitlines()
    if damage == "missing":
        listed.unlink()
    elif damage == "shorter":
        listed.write_text("\n".join(lines[:-1]))
    else:
        label = {"label": "99", "no number": "x"}[damage]
        fields = lines[-1].split(";") if name == "gtsrb" else lines[-1].split()
        fields[-1 if name == "gtsrb" else 1] = label
        listed.write_text("\n".join([*lines[:-1], (";" if name == "gtsrb" else " ").join(fields)]))
    message = refusal(name, root)
    assert message.startswith(f"{listed} is missing or damaged (")
    assert DAMAGE[damage] in message
    assert message.endswith(f"; what belongs there is in {', '.join(archives)}")
    for archive in archives:
        with_archive(root / made.folder / archive, monkeypatch)
    again = f"; delete {root / unpacked} to have it unpacked again from {', '.join(archives)}"
    assert refusal(name, root).endswith(again)


def test_a_csv_of_other_columns_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    WRITERS["gtsrb"](root, monkeypatch)
    path = root / "gtsrb" / "GT-final_test.csv"
    path.write_text(path.read_text().replace("ClassId", "Class"))
    assert refusal("gtsrb", root).startswith(f"{path} is missing or damaged ('ClassId')")


def test_a_breed_with_the_label_of_another_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    WRITERS["oxford_pets"](root, monkeypatch)
    path = root / "oxford-iiit-pet" / "annotations" / "trainval.txt"
    path.write_text(path.read_text().replace("pug_1 26", "pug_1 27"))
    assert "(it calls pug_1.jpg Ragdoll)" in refusal("oxford_pets", root)


@pytest.mark.parametrize("size", ["full", "320px", "160px"])
def test_each_size_of_imagenette_has_its_folder(root: Path, monkeypatch: pytest.MonkeyPatch, size: str) -> None:
    made = write_imagenette(root, monkeypatch, size)
    assert read("imagenette", root, size=size).origin == str(root / made.folder)


def test_an_unknown_size_of_imagenette_is_told(root: Path) -> None:
    with pytest.raises(ValueError, match=r"^size=320: choose one of full, 320px, 160px; did you mean 320px\?$"):
        read("imagenette", root, size="320")
