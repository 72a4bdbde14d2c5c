"""The command of a sweep: which words are of the sweep itself, and what a sweep that is gone on with began with."""

import os
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from rnnvision.cli.frame.command_line.known import makes_sweeps
from rnnvision.cli.frame.command_line.line import CommandLine
from rnnvision.cli.frame.command_line.refused import OF_SWEEPS
from rnnvision.cli.frame.command_line.words import MULTIRUN, NO_RUNS, command, key_of, override, parsed
from rnnvision.cli.frame.paths import READ, expanded, pin_latest
from rnnvision.cli.frame.strangers.rules import is_trusted
from rnnvision.cli.frame.strangers.words import check_words
from rnnvision.cli.frame.sweep.record import FILE, Record, read_record
from rnnvision.errors import UsageError

HYDRAS = ("hydra/launcher=", "hydra/sweeper=")  # words that choose Hydra's own multirun


@dataclass(frozen=True)
class SweepCommand:
    """What was typed for a sweep.

    Attributes:
        flags: for every job.
        words: of the jobs, several values among them.
        settings: words of the sweep.
        folder, record: of the sweep that it goes on with.
        is_repeated: no word of a job was typed, so that its jobs are those of the record.
        typed_in: the folder from where paths are shown.
    """

    verb: str
    flags: tuple[str, ...]
    words: tuple[str, ...]
    settings: tuple[str, ...]
    folder: Path | None = None
    record: Record | None = None
    is_repeated: bool = False
    typed_in: Path = field(default_factory=Path.cwd)

    def shown(self, folder: Path) -> str:
        """A folder as a person would type it."""
        return os.path.relpath(folder, self.typed_in) if folder.is_relative_to(self.typed_in) else str(folder)

    @property
    def line(self) -> CommandLine:
        return CommandLine((*self.flags, "-m"), (*self.words, *self.settings))


def sweep_command(line: CommandLine, verb: str) -> SweepCommand | None:
    """The sweep that a command asks for; None for one run, and for Hydra's own multirun. It reads, and changes nothing.

    Raises:
        UsageError: for words of a sweep where there is none, and for a sweep that cannot be gone on with.
    """
    if not makes_sweeps(verb) or not NO_RUNS.isdisjoint(line.flags):
        return None
    settings = tuple(word for word in line.overrides if is_setting(word))
    typed = next((word for word in settings if key_of(word) == "resume_sweep"), None)
    read = parsed(typed) if typed else None
    if read is not None and read.value() is not None:
        return _resumed(line, settings, str(read.value()), verb)
    if not line.multirun:
        if settings:
            whole = command(["-m", *sys.argv[1:]])
            raise UsageError(f"{settings[0]}: is of a sweep, which is several runs; add -m: {whole}")
        return None
    if hydras := next((word for word in line.overrides if word.startswith(HYDRAS)), None):
        if settings:
            raise UsageError(f"{settings[0]}: is not for Hydra's own multirun; leave out {hydras}, or {settings[0]}")
        return None
    return _made(line.flags, line.overrides, verb)


def _made(flags: tuple[str, ...], words: tuple[str, ...], verb: str) -> SweepCommand:
    for word in words:
        if word.startswith("hydra.sweep.subdir="):
            raise UsageError(f"{word}: cannot be set; the folder of a job is named by what was swept")
        if word.startswith("sweep=") and (read := parsed(word)) is not None and read.is_sweep_override():
            raise UsageError(f"{word}: each is several runs by itself; give one of them")
        if word.startswith("hydra.run.dir="):
            raise UsageError(f"{word}: is the folder of one run; hydra.sweep.dir=FOLDER is that of a sweep")
        if word.startswith("hydra.sweeper.max_batch_size="):
            raise UsageError(f"{word}: there are no batches; jobs=N runs N jobs at once")
    own = [word for word in words if is_setting(word)]
    for word in own:
        if (read := parsed(word)) is not None and read.is_sweep_override():
            raise UsageError(f"{word}: takes one value for all jobs")
    kept = tuple(flag for flag in flags if flag not in MULTIRUN)
    return SweepCommand(verb, kept, tuple(pin_latest(word, READ) for word in words if word not in own), tuple(own))


def _resumed(line: CommandLine, settings: tuple[str, ...], typed: str, verb: str) -> SweepCommand:
    """The words that the sweep began with, and in place of some of them those that were typed now."""
    if hydras := next((word for word in line.overrides if word.startswith(HYDRAS)), None):
        raise UsageError(f"{hydras}: Hydra's own multirun cannot be resumed; leave it out")
    folder, record = read_record(typed, verb)
    every = (word for words in (*record.commands, *(job.words for job in record.jobs)) for word in words)
    check_words(dict.fromkeys(every), record.flags, folder / FILE)
    before, now = ({key_of(word): word for word in words} for words in (record.words, line.overrides))
    if (other := now.get("hydra.sweep.dir")) and (read := parsed(other)) and not _is_in(folder, str(read.value())):
        raise UsageError(f"resume_sweep={typed}: goes on in that folder; leave out {other}")
    if now.get("where", before.get("where")) != before.get("where"):  # whose settings are not those of another place
        before = {key: word for key, word in before.items() if not key.startswith("where.")}
    words = before | now
    words = {key: word for key, word in words.items() if key not in ("resume_sweep", "hydra.sweep.dir")}
    flags = tuple(flag for flag in line.flags if flag not in MULTIRUN) or record.flags
    made = _made(flags, tuple(words.values()), verb)
    return SweepCommand(
        verb, made.flags, made.words, made.settings, folder, record, set(line.overrides) <= set(settings)
    )


def _is_in(folder: Path, typed: str) -> bool:
    return Path(expanded(typed)).resolve() == folder.resolve()


def go_where_it_began(sweep: SweepCommand) -> None:
    """Of a sweep that is gone on with: work where it was typed, and let messages show its whole command.

    Raises:
        UsageError: for one that names modules or configurations there, which whoever wrote its record may have made,
            and for a folder that does not hold that of the sweep, which its record may have made up.
    """
    if sweep.record is not None and sweep.folder is not None:
        began = Path(sweep.record.cwd)
        if began.is_dir() and not began.samefile(Path.cwd()):  # else the whole of it has moved
            words = (*sweep.words, *(word for job in sweep.record.jobs for word in job.words))
            takes = sweep.flags or "plugins" in map(key_of, words)
            is_apart = not sweep.folder.resolve().is_relative_to(began.resolve())
            if (takes or is_apart) and not is_trusted():
                why = "takes modules or configurations from" if takes else "began in another folder,"
                again = command([*sweep.flags, override("resume_sweep", sweep.folder.resolve())])
                raise UsageError(
                    f"resume_sweep={sweep.shown(sweep.folder)}: {why} {began}; "
                    f"if {'they are' if takes else 'that is'} yours, go there: cd {shlex.quote(str(began))} && {again}"
                )
            os.chdir(began)
        resumes = override("resume_sweep", sweep.shown(sweep.folder))
        sys.argv[1:] = [*sweep.flags, "-m", *sweep.words, *sweep.settings, resumes]


def is_setting(word: str) -> bool:
    """Whether a word is of the sweep, such as jobs=2 or where.partition=gpu."""
    return key_of(word).partition(".")[0] in OF_SWEEPS
