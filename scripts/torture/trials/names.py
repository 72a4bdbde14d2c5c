"""Hostile names in each place where a user gives one: where files lie afterwards, and what is said.

Found and mended while it was built:
- letters that are not seen, or turn the direction of the text, stood as they are in messages;
- a name with control characters, an escape of a terminal among them, was accepted, and printed;
- a folder that no encoding has was accepted, and the next command led elsewhere.
"""

import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from rnnvision.cli.frame.command_line.words import override, parsed
from torture.trial import Ended, Outcome
from torture.verbs import forked, prepared

TITLE = "60 hostile names, as names of runs, folders, tags, studies, options and files"
BAR = "0 files outside the log folder; a line, or a run whose next command works"
COUNT = 1_000  # more than there are: all of them
FOUND = 3

NAMES = (
    *("a/b", "a\\b", "..", ".", "...", "../x", "a/../../../../../b", "/abs/olute", "//x", "~", "~/x", "~root/x"),
    *("a\0b", "a\nb", "a\rb", "a\tb", "\x1b[31mred", "\x07", "\x7f", "\x85", "\u2028", "\u202egnp.exe", "\u200b"),
    *("\u0430", "e\u0301", "\u00e9", "ﬁ", "🦊", "👨‍👩‍👧", "漢字", "\udcff", "\ufeffx", "\ufffe"),
    *("x" * 180, "x" * 181, "x" * 300, "é" * 90, "é" * 128, "x" * 5000),
    *(
        "-rf",
        "--help",
        "-m",
        "$(touch pwned)",
        "`touch pwned`",
        "; touch pwned",
        "| cat",
        "&& x",
        "> out",
        "*",
        "?",
        "[a]",
    ),
    *("'", '"', "\"'", "it's", "a b", " a ", "a ", " ", "", "con", "nul.txt", "a.", "a..", ".hidden", "latest"),
    *(
        "{}",
        "{0}",
        "${x}",
        "${oc.env:HOME}",
        "${name}",
        "%s%n",
        "%2e%2e%2f",
        "{{7*7}}",
        "<script>",
        "a,b",
        "a=b",
        "a:b",
    ),
    *(
        "null",
        "true",
        "1e5",
        "0x10",
        "2026-01-01",
        "!!python/object:x",
        "&a",
        "*a",
        "# a",
        "\\",
        "a\\",
        "\\n",
        "((",
        "))",
    ),
)
SMALL = ("trainer=smoke", "device=cpu", "model=gru", "model.hidden_size=4", "data=digits")
FULL = "# @package _global_\n"
PLACES = (
    *("a name", "a name as it is", "log_dir", "hydra.run.dir", "a tag", "an experiment", "a name in a file"),
    *("a model", "a study"),
)
CHOSEN = ("log_dir", "hydra.run.dir")  # folders that the user may choose


def run(count: int, seed: int, folder: Path) -> Outcome:
    """Each try is a name in a place; the seed says with which of them it begins."""
    prepared("train", "tune")
    outcome, ran = Outcome(), 0
    tries = [(place, name) for name in NAMES for place in PLACES if place != "a study" or NAMES.index(name) % 6 == 0]
    step = max(1, len(tries) // count)
    for number, (place, name) in enumerate(tries[seed % step :: step][:count]):
        wrong, has_run = _tried(place, name, folder / str(number))
        ran += has_run
        outcome.add(f"{place} {name[:40]!r}: {wrong}" if wrong else None)
    outcome.note = f"{len(NAMES)} names; {ran} runs"
    return outcome


def _tried(place: str, name: str, folder: Path) -> tuple[str | None, bool]:
    work = folder / "a" / "b" / "c" / "d" / "e" / "work"
    work.mkdir(parents=True)
    (folder / "home" / ".cache").mkdir(parents=True)  # where matplotlib keeps what it knows of fonts,
    (folder / "home" / ".config").mkdir()  # and where it looks for settings
    words = _words(place, name, work)
    chosen = _chosen(name, work, folder / "home") if place in CHOSEN else None
    if words is None:  # there is no such file
        return None, False
    if chosen and not Path(os.path.normpath(chosen)).is_relative_to(folder):  # a place of this machine
        return None, False
    before = set(folder.rglob("*"))
    ended = forked("tune" if place == "a study" else "train", words, work, HOME=str(folder / "home"))
    if ended is None:
        return "did not end", False
    allowed = [work / "logs", folder / "home" / ".cache", folder / "home" / ".config"]
    if chosen:
        allowed.append(chosen)
        before |= set(chosen.parents)  # a/.. is there once a is, as mkdir -p makes it
    made = [path for path in folder.rglob("*") if path not in before]
    outside = [path for path in made if not any(_lies_in(path, place_) for place_ in allowed)]
    wrong = next(iter(_faults(ended, work)), None)
    if outside:
        return f"{outside[0].relative_to(folder)} is outside", False
    return wrong, ended.code == 0


def _chosen(name: str, work: Path, home: Path) -> Path:
    """The folder that somebody chooses who types this name as one."""
    name = str(home) + name[1:] if name.split("/")[0] == "~" else os.path.expanduser(name)  # noqa: PTH111
    return work / name


def _lies_in(path: Path, folder: Path) -> bool:
    try:
        place = folder.resolve()
    except (OSError, ValueError, RuntimeError):
        return False
    return path.resolve().is_relative_to(place) or place.is_relative_to(path.resolve())


def _faults(ended: Ended, work: Path) -> Iterator[str]:
    if ended.has_traceback:
        yield f"a traceback: {ended.err[-200:]!r}"
    if ended.code not in (0, 2):
        yield f"ended with {ended.code}: {ended.err[-200:]!r}"
    lines = [line for line in ended.err.split("\n") if line.strip()]
    if ended.code == 2 and len(lines) != 1:
        yield f"{len(lines)} lines: {ended.err[-200:]!r}"
    if ended.code == 2 and not all(letter.isprintable() for letter in lines[0]):
        yield f"says what cannot be printed: {lines[0][-200:]!r}"
    if ended.code == 0 and (said := _next(ended.out)) is not None:
        yield from _wrong_command(said, work)


def _next(out: str) -> str | None:
    lines = [line for line in out.split("\n") if line.startswith("next ")]
    return lines[-1].removeprefix("next").strip() if lines else None


def _wrong_command(command: str, work: Path) -> Iterator[str]:
    """Whether a shell and Hydra read a folder that is there in the command that is printed."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        yield f"next: {error}: {command!r}"
        return
    for word in words[2:]:
        key = word.partition("=")[0]
        if key in ("ckpt", "run", "resume", "experiment"):
            read = parsed(word)
            value = read.value() if read is not None else word.partition("=")[2]
            if not (work / str(value)).exists():
                yield f"next: {word!r} leads nowhere"


def _words(place: str, name: str, work: Path) -> list[str] | None:
    """The command that gives a name in a place; None where no file can be called so."""
    own = work / "own"
    if place == "a name":
        return [*SMALL, override("name", name)]
    if place == "a name as it is":
        return [*SMALL, f"name={name}"]
    if place in CHOSEN:
        return [*SMALL, override(place, name)]
    if place == "a tag":
        return [*SMALL, f"tags=[{override('x', name).removeprefix('x=')}]"]
    if place == "a study":
        return [*SMALL[:3], "model.hidden_size=2,4", SMALL[4], "n_trials=1", override("name", name)]
    group, stem = ("model", name) if place == "a model" else ("experiment", name)
    content = "defaults:\n  - gru\n" if place == "a model" else f"{FULL}seed: 1\n"
    if place == "a name in a file":
        stem, content = "mine", f"{FULL}name: {json.dumps(name)}\n"
    (own / group).mkdir(parents=True)
    try:
        (own / group / f"{stem}.yaml").write_text(content)
    except (OSError, ValueError):
        return None
    if place == "a model":
        (own / group / "gru.yaml").write_text("defaults:\n  - _sequence\n\nrecurrence: gru\nhidden_size: 4\n")
    rest = [word for word in SMALL if not word.startswith("model=") or group != "model"]
    return ["--config-dir", "own", *rest, override(group, stem)]
