"""Put the picture files of a data set into shards, or check such shards. docs/shards.md explains them.

python scripts/make_shards.py make image_folder /data/flowers /data/flowers_shards
python scripts/make_shards.py make imagenet /data/imagenet /data/imagenet_shards --chunk-mb 128
python scripts/make_shards.py check /data/imagenet_shards
"""

import argparse
import json
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch

from rnnvision.data import CATALOG, DataError
from rnnvision.data.files import FileSplit
from rnnvision.data.shards import FORMAT, META, PARTS, SAMPLES, VERSION, check, parse
from rnnvision.data.store import open_store, sha256
from rnnvision.seeding import derive_seed

INDEX = "index.json"  # litdata's


def make(name: str, root: Path, shards: Path, chunk_mb: float) -> None:
    """Write the shards of the data set `name`, whose files lie in `root`, to the new folder `shards`."""
    if shards.exists() and any(shards.iterdir()):
        raise DataError(f"{shards}: is there already; delete it or give another folder")
    facts = CATALOG[name]
    splits = facts.read(facts.class_names, str(root))
    found = {part: split for part in PARTS if (split := getattr(splits, part)) is not None}
    described = {}
    for part, split in found.items():
        if not isinstance(split, FileSplit):
            raise DataError(f"{name}: is not kept as picture files, so shards would gain nothing")
        begun = time.perf_counter()
        described[part] = write(split, Path(splits.root or root), shards, part, int(chunk_mb * 1e6))
        chunks = described[part]["chunks"]
        megabytes = sum(chunk["bytes"] for chunk in chunks) / 1e6
        seconds = time.perf_counter() - begun
        print(f"{part:6} {len(split):,} pictures, {megabytes:,.1f} MB in {len(chunks)} chunks, {seconds:.1f} s")
    meta = {
        "format": FORMAT,
        "version": VERSION,
        "data": name,
        "class_names": list(splits.class_names),
        "splits": described,
    }
    last = shards / f"{META}.part"
    last.write_text(json.dumps(meta, indent=1))
    last.replace(shards / META)  # the last of all: without it the making was interrupted
    print(f"next   python train.py data={name} data.format=shards data.root={shards}")


def write(split: FileSplit, root: Path, shards: Path, part: str, chunk_bytes: int) -> dict[str, object]:
    """Write one split, in a fixed random order so that a chunk holds some of every class; what meta.json says of it."""
    from litdata.streaming.writer import BinaryWriter

    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(derive_seed("shards", part)))
    folder = shards / part
    writer = BinaryWriter(str(folder), chunk_bytes=chunk_bytes)
    for place, index in enumerate(order.tolist()):
        path = split.path(index)
        name = path.relative_to(root) if path.is_relative_to(root) else path
        # A tuple, and no text: of those litdata keeps the plain layout whatever else is installed.
        writer[place] = (int(split.labels[index]), os.fsencode(name), path.read_bytes())
    writer.done()
    writer.merge()
    places = torch.empty_like(order)
    places[order] = torch.arange(len(order))
    np.save(folder / SAMPLES, torch.stack([split.labels, places]).numpy().astype(np.int32))
    chunks = json.loads((folder / INDEX).read_text())["chunks"]
    return {
        "count": len(split),
        "samples": entry(shards, part, SAMPLES),
        "chunks": [entry(shards, part, c["filename"]) | {"samples": c["chunk_size"]} for c in chunks],
    }


def entry(shards: Path, part: str, name: str) -> dict[str, object]:
    path = shards / part / name
    return {"file": f"{part}/{name}", "bytes": path.stat().st_size, "sha256": sha256(path)}


def check_shards(shards: Path) -> None:
    """Compare the digest of every file with the one in meta.json."""
    store, content = open_store(str(shards), META)
    meta = parse(content, str(shards / META))
    check(store, meta, digest=True)
    print(f"{len(meta.files)} files are as they were made")


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    making = verbs.add_parser("make", help="write shards")
    making.add_argument("data", choices=sorted(CATALOG), help="image_folder, imagenet or another of picture files")
    making.add_argument("root", type=Path, help="folder of the pictures, as data.root")
    making.add_argument("shards", type=Path, help="new folder")
    making.add_argument("--chunk-mb", type=float, default=64.0, help="size of a chunk, default 64")
    checking = verbs.add_parser("check", help="compare every file with its digest")
    checking.add_argument("shards", type=Path)
    asked = parser.parse_args(words)
    for variable in ("WORLD_SIZE", "GLOBAL_RANK", "NNODES"):  # on a cluster litdata would wait for other processes
        os.environ.pop(variable, None)
    warnings.filterwarnings("ignore", message="An item was larger than the target chunk size")  # it gets its own chunk
    try:
        if asked.verb == "make":
            make(asked.data, asked.root, asked.shards, asked.chunk_mb)
        else:
            check_shards(asked.shards)
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except ImportError:
        print('error: needs a package that is not here; pip install "rnnvision[shards]"', file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
