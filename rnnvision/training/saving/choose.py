"""Which checkpoint of a run is taken: the best to measure, the last to go on from, or else the newest that is whole."""

import os
import shutil
from functools import lru_cache
from pathlib import Path
from typing import Any

from rnnvision.atomic import link, replaced
from rnnvision.training.checkpoint import CheckpointError, DamagedError, read_checkpoint
from rnnvision.training.reading.states import WEIGHTS

LAST, PREVIOUS, BEST = "last.ckpt", "previous.ckpt", "best.ckpt"
DAMAGED = ".damaged"  # what was a checkpoint has this behind its name, for whoever wants to look at it
TENSORS = (*WEIGHTS, "optimizer_states")  # entries that are as large as the network


def find_checkpoint(path: str | Path) -> Path:
    """The checkpoint at a path: the file itself, or the best one of a run folder, else its last.

    Raises:
        CheckpointError: if there is none, and where a run had a best one that is gone.
    """
    path = Path(path).expanduser()
    if path.is_file():
        return path.resolve()
    if not path.exists():
        raise CheckpointError(f"{path}: there is no such file or run folder")
    if not path.is_dir():  # a pipe, a device
        raise CheckpointError(f"{path}: is no file; give a file or a run folder")
    folder = path / "checkpoints"
    best, last, before = folder / BEST, folder / LAST, folder / PREVIOUS
    if best.is_file():
        return best.resolve()
    if last.is_file() and best_is_lost(folder):
        raise CheckpointError(f"{best}: is missing; to take the last weights in place of the best give {last}")
    if last.is_file():
        return last.resolve()
    other = f"; the one before the last is {before}" if before.is_file() else "; give a file or a run folder"
    raise CheckpointError(f"{path}: holds no checkpoints/{BEST} or checkpoints/{LAST}{other}")


def facts_of(path: Path) -> dict[str, Any]:
    """The entries of a verified checkpoint without its tensors; a file that has not changed is read once.

    Raises:
        CheckpointError: if it cannot be read.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100  # links stay as they are
    try:
        found = path.stat()
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}") from error
    return _facts_of(path, found.st_ino, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=2)
def _facts_of(path: Path, inode: int, changed_ns: int, size: int) -> dict[str, Any]:
    checkpoint = read_checkpoint(path)
    resumes = bool(checkpoint.get("optimizer_states")) and "loops" in checkpoint
    return {"resumes": resumes} | {key: value for key, value in checkpoint.items() if key not in TENSORS}


def mend_last(folder: Path, *, is_written: bool = True) -> str | None:
    """Let last.ckpt in a folder of checkpoints be one that a run can go on from; a line where another took its place.

    That is previous.ckpt, from which the run goes on exactly as it did; else, of the others with the state of an
    optimiser, the one after the most steps. A damaged last.ckpt becomes last.ckpt.damaged.

    Args:
        folder: need not exist.
        is_written: whether the run writes last.ckpt; otherwise the one after the most steps takes its place, since
            what is there has that name from here.

    Raises:
        CheckpointError: where last.ckpt is damaged, and no other is whole.
    """
    last, previous = folder / LAST, folder / PREVIOUS
    damage = _damage(last)
    if damage is None:
        return None if is_written else _overtaken(folder)
    found = [previous] if _damage(previous) is None else []
    if not (found and is_written) and (newest := _newest(folder)) is not None:
        found.append(newest)
    chosen = max(found, key=_step, default=None)
    if chosen is None and not (last.exists() or previous.is_file()):
        return None
    if chosen is None:
        raise CheckpointError(f"{damage}; no other checkpoint in this folder is whole; begin a run of its own")
    kept = f"; the damaged one is now {_put_aside(last)}" if last.exists() else ""
    _name(chosen, last)
    what = f"{LAST} is damaged" if kept else f"{LAST} is missing"
    return f"{what}: the run goes on from {chosen.name}, after step {_step(last)}{kept}"


def _overtaken(folder: Path) -> str | None:
    last, newest = folder / LAST, _newest(folder)
    if newest is None or _step(newest) <= _step(last):
        return None
    _name(newest, last)
    return f"{LAST} is not written by this run: it goes on from {newest.name}, after step {_step(last)}"


def _step(path: Path) -> int:
    return int(facts_of(path)["global_step"])


def mend_best(folder: Path) -> str | None:
    """Put a damaged best.ckpt aside; a line where the best of the epochs so far is not there any more.

    Of the epochs that follow the best one counts then.
    """
    best, kept = folder / BEST, ""
    if best.is_file():
        try:
            facts_of(best)
        except DamagedError:
            kept = f"; the damaged one is now {_put_aside(best)}"
    if not best_is_lost(folder):
        return None
    return f"{BEST} is {'damaged' if kept else 'missing'}: the best of the epochs that follow is kept, if any do{kept}"


def best_is_lost(folder: Path) -> bool:
    """Whether last.ckpt knows of a best.ckpt that is not there."""
    if (folder / BEST).is_file() or not (folder / LAST).is_file():
        return False
    states = facts_of(folder / LAST).get("callbacks", {}).values()
    return any(Path(str(state.get("best_model_path", ""))).name == BEST for state in states)


def _put_aside(path: Path) -> str:
    """Give a damaged file another name; returns it."""
    return path.replace(path.with_name(path.name + DAMAGED)).name


def _damage(path: Path) -> str | None:
    """Why a run cannot go on from a file; None where it can.

    Raises:
        CheckpointError: for one of another version.
    """
    if not path.is_file():
        return f"{path}: is missing"
    try:
        return None if facts_of(path)["resumes"] else f"{path}: holds no state of an optimiser"
    except DamagedError as error:
        return error.what


def _newest(folder: Path) -> Path | None:
    others = [path for path in sorted(folder.glob("*.ckpt")) if path.name not in (LAST, PREVIOUS)]
    whole = [path for path in others if _is_whole(path)]
    return max(whole, key=_step, default=None)


def _is_whole(path: Path) -> bool:
    try:
        return _damage(path) is None
    except CheckpointError:  # somebody has put it there
        return False


def _name(path: Path, name: Path) -> None:
    """Give a file another name too, or where there are no hard links a copy of it that name."""
    try:
        link(path, name)
    except OSError:
        with replaced(name, durable=True) as temporary:
            shutil.copyfile(path, temporary)
