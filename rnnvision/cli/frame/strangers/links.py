"""Links in a run folder, which a stranger may have made: what would be written through them is refused."""

import os
from pathlib import Path

from rnnvision.errors import UsageError

WRITTEN = (".csv", ".json")  # endings of what a run writes beside its folders


def refuse_links(folder: Path, hydra: str) -> None:
    """Refuse a run folder that leads elsewhere, or in which a folder is in the place of a table or a record; that it is
    reached over a link itself is its user's choice.

    Files that are replaced as a whole, and logs, see to links themselves.

    Args:
        folder: where a run begins or goes on; it need not exist.
        hydra: the folder in it that Hydra writes its files into; "" where it writes none.

    Raises:
        UsageError: that names the link, or the folder.
    """
    folders = [path for path in _entries(folder) if not path.is_file()]
    of_hydra = [folder / hydra, *_entries(folder / hydra)] if hydra else []
    for path in (*folders, *of_hydra):
        if path.is_symlink() and not (path.exists() and _is_in(path, folder)):
            raise UsageError(
                f"{path}: is a link, and the run would write elsewhere; put what it leads to in its place, or remove it"
            )
    for path in folders:
        if path.suffix in WRITTEN and path.is_dir():
            raise UsageError(f"{path}: is a folder, and the run writes a file of that name; remove it")
    for path in of_hydra:
        if path.exists() and not path.is_file() and not path.is_dir():  # a pipe, which Hydra would wait for
            raise UsageError(f"{path}: is no file; remove it")


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _is_in(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))  # of a loop resolve() makes an error
