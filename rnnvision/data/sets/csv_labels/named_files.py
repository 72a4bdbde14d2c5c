"""The files that the cells of a table name: with or without their suffix, by their whole path or its end."""

import os
import unicodedata
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
        self._by_end: dict[str, list[str]] = {}
        for path in self.paths:
            whole = self._relative(path)
            for name in (whole, whole[: whole.rindex(".")]):
                parts = name.split("/")
                for start in range(len(parts)):
                    self._by_end.setdefault("/".join(parts[start:]), []).append(path)

    def find(self, cell: str, skip: int = 0) -> str | None:
        """The file that a cell names, without its first `skip` folders; None if there is none.

        Raises:
            DataError: if there are several.
        """
        name = "/".join(_parts(cell)[skip:])
        found = self._by_end.get(name, [])
        if len(found) > 1:
            whole = [path for path in found if self._relative(path) == name]
            if len(whole) != 1:
                raise DataError(f"{cell} may be {self._choices(found)}")
            return whole[0]
        return found[0] if found else None

    def leading(self, cells: list[str]) -> tuple[int, float]:
        """How many leading folders to leave out of these cells until some name files, and the share that then does."""
        some = [_parts(cell) for cell in cells[:: max(1, len(cells) // LOOKED_AT)]]
        for skip in range(max(map(len, some), default=0)):
            if found := sum("/".join(parts[skip:]) in self._by_end for parts in some):
                return skip, found / len(some)
        return 0, 0.0

    def _relative(self, path: str) -> str:
        (name,) = below(self.folder, [path])
        return unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "replace")).replace(os.sep, "/")

    def _choices(self, found: list[str]) -> str:
        names = [self._relative(path) for path in found[:3]]
        folders = sorted({name.partition("/")[0] for name in names if "/" in name})
        hint = f"choose data.images={folders[0]}, or write" if len(folders) > 1 else "write"
        return f"{' or '.join(names)}; {hint} the whole path in the table"


def _parts(cell: str) -> list[str]:
    return [part for part in cell.replace("\\", "/").split("/") if part not in ("", ".")]
