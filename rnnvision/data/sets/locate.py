"""Locations of data sets on this machine, and their download."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from rnnvision.atomic import remove_leftovers
from rnnvision.data.downloads import fetch, unpack
from rnnvision.data.downloads.fetch import Source, wrong_md5
from rnnvision.data.downloads.lock import held
from rnnvision.data.splits import DataError

ENVIRONMENT_VARIABLE = "RNNVISION_DATA"
SYSTEM_ROOT = Path("/usr/share/datasets")  # Debian's packages put data sets here
NO_NETWORK = "data=digits and data=fake need no network"
LOCK = ".download.lock"
TRIES = 3  # of a download whose folder goes away
_ONLY_LOCATE: ContextVar[bool] = ContextVar("only_locate", default=False)
_downloads = ContextVar("_downloads", default=True)


def check_root(root: object) -> None:
    """Check that a given root is not empty, as `data.root=$UNSET` is: that would search the usual places, or here."""
    if root is not None and not str(root).strip():
        raise ValueError("root=: names no folder; give one, or null for the usual places")


class _Located(Exception):  # noqa: N818  # no error
    """Ends a reader that is asked for its place alone."""


def located(read: Callable[[], object]) -> Path | None:
    """The folder in which a reader finds its data set; None if it is not on this machine. Nothing is downloaded."""
    token = _ONLY_LOCATE.set(True)
    try:
        read()
    except _Located as found:
        return found.args[0]
    except DataError:
        pass
    finally:
        _ONLY_LOCATE.reset(token)
    return None


def announce(place: Path | None) -> None:
    """Called by each reader as soon as it knows where its data set is, before it reads or downloads: see `located`."""
    if _ONLY_LOCATE.get():
        raise _Located(place)


def search_roots(root: str | None) -> list[Path]:
    """The folders to search: the given one and no other; without one the environment's, ./data, the system's."""
    given = [root] if root else [os.environ.get(ENVIRONMENT_VARIABLE), "data", str(SYSTEM_ROOT)]
    return [Path(r).expanduser().resolve() for r in given if r]


def find_folder(
    root: str | None, folders: tuple[str, ...], is_complete: Callable[[Path], bool], by_content: bool = True
) -> tuple[Path, Path] | None:
    """The first search root with one of `folders` that `is_complete`, and that folder.

    The search root may also be such a folder, or lie on the way to it: of MNIST/raw, the search root may be the folder
    that holds MNIST, MNIST itself, or raw in it. A folder of any other name counts as well if it `is_complete`, unless
    its content does not tell which data set it is (`by_content` False).
    """
    for base in search_roots(root):
        places = [place for folder in folders for _, place in _on_the_way(base, folder)]
        for place in [*places, *([base] if by_content else [])]:
            with suppress(PermissionError):  # a folder of somebody else's is none to read from
                if is_complete(place):
                    return base, place
    return None


def _on_the_way(base: Path, path: str) -> Iterator[tuple[Path, Path]]:
    """Where `path` may be: below `base`, and where `base` ends as `path` begins.

    Yields (the folder that `path` is below, the place).
    """
    parts = Path(path).parts
    for known in range(len(parts) + 1):
        if known == 0 or base.parts[-known:] == parts[:known]:
            yield (base.parents[known - 1] if known else base), base.joinpath(*parts[known:])


def obtain(
    name: str,
    root: str | None,
    folders: tuple[str, ...],
    is_complete: Callable[[Path], bool],
    sources: Sequence[Source],
    *,
    by_content: bool = True,
    hint: str = "",
) -> tuple[Path, Path]:
    """The search root that holds a data set, and its folder there; if no root holds it, it is downloaded.

    Args:
        name: of the data set.
        root: the given search root, if any: then no other place is searched.
        folders: where it may be below a search root.
        is_complete: whether such a folder holds it.
        sources: what is downloaded, in one folder; one that is already there is used.
        by_content: whether `is_complete` tells this data set from every other one, see `find_folder`.
        hint: what else to do where it cannot be downloaded.

    Raises:
        DataError: if it cannot be obtained, or is not in the given root but in a usual place; the message says what to
            do.
    """
    found = find_folder(root, folders, is_complete, by_content)
    announce(found[0] if found else None)
    if found is None:
        begun = _begun(root, sources)
        elsewhere = (find_folder(None, folders, is_complete, by_content) or _begun(None, sources)) if root else None
        if elsewhere:
            hint += f", or take what is in {elsewhere[1]}: data.root={elsewhere[0]}"
        if elsewhere and not begun:
            raise DataError(
                f"{name} is not in data.root={root}, and no other place is searched where one is given; "
                f"it is in {elsewhere[1]}, try: data.root={elsewhere[0]}"
            )
        here = str(begun[0]) if begun else root
        found = download(
            name, here, folders[0], sources, lambda: find_folder(here, folders, is_complete, by_content), hint
        )
    if found is None:
        raise DataError(f"{name}: the download left no complete {folders[0] or sources[0].path}")
    return found


def _begun(root: str | None, sources: Sequence[Source]) -> tuple[Path, Path] | None:
    """The first of the files that is there already, after the folder that it is below."""
    places = (place for base in search_roots(root) for source in sources for place in _on_the_way(base, source.path))
    return next((place for place in places if os.path.isfile(place[1])), None)  # noqa: PTH113  # raises for no folder


def download(
    name: str,
    root: str | None,
    unpacked: str,
    sources: Sequence[Source],
    find: Callable[[], tuple[Path, Path] | None],
    hint: str = "",
) -> tuple[Path, Path] | None:
    """Download the data set into the first search root, one process at a time; what `find` then gives.

    Raises:
        DataError: that says what was tried, where to put which files, and which data sets need no download.
    """
    roots = search_roots(root)
    if not _downloads.get():
        raise DataError(f"{name} is not in {', '.join(map(str, roots))}")
    target = roots[0]
    new = [path for path in _needed(target, sources) if not path.exists()]
    waiting = f"data      waiting for another process, which downloads {name}"
    try:
        for left in reversed(range(TRIES)):
            try:
                found = _alone(target, sources, find, new, waiting)
                break
            except FileNotFoundError:  # another process, whose download failed, has removed the folder that it had made
                if not left:
                    raise
    except OSError as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        damaged = "".join(f"; {fault}" for source in sources if (fault := wrong_md5(target / source.path, source.md5)))
        folder = Path(sources[0].path).parent
        files = [source.name for source in sources]
        holds = files[0] if folder == Path() else folder.as_posix()
        holds += f" or, unpacked, {unpacked}" if unpacked and Path(unpacked) != folder else ""
        where = ", ".join(map(str, roots))
        raise DataError(
            f"{name} is not in {where}, and downloading it to {target} failed ({reason}){damaged}. "
            f"Put {', '.join(files)} into {target / folder}, or set data.root=FOLDER or {ENVIRONMENT_VARIABLE} to the "
            f"folder that holds {holds}{hint}; {NO_NETWORK}"
        ) from error
    return found or find()


def _alone(
    target: Path,
    sources: Sequence[Source],
    find: Callable[[], tuple[Path, Path] | None],
    new: Sequence[Path],
    waiting: str,
) -> tuple[Path, Path] | None:
    """Download while no other process does, and leave nothing of a download that fails."""
    target.mkdir(parents=True, exist_ok=True)
    with held(target / LOCK, waiting) as alone:
        if alone:
            _clear(target, sources)
        if (found := find()) is None:  # nor has another process brought it meanwhile
            try:
                _bring(target, sources)
            except BaseException:
                _remove(new)
                raise
    return found


def _bring(target: Path, sources: Sequence[Source]) -> None:
    for source in sources:
        fetch.fetch(source, target)
    for source in sources:
        if source.packed:
            unpack.unpack(target / source.path, (target / source.path).parent)


def _clear(target: Path, sources: Sequence[Source]) -> None:
    """Remove what downloads and unpacking left that were killed."""
    for folder in {(target / source.path).parent for source in sources}:
        unpack.remove_begun(folder)
        remove_leftovers(folder, alone=True)  # the lock is of all downloads into this root


def unpack_again(folder: Path, root: Path, sources: Sequence[Source]) -> str:
    """What to do about a damaged folder: delete it only where the archives that it came from lie there, intact."""
    files = ", ".join(source.name for source in sources)
    places = [next((path for _, path in _on_the_way(root, s.path) if path.is_file()), None) for s in sources]
    if all(path and not wrong_md5(path, source.md5) for path, source in zip(places, sources, strict=True)):
        return f"delete {folder} to have it unpacked again from {files}"
    return f"what belongs there is in {files}"


def _needed(target: Path, sources: Sequence[Source]) -> set[Path]:
    """The folders of a download, and its lock. What else lies there may be much, or be another process's at work."""
    return {target / LOCK, *(folder for source in sources for folder in (target / source.path).parents)}


def _remove(new: Sequence[Path]) -> None:
    """Leave no lock and no empty folder behind after a failed download."""
    for path in sorted(new, reverse=True):
        with suppress(OSError):  # not empty
            path.unlink() if path.name == LOCK else path.rmdir()


@contextmanager
def nothing_downloaded() -> Iterator[None]:
    """Within, data that is not on this machine is an error."""
    token = _downloads.set(False)
    try:
        yield
    finally:
        _downloads.reset(token)
