"""Writing and checking of shards. docs/shards.md explains them."""

import json
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rnnvision.atomic import replaced
from rnnvision.checks import counted
from rnnvision.data.files import FileSplit
from rnnvision.data.membership import PARTS
from rnnvision.data.shards import FORMAT, MEMBERS, META, SAMPLES, VERSION, check, parse
from rnnvision.data.splits import DataError, Splits
from rnnvision.data.store import open_store, sha256
from rnnvision.progress import done, work
from rnnvision.seeding import derive_seed

INDEX = "index.json"  # litdata's
ELSEWHERE = ("WORLD_SIZE", "GLOBAL_RANK", "NNODES")  # by which litdata would wait for other processes on a cluster


def make_shards(name: str, splits: Splits, root: Path, shards: Path, shard_mb: float) -> None:
    """Write the splits of the data set `name`, whose files lie in `root`, to the new folder `shards`.

    Raises:
        DataError: if the folder is not empty, or the data set is not stored as image files.
        ImportError: without litdata.
    """
    if shards.exists() and any(shards.iterdir()):
        raise DataError(f"{shards}: is there already; delete it or give another folder")
    found = {part: split for part in PARTS if (split := getattr(splits, part)) is not None}
    described = {}
    for part, split in found.items():
        if not isinstance(split, FileSplit):
            raise DataError(f"{name}: is not kept as image files, so shards would gain nothing")
        begun = time.perf_counter()
        described[part] = _write(split, Path(splits.root or root), shards, part, int(shard_mb * 1e6))
        files = described[part]["chunks"]
        megabytes = sum(file["bytes"] for file in files) / 1e6
        seconds = time.perf_counter() - begun
        print(
            f"{part:9} {len(split):,} images, {megabytes:,.1f} MB in {counted(len(files), 'shard')}, {seconds:.1f} s",
            flush=True,
        )
    meta = {
        "format": FORMAT,
        "version": VERSION,
        "data": name,
        "class_names": list(splits.class_names),
        "cut": splits.cut,
        "splits": described,
    }
    with replaced(shards / META) as last:  # the last of all: without it the making was interrupted
        last.write_text(json.dumps(meta, indent=1))


def check_shards(shards: str) -> int:
    """Compare the digest of every file with the one in meta.json; returns how many files there are.

    Raises:
        DataError: that names every file which is missing or has changed.
    """
    store, content = open_store(shards, META)
    meta = parse(content, f"{shards}/{META}")
    check(store, meta, digest=True)
    return len(meta.files)


@contextmanager
def _alone() -> Iterator[None]:
    """litdata as one process, and silent about an item that is larger than a shard: it gets its own."""
    before = {name: os.environ.pop(name) for name in ELSEWHERE if name in os.environ}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="An item was larger than the target chunk size")
            yield
    finally:
        os.environ |= before


def _write(split: FileSplit, root: Path, shards: Path, part: str, chunk_bytes: int) -> dict[str, Any]:
    """Write one split, in a fixed random order so that a shard holds some of every class; its entry in meta.json."""
    from litdata.streaming.writer import BinaryWriter

    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(derive_seed("shards", part)))
    folder = shards / part
    with _alone(), work(f"packing images of {part}", total=len(split)):
        writer = BinaryWriter(str(folder), chunk_bytes=chunk_bytes)
        for place, index in enumerate(order.tolist()):
            path = split.path(index)
            name = path.relative_to(root) if path.is_relative_to(root) else path
            # A tuple without strings: litdata keeps its plain layout for those, whatever else is installed.
            writer[place] = (int(split.labels[index]), os.fsencode(name), path.read_bytes())
            done()
        writer.done()
        writer.merge()
    places = torch.empty_like(order)
    places[order] = torch.arange(len(order))
    np.save(folder / SAMPLES, torch.stack([split.labels, places]).numpy().astype(np.int32))
    tables = {"samples": SAMPLES}
    if split.keys is not None:
        np.save(folder / MEMBERS, torch.stack([split.keys, split.contents()]).numpy())
        tables["members"] = MEMBERS
    files = json.loads((folder / INDEX).read_text())["chunks"]
    with work(f"checking files of {part}", total=len(tables) + len(files)):
        return {
            "count": len(split),
            **{key: _entry(shards, part, name) for key, name in tables.items()},
            "chunks": [_entry(shards, part, c["filename"]) | {"samples": c["chunk_size"]} for c in files],
        }


def _entry(shards: Path, part: str, name: str) -> dict[str, Any]:
    path = shards / part / name
    entry = {"file": f"{part}/{name}", "bytes": path.stat().st_size, "sha256": sha256(path)}
    done()
    return entry
