"""The table of data sets: each has its file in conf/data and its line in the documentation; names as torchvision's."""

from pathlib import Path

import pytest
from torchvision import datasets

from rnnvision.data import CATALOG
from rnnvision.data.sets.folders import wnid_names
from rnnvision.data.sets.photos import IMAGENETTE_WNIDS

HOME = Path(__file__).parents[2]
NUM_CLASSES = {
    "digits": 10,
    "mnist": 10,
    "fashion_mnist": 10,
    "kmnist": 10,
    "emnist": 0,  # as its option says
    "qmnist": 10,
    "usps": 10,
    "semeion": 10,
    "cifar10": 10,
    "cifar100": 100,
    "svhn": 10,
    "stl10": 10,
    "gtsrb": 43,
    "eurosat": 10,
    "imagenette": 10,
    "flowers102": 102,
    "oxford_pets": 37,
}


@pytest.mark.parametrize("name", NUM_CLASSES)
def test_every_class_has_a_name_of_its_own(name: str) -> None:
    names = CATALOG[name].class_names
    assert len(set(names)) == len(names) == NUM_CLASSES[name]
    assert all(word == word.strip() and word for word in names)


def test_every_entry_has_its_file_of_choices_and_the_reverse() -> None:
    files = {path.stem for path in (HOME / "conf" / "data").glob("*.yaml") if not path.stem.startswith("_")}
    assert files == set(CATALOG)


def test_every_entry_has_its_line_in_the_documentation() -> None:
    lines = (HOME / "docs" / "data.md").read_text().splitlines()
    told = [line.split("`")[1] for line in lines if line.startswith("| `") and not line.startswith("| `data.")]
    assert sorted(told) == sorted(CATALOG)


def test_the_names_are_those_of_torchvision_where_it_has_them() -> None:
    flowers = [name.removesuffix("?") for name in datasets.Flowers102.classes]
    assert CATALOG["flowers102"].class_names == tuple(flowers)
    assert CATALOG["fashion_mnist"].class_names == tuple(datasets.FashionMNIST.classes)
    assert CATALOG["kmnist"].class_names == tuple(datasets.KMNIST.classes)
    assert CATALOG["imagenette"].class_names == tuple(wnid_names()[wnid] for wnid in IMAGENETTE_WNIDS)


def test_the_wnids_of_imagenette_are_in_the_order_of_their_folders() -> None:
    assert list(IMAGENETTE_WNIDS) == sorted(IMAGENETTE_WNIDS)


@pytest.mark.parametrize("name", ["stl10", "eurosat", "oxford_pets"])
def test_classes_that_are_numbered_in_alphabetical_order_are_so_here(name: str) -> None:
    names = CATALOG[name].class_names
    assert list(names) == sorted(names, key=str.lower)


@pytest.mark.parametrize(
    ("label", "name"), [(0, "speed limit 20"), (13, "yield"), (14, "stop"), (25, "road work"), (40, "roundabout")]
)
def test_the_numbers_of_well_known_signs(label: int, name: str) -> None:
    assert CATALOG["gtsrb"].class_names[label] == name
