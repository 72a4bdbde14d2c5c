"""Membership: which split each file of a user's folder belongs to, and what has changed since a network was trained.

A file's split follows from its path below the folder alone, so it stays when other files come and go. A checkpoint
keeps a record of the files of each split: what a network was trained on never gets into its validation or test split,
whatever has since been added, deleted, renamed or replaced.

Shapes: N files of a split.
"""

import hashlib
import os
import stat
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rnnvision.progress import done, work
from rnnvision.seeding import derive_seed

PARTS = ("train", "val", "test")
UNKNOWN = len(PARTS)
NOT_COMPARED = 0  # fingerprint of a file whose content was not looked at
MOST_COMPARED = 200_000  # files of a folder; of a larger one the paths alone are compared
SHARED = 0.1  # of the images of two folders, so many are the same if the folders are: one may be anywhere
CHUNK = 512  # files in a thread's task
BLOCK = 4096
BEGIN = 2**16  # bytes of the first look into a file
READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)  # a pipe would wait for ever
WHOLE = 2**20  # bytes up to which all of a file counts; of a larger one its size and 256 blocks


def path_keys(paths: Iterable[str]) -> Tensor:
    """int64 (N,): a hash of each path below the folder, in one Unicode form."""
    names = (path if path.isascii() else unicodedata.normalize("NFC", path) for path in paths)
    return _int64([hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest() for name in names])


def chosen(keys: Tensor, labels: Tensor, fraction: float, *seed: int | str) -> tuple[Tensor, Tensor]:
    """Indices of the files that stay, and of those that are cut off: a share of about `fraction` of each class.

    Each file is drawn by its own key. A class of two or more files keeps one at least, and gives one at least. Both
    parts are in the order of the draws, so that their first files are of every class.
    """
    draw = _draws(keys, derive_seed("split", *seed))
    order = np.argsort(draw, kind="stable")
    cut = draw < fraction
    if fraction > 0:
        by_class = order[np.argsort(labels.numpy()[order], kind="stable")]
        for own in np.split(by_class, torch.unique(labels, return_counts=True)[1].cumsum(0)[:-1]):
            if len(own) > 1 and not cut[own].any():
                cut[own[0]] = True
            elif len(own) and cut[own].all():
                cut[own[-1]] = False
    return torch.from_numpy(order[~cut[order]]), torch.from_numpy(order[cut[order]])


def _draws(keys: Tensor, seed: int) -> np.ndarray:
    """Uniform numbers in [0, 1), one a key: SplitMix64 (doi 10.1145/2660193.2660195)."""
    z = keys.numpy().view(np.uint64) ^ np.uint64(seed)
    with np.errstate(over="ignore"):
        z = z + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (z ^ (z >> np.uint64(31))) / 2.0**64


def fingerprints(paths: Sequence[str | bytes]) -> Tensor:
    """int64 (N,): a hash of each file's content; NOT_COMPARED where it cannot be read."""

    def hashes(start: int) -> list[bytes]:
        return [_content_hash(path) for path in paths[start : start + CHUNK]]

    found: list[bytes] = []
    with work("comparing files", total=len(paths)), ThreadPoolExecutor(os.cpu_count()) as pool:
        for chunk in pool.map(hashes, range(0, len(paths), CHUNK)):
            found += chunk
            done(len(chunk))
    return _int64(found)


def content_hash(size: int, read: Callable[[int, int], bytes]) -> bytes:
    """8 bytes of a content of `size` bytes, of which `read(offset, count)` gives a part."""
    digest = hashlib.blake2b(size.to_bytes(8, "little"), digest_size=8)
    if size <= WHOLE:
        digest.update(read(0, size))
    else:
        for offset in np.linspace(0, size - BLOCK, WHOLE // BLOCK, dtype=np.int64).tolist():
            digest.update(read(offset, BLOCK))
    return digest.digest()


def _content_hash(path: str | bytes) -> bytes:
    try:
        file = os.open(path, READ)
        try:
            start = os.read(file, BEGIN)  # small files are read with no further call: there may be a hundred thousand
            if 0 < len(start) < BEGIN:
                return content_hash(len(start), lambda *_: start)
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                return bytes(8)

            def read(offset: int, count: int) -> bytes:
                os.lseek(file, offset, os.SEEK_SET)
                return os.read(file, count)

            return content_hash(status.st_size, read)
        finally:
            os.close(file)
    except OSError:  # whoever decodes it will say so
        return bytes(8)


def _int64(digests: list[bytes]) -> Tensor:
    return torch.from_numpy(np.frombuffer(b"".join(digests), dtype="<i8").astype(np.int64))


@dataclass(frozen=True)
class Record:
    """The files of each split of a folder.

    Attributes:
        root: the folder, and the table of its labels if it has one.
        files: of train, val and test, int64 (3, N): of each file the key of its path, the fingerprint of its content,
            and a hash of the name of its class.
    """

    root: str
    files: Mapping[str, Tensor]

    def plain(self) -> dict[str, Any]:
        """For a checkpoint: the files, and a digest of each split that can be compared by eye."""
        digests = {part: _digest(files) for part, files in self.files.items()}
        return {"root": self.root, "digests": digests, "files": dict(self.files)}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "Record":
        return cls(plain["root"], plain["files"])

    def changes(self, now: "Record") -> str:
        """What differs in `now`, in words; "" for nothing."""
        old, new, before_labels = self._all(), now._all(), self._labels()
        contents_old, contents_new = self.contents(), now.contents()
        compared = contents_old and contents_new
        added, removed = new.keys() - old.keys(), old.keys() - new.keys()
        came = sum(1 for key in added if new[key] in contents_old)
        went = sum(1 for key in removed if old[key] in contents_new)
        counts = {
            "added": len(added) - came,
            "removed": len(removed) - min(came, went),
            "replaced": sum(1 for key in new.keys() & old.keys() if new[key] != old[key]) if compared else 0,
            "renamed": min(came, went),
            "copied": came - min(came, went),
            "relabelled": sum(1 for key, label in now._labels().items() if before_labels.get(key, label) != label),
        }
        return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)

    def after(self, before: "Record") -> "Record":
        """This record for a network that goes on from `before`: train also has what it was trained on and is gone."""
        keys, contents = set(self._all()), self.contents()
        known = contents if contents and before.contents() else keys
        row = 1 if known is contents else 0
        gone = [column for column in before.files["train"].T.tolist() if column[row] not in known]
        train = torch.cat([torch.tensor(gone, dtype=torch.int64).reshape(-1, 3).T, self.files["train"]], dim=1)
        return Record(self.root, {**self.files, "train": train})

    def members(self, row: int) -> list[set[int]]:
        """For each of PARTS the keys (row 0) or the fingerprints (row 1) of its files."""
        return [set(self.files[part][row].tolist()) - {NOT_COMPARED} if part in self.files else set() for part in PARTS]

    def contents(self) -> set[int]:
        """The fingerprints of all files; none where the paths alone are compared."""
        return set().union(*self.members(1))

    def is_of_folder(self, other: "Record") -> bool:
        """Whether it is of the same folder, which may have been moved and have changed."""
        if self.root == other.root:
            return True
        by_content = self.contents() and other.contents()
        mine, others = (set().union(*record.members(1 if by_content else 0)) for record in (self, other))
        return len(mine & others) > SHARED * min(len(mine), len(others))

    def _all(self) -> dict[int, int]:
        return dict(pair for part in self.files for pair in _pairs(self, part))

    def _labels(self) -> dict[int, int]:
        return {key: label for files in self.files.values() for key, _, label in files.T.tolist()}


def _digest(files: Tensor) -> str:
    order = np.lexsort(files.numpy()[::-1])
    return hashlib.blake2b(files.numpy()[:, order].tobytes(), digest_size=8).hexdigest()


def placed(now: Record, before: Record, *, cut: bool) -> tuple[Tensor, bool]:
    """Where each file of `now` belongs for a network that was trained with `before`: an index of PARTS.

    A file that is as it was stays where it was. So does one of which the path or the content was in a split; train
    comes first where it was in several. Of what the record does not know, the split is the one of `now`; but in a
    folder of which it knows nothing all may be measured, so it is test if `cut`, that is if the folder has no test
    split of its own.

    Returns them for train, val and test one after the other, and whether it is the folder of `before`.
    """
    keys, contents = (torch.cat([now.files[part][row] for part in PARTS]).tolist() for row in (0, 1))
    own = [place for place, part in enumerate(PARTS) for _ in range(now.files[part].shape[1])]
    known_keys, known_contents = before.members(0), before.members(1)
    unchanged = {pair: place for place, part in enumerate(PARTS) for pair in _pairs(before, part)}
    same = now.is_of_folder(before)
    places = []
    for key, content, mine in zip(keys, contents, own, strict=True):
        place = min(_first(known_contents, content), _first(known_keys, key) if same else UNKNOWN)
        place = unchanged.get((key, content), place)
        places.append(place if place != UNKNOWN else mine if same or not cut else PARTS.index("test"))
    return torch.tensor(places), same


def copies(record: Record, part: str) -> list[int]:
    """Indices of the files of a split of which train has a copy."""
    known = set(record.files["train"][1].tolist()) - {NOT_COMPARED}
    return [index for index, content in enumerate(record.files[part][1].tolist()) if content in known]


def _pairs(record: Record, part: str) -> list[tuple[int, int]]:
    return list(zip(*record.files[part][:2].tolist(), strict=True)) if part in record.files else []


def _first(members: list[set[int]], value: int) -> int:
    return next((place for place, known in enumerate(members) if value in known), UNKNOWN)
