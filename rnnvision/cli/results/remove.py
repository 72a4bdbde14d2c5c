"""rnnvision results rm: remove run folders, after a look; never a live one, and nothing outside log_dir."""

import os
import shlex
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from rnnvision.checks import counted
from rnnvision.cli.frame.paths import expanded
from rnnvision.cli.results.select import Selection
from rnnvision.errors import FailureError, UsageError
from rnnvision.runs import find_runs
from rnnvision.runs.lock import Lock
from rnnvision.runs.query.index import find_records
from rnnvision.runs.read import LOCK
from rnnvision.runs.record import Record

LEFT_ALONE = 24 * 3600.0  # seconds: a run without a lock, of an earlier version, may live if it has written since
MAY_LIVE = ("running", "killed", "unknown")  # unknown: its folder has no record, which it may be about to write
SHOWN = 40  # rows of the look; the last one counts the others


def remove(selection: Selection, given: dict[str, str]) -> None:
    """Show the runs, ask, and remove them.

    Raises:
        UsageError: where nobody can be asked and `yes=true` is not given.
        FailureError: for a folder that cannot be removed; the others are.
    """
    log_dir = Path(expanded(given.get("log_dir", "logs")))
    if selection.root.resolve() != log_dir.resolve():
        words = [word for word in sys.argv[1:] if not word.startswith("log_dir=")]
        meant = shlex.join(["rnnvision", "results", *words, f"log_dir={given['folder']}"])
        raise UsageError(f"folder={given['folder']}: is not in log_dir={log_dir}; to mean it: {meant}")
    answer = given.get("yes", "false")
    if answer not in ("true", "false"):
        raise UsageError(f"yes={answer}: must be true or false")
    root = selection.root.resolve()
    chosen = {run.folder for run in selection.runs}
    every = find_records(selection.root)
    left_out = Counter(above for run in every if run.folder not in chosen for above in _above(run.folder))
    kept = {run.folder: why for run in selection.runs if (why := _kept(root, run, chosen, left_out))}
    for inside in list(kept):  # with a folder all that lies in it would go
        kept |= {
            above: f"it holds {inside}, which stays"
            for above in _above(inside)
            if above in chosen and above not in kept
        }
    going = [run for run in selection.runs if run.folder not in kept]
    _look(selection, kept)
    if not going:
        raise FailureError("nothing is left to remove")
    if answer == "false" and not _agreed(f"remove {counted(len(going), 'run folder')} in {selection.root}? [y/N] "):
        print("nothing was removed")
        return
    failed = {run.folder: why for run in going if (why := _removed(root, run))}
    _mend_latest(root, [run for run in every if (root / run.folder).is_dir()])
    print(f"removed {counted(len(going) - len(failed), 'run folder')}")
    if failed:
        reasons = "; ".join(f"{folder}: {why}" for folder, why in failed.items())
        raise FailureError(f"{counted(len(failed), 'run folder')} could not be removed: {reasons}")


def _look(selection: Selection, kept: dict[str, str]) -> None:
    from rnnvision.report.table_text import Table, terminal

    runs = selection.runs
    columns = ("folder", "verb", "status", "started", "val/accuracy")
    rows = tuple((*map(run.get, columns), kept.get(run.folder)) for run in runs)
    table = Table((*columns, "stays, because"), rows[:SHOWN])
    print(terminal(table if kept else table.without("stays, because")), end="")
    if len(rows) > SHOWN:
        print(f"... and {len(rows) - SHOWN:,} more; rnnvision results by=folder with the same where= lists them")
    print(*selection.others_lines, sep="\n", end="\n\n" if selection.others else "\n", flush=True)


def _kept(root: Path, run: Record, chosen: set[str], left_out: Mapping[str, int]) -> str | None:
    """Why a run folder has to stay; None where it can go."""
    path = root / run.folder
    if not path.resolve().is_relative_to(root) or path.resolve() == root:
        return f"it is not in {root}"
    if holder := next((who for folder in _up(path, root) if (who := Lock(folder / LOCK).holder())), None):
        return f"{holder} writes there"
    if run.facts["status"] in MAY_LIVE and not (path / LOCK).exists() and _age(path) < LEFT_ALONE:
        return "it may be running: it has no lock, and was written to within a day"
    inside = [part.path for part in find_runs(path) if part.path != path]
    if _is_whole(path):  # its trials or trainings go with it
        alive = next((part for part in inside if Lock(part / LOCK).holder()), None)
        return f"it holds {alive.relative_to(root)}, which stays" if alive else None
    whole = next((folder for folder in _up(path.parent, root) if _is_whole(folder)), None)
    if whole is not None and whole.relative_to(root).as_posix() not in chosen:
        return f"it is a part of {whole.relative_to(root)}, which can be removed as a whole"
    parts = [part.relative_to(root).as_posix() for part in inside]
    count = left_out.get(run.folder, 0) or sum(
        part not in chosen for part in parts
    )  # in a folder that is taken for one run
    return f"it holds {counted(count, 'run')} that the condition leaves out" if count else None


def _is_whole(path: Path) -> bool:
    """Whether a folder is a study or a comparison, which is made of the runs in it."""
    return any((path / name).is_file() for name in ("study.json", "comparison.json"))


def _up(path: Path, root: Path) -> Iterator[Path]:
    """A folder, and those that it lies in, up to the root: a sweep, study or comparison has a lock of its own."""
    yield path
    for folder in path.parents:
        if not folder.is_relative_to(root):
            return
        yield folder


def _age(path: Path) -> float:
    """Seconds since anything in a folder was written to."""
    times = [entry.stat().st_mtime for entry in path.iterdir() if not entry.is_symlink()]
    return time.time() - max([path.stat().st_mtime, *times])


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("yes=false: nobody can be asked here, and nothing was removed; yes=true removes them")
    with suppress(EOFError):
        return input(question).strip().lower() in ("y", "yes")
    return False


def _removed(root: Path, run: Record) -> str | None:
    """Remove a run folder while holding its lock, under a name by which no half of one is taken for a run.

    Returns why it could not be; a folder that another process has removed meanwhile is gone too.
    """
    path = root / run.folder
    going = path.with_name(f".removed.{path.name}")
    if not path.is_dir():
        return None
    lock = Lock(path / LOCK)
    try:
        if not lock.acquire():
            return f"{lock.holder() or 'a process'} writes there"
        path.rename(going)
        shutil.rmtree(going)
    except OSError as error:
        left = f"; what is left of it lies in {going}" if going.is_dir() else ""
        return f"{error.strerror or error}{left}"
    finally:
        lock.release()
    return None


def _above(folder: str) -> Iterator[str]:
    """The folders that a run folder lies in."""
    return (folder[:at] for at, letter in enumerate(folder) if letter == "/")


def _mend_latest(root: Path, left: Sequence[Record]) -> None:
    """Point each `latest` whose run is gone to the newest one that is left, as if the other had not been."""
    for link in [folder / "latest" for folder in root.iterdir() if not folder.is_symlink()]:
        if not link.is_symlink() or link.exists():
            continue
        verb = link.parent.name
        newest = next((run.folder for run in reversed(left) if run.folder.startswith(f"{verb}/")), None)
        with suppress(OSError):
            link.unlink()
            if newest is not None:
                link.symlink_to(os.path.relpath(root / newest, link.parent))
