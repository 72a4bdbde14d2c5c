"""An index of run folders: what was read of each is kept in one file, and read again only where a folder has changed.

The file is a cache and nothing else: it may be removed at any time, one that is damaged or of another version is made
anew, and of two processes that write it the last one wins, each with a whole file that is true of the folders it saw.
"""

import json
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from rnnvision.atomic import replaced
from rnnvision.masking import masked
from rnnvision.regular import INDEX, read_bounded
from rnnvision.runs.read import CONFIG
from rnnvision.runs.record import FACTS, Piece, Record, read_record, state_of

FILE = ".results_index"
VERSION = [2, *FACTS]
SETTLED = 2.0  # seconds: what was changed within them may change again without a new time
PARTS = ("comparison.json", "study.json", "sweep.json")  # a folder with one of them holds run folders
FOREIGN = "meta.yaml"  # a folder with it is MLflow's, which has thousands of them

Stamp = list[int]
Entry = tuple[Stamp, bool, Record]  # whether it holds other runs


def find_records(root: Path, below: str = "") -> list[Record]:
    """The records of all run folders in `root`, by start; links are not followed.

    Args:
        root: the folder for run folders. The index is written into it, if it can be.
        below: a folder in `root`, relative to it: only the runs in it.
    """
    index = read_index(root)
    inside = {folder for folder in index if not below or folder == below or folder.startswith(f"{below}/")}
    found = dict(_look(root, below, index))
    changed = found.keys() != inside or any(found[folder] is not index[folder] for folder in inside)
    if changed:
        rest = {folder: entry for folder, entry in index.items() if folder not in inside}
        write_index(root, rest | found)
    records = sorted((record for _, _, record in found.values()), key=_by_start)
    for record in records:
        if record.facts["status"] == "running":  # its lock is no part of the index
            record.facts["status"] = state_of(f"{root}/{record.folder}", "running")
    return records


def _by_start(record: Record) -> str:
    return f"{record.facts['started'] or ''} {record.facts['folder']}"


def _look(root: Path, below: str, index: dict[str, Entry]) -> Iterator[tuple[str, Entry]]:
    """Every run folder, by its path from the root; of one that has not changed, the entry of the index itself."""
    start = os.path.join(root, below) if below else str(root)  # noqa: PTH118  # a Path is slow
    waiting = [(below, start)]
    while waiting:
        name, path = waiting.pop()
        known = index.get(name)
        stamp = _stamp(path)
        if known is not None and known[0] == stamp:
            yield name, known
            if not known[1]:
                continue
        try:
            with os.scandir(path) as entries:
                files = {entry.name: entry for entry in entries}
        except OSError:
            continue
        is_run = "status.json" in files or (".hydra" in files and os.path.isfile(f"{path}/{CONFIG}"))  # noqa: PTH113
        has_parts = not files.keys().isdisjoint(PARTS)
        if is_run and not (known is not None and known[0] == stamp):
            yield name, (stamp, has_parts, read_record(path, name or ".", files))
        if (is_run and not has_parts) or FOREIGN in files:
            continue
        for inner, entry in files.items():
            if not inner.startswith(".") and entry.is_dir(follow_symlinks=False):
                waiting.append((f"{name}/{inner}" if name else inner, entry.path))


def _stamp(path: str) -> Stamp:
    """When a run folder, its status and its figures were last written to: another content has another stamp."""
    return [_time(path), _time(f"{path}/status.json"), _time(f"{path}/metrics.json")]


def _time(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116
    except OSError:
        return 0


# The file: a checksum, then JSON in which what runs have in common (pieces of configurations, options, names of
# figures) stands once.


def write_index(root: Path, entries: dict[str, Entry]) -> None:
    """Write the index, all of it or nothing; nothing where the folder cannot be written to."""
    recent = (time.time() - SETTLED) * 1e9
    pieces, choices, names = _Numbered(), _Numbered(), _Numbered()
    runs = {}
    for folder, (stamp, has_parts, record) in entries.items():
        runs[folder] = [
            stamp if stamp and max(stamp) < recent else [],
            has_parts,
            [record.facts[fact] for fact in FACTS],
            choices.of(record.choices),
            names.of(list(record.metrics)),
            list(record.metrics.values()),
            [pieces.of({top: piece}, piece) for top, piece in record.config.items()],
            record.overrides,
        ]
    content = {"version": VERSION, "pieces": pieces.all, "choices": choices.all, "names": names.all, "runs": runs}
    text = masked(json.dumps(content, separators=(",", ":"))).encode()
    with suppress(OSError), replaced(root / FILE) as temporary:  # not `whole`: the checksum is of the text as it is
        temporary.write_bytes(b"%08x\n" % zlib.crc32(text) + text)


def read_index(root: Path) -> dict[str, Entry]:
    """What the index says of each run folder; {} where there is none, or it is damaged or of another version."""
    try:
        checksum, _, text = read_bounded(root / FILE, INDEX).partition(b"\n")
        if checksum != b"%08x" % zlib.crc32(text):
            return {}
        content = json.loads(text)
        return dict(_entries(content)) if content["version"] == VERSION else {}
    except (OSError, ValueError, RuntimeError, TypeError, KeyError, IndexError, AttributeError):
        return {}  # somebody else may have written it


def _entries(content: dict[str, Any]) -> Iterator[tuple[str, Entry]]:
    tops: list[tuple[str, Piece]] = [next(iter(piece.items())) for piece in content["pieces"]]
    choices, names = content["choices"], content["names"]
    for folder, (stamp, has_parts, facts, choice, name, figures, config, overrides) in content["runs"].items():
        record = Record(
            dict(zip(FACTS, facts, strict=True)),
            choices[choice],
            dict(zip(names[name], figures, strict=True)),
            dict([tops[i] for i in config]),  # quicker than a comprehension
            tuple(overrides),
        )
        yield folder, (stamp, has_parts, record)


class _Numbered:
    """Values that are written once; each is known by its number."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self._by_id: dict[int, int] = {}
        self._by_text: dict[str, int] = {}

    def of(self, value: Any, shared: object = None) -> int:
        """The number of a value; `shared` is an object that stands for the same value wherever it is met."""
        known = self._by_id.get(id(shared)) if shared is not None else None
        if known is not None:
            return known
        text = json.dumps(value)
        if text not in self._by_text:
            self._by_text[text] = len(self.all)
            self.all.append(value)
        if shared is not None:
            self._by_id[id(shared)] = self._by_text[text]
        return self._by_text[text]
