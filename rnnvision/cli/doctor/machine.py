"""Checks of what a run needs of the machine: room to write, memory, shared memory, open files, the clock."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rnnvision.checks import counted
from rnnvision.cli.doctor.finding import Finding
from rnnvision.others import free_memory

GIB = 2**30
CLOCK_S = 5.0  # by which the clocks of this machine and of a file server may differ


def check_machine(log_dir: str) -> Iterator[Finding]:
    """Everything, one after the other."""
    folder = _existing(Path(log_dir))
    yield from writable(folder, log_dir)
    yield space(folder, shutil.disk_usage(folder).free)
    yield from memory()
    yield from open_files()


def writable(folder: Path, log_dir: str) -> Iterator[Finding]:
    """A file written into the folder, read back, linked, and compared with the clock."""
    todo = "log_dir=FOLDER, one that can be written"
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=folder) as inside:
            file = Path(inside, "a")
            file.write_text("a")
            ahead = time.time() - file.stat().st_mtime
            yield Finding("ok", f"log_dir={log_dir}: {folder} can be written")
            yield from _links(file)
            yield from clock(ahead)
    except OSError as error:
        yield Finding("fail", f"log_dir={log_dir}: {folder} cannot be written ({error.strerror})", todo)


def _links(file: Path) -> Iterator[Finding]:
    """The newest checkpoint is kept by a hard link until the next one is whole, and `latest` is a symbolic link."""
    try:
        file.with_name("b").hardlink_to(file)
        file.with_name("c").symlink_to(file)
    except OSError:
        yield Finding("-", "the file system has no links: there will be no logs/train/latest")


def clock(ahead: float) -> Iterator[Finding]:
    """The clock against that of the file system, and against the date of this package."""
    age = time.time() - Path(__file__).stat().st_mtime
    if abs(ahead) > CLOCK_S:
        side = "ahead of" if ahead > 0 else "behind"
        yield Finding("warn", f"the clock is {abs(ahead):.0f} s {side} that of the file system", "timedatectl")
    elif age < 0:
        yield Finding("warn", f"the clock is behind the files of this package, by {-age:.0f} s", "timedatectl")
    else:
        yield Finding("ok", f"clock: {time.strftime('%Y-%m-%d %H:%M:%S %Z')}")


def space(folder: Path, free: int) -> Finding:
    """Free bytes where runs are written."""
    text = f"{free / GIB:.1f} GiB free in {folder}"
    if free < GIB / 10:
        return Finding("fail", text, "make room, or log_dir=FOLDER on another disk")
    return Finding("warn", text, "make room, or log_dir=FOLDER on another disk") if free < GIB else Finding("ok", text)


def memory() -> Iterator[Finding]:
    """Memory, and the shared memory through which streaming workers hand over batches."""
    if (free := free_memory()) is not None:
        text = f"{free / GIB:.1f} GiB of memory available"
        todo = "data.format=streaming holds no data set in memory"
        yield Finding("ok", text) if free >= GIB else Finding("warn", text, todo)
    shared = Path("/dev/shm")
    if shared.is_dir():
        yield shared_memory(shutil.disk_usage(shared).free)


def shared_memory(free: int) -> Finding:
    """Free bytes in /dev/shm; containers often have 64 MiB."""
    text = f"{free / GIB:.2f} GiB of shared memory (/dev/shm)"
    if free < GIB / 4:
        return Finding("warn", f"{text}: workers that read images may run out of it", "docker run --shm-size=2g")
    return Finding("ok", text)


def open_files() -> Iterator[Finding]:
    """The number of files that a process may have open."""
    try:
        import resource
    except ImportError:  # Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < 1024:
        yield Finding("warn", f"a process may open {counted(soft, 'file')}", f"ulimit -n {4096 if hard < 0 else hard}")
    else:
        yield Finding("ok", f"a process may open {counted(soft, 'file')}")


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that there is."""
    folder = Path(os.path.abspath(folder))  # noqa: PTH100  # links stay as they are
    return next(part for part in (folder, *folder.parents) if part.exists())
