"""Readers of Oxford's image files: flowers and pets, whose splits are lists."""

from functools import partial

from rnnvision.data.downloads.fetch import Source, wrong_md5
from rnnvision.data.files import FileSplit
from rnnvision.data.images import View, with_view
from rnnvision.data.sets.locate import obtain, unpack_again
from rnnvision.data.sets.photos import check_rows, damaged, listed
from rnnvision.data.splits import DataError, Splits

# Images of the official splits.
FLOWERS_COUNTS = {"train": 1_020, "val": 1_020, "test": 6_149}
PETS_COUNTS = {"trainval": 3_680, "test": 3_669}


@with_view(image_size=128, crop_ratio=0.875)
def read_flowers102(class_names: tuple[str, ...], root: str | None, view: View) -> Splits:
    """Oxford 102 Flowers (Nilsback and Zisserman, 2008) in its official splits, of which the test split is the largest.

    Raises:
        DataError: if it cannot be obtained, or an image or a list is missing or damaged; the message names the file.
    """
    from torchvision.datasets import Flowers102

    known = Flowers102._file_dict
    sources = [
        Source(f"flowers-102/{file}", (f"{Flowers102._download_url_prefix}{file}",), md5, packed=key == "image")
        for key, (file, md5) in known.items()
    ]
    lists = dict(known[key] for key in ("label", "setid"))
    base, folder = obtain(
        "flowers102",
        root,
        ("flowers-102",),
        lambda f: (f / "jpg").is_dir() and all((f / name).is_file() for name in lists),
        sources,
        by_content=False,  # torchvision reads the lists, in a folder of this name
    )
    for name, md5 in lists.items():
        if fault := wrong_md5(folder / name, md5):
            raise DataError(f"{fault}; put the published file in its place")
    again = partial(unpack_again, folder / "jpg", base, [source for source in sources if source.packed])

    def read(part: str) -> FileSplit:
        try:
            dataset = Flowers102(folder.parent, part, loader=lambda path: path)  # (path, label): no image is opened
            rows = [(path.name, label) for path, label in (dataset[i] for i in range(len(dataset)))]
            check_rows(rows, FLOWERS_COUNTS[part], len(class_names))
        except (RuntimeError, ValueError) as error:
            files = " or ".join(str(folder / name) for name in lists)
            raise DataError(f"{files} is damaged ({error}); put the published files in their place") from error
        return listed(folder / "jpg", again, rows, view)

    train, val, test = (read(part) for part in FLOWERS_COUNTS)
    return Splits(train, test, class_names, origin=str(folder), val=val, root=str(base))


@with_view(image_size=128, crop_ratio=0.875)
def read_pets(class_names: tuple[str, ...], root: str | None, view: View) -> Splits:
    """Oxford-IIIT Pet (Parkhi et al., 2012): 37 breeds of cats and dogs; its trainval is the training split.

    Raises:
        DataError: if it cannot be obtained, or an image or a list is missing or damaged; the message names the file.
    """
    from torchvision.datasets import OxfordIIITPet

    pictures, annotations = (
        [Source(f"oxford-iiit-pet/{url.rpartition('/')[2]}", (url,), md5, packed=True)]
        for url, md5 in OxfordIIITPet._RESOURCES
    )
    base, folder = obtain(
        "oxford_pets",
        root,
        ("oxford-iiit-pet",),
        lambda f: (
            (f / "images").is_dir() and any((f / "annotations" / f"{part}.txt").is_file() for part in PETS_COUNTS)
        ),
        [*pictures, *annotations],
    )

    def read(part: str) -> FileSplit:
        source = folder / "annotations" / f"{part}.txt"
        rows = []
        try:
            for line in source.read_text().splitlines():
                picture, label, _, _ = line.split()
                rows.append((f"{picture}.jpg", int(label) - 1))
            check_rows(rows, PETS_COUNTS[part], len(class_names))
            _check_breeds(rows, class_names)
        except (OSError, ValueError) as error:
            raise damaged(source, partial(unpack_again, source.parent, base, annotations), error) from error
        return listed(folder / "images", partial(unpack_again, folder / "images", base, pictures), rows, view)

    train, test = (read(part) for part in PETS_COUNTS)
    return Splits(train, test, class_names, origin=str(folder), root=str(base))


def _check_breeds(rows: list[tuple[str, int]], class_names: tuple[str, ...]) -> None:
    """Check the labels against the breed in each image's file name."""
    for picture, label in rows:
        breed = picture.rpartition("_")[0].replace("_", " ")
        if breed.lower() != class_names[label].lower():
            raise ValueError(f"it calls {picture} {class_names[label]}")
