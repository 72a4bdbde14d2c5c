"""Shards: files of several hundred images each, so that a large data set is read sequentially.

A folder of shards, as `rnnvision shards` makes it:

    meta.json              its content: data set, class names, and each file's size and SHA-256
    train/samples.npy      int32 (2, N): label and place of each sample, in the order of the folder they were made from
    train/members.npy      int64 (2, N): of a user's folder, what each file's split follows from
    train/chunk-0-0.bin    a shard: (label, file name, content of the file) of each sample in it, by litdata's writer
    train/index.json       litdata's own, for its StreamingDataset; not read here
    val/ test/             likewise

litdata's StreamingDataset is not used: its order of an epoch depends on the number of workers and processes, it deletes
shards that it has read, and for one random sample it fetches its bytes alone or reads the whole shard.
"""

import io
import json
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rnnvision.checks import counted
from rnnvision.data.files import EncodedSplit
from rnnvision.data.images import Choice, View, decode, decode_seen, default_view, inspect, view_from
from rnnvision.data.membership import PARTS
from rnnvision.data.splits import DataError, Splits
from rnnvision.data.store import Entry, Store, open_store
from rnnvision.progress import done, work

META, SAMPLES, MEMBERS = "meta.json", "samples.npy", "members.npy"
FORMAT, VERSION = "rnnvision shards", 2  # version 1 had no members
ITEM = (0, b"", b"")  # label, file name, content
SERIALIZED = ["int", "bytes", "bytes"]  # what litdata calls these


@dataclass(frozen=True)
class Meta:
    """The content of meta.json: for each split its shards, its samples.npy and its members.npy, if it has one.

    `cut` says that the test split was cut from the training split.
    """

    data: str
    class_names: tuple[str, ...]
    shards: Mapping[str, tuple[Entry, ...]]
    samples: Mapping[str, Entry]
    members: Mapping[str, Entry]
    cut: bool

    @property
    def files(self) -> list[Entry]:
        tables = [*self.samples.values(), *self.members.values()]
        return [*tables, *(entry for entries in self.shards.values() for entry in entries)]


class ShardFiles:
    """The shards of a split: an item for each place."""

    def __init__(self, store: Store, entries: tuple[Entry, ...]) -> None:
        self.store, self.entries = store, entries
        self._starts = np.cumsum([0, *(entry.samples for entry in entries[:-1])])

    @property
    def size(self) -> int:
        """The number of samples."""
        return sum(entry.samples for entry in self.entries)

    def find(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N,) the shard of each place, and its number there."""
        shard = np.searchsorted(self._starts, places, side="right") - 1
        return shard, places - self._starts[shard]

    def name(self, place: int) -> str:
        shard, number = self.find(np.array([place]))
        return f"{self.store.root}/{self.entries[shard[0]].file}, sample {number[0]}"

    def read(self, place: int) -> tuple[str, bytes]:
        """The name of a file, as shard and path, and its content.

        Raises:
            DataError: if the shard cannot be fetched, or is damaged.
        """
        found, numbers = self.find(np.array([place]))
        shard, number = self.entries[found[0]], int(numbers[0])
        path = self.store.path(shard)
        try:
            with path.open("rb", buffering=0) as file:  # opened anew: an open file must not be shared by processes
                file.seek(4 * (1 + number))
                begin, end = struct.unpack("<2I", file.read(8))
                if not begin <= end <= shard.bytes:
                    raise ValueError("it lies outside the file")
                file.seek(begin)
                _, name, content = _items().load_item_from_bytes(file.read(end - begin), 0)
        except Exception as error:  # for damage litdata raises nearly anything
            raise DataError(f"{self.name(place)}: cannot be read ({' '.join(str(error).split())})") from error
        return f"{self.store.root}/{shard.file}: {name.decode(errors='replace')}", content


@lru_cache(maxsize=1)
def _items() -> Any:
    """litdata's decoder of items, with their types given: shards may be a stranger's, so their own are not trusted."""
    from litdata.streaming.item_loader import PyTreeLoader
    from litdata.streaming.serializers import BytesSerializer, IntegerSerializer
    from litdata.utilities._pytree import tree_flatten

    loader = PyTreeLoader(batch_decode=0)
    config = {"data_format": SERIALIZED, "data_spec": tree_flatten(ITEM)[1]}
    loader.setup(config, [], {"int": IntegerSerializer(), "bytes": BytesSerializer()})
    return loader


@dataclass(frozen=True, eq=False)
class ShardSplit(EncodedSplit):
    """N images in shards; the view is that of `EncodedSplit`.

    Attributes:
        files: the shards that hold them.
        places: int64 (N,), where each lies in the shards, one after the other.
        labels: int64 (N,).
        members: int64 (2, N), keys and fingerprints, see `rnnvision.data.membership`; None for a set of fixed files.
    """

    files: ShardFiles
    places: Tensor
    labels: Tensor
    view: View = field(default_factory=View)
    members: Tensor | None = None

    @property
    def keys(self) -> Tensor | None:  # type: ignore[override]  # read only
        return None if self.members is None else self.members[0]

    def contents(self) -> Tensor:
        assert self.members is not None
        return self.members[1]

    @property
    def at_hand(self) -> bool:
        return not self.files.store.remote

    @property
    def shard_of(self) -> Tensor:
        return torch.from_numpy(self.files.find(self.places.numpy())[0])

    def name(self, index: int) -> str:
        return self.files.name(int(self.places[index]))

    def load(self, index: int) -> Tensor:
        name, content = self.files.read(int(self.places[index]))
        return decode(io.BytesIO(content), name, self.view)

    def seen(self, index: int, choose: Choice | None = None) -> Tensor:
        name, content = self.files.read(int(self.places[index]))
        return decode_seen(io.BytesIO(content), name, self.view, choose)

    def inspect(self, index: int) -> None:
        name, content = self.files.read(int(self.places[index]))
        inspect(io.BytesIO(content), name, self.view)

    def select(self, index: Tensor) -> "ShardSplit":
        members = None if self.members is None else self.members[:, index]
        return replace(self, places=self.places[index], labels=self.labels[index], members=members)

    def joined(self, others: "Sequence[ShardSplit]") -> "ShardSplit":
        parts = [self, *others]
        starts = np.cumsum([0, *(part.files.size for part in parts)]).tolist()
        members = [part.members for part in parts if part.members is not None]
        return replace(
            self,
            files=ShardFiles(self.files.store, tuple(entry for part in parts for entry in part.files.entries)),
            places=torch.cat([part.places + start for part, start in zip(parts, starts, strict=False)]),
            labels=torch.cat([part.labels for part in parts]),
            members=torch.cat(members, dim=1) if len(members) == len(parts) else None,
        )


def read_shards(name: str, root: str | None, reader: Callable[..., Splits], options: Mapping[str, Any]) -> Splits:
    """The splits of the data set `name` from shards, in the order in which `reader` gives them from files.

    Args:
        name: an entry of the catalog.
        root: a folder, or an address that litdata knows, such as s3://bucket/folder.
        reader: the data set's own; its defaults hold for what `options` lacks.
        options: of the reader; those of `View` hold for shards too.

    Raises:
        ValueError: without litdata, for a data set that is not one of image files, an option out of range.
        DataError: for what is no folder of shards, or one with files missing or cut short; it names each.
    """
    if (standard := default_view(reader)) is None:
        raise ValueError(f"format=shards: {name} is not kept as image files; choose auto, resident or streaming")
    view = view_from(standard, dict(options))
    try:
        import litdata  # noqa: F401
    except ImportError as error:
        raise ValueError('format=shards: needs a package that is not here; pip install "rnnvision[shards]"') from error
    if root is None:
        raise ValueError("root=null: format=shards needs data.root=FOLDER, which `rnnvision shards` has made")
    store, content = open_store(root, META)
    meta = parse(content, f"{store.root}/{META}")
    if meta.data != name:
        raise DataError(f"{store.root}: holds the data set {meta.data}; choose data={meta.data}")
    check(store, meta)
    parts = {part: _split(store, meta, part, view) for part in meta.shards}
    train, test, val, root = parts["train"], parts["test"], parts.get("val"), store.root
    return Splits(train, test, meta.class_names, root, val=val, root=root, cut=meta.cut)


def _split(store: Store, meta: Meta, part: str, view: View) -> ShardSplit:
    files = ShardFiles(store, meta.shards[part])
    labels, places = _table(store, meta.samples[part], files.size)
    if not torch.equal(places.sort().values, torch.arange(files.size)):
        raise DataError(f"{store.root}/{meta.samples[part].file}: its places are not those of {files.size:,} samples")
    if not 0 <= int(labels.min()) <= int(labels.max()) < len(meta.class_names):
        raise DataError(
            f"{store.root}/{meta.samples[part].file}: has labels of more than {len(meta.class_names)} classes"
        )
    members = _table(store, meta.members[part], files.size) if part in meta.members else None
    return ShardSplit(files, places, labels, view, members)


def _table(store: Store, entry: Entry, count: int) -> Tensor:
    if fault := entry.fault(path := store.path(entry), digest=True):
        raise DataError(f"{store.root}: {fault}; copy or make these shards again")
    try:
        table = np.load(path, allow_pickle=False)
        if table.shape != (2, count) or table.dtype.kind != "i":
            raise ValueError(f"{table.dtype} of shape {table.shape}")
    except (ValueError, EOFError, OSError, MemoryError) as error:
        raise DataError(f"{store.root}/{entry.file}: is no table of {count:,} samples ({error})") from error
    return torch.from_numpy(table.astype(np.int64))


def check(store: Store, meta: Meta, *, digest: bool = False) -> None:
    """Check the size of each file of a folder, or its digest; files of an address are checked as they arrive.

    Raises:
        DataError: that names every file that is missing, cut short or changed.
    """
    if store.remote:
        return
    faults = []
    with work("checking files", total=len(meta.files)):
        for entry in meta.files:
            if fault := entry.fault(store.folder / entry.file, digest=digest):
                faults.append(fault)
            done()
    if faults:
        files, wrong = "\n  ".join(faults), f"{len(faults)} of {counted(len(meta.files), 'file')}"
        raise DataError(f"{store.root}: {wrong} missing or damaged; copy or make them again:\n  {files}")


def parse(content: bytes, name: str) -> Meta:
    """The content of a meta.json.

    Raises:
        DataError: if it is damaged, of a later version, or names a file outside its folder.
    """
    try:
        meta = json.loads(content)
        if meta["format"] != FORMAT:
            raise ValueError(f"format {meta['format']}")
        if not all(meta["splits"][part]["chunks"] for part in meta["splits"]):
            raise ValueError("a split without chunks")
        if meta["version"] > VERSION:
            raise DataError(
                f"{name}: version {meta['version']}, of which {VERSION} and lower are known; update rnnvision"
            )
        splits = {part: meta["splits"][part] for part in PARTS if part in meta["splits"]}
        shards = {part: tuple(_entry(shard) for shard in split["chunks"]) for part, split in splits.items()}
        samples = {part: _entry(split["samples"]) for part, split in splits.items()}
        members = {part: _entry(split["members"]) for part, split in splits.items() if "members" in split}
        if not {"train", "test"} <= set(splits):
            raise ValueError("no train or no test")
        for part, split in splits.items():
            if sum(shard.samples for shard in shards[part]) != split["count"]:
                raise ValueError(f"the chunks of {part} do not add up to {split['count']}")
        return Meta(meta["data"], tuple(meta["class_names"]), shards, samples, members, bool(meta.get("cut", False)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{name}: is no {META} of shards ({type(error).__name__}: {error})") from error


def _entry(values: dict[str, Any]) -> Entry:
    entry = Entry(**values)
    if not re.fullmatch(rf"({'|'.join(PARTS)})/\w[\w.-]*", entry.file):
        raise ValueError(f"{entry.file} is no file of a split")
    return entry
