"""sweep.json: what was typed for a sweep, and its jobs in their order. It is extended, and never changed otherwise."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rnnvision.cli.frame.command_line.words import command, override
from rnnvision.cli.frame.paths import expanded
from rnnvision.cli.frame.sweep.expand import Point, name_of
from rnnvision.errors import UsageError
from rnnvision.runs import RunFolder, read_json

FILE = "sweep.json"


@dataclass(frozen=True)
class Entry:
    """One job: the name of its folder, and its words."""

    name: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Record:
    """A sweep as it lies in its folder.

    Attributes:
        verb: whose runs the jobs are.
        cwd: where it was typed, from where its relative paths are meant.
        flags: such as --config-dir, which its jobs are given too.
        commands: the words of every command that began or extended it; the last one counts.
        jobs: in their order.
    """

    verb: str
    cwd: str
    flags: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]
    jobs: tuple[Entry, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        return self.commands[-1]

    def with_points(self, points: Sequence[Point]) -> "Record":
        """With a job for each point that it does not have yet."""
        jobs, known = list(self.jobs), {frozenset(job.words) for job in self.jobs}
        taken = {job.name.lower() for job in jobs}
        for point in points:
            if point.settings not in known:
                jobs.append(Entry(name_of(point, taken), point.words))
                taken.add(jobs[-1].name.lower())
                known.add(point.settings)
        return replace(self, jobs=tuple(jobs))

    def lacking(self, points: Sequence[Point]) -> list[Entry]:
        """Its jobs that are not among the points."""
        found = {point.settings for point in points}
        return [job for job in self.jobs if frozenset(job.words) not in found]

    def write(self, folder: Path) -> None:
        RunFolder(folder, folder, self.verb).write(FILE, asdict(self))


def resumption(verb: str, folder: object, *words: str) -> str:
    """What to type to go on with a sweep."""
    return command(["-m", override("resume_sweep", folder), *words], f"rnnvision {verb}")


def read_record(typed: str, verb: str) -> tuple[Path, Record]:
    """The folder of a sweep, and what lies in it.

    Raises:
        UsageError: where it is none, or one of another verb.
    """
    folder = Path(expanded(typed)).absolute()
    folder = folder.resolve() if folder.name == "latest" else folder  # which may point elsewhere before long
    found = read_json(folder / FILE)
    if not found:
        raise UsageError(f"resume_sweep={typed}: is no folder of a sweep ({_lacks(folder)})")
    record = _record(found)
    if record is None:
        raise UsageError(f"resume_sweep={typed}: its {FILE} is damaged, or of another version")
    if record.verb != verb:
        raise UsageError(f"resume_sweep={typed}: is a sweep of {record.verb}; try: {resumption(record.verb, typed)}")
    return folder, record


def _record(found: dict[str, Any]) -> Record | None:
    try:
        if not found["jobs"] or not all(_is_name(job["name"]) for job in found["jobs"]):
            return None
        return Record(
            verb=str(found["verb"]),
            cwd=str(found["cwd"]),
            flags=tuple(map(str, found["flags"])),
            commands=tuple(tuple(map(str, words)) for words in found["commands"] or [()]),
            jobs=tuple(Entry(str(job["name"]), tuple(map(str, job["words"]))) for job in found["jobs"]),
        )
    except (KeyError, TypeError):
        return None


def _is_name(name: object) -> bool:
    """Whether the name of a job leads to a folder within that of the sweep, whose content may be removed."""
    return isinstance(name, str) and name == Path(name).name and name not in ("", ".", "..") and "\0" not in name


def _lacks(folder: Path) -> str:
    if not folder.is_dir():
        return "there is no such folder"
    if (folder / FILE).exists():
        return f"its {FILE} cannot be read"
    above = next((parent for parent in folder.parents if (parent / FILE).is_file()), None)
    if above is not None:
        return f"it is a job of {os.path.relpath(above)}"
    if (folder / "multirun.yaml").is_file():
        return f"it has no {FILE}: Hydra's multirun made it, which cannot be resumed"
    return f"it has no {FILE}" + ("; it is one run: resume=" if (folder / ".hydra").is_dir() else "")
