"""The files that the cells of a table name: with or without their suffix, by their whole path or its end."""

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from rnnvision.data.sets.tree import Tree, below
from rnnvision.data.splits import DataError

LOOKED_AT = 200  # cells of a column, to tell whether they name files


class NamedFiles:
    """The images below a folder, found by what a cell says.

    A cell names a file by its path below the folder or the end of that path (`a.jpg` for train/a.jpg), in both cases
    with or without the suffix. Leading folders that are not here, as in /home/me/flowers/train/a.jpg, can be left out,
    of all cells as many.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = Tree().find_images(folder)[0]
        self._names = [_readable(name) for name in below(folder, self.paths)]
        self._by_end: dict[int, dict[str, list[int]]] = {}  # of names of so many parts, made when one is asked for

    def find(self, cell: str, skip: int = 0) -> str | None:
        """The file that a cell names, without its first `skip` folders; None if there is none.

        Raises:
            DataError: if there are several.
        """
        name, found = self._named(_parts(cell)[skip:])
        if len(found) > 1:
            whole = [index for index in found if self._names[index] == name]
            if len(whole) != 1:
                raise DataError(f"{cell} may be {self._choices(found)}")
            return self.paths[whole[0]]
        return self.paths[found[0]] if found else None

    def leading(self, cells: list[str]) -> tuple[int, float]:
        """How many leading folders to leave out of these cells until some name files, and the share that then does."""
        some = [_parts(cell) for cell in cells[:: max(1, len(cells) // LOOKED_AT)]]
        for skip in range(max(map(len, some), default=0)):
            if found := sum(bool(self._named(parts[skip:])[1]) for parts in some):
                return skip, found / len(some)
        return 0, 0.0

    def _named(self, parts: list[str]) -> tuple[str, Sequence[int]]:
        """A name, and the indices of the files whose paths end with it."""
        if (count := len(parts)) not in self._by_end:
            self._by_end[count] = self._ends(count)
        name = "/".join(parts)
        return name, self._by_end[count].get(name, ())

    def _ends(self, count: int) -> dict[str, list[int]]:
        """The files by the last `count` parts of their paths, with and without suffix."""
        ends: dict[str, list[int]] = {}
        for index, name in enumerate(self._names):
            parts = name.rsplit("/", count)
            if count and len(parts) >= count:
                end = name[len(parts[0]) + 1 :] if len(parts) > count else name
                ends.setdefault(end, []).append(index)
                ends.setdefault(end[: end.rindex(".")], []).append(index)
        return ends

    def _choices(self, found: Sequence[int]) -> str:
        names = [self._names[index] for index in found[:3]]
        folders = sorted({name.partition("/")[0] for name in names if "/" in name})
        hint = f"choose data.images={folders[0]}, or write" if len(folders) > 1 else "write"
        return f"{' or '.join(names)}; {hint} the whole path in the table"


def _readable(name: str) -> str:
    """A path as a table would have it."""
    if not name.isascii():
        name = unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "replace"))
    return name.replace(os.sep, "/")


def _parts(cell: str) -> list[str]:
    if "/" not in cell and "\\" not in cell:
        return [cell] if cell not in ("", ".") else []
    return [part for part in cell.replace("\\", "/").split("/") if part not in ("", ".")]
