"""Tree: the images below a folder. Each folder is listed once, by strings: Path objects take nine times as long."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rnnvision.data.images import SUFFIXES
from rnnvision.data.splits import DataError
from rnnvision.progress import done, work

LITTER = {
    *("__macosx", "__pycache__", "@eadir", "$recycle.bin", "system volume information", "lost+found", "#recycle"),
    *("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"),
}
ENDINGS = frozenset(SUFFIXES)


class Listing(NamedTuple):
    """The names in a folder, each kind sorted, without what is hidden and what file managers leave behind.

    Attributes:
        here: device and inode of the folder.
        folders: folders, and links to them.
        images: files with the name of an image.
        others: other files.
    """

    here: tuple[int, int]
    folders: list[str]
    images: list[str]
    others: list[str]


class Tree:
    """What is below a folder. What has been listed is kept, so a tree lives as long as one reading of a data set."""

    def __init__(self) -> None:
        self._listed: dict[str, Listing] = {}

    def listing(self, folder: str | Path) -> Listing:
        """The names in a folder.

        Raises:
            DataError: if it cannot be listed.
        """
        path = str(folder)
        if path not in self._listed:
            self._listed[path] = found = _listing(path)
            done(len(found.images) + len(found.others))
        return self._listed[path]

    def subfolders(self, folder: Path) -> list[Path]:
        """The folders in a folder, sorted, without those that are hidden or litter."""
        return [folder / name for name in self.listing(folder).folders]

    def images_in(self, folder: Path) -> int:
        """The number of images in a folder itself."""
        return len(self.listing(folder).images)

    def holds_image(self, folder: Path) -> bool:
        """Whether there is an image below a folder."""
        return any(listing is not None and listing.images for _, listing in self._below(folder))

    def is_empty(self, folder: Path) -> bool:
        """Whether there is no file below a folder."""
        return not any(listing is None or listing.images or listing.others for _, listing in self._below(folder))

    def find_images(self, folder: str | Path) -> tuple[list[str], list[str]]:
        """The images below a folder, sorted by path, and what is left out: other files, links that lead in a circle.

        Raises:
            DataError: if a folder cannot be listed.
        """
        images: list[str] = []
        left_out: list[str] = []
        folders = 0
        with work("finding files"):
            for path, listing in self._below(folder):
                if listing is None:
                    left_out.append(path)
                    continue
                begin = os.path.join(path, "")  # noqa: PTH118  # a string
                images += [begin + name for name in listing.images]
                left_out += [begin + name for name in listing.others]
                folders += 1
        return images if folders == 1 else sorted(images, key=lambda path: path.split(os.sep)), left_out  # noqa: PTH206

    def _below(self, folder: str | Path) -> Iterator[tuple[str, Listing | None]]:
        """Each folder below one, itself the first; None for a link to a folder that it lies in, which never ends."""
        waiting: list[tuple[str, frozenset[tuple[int, int]]]] = [(str(folder), frozenset())]
        while waiting:
            path, above = waiting.pop()
            listing = self.listing(path)
            if listing.here in above:
                yield path, None
                continue
            inside = above | {listing.here}
            waiting += [(os.path.join(path, name), inside) for name in listing.folders]  # noqa: PTH118
            yield path, listing


def _listing(path: str) -> Listing:
    folders: list[str] = []
    images: list[str] = []
    others: list[str] = []
    try:
        status = os.stat(path)  # noqa: PTH116
        with os.scandir(path) as entries:
            for entry in entries:
                name = entry.name
                image = is_image(name)
                if image and entry.is_file(follow_symlinks=False):
                    images.append(name)
                elif is_litter(name):
                    continue
                elif _is_folder(entry):
                    folders.append(name)
                else:
                    (images if image else others).append(name)
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from error
    return Listing((status.st_dev, status.st_ino), sorted(folders), sorted(images), sorted(others))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one; a link to itself is none. Only links are looked up."""
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()  # noqa: PTH112


def is_image(name: str) -> bool:
    """Whether a file is an image by its name."""
    return name[name.rfind(".") :].lower() in ENDINGS and not name.startswith(".")


def is_litter(name: str) -> bool:
    """Whether a file or folder is hidden, or one that a file manager leaves behind."""
    return name.startswith(".") or name.lower() in LITTER


def below(folder: str | Path, paths: list[str]) -> list[str]:
    """The paths of files as seen from a folder that they were found below: a tenth of the time of os.path.relpath."""
    begin = os.path.join(folder, "")  # noqa: PTH118
    return [path.removeprefix(begin) for path in paths]
